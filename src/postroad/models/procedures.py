"""The senders that are routing's own procedures, and our own, which is not a model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from postroad.models.model import (
    PHASES,
    AttemptLimits,
    Basis,
    EqualsOrder,
    Exhausted,
    Families,
    FaultPhase,
    Later,
    Memory,
    Reuse,
    Sender,
    Then,
)
from postroad.pace import HealthPolicy
from postroad.routing import PROCEDURES
from postroad.words.faults import Mode

# The procedures try "each of the relevant addresses" one after the other, whatever "not now" they hear, and a
# rejection is the answer (RFC 5321 sections 5.1 and 4.2.1).
_AFTER = {
    FaultPhase.CONNECT: Then.NEXT_ADDRESS,
    FaultPhase.GREETING: Then.NEXT_ADDRESS,
    FaultPhase.STARTTLS: Then.RECONNECT_IN_CLEAR,
    FaultPhase.PROOF: Then.NEXT_ADDRESS,  # RFC 7672 section 2.2, RFC 8461 section 5: never delivered there
    FaultPhase.NOT_NOW: Then.NEXT_HOST,
    FaultPhase.NO: Then.FAIL,
}
_REACTIONS = MappingProxyType(
    {mode: _AFTER[phase] for phase, modes in PHASES.items() for mode in modes}
    | dict.fromkeys((Mode.STARTTLS_454, Mode.STARTTLS_554), Then.IN_CLEAR)
    | {Mode.DROP: Then.DEFER}
)


def _rfc(name: str) -> Sender:
    """A sender that does what one of routing's procedures says, and nothing else, one address after the other."""
    policy = PROCEDURES[name]
    return Sender(
        name,
        f"the procedure of RFC {name.removeprefix('rfc')}",
        kind=Basis.PROCEDURE,
        sources=(policy.source,),
        equals=EqualsOrder(policy.equals.value),
        families=Families.IN_TURN,
        limits=AttemptLimits(addresses=policy.limit, later=Later.ONE_WITHIN),
        reactions=_REACTIONS,
        refusals=frozenset({Mode.R550}),
        exhausted=Exhausted.ALL,
        drops_duplicates=True,
    )


BY_PROCEDURE: Mapping[str, Sender] = MappingProxyType(
    {name: _rfc(name) for name in PROCEDURES if name.startswith("rfc")}
)
"""The procedures of the RFCs as senders, by name: what a file may begin from."""

OUR_SENDER = Sender(
    "postroad",
    "Postroad",
    kind=Basis.OURS,
    sources=("this program: routing.decide, routing.turned, routing.draw and routing.Walk",),
    memory=Memory(
        frozenset((*PHASES[FaultPhase.CONNECT], *PHASES[FaultPhase.GREETING])), HealthPolicy().first_penalty_s
    ),
    reuse=Reuse(messages=100, for_s=300.0, idle_s=2.0, drawn=True),
    sts=True,
    dane=True,
)
"""This program: `simulation.own` asks `routing` what it does; here is only what passes from message to message."""
