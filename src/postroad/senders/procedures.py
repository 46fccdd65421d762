"""The senders that are routing's own procedures, made from them, so that the two cannot drift apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from postroad.pace import HealthPolicy
from postroad.routing import PROCEDURES, Onward, RoutePolicy, WalkPolicy
from postroad.senders.model import (
    KERNEL_CONNECT_S,
    PHASES,
    Equals,
    Exhausted,
    Families,
    Inside,
    Kind,
    Later,
    Limits,
    Memory,
    Phase,
    Reuse,
    Sender,
    Then,
    Waits,
)
from postroad.words.faults import Mode

_ONWARD = {
    Onward.NEVER: (Then.DEFER, Then.FAIL),
    Onward.SAME_PREFERENCE: (Then.NEXT_EQUAL, Then.NEXT_EQUAL),
    Onward.ANY: (Then.NEXT_HOST, Then.NEXT_HOST),
}

# The procedures try "each of the relevant addresses" one after the other, whatever "not now" they hear, and a
# rejection is the answer (RFC 5321 sections 5.1 and 4.2.1).
_PLAIN_WALK = WalkPolicy(on_4xx=Onward.ANY, on_5xx=Onward.NEVER)


def by_procedure(policy: RoutePolicy, walk: WalkPolicy, *, title: str, connect_s: float, races: bool) -> Sender:
    """A sender that is one of routing's own procedures.

    `races`: a silent address is overtaken after the staggers of the walk, as in a delivery of ours.
    """
    waits = (
        Waits(connect_s, overlap_s=walk.stagger_s, level_overlap_s=walk.level_stagger_s) if races else Waits(connect_s)
    )
    return Sender(
        policy.name,
        title,
        kind=Kind.PROCEDURE,
        sources=(policy.source,),
        equals=Equals(policy.equals.value),
        families=Families.IN_TURN,
        limits=Limits(addresses=policy.limit, later=Later.ONE_WITHIN),
        reactions=_reactions(walk),
        refusals=frozenset({Mode.R550}),
        exhausted=Exhausted.ALL,
        waits=waits,
        drops_duplicates=True,
    )


def _reactions(walk: WalkPolicy) -> Mapping[Mode, Then]:
    broken = Then.RECONNECT_IN_CLEAR if walk.clear_after_tls_failure else Then.NEXT_ADDRESS
    then = {
        Phase.CONNECT: Then.NEXT_ADDRESS,
        Phase.GREETING: Then.NEXT_ADDRESS,
        Phase.STARTTLS: broken,
        Phase.NOT_NOW: _ONWARD[walk.on_4xx][0],
        Phase.NO: _ONWARD[walk.on_5xx][1],
    }
    table = {mode: then[phase] for phase, modes in PHASES.items() for mode in modes}
    asked = dict.fromkeys((Mode.STARTTLS_454, Mode.STARTTLS_554), Then.IN_CLEAR)
    return MappingProxyType(table | asked | {Mode.DROP: Then.DEFER})


def _rfc(name: str) -> Sender:
    title = f"the procedure of RFC {name.removeprefix('rfc')}"
    return by_procedure(PROCEDURES[name], _PLAIN_WALK, title=title, connect_s=KERNEL_CONNECT_S, races=False)


BY_PROCEDURE: Mapping[str, Sender] = MappingProxyType(
    {name: _rfc(name) for name in PROCEDURES if name.startswith("rfc")}
)
"""The procedures of the RFCs as senders, by name: what a file may begin from."""

OUR_SENDER = replace(
    by_procedure(PROCEDURES["rfc5321"], WalkPolicy(), title="Postroad", connect_s=30.0, races=True),
    name="postroad",
    kind=Kind.OURS,
    sources=("this program: routing.decide, routing.turned, routing.draw and routing.Walk",),
    inside=Inside.TURNED,
    memory=Memory(frozenset((*PHASES[Phase.CONNECT], *PHASES[Phase.GREETING])), HealthPolicy().first_penalty_s),
    reuse=Reuse(messages=100, for_s=300.0, idle_s=2.0, drawn=True),
)
"""What this program does, as far as a model can say it."""
