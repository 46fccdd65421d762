"""Faults as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.words.faults import TIMED, Fault, Mode, parse_fault
from postroad.words.names import Unreadable


def test_every_mode_is_written_by_its_name():
    """The name of a mode alone is a fault."""
    assert [Fault(mode) for mode in Mode] == [parse_fault(mode.value) for mode in Mode]


@given(st.sampled_from(sorted(TIMED)), st.integers(0, 36000))
def test_seconds_are_read_as_they_are_written(mode, tenths):
    """What str writes, parse_fault reads."""
    fault = Fault(mode, tenths / 10)
    assert fault == parse_fault(str(fault))


@given(st.text())
def test_any_text_is_a_fault_or_unreadable(text):
    """No text raises."""
    assert isinstance(parse_fault(text), Fault | Unreadable)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("explode", "choose one of accept, refuse, blackhole"),
        ("", "choose one of accept"),
        ("r450:2", "takes no seconds; slow and tarpit do"),
        ("slow:soon", "as in slow:2.5"),
        ("slow:", "as in slow:2.5"),
        ("slow:-1", "between 0 and 3600"),
        ("tarpit:nan", "between 0 and 3600"),
    ],
)
def test_nonsense_is_told_what_is_possible(text, why):
    """An unreadable fault says what could have been written."""
    assert why in parse_fault(text).why
