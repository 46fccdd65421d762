"""From what DNS said to the plans of a sender: levels of hosts of contacts, in orders not yet drawn.

Which exchangers and addresses can be used at all is asked of `routing.decide`, record by record; what differs from
RFC 5321 in a sender is in its data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from postroad.routing import PROCEDURES, Refusal, Route, RoutePolicy, Status, decide
from postroad.senders.model import Equals, Families, Literals, Preference, Sender
from postroad.simulation.arrange import Arranger, Exchange, Level, counted, reachable
from postroad.simulation.nouns import Case, DnsOrder
from postroad.words.facts import Bogus, Found, Mx, NoData, NoName, Snapshot, Temporary
from postroad.words.names import Address, AddressLiteral, parse_address
from postroad.words.outcome import Result

_FAMILIES = {Families.V4_ONLY: (4,), Families.V6_ONLY: (6,)}


@dataclass(frozen=True, slots=True)
class NoWay:
    """No contact will be made: the result, or why the sender breaks on these records."""

    result: Result
    unable: str = ""


def exchanges(snapshot: Snapshot, sender: Sender) -> tuple[Exchange, ...] | NoWay:
    """The exchangers a sender finds, in the order of the MX answer, or why it finds none."""
    answer = snapshot.mx
    if isinstance(snapshot.domain, AddressLiteral):
        return _decided(snapshot, sender)
    if isinstance(answer, Temporary | Bogus):
        return NoWay(Result.DEFERRED)
    if isinstance(answer, Found) and answer.records:
        return _listed(snapshot, sender, answer.records)
    if not (sender.implicit_on_nxdomain if isinstance(answer, NoName) else sender.implicit_on_nodata):
        status = Status.NO_SUCH_DOMAIN if isinstance(answer, NoName) else Status.NO_ADDRESS
        return NoWay(sender.refused.get(status, Result.FAILED))
    return _decided(snapshot, sender)


def _listed(snapshot: Snapshot, sender: Sender, records: tuple[Mx, ...]) -> tuple[Exchange, ...] | NoWay:
    if sender.fails_on_equals and len({record.preference for record in records}) < len(records):
        return NoWay(Result.FAILED, f"{sender.title} breaks on two records of one preference")
    real = [record for record in records if record.exchange]
    if not real or (sender.mixed_null_is_null and len(real) < len(records)):
        return NoWay(sender.refused.get(Status.NULL_MX, Result.FAILED))
    if _is_fatal(snapshot, sender, real):
        return NoWay(Result.FAILED)
    if sender.drops_names:
        real = _by_name(real)
    found: list[Exchange] = []
    refusals: list[NoWay] = []
    for record in real:
        one = _literal(record, sender) or _decided(replace(snapshot, mx=Found((record,))), sender)
        if isinstance(one, NoWay):
            refusals.append(one)
        else:
            found.extend(one)
    if not found:
        return min(refusals, key=lambda refusal: refusal.result is not Result.DEFERRED)
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


def _literal(record: Mx, sender: Sender) -> tuple[Exchange, ...]:
    address = parse_address(record.exchange) if sender.literals is Literals.USED else None
    if address is None or address.version not in _FAMILIES.get(sender.families, (4, 6)):
        return ()
    return (Exchange(record.exchange, record.preference, (address,)),)


def _decided(snapshot: Snapshot, sender: Sender) -> tuple[Exchange, ...] | NoWay:
    answer = decide(snapshot, _policy(snapshot, sender))
    if isinstance(answer, Refusal):
        usual = Result.DEFERRED if answer.status is Status.TEMPORARY else sender.refused.get(answer.status)
        return NoWay(usual or answer.result)
    return tuple(_exchanges(answer))


def _exchanges(route: Route) -> Iterable[Exchange]:
    for level in route.levels:
        for each in level.exchangers:
            yield Exchange(each.name, level.preference, each.addresses)


def _policy(snapshot: Snapshot, sender: Sender) -> RoutePolicy:
    families = _FAMILIES.get(sender.families, (6, 4))
    return replace(PROCEDURES["rfc5321"], families=families, allow_loopback=_is_lab(snapshot))


def _is_lab(snapshot: Snapshot) -> bool:
    """Whether every address is a loopback one: then it is a zone of the lab, where that is the Internet."""
    answers = [answer for host in snapshot.hosts.values() for answer in (host.a, host.aaaa)]
    addresses = [address for answer in answers if isinstance(answer, Found) for address in answer.records]
    return all(address.is_loopback for address in addresses)


def plans(case: Case, sender: Sender, found: tuple[Exchange, ...], *, alike: bool) -> list[tuple[Level, ...]]:
    """The plans of an attempt, each as likely: one for each order of the MX answer that makes a difference.

    `alike`: servers between which the sender makes no difference are counted, not told apart.
    """
    arranger = Arranger(case, sender, counted(case, sender, found), alike=alike)
    orders = _mx_orders(case, sender, found)
    return [tuple(arranger.level(group, order[0]) for group in _levels(sender, order)) for order in orders]


def open_plans(case: Case, sender: Sender, found: tuple[Exchange, ...], *, alike: bool) -> list[tuple[Level, ...]]:
    """The plans of an attempt of which nobody knows yet what it will meet: each contact may turn out in any way."""
    arranger = Arranger(case, sender, reachable(case.dns_order, sender, found), alike=alike, is_open=True)
    orders = _mx_orders(case, sender, found)
    return [tuple(Level(arranger.level(group, order[0]).hosts) for group in _levels(sender, order)) for order in orders]


def _mx_orders(case: Case, sender: Sender, found: tuple[Exchange, ...]) -> list[tuple[Exchange, ...]]:
    """A rotated answer turns as a whole: records of another preference between equals give some of them more."""
    turns = case.dns_order in (DnsOrder.ROTATE, DnsOrder.CACHED) and not sender.caches_mx
    if not turns or sender.equals in (Equals.RANDOM, Equals.ALPHABETICAL):
        return [found]
    return [found[start:] + found[:start] for start in range(len(found))]


def _levels(sender: Sender, found: tuple[Exchange, ...]) -> list[tuple[Exchange, ...]]:
    if sender.preference is Preference.IGNORED:
        return [found]
    down = sender.preference is Preference.DESCENDING
    ordered = sorted(found, key=lambda each: each.preference, reverse=down)
    levels = [tuple(group) for _preference, group in groupby(ordered, key=lambda each: each.preference)]
    return _once_each(levels) if sender.drops_duplicates else levels


def _once_each(levels: list[tuple[Exchange, ...]]) -> list[tuple[Exchange, ...]]:
    """Without the addresses that an earlier level has already."""
    seen: set[Address] = set()
    kept = []
    for level in levels:
        fresh = (
            replace(each, addresses=tuple(address for address in each.addresses if address not in seen))
            for each in level
        )
        kept.append(tuple(each for each in fresh if each.addresses))
        seen.update(address for each in level for address in each.addresses)
    return [level for level in kept if level]
