"""Every rule by its id, and how they are run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from postroad.rules import (
    addresses,
    balance,
    certificates,
    dane,
    dkim,
    existence,
    mechanics,
    redundancy,
    reverse,
    sessions,
    spf,
    sts,
    targets,
    tlsrpt,
)
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Finding
from postroad.rules.rule import Need, Rule

_MODULES = (
    existence,
    targets,
    addresses,
    redundancy,
    balance,
    mechanics,
    reverse,
    sessions,
    spf,
    sts,
    dane,
    tlsrpt,
    dkim,
    certificates,
)

RULES: Mapping[str, Rule] = {
    each.id: each for module in _MODULES for each in vars(module).values() if isinstance(each, Rule)
}


def run(evidence: Evidence, rules: Mapping[str, Rule] = RULES) -> tuple[Finding, ...]:
    """What the rules find, in their order. A rule whose needs were not asked for is passed over."""
    met = frozenset(need for need in Need if need.is_met(evidence))
    return tuple(chain.from_iterable(rule.check(evidence) for rule in rules.values() if rule.needs <= met))
