"""Routes from the settings: what they mean for mail, whatever DNS says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from postroad.routing.own import Own
from postroad.routing.policy import RoutePolicy
from postroad.routing.rejection import OnReject
from postroad.routing.rules import (
    NO_DEMANDS,
    Dropped,
    DropReason,
    Exchanger,
    Level,
    Note,
    Refusal,
    Route,
    Source,
    Status,
    in_turn,
    why_no_address,
)
from postroad.words.facts import HostFacts
from postroad.words.names import Address, Destination, parse_address
from postroad.words.outcome import Result
from postroad.words.tls import OPPORTUNISTIC, Demand


@dataclass(frozen=True, slots=True)
class StaticHost:
    """A host named in the settings: a domain name, looked up for its addresses but never for MX, or an address.

    `weight` is its part among the hosts of its preference, `port` another than the usual one. Lower preference values
    are tried first, as those of MX records.
    """

    host: str | Address
    port: int | None = None
    weight: int = 1
    preference: int = 0


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A route of the settings: whose mail takes it, and where that goes.

    Where: to `hosts`, or to the exchangers of `mx_of`, or with neither to those of the destination itself. A route that
    is for nobody is taken only where `on_reject` of another one names it.
    """

    name: str = ""
    domains: tuple[str, ...] = ()
    exchangers: tuple[str, ...] = ()
    provider: str = ""
    hosts: tuple[StaticHost, ...] = ()
    mx_of: str = ""
    on_reject: OnReject | None = None

    def __str__(self) -> str:
        return f'the route "{self.name}"' if self.name else "a route in the settings"


def decide_static(
    hosts: tuple[StaticHost, ...],
    destination: Destination,
    facts: Mapping[str, HostFacts],
    policy: RoutePolicy,
    own: Own = Own(),  # noqa: B008  # frozen
    demands: Mapping[str, Demand] = NO_DEMANDS,
) -> Route | Refusal:
    """The hosts of a route as exchangers of their preferences, with what was looked up of their names.

    Their addresses are taken as they are, loopback too: whoever wrote the settings meant them. Only a port of ours is
    left out, for it gives the mail back to us. Where none is left the mail waits: a slip in the settings must not
    return it.
    """
    usable: dict[int, list[Exchanger]] = {}
    dropped: list[Dropped] = []
    for each in hosts:
        addresses = _addresses(each, facts, policy)
        ours = [address for address in addresses if own.takes_mail_at(address, each.port or own.port)]
        dropped += [_is_ours(each, address, own) for address in ours]
        if not addresses:
            dropped.append(Dropped(str(each.host), None, each.preference, *why_no_address(facts[str(each.host)])))
        elif left := tuple(address for address in addresses if address not in ours):
            demand = demands.get(str(each.host), OPPORTUNISTIC)
            exchanger = Exchanger(str(each.host), left, each.weight, each.port, demand)
            usable.setdefault(each.preference, []).append(exchanger)
    if usable:
        levels = tuple(Level(preference, tuple(some)) for preference, some in sorted(usable.items()))
        return Route(destination, Source.STATIC, levels, tuple(dropped))
    why = "; ".join(f"{drop.exchange}: {drop.text}" for drop in dropped)
    text = f"no host of the route for {destination} can be used: {why}"
    return Refusal(destination, Status.TEMPORARY, Result.DEFERRED, "4.4.4", text, Source.STATIC, tuple(dropped))


def on_behalf(answer: Route | Refusal, destination: Destination) -> Route | Refusal:
    """What was decided for a domain named in a route, as the answer for a destination that takes that route.

    A refusal is for now only, as in `decide_static`.
    """
    if isinstance(answer, Route):
        note = Note("static-route", f"a route in the settings sends it to the exchangers of {answer.destination}")
        return replace(answer, destination=destination, notes=(note, *answer.notes))
    text = f"the route for {destination} leads nowhere: {answer.text}"
    return replace(
        answer, destination=destination, status=Status.TEMPORARY, result=Result.DEFERRED, enhanced="4.4.4", text=text
    )


def by_hand(place: str) -> StaticRoute | None:
    """The route to `HOST:PORT`, which a person chose for some mail; None for what is no such place.

    No route of the settings has a name with a colon.
    """
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        return None
    bare = host.removeprefix("[").removesuffix("]")
    return StaticRoute(place, hosts=(StaticHost(parse_address(bare) or bare, int(port)),))


def no_longer_there(name: str, destination: Destination) -> Refusal:
    """What becomes of mail that is to take a route the settings do not have any more: it waits, and says so."""
    text = (
        f'the mail for {destination} is to take the route "{name}", which the settings no longer have:'
        " add it again, or move the message with `postroad queue move`"
    )
    for_sender = "the settings of this mail system lack the way that the message was to take"
    return Refusal(destination, Status.TEMPORARY, Result.DEFERRED, "4.3.5", text, Source.STATIC, for_sender=for_sender)


def noted(answer: Route | Refusal, route: StaticRoute, why: str) -> Route | Refusal:
    """The same, with a note of the route that was taken, and why."""
    return replace(answer, notes=(Note("static-route", f"{route} takes it, because {why}"), *answer.notes))


def _addresses(each: StaticHost, facts: Mapping[str, HostFacts], policy: RoutePolicy) -> tuple[Address, ...]:
    if isinstance(each.host, str):
        return in_turn(facts[each.host], policy.families)
    return (each.host,)


def _is_ours(each: StaticHost, address: Address, own: Own) -> Dropped:
    text = f"this relay itself listens at [{address}] port {each.port or own.port}: mail sent there would come back"
    return Dropped(str(each.host), address, each.preference, DropReason.OWN_HOST, text)
