"""Each threshold is held on both sides: moved by one step, some rule finds more, less or worse."""

import inspect
from functools import cache

import pytest
from tests.support import folders
from tests.support.cases import CASES, EDGES

from postroad.rules import RULES, Topic, limits

NAMES = [name for name in vars(limits) if name.isupper()]


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("name", NAMES)
def test_a_threshold_that_moves_is_noticed(name, step, monkeypatch):
    """A near miss stands at each side of it."""
    before = as_they_are(name)
    monkeypatch.setattr(limits, name, getattr(limits, name) + step)
    assert before != graded(name)


@cache
def given(name):
    """The evidence of the cases of the rules that stand where a threshold is read, or of those about redundancy."""
    near = [rule for rule in RULES.values() if f"limits.{name}" in inspect.getsource(inspect.getmodule(rule.look))]
    near = near or [rule for rule in RULES.values() if rule.topic is Topic.REDUNDANCY]
    rules = {rule.id for rule in near}
    zones = [(rule.id, path) for rule in near if rule.topic in folders.TOPICS for path in folders.variants(rule)]
    live = [(rule, evidence) for rule, both in CASES.items() for evidence in both]
    edges = [(rule, evidence) for rule, evidence in (*live, *EDGES) if rule in rules]
    return [*edges, *((rule, folders.load(path).evidence) for rule, path in zones)]


@cache
def as_they_are(name):
    """The same before anything is moved: `monkeypatch` has put everything back."""
    return graded(name)


def graded(name):
    """What each of these rules finds in its own cases, and how bad."""
    return [(rule, [finding.severity for finding in RULES[rule].check(evidence)]) for rule, evidence in given(name)]
