"""Every rule there is, by its id, and the running of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

from postroad.checks import balance, existence, mechanics, policy, redundancy, sessions, targets
from postroad.checks.nouns import Evidence, Finding, Need, Rule

_TABLES = (
    existence.RULES,
    targets.RULES,
    redundancy.RULES,
    balance.RULES,
    mechanics.RULES,
    sessions.RULES,
    policy.RULES,
)

RULES: Mapping[str, Rule] = {rule.id: rule for rule in chain.from_iterable(_TABLES)}

_IS_MET: Mapping[Need, Callable[[Evidence], bool]] = {
    Need.RECORDS: lambda _evidence: True,
    Need.SERVERS: lambda evidence: evidence.snapshot.servers is not None,
    Need.REVERSE: lambda evidence: bool(evidence.snapshot.reverse),
    Need.TEXT: lambda evidence: evidence.texts is not None,
    Need.WIRE: lambda evidence: evidence.wire is not None,
    Need.DRIFT: lambda evidence: evidence.said is not None,
    Need.PROBE: lambda evidence: evidence.probes is not None,
}


def run(evidence: Evidence, rules: Mapping[str, Rule] = RULES) -> tuple[Finding, ...]:
    """What the rules find, in their order. A rule whose needs were not asked for is passed over."""
    fitting = (rule for rule in rules.values() if all(_IS_MET[need](evidence) for need in rule.needs))
    return tuple(chain.from_iterable(rule.check(evidence) for rule in fitting))
