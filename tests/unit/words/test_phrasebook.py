"""One phrase book: a share, a time, a size, a count and a list are written the same wherever they are read."""

import ast
import re
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sources import files, nodes, text

from postroad.words.phrasebook import (
    between,
    counted,
    duration,
    interval,
    listing,
    moment,
    octets,
    per_cent,
    percent,
    seconds,
)

BOOK = "words/phrasebook.py"
FORMS = r'%\}|:[^{}\s]*\} ?(?:ms|s|min|h|d)\b|else "e?s"|def _*(?:percent|seconds|plural|listing)_*\('
UNIT = re.compile(r" ?(?:ms|s|min|h|d)\b")
SHARES = st.fractions(min_value=0, max_value=1)


@pytest.mark.parametrize(
    ("share", "told", "cell"),
    [
        (Fraction(0), "0 %", "0"),
        (Fraction(1, 10_000), "under 0.1 %", "<1"),
        (Fraction(1, 200), "0.5 %", "1"),
        (Fraction(1, 3), "33.3 %", "33"),
        (Fraction(1, 2), "50 %", "50"),
        (Fraction(199, 200), "99.5 %", ">99"),
        (Fraction(1999, 2000), "over 99.9 %", ">99"),
        (Fraction(1), "100 %", "100"),
    ],
)
def test_a_share_is_told_in_per_cent(share, told, cell):
    """With at most one decimal in a sentence, in whole per cent where the head of a column has the sign."""
    assert (told, cell) == (percent(share), per_cent(share))


@given(SHARES)
def test_nothing_and_all_are_said_only_where_they_are_exact(share):
    """A share that is not nothing is never 0 %, one that is not all never 100 %."""
    assert (percent(share) == "0 %", per_cent(share) == "0") == (share == 0, share == 0)
    assert (percent(share) == "100 %", per_cent(share) == "100") == (share == 1, share == 1)


@pytest.mark.parametrize(
    ("span_s", "told", "spoken"),
    [
        (-1, "0 s", "-1 seconds"), (0, "0 s", "0 seconds"), (0.0004, "under 1 ms", "0 seconds"),
        (0.08, "80 ms", "0.1 seconds"), (1, "1 s", "1 second"), (30.08, "30.1 s", "30.1 seconds"),
        (119, "119 s", "2 minutes"), (135, "2.2 min", "2.2 minutes"), (300, "5 min", "5 minutes"),
        (7200, "2 h", "2 hours"), (5 * 86400, "5 d", "5 days"),
    ],
)  # fmt: skip
def test_a_time_has_the_unit_people_use(span_s, told, spoken):
    """Milliseconds to days: short in a report, in full words in a letter."""
    assert (told, spoken) == (seconds(span_s), duration(span_s))


def test_counts_and_sizes_have_their_nouns():
    """One is not many, thousands are set apart, and a size has its largest unit."""
    assert ["1 address", "2 addresses", "1,200 messages"] == [
        counted(1, "address", "es"),
        counted(2, "address", "es"),
        counted(1200, "message"),
    ]
    assert ["12 octets", "4.0 KiB", "1.5 MiB"] == [octets(size) for size in (12, 4096, 1572864)]


def test_lists_end_with_and():
    """Of many the rest is counted."""
    assert ["", "a", "a and b", "a, b and c", "a and 2 more"] == [
        listing([]),
        listing("a"),
        listing("ab"),
        listing("abc", 3),
        listing("abc", 1),
    ]


def test_an_estimate_has_its_interval():
    """The sign stands once."""
    assert ("50 % (49.1-50.9)", "40 to 60 %") == (interval(0.5, 0.491, 0.509), between(0.4, 0.6))


def test_a_moment_is_in_utc():
    """Wall time names its zone."""
    assert "2026-01-01 00:00:00 UTC" == moment(1767225600)


def _written_by_hand(path):
    """What in a source file writes a share, a time, a plural or a list by itself."""
    for node in nodes(path, FORMS):
        match node:
            case ast.FormattedValue(format_spec=ast.JoinedStr(values=[ast.Constant(value=str(spec))])):
                if spec.endswith("%") and spec != ".2%":  # that is a length in a picture
                    yield f"line {node.lineno}: :{spec}"
            case ast.JoinedStr(values=values):
                yield from (f"line {node.lineno}: {ast.unparse(number)} and a unit" for number in _with_unit(values))
            case ast.IfExp(body=ast.Constant(value=""), orelse=ast.Constant(value="s" | "es")):
                yield f"line {node.lineno}: a plural"
            case ast.FunctionDef(name=name) if name.strip("_") in {"percent", "seconds", "plural", "listing"}:
                if name.startswith("_") or (len(node.args.args) == 1 and node.args.args[0].arg != "self"):
                    yield f"line {node.lineno}: {name}()"
            case _:
                pass
    yield from (f"{found[0]}" for found in re.finditer(r":\.?\d?f\} %", text(path)))


def _with_unit(values):
    """Numbers that a text rounds before a unit of time. A TTL stays as the zone has it; a width makes a column."""
    for number, after in pairwise(values):
        match number, after:
            case ast.FormattedValue(format_spec=ast.JoinedStr(values=[ast.Constant(value=spec)])), ast.Constant():
                if UNIT.match(after.value) and not spec[0].isdigit():
                    yield number
            case _:
                pass


def test_nobody_else_writes_shares_times_or_plurals():
    """Whoever wants another form writes it into the book, where the next one finds it."""
    wrong = {name: found for path, name in files() if name != BOOK and (found := list(_written_by_hand(path)))}
    assert {} == wrong
