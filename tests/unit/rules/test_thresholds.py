"""Each threshold is held on both sides: moved by one step, some rule finds more, less or worse."""

import pytest
from tests.support import folders
from tests.support.cases import CASES, EDGES

from postroad.rules import RULES, limits

NAMES = [name for name in vars(limits) if name.isupper()]
GIVEN = [
    *((name, given) for name, both in CASES.items() for given in both),
    *EDGES,
    *(
        (rule.id, folders.load(path).evidence)
        for rule in RULES.values()
        for path in folders.variants(rule)
        if rule.topic in folders.TOPICS
    ),
]


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("name", NAMES)
def test_a_threshold_that_moves_is_noticed(name, step, monkeypatch):
    """A near miss stands at each side of it."""
    before = graded()
    monkeypatch.setattr(limits, name, getattr(limits, name) + step)
    assert before != graded()


def graded():
    """What each rule finds in its own cases, and how bad."""
    return [(name, [finding.severity for finding in RULES[name].check(given)]) for name, given in GIVEN]
