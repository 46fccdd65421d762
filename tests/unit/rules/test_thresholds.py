"""Each threshold is held on both sides: moved by one step, some rule finds more, less or worse."""

from functools import cache

import pytest
from tests.support import folders
from tests.support.cases import CASES, EDGES

from postroad.rules import RULES, limits

NAMES = [name for name in vars(limits) if name.isupper()]


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("name", NAMES)
def test_a_threshold_that_moves_is_noticed(name, step, monkeypatch):
    """A near miss stands at each side of it."""
    before = as_they_are()
    monkeypatch.setattr(limits, name, getattr(limits, name) + step)
    assert before != graded()


@cache
def given():
    """The evidence of each rule's own cases."""
    zones = [
        (rule.id, path) for rule in RULES.values() if rule.topic in folders.TOPICS for path in folders.variants(rule)
    ]
    live = [(name, evidence) for name, both in CASES.items() for evidence in both]
    return [*live, *EDGES, *((name, folders.load(path).evidence) for name, path in zones)]


@cache
def as_they_are():
    """The same before anything is moved: `monkeypatch` has put everything back."""
    return graded()


def graded():
    """What each rule finds in its own cases, and how bad."""
    return [(name, [finding.severity for finding in RULES[name].check(evidence)]) for name, evidence in given()]
