"""From what DNS said to the plans of a sender: levels of hosts of contacts, in orders not yet drawn.

Which exchangers and addresses can be used at all is asked of `routing.decide`, record by record; what differs from
RFC 5321 in a sender is in its data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from math import lcm

from postroad.models import EqualsOrder, Families, Inside, Literals, PreferenceUse, Sender, Unit
from postroad.routing import (
    PROCEDURES,
    DropReason,
    Refusal,
    Route,
    RoutePolicy,
    Status,
    decide,
)
from postroad.simulation.arrange import ArrangedLevel, Arranger
from postroad.simulation.case import Case, DnsOrder
from postroad.simulation.contacts import ModelExchanger, asked_names
from postroad.simulation.enforcing import demands_of, unmet
from postroad.simulation.limits import CountedLimits, counted
from postroad.simulation.own import names_of, usual
from postroad.words.facts import Bogus, Found, Mx, NoData, NoName, Temporary
from postroad.words.names import Address, AddressLiteral, parse_address
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot
from postroad.words.tls import OPPORTUNISTIC, Demand

MOST_TURNS = 720
"""Orders of the answers that are told apart; of more, so many stand for all."""

_ANY_FAMILY = replace(PROCEDURES["rfc5321"], families=(6, 4))
_POLICIES = {
    Families.V4_ONLY: replace(_ANY_FAMILY, families=(4,)),
    Families.V6_ONLY: replace(_ANY_FAMILY, families=(6,)),
}


@dataclass(frozen=True, slots=True)
class NoWay:
    """No contact will be made: the result, or why the sender breaks on these records; and the names asked for."""

    result: Result
    unable: str = ""
    asked: tuple[str, ...] = ()


FoundExchangers = tuple[ModelExchanger, ...] | NoWay
MadeExchangers = dict[tuple[tuple[int, ...], bool, Demand, Mx], ModelExchanger]
"""What records lead to, by what of a sender makes a difference to that: the families it uses, whether literals, and
what it demands of TLS there."""


def exchanges(snapshot: Snapshot, sender: Sender, made: MadeExchangers | None = None) -> FoundExchangers:
    """The exchangers a sender finds, in the order of the MX answer, also dead ones; or why it can use none.

    `made`: what other senders found here.
    """
    answer = snapshot.mx
    if sender.ours:
        return _found_by_ours(snapshot)
    if isinstance(snapshot.domain, AddressLiteral):
        return _decided(snapshot, sender)
    if isinstance(answer, Temporary | Bogus):
        return NoWay(Result.DEFERRED)
    if isinstance(answer, Found) and answer.records:
        return _listed(snapshot, sender, answer.records, {} if made is None else made)
    if not (sender.implicit_on_nxdomain if isinstance(answer, NoName) else sender.implicit_on_nodata):
        status = Status.NO_SUCH_DOMAIN if isinstance(answer, NoName) else Status.NO_ADDRESS
        return NoWay(sender.refused.get(status, Result.FAILED))
    return _decided(snapshot, sender)


def _found_by_ours(snapshot: Snapshot) -> FoundExchangers:
    """Those of its route, and the names that it asks DNS for in vain."""
    _own, route = usual(snapshot)
    names = names_of(snapshot)
    if isinstance(route, Refusal):
        return NoWay(route.result, asked=tuple(names))
    found = tuple(_exchanges(route))  # with those it will refuse: each is a try in its turn
    dead = sorted(names - {each.name for each in found})
    return (*found, *(ModelExchanger(name, 0, (), DropReason.NO_ADDRESS) for name in dead))


def _listed(snapshot: Snapshot, sender: Sender, records: tuple[Mx, ...], made: MadeExchangers) -> FoundExchangers:
    if sender.fails_on_equals and len({record.preference for record in records}) < len(records):
        return NoWay(Result.FAILED, f"{sender.title} breaks on two records of one preference")
    real = [record for record in records if record.exchange]
    if not real or (sender.mixed_null_is_null and len(real) < len(records)):
        return NoWay(sender.refused.get(Status.NULL_MX, Result.FAILED))
    if _is_fatal(snapshot, sender, real):
        return NoWay(Result.FAILED, asked=tuple(dict.fromkeys(record.exchange for record in real)))
    if sender.drops_names:
        real = _by_name(real)
    demands = demands_of(snapshot, sender)
    every = [_exchange(snapshot, sender, record, demands.get(record.exchange, OPPORTUNISTIC), made) for record in real]
    # Of a name that nobody looked up nothing is known: a domain has more of them than we ask for
    found = [each for each in every if each.dead is not DropReason.NOT_LOOKED_UP]
    if not any(each.addresses for each in found):
        temporary = any(each.dead is DropReason.TEMPORARY for each in found)
        status = Status.TEMPORARY if temporary else Status.NO_ADDRESS
        return _refused(sender, status, asked=asked_names(found))
    return tuple(found)


def _by_name(records: list[Mx]) -> list[Mx]:
    """Of several records with one name that of the lowest preference."""
    lowest = {record.exchange: record for record in sorted(records, key=lambda record: -record.preference)}
    return [record for record in records if lowest[record.exchange] is record]


def _is_fatal(snapshot: Snapshot, sender: Sender, records: list[Mx]) -> bool:
    """Whether one record that cannot be used returns the mail, whatever the others are."""
    names = [record.exchange for record in records]
    literal = sender.literals is Literals.FAILED and any(parse_address(name) is not None for name in names)
    hosts = [snapshot.hosts[name] for name in names if name in snapshot.hosts]
    empty = any(isinstance(host.a, NoData) and isinstance(host.aaaa, NoData) for host in hosts)
    return literal or (sender.empty_name_fails and empty)


def _exchange(snapshot: Snapshot, sender: Sender, record: Mx, demand: Demand, made: MadeExchangers) -> ModelExchanger:
    """What a record leads to: also nowhere, for it still is a record."""
    policy = _policy(sender)
    key = policy.families, sender.literals is Literals.USED, demand, record
    if key not in made:
        found = _look_up(snapshot, policy, record, uses_literals=sender.literals is Literals.USED)
        made[key] = _under(demand, found)
    return made[key]


def _under(demand: Demand, found: ModelExchanger) -> ModelExchanger:
    """An exchanger as a sender sees it that demands this: who cannot meet it is passed over for now, not for good."""
    if demand.missed and found.addresses:
        return ModelExchanger(found.name, found.preference, (), DropReason.TEMPORARY)
    return replace(found, unmet=unmet(demand)) if demand.level else found


def _look_up(snapshot: Snapshot, policy: RoutePolicy, record: Mx, *, uses_literals: bool) -> ModelExchanger:
    address = named_address(snapshot, record) if uses_literals else None
    if address is not None and address.version in policy.families:
        return ModelExchanger(record.exchange, record.preference, (address,))
    answer = decide(replace(snapshot, mx=Found((record,))), policy)
    if isinstance(answer, Route):
        return next(iter(_exchanges(answer)))
    return ModelExchanger(record.exchange, record.preference, (), answer.dropped[0].reason)


def named_address(snapshot: Snapshot, record: Mx) -> Address | None:
    """The address that a record names in place of a host, which some senders use against RFC 5321 section 5.1."""
    address = parse_address(record.exchange)
    return None if address is None or (address.is_loopback and not snapshot.in_lab) else address


def _decided(snapshot: Snapshot, sender: Sender) -> FoundExchangers:
    answer = decide(snapshot, _policy(sender))
    if isinstance(answer, Refusal):
        return _refused(sender, answer.status, asked=(str(snapshot.domain),))
    demands = demands_of(snapshot, sender)
    found = tuple(_under(demands.get(each.name, OPPORTUNISTIC), each) for each in _exchanges(answer))
    if not any(each.addresses for each in found):
        return _refused(sender, Status.TEMPORARY, asked=(str(snapshot.domain),))
    return found


def _refused(sender: Sender, status: Status, *, asked: tuple[str, ...]) -> NoWay:
    if status is Status.TEMPORARY:
        return NoWay(Result.DEFERRED, asked=asked)
    return NoWay(sender.refused.get(status, Result.FAILED), asked=asked)


def _exchanges(route: Route) -> Iterable[ModelExchanger]:
    for level in route.levels:
        for each in level.exchangers:
            yield ModelExchanger(each.name, level.preference, each.addresses, unmet=unmet(each.demand))


def _policy(sender: Sender) -> RoutePolicy:
    return _POLICIES.get(sender.families, _ANY_FAMILY)


def plans(  # what is asked, of whom, and two ways to count
    case: Case,
    sender: Sender,
    found: tuple[ModelExchanger, ...],
    limits: CountedLimits,
    *,
    alike: bool,
    nameless: bool = False,
) -> list[tuple[ArrangedLevel, ...]]:
    """The plans of an attempt, each as likely: one for each order of the answers that makes a difference.

    `alike`: servers between which the sender makes no difference are counted, not told apart; `nameless`: those that
    do not take the message have no names either, so that orders that differ in them alone are equal.
    """
    arranger = Arranger(case, sender, limits, alike=alike, nameless=nameless)
    return _planned(arranger, case, sender, found)


def open_plans(
    case: Case, sender: Sender, found: tuple[ModelExchanger, ...], *, alike: bool
) -> list[tuple[ArrangedLevel, ...]]:
    """The plans of an attempt of which nobody knows yet what it will meet: each contact may turn out in any way."""
    arranger = Arranger(case, sender, counted(case, sender, found, is_open=True), alike=alike, is_open=True)
    return [tuple(ArrangedLevel(level.hosts) for level in levels) for levels in _planned(arranger, case, sender, found)]


def _planned(
    arranger: Arranger, case: Case, sender: Sender, found: tuple[ModelExchanger, ...]
) -> list[tuple[ArrangedLevel, ...]]:
    repeats = sender.drops_duplicates and _has_duplicates(found)
    return [
        arranger.plan(_levels(sender, answer, repeats=repeats), answer[0]) for answer in answers(case, sender, found)
    ]


def answers(case: Case, sender: Sender, found: tuple[ModelExchanger, ...]) -> list[tuple[ModelExchanger, ...]]:
    """The records in each order in which DNS may give them, as far as it makes a difference.

    A set turns as a whole: records of another preference between equals give some of them more. What one name server
    gives out for one message has turned in step: the MX set, and the addresses of each of its names.
    """
    if case.dns_order in (DnsOrder.ROTATE_APART, DnsOrder.CACHED):
        return [found[start:] + found[:start] for start in range(_mx_turns(case, sender, found))]
    if case.dns_order is DnsOrder.RANDOM:
        return [found]
    turns = _turns_in_step(case, sender, found)
    if turns == 1:
        return [found]
    rotates = _mx_turns(case, sender, found) > 1
    return [_at(turn, found, rotates=rotates) for turn in _turns(turns)]


def _at(turn: int, found: tuple[ModelExchanger, ...], *, rotates: bool) -> tuple[ModelExchanger, ...]:
    """The answer with every set turned so often."""
    start = turn % len(found) if rotates else 0
    return tuple([each.turned(turn) for each in (*found[start:], *found[:start])])


def _turns(count: int) -> Iterable[int]:
    return range(count) if count <= MOST_TURNS else (step * count // MOST_TURNS for step in range(MOST_TURNS))


def is_sampled(case: Case, sender: Sender, found: tuple[ModelExchanger, ...]) -> bool:
    """Whether the answers come in too many orders: then a part of them stands for all."""
    in_step = case.dns_order in (DnsOrder.FIXED, DnsOrder.ROTATE)
    return in_step and _turns_in_step(case, sender, found) > MOST_TURNS


def _turns_in_step(case: Case, sender: Sender, found: tuple[ModelExchanger, ...]) -> int:
    """In how many turns the answers come."""
    is_shuffled = sender.unit is Unit.ADDRESS and sender.equals is EqualsOrder.RANDOM
    is_turned = case.dns_order is DnsOrder.ROTATE and sender.inside is Inside.GIVEN
    turns = {each.turns for each in found} if is_turned and not is_shuffled else ()
    return lcm(_mx_turns(case, sender, found), *turns)


def _mx_turns(case: Case, sender: Sender, found: tuple[ModelExchanger, ...]) -> int:
    is_drawn = sender.equals in (EqualsOrder.RANDOM, EqualsOrder.ALPHABETICAL)
    return 1 if case.dns_order is DnsOrder.FIXED or is_drawn or sender.caches_mx else len(found)


def _levels(sender: Sender, found: tuple[ModelExchanger, ...], *, repeats: bool) -> list[tuple[ModelExchanger, ...]]:
    if sender.preference is PreferenceUse.IGNORED:
        return [found]
    down = sender.preference is PreferenceUse.DESCENDING
    ordered = sorted(found, key=lambda each: each.preference, reverse=down)
    levels = [tuple(group) for _preference, group in groupby(ordered, key=lambda each: each.preference)]
    return _once_each(levels) if repeats else levels


def _has_duplicates(found: tuple[ModelExchanger, ...]) -> bool:
    places = [target.where for each in found for target in each.targets]
    return len(set(places)) < len(places)


def _once_each(levels: list[tuple[ModelExchanger, ...]]) -> list[tuple[ModelExchanger, ...]]:
    """Without the addresses that an earlier level has already, and the hosts that have no other."""
    seen: set[Address] = set()
    kept = []
    for level in levels:
        fresh = (
            replace(each, addresses=tuple(address for address in each.addresses if address not in seen))
            for each in level
        )
        kept.append(tuple(each for each in fresh if each.addresses or each.dead))
        seen.update(address for each in level for address in each.addresses)
    return [level for level in kept if level]
