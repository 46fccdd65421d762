"""One attempt, contact by contact: who may come next, when, and what each contact changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from postroad.models import ENDS, Exhausted, Later, Sender, Then
from postroad.simulation.arrange import ArrangedLevel
from postroad.simulation.contacts import IN_SESSION, ModelContact
from postroad.simulation.limits import CountedLimits
from postroad.simulation.orders import NOTHING, WHOLE, Node, count, front, times
from postroad.words.names import Address
from postroad.words.outcome import Result

_NONE = Fraction(0)
_GO_LEAST_S = 2.0  # net.Dialer gives no address less than this (Go, partialDeadline)


class ContactTally(NamedTuple):
    """What an attempt remembers of its contacts, as far as its sender counts it.

    The two times are counted from the start of the last contact: `pace_s` until the next may start, `open_s` until the
    last one is given up.
    """

    contacts: int = 0
    hosts: int = 0
    sessions: int = 0
    v4: int = 0
    v6: int = 0
    lead: int = 0  # the family of the first contact, where it has the larger half
    tried: frozenset[Address] = frozenset()
    refused: bool = False  # somebody said no, for good
    unsure: bool = False  # somebody did not
    kept: bool = False  # somebody said what keeps the message, whatever comes
    pace_s: float = 0.0
    open_s: float = 0.0
    opens_s: tuple[float, ...] = ()  # when each of the silent ones gives up, where only so many may be open
    budget_s: float = 0.0


class Position(NamedTuple):
    """Where an attempt stands: what is left of the host, of the preference, and the number of the preference."""

    host: Node
    hosts: Node
    level: int
    begun: bool = False  # an address of this preference was contacted
    cut: bool = False  # a limit kept something back
    tally: ContactTally = ContactTally()


class Next(NamedTuple):
    """What may come next: its chance, the contact (None: nobody is left), the place then, and the pause before it.

    `entered` is the number of hosts that were begun for it: a dead one, without any address, is begun as well.
    """

    chance: Fraction
    contact: ModelContact | None
    place: Position
    pause_s: float
    entered: int


class _Going(NamedTuple):
    """A place on the way to the next contact, and how many hosts were begun for it."""

    place: Position
    entered: int


class Steps:
    """The steps of a sender over a plan of its levels."""

    def __init__(self, sender: Sender, levels: tuple[ArrangedLevel, ...], limits: CountedLimits) -> None:
        self.sender = sender
        self._levels = levels
        self._waits = sender.waits
        self._limits = limits
        self._shares = _family_shares(sender, levels) if limits.families else {}
        self.asks_eagerly = sender.asks.eager  # for every exchanger, whichever it enters

    def start(self) -> Position:
        """Nothing has been contacted."""
        return self._at_level(Position(NOTHING, NOTHING, 0), 0)

    def nexts(self, place: Position) -> Iterator[Next]:
        """What may come next; the chances sum to one.

        Names without a contact are passed over in a loop, those that lead to the same place together: there may be
        any number of them, in any order.
        """
        ahead, waiting = [(WHOLE, place, 0)], dict[tuple[Position, int], Fraction]()
        while ahead or waiting:
            if not ahead:
                (at, entered), chance = next(iter(waiting.items()))
                del waiting[at, entered]
                ahead.append((chance, at, entered))
            chance, at, entered = ahead.pop()
            for share, then in self._onward(at, entered):
                if isinstance(then, Next):
                    yield then if chance is share is WHOLE else Next(times(chance, share), *then[1:])
                elif then.place.host is not NOTHING:
                    ahead.append((times(chance, share), *then))
                else:
                    waiting[then] = waiting.get(then, _NONE) + times(chance, share)

    def after(self, place: Position, contact: ModelContact) -> tuple[Result | None, float, Position]:
        """What a contact leads to: the result if it ends the attempt, the seconds it takes then, and the new place."""
        if contact.then in ENDS:
            return ENDS[contact.then], contact.wait_s, place
        place = place._replace(begun=True, tally=self._count(place, contact))
        if contact.then is not Then.NEXT_ADDRESS:
            place = place._replace(host=NOTHING)
        return None, 0.0, place

    def verdict(self, place: Position) -> Result:
        """How it ends when nobody is left to ask."""
        tally = place.tally
        match self.sender.exhausted:
            case Exhausted.LAST:
                failed = tally.refused and not place.cut and not tally.kept
            case Exhausted.ALL:
                failed = tally.refused and not tally.unsure
            case _:
                failed = False
        return Result.FAILED if failed else Result.DEFERRED

    def _at_level(self, place: Position, number: int) -> Position:
        level, tally = self._levels[number], place.tally
        if level.passes:  # all of it will be heard, so it may as well be known now
            if self.sender.exhausted is Exhausted.ALL:
                tally = tally._replace(refused=tally.refused or level.refused, unsure=tally.unsure or level.unsure)
            elif self.sender.exhausted is Exhausted.LAST:
                tally = tally._replace(kept=tally.kept or level.kept)
        return place._replace(hosts=level.hosts, level=number, begun=False, tally=tally)

    def _onward(self, place: Position, entered: int) -> Iterator[tuple[Fraction, Next | _Going]]:
        """One step on: to a contact, past one, into a host, to the next preference, or to the end."""
        moved = False
        for chance, contact, rest in front(place.host) if place.host is not NOTHING else ():
            moved = True
            yield chance, self._offer(contact, Position(rest, *place[1:]), entered)
        if moved:
            return
        for chance, host, rest in front(place.hosts):
            moved = True
            yield chance, self._enter(host.contacts, rest, place, entered)
        if moved:
            return
        level = place.level + 1
        if level == len(self._levels):
            yield WHOLE, Next(WHOLE, None, place, place.tally.open_s, entered)
        else:
            yield WHOLE, _Going(self._at_level(place, level), entered)

    def _enter(self, host: Node, rest: Node, place: Position, entered: int) -> Next | _Going:
        tally = place.tally
        if self._limits.hosts:
            if tally.hosts == self.sender.limits.hosts:
                return self._stop(place, entered)
            tally = tally._replace(hosts=tally.hosts + 1)
        if self._waits.per_host:
            tally = tally._replace(budget_s=self._waits.connect_s)
        return _Going(Position(host, rest, place.level, place.begun, place.cut, tally), entered + 1)

    def _offer(self, contact: ModelContact, place: Position, entered: int) -> Next | _Going:
        """The contact, unless it is passed over or a limit is reached."""
        tally, limits = place.tally, self.sender.limits
        address = contact.target.address
        is_full = self._limits.addresses and tally.contacts >= self._room(place.level)
        if (tally.tried and address in tally.tried) or (not is_full and self._has_its_share(address, tally)):
            return _Going(place, entered)
        if (self._limits.sessions and tally.sessions == limits.sessions) or (is_full and limits.later is Later.NOTHING):
            return self._stop(place, entered)
        if is_full and place.begun:
            return _Going(place._replace(host=NOTHING, hosts=NOTHING, cut=True), entered)
        return self._go(contact, place, entered=entered)

    def _go(self, contact: ModelContact, place: Position, *, entered: int) -> Next:
        tally, waits = place.tally, self._waits
        pause_s = tally.pace_s
        if not place.begun:
            pause_s = max(tally.pace_s, tally.open_s)
        elif entered and waits.fallback_s is not None:
            pause_s = max(tally.pace_s, tally.open_s)  # the host is given up as a whole
        if len(tally.opens_s) >= (waits.most_silent or math.inf):
            pause_s = max(pause_s, min(tally.opens_s))
        if pause_s:
            opens_s = tuple(each_s - pause_s for each_s in tally.opens_s if each_s > pause_s)
            place = place._replace(tally=tally._replace(open_s=max(tally.open_s - pause_s, 0.0), opens_s=opens_s))
        return Next(WHOLE, contact, place, pause_s, entered)

    def _count(self, place: Position, contact: ModelContact) -> ContactTally:
        sender, tally, met, level = self.sender, place.tally, contact.met, self._levels[place.level]
        address, no = contact.target.address, contact.met in sender.refusals
        changes: dict[str, object] = {}
        if self._limits.addresses:
            changes["contacts"] = tally.contacts + 1
        if self._shares:
            changes[f"v{address.version}"] = tally.v4 + 1 if address.version == 4 else tally.v6 + 1
            changes["lead"] = tally.lead or address.version
        if self._limits.sessions and met in IN_SESSION:
            changes["sessions"] = tally.sessions + 1
        if contact.shared:
            changes["tried"] = tally.tried | {address}
        if sender.exhausted is Exhausted.LAST:
            changes["refused"] = no and not level.settles
            changes["kept"] = tally.kept or (met in sender.keeps and not (level.settles or level.passes))
        elif sender.exhausted is Exhausted.ALL and not (level.settles or level.passes):
            changes |= {"refused": tally.refused or no, "unsure": tally.unsure or not no}
        timed = self._time(place, contact)
        return timed._replace(**changes) if changes else timed  # type: ignore[arg-type]  # each by its own name

    def _time(self, place: Position, contact: ModelContact) -> ContactTally:
        waits, tally, wait_s = self._waits, place.tally, contact.wait_s
        if not contact.silent:
            pace_s, open_s = max(wait_s, waits.spacing_s), max(tally.open_s, wait_s)
            is_kept = pace_s == tally.pace_s and open_s == tally.open_s
            return tally if is_kept else tally._replace(pace_s=pace_s, open_s=open_s)
        version = contact.target.address.version
        alike = count(place.host, lambda other: other.target.address.version == version)
        if waits.per_host:
            left_s = tally.budget_s / (alike + 1)
            wait_s = min(tally.budget_s, max(left_s, _GO_LEAST_S))
            tally = tally._replace(budget_s=tally.budget_s - wait_s if alike else waits.connect_s)
        others = count(place.host, lambda _other: True)
        if waits.hurry_s is not None and others:
            wait_s = min(wait_s, waits.hurry_s)
        pace_s = wait_s
        if waits.overlap_s is not None:
            pace_s = waits.overlap_s
        elif waits.fallback_s is not None and others > alike:
            pace_s = waits.fallback_s
        tally = tally._replace(pace_s=min(pace_s, wait_s))
        if self._limits.silent:
            tally = tally._replace(opens_s=(*tally.opens_s, wait_s))
        if self._levels[place.level].settles and waits.fallback_s is None:
            return tally  # nobody will have to wait for it
        return tally._replace(open_s=max(tally.open_s, wait_s))

    def _room(self, level: int) -> int:
        """How many contacts may have been made for another one at this level."""
        limits = self.sender.limits
        reserved = len(self._levels) - 1 - level if limits.later is Later.ONE_WITHIN else 0
        return (limits.addresses or 0) - reserved

    def _has_its_share(self, address: Address, tally: ContactTally) -> bool:
        if not self._shares:
            return False
        used = tally.v4 if address.version == 4 else tally.v6
        return used >= self._shares[tally.lead or address.version][address.version]

    @staticmethod
    def _stop(place: Position, entered: int) -> Next:
        return Next(WHOLE, None, place._replace(cut=True), place.tally.open_s, entered)


def _family_shares(sender: Sender, levels: Iterable[ArrangedLevel]) -> dict[int, dict[int, int]]:
    """How many addresses of each family may be tried, by the family of the first.

    So does Postfix (src/smtp/smtp_addr.c:smtp_balance_inet_proto): who has less than half of the limit has all of its
    own, else the halves are alike, and the odd one belongs to the family of the first address.
    """
    limit, parts = sender.limits.addresses or 0, [level.hosts for level in levels]
    v4, v6 = (sum(_number_of(part, version) for part in parts) for version in (4, 6))
    if v6 <= limit // 2:
        share4 = {4: limit - v6, 6: limit - v6}
    elif v4 <= limit // 2:
        share4 = {4: v4, 6: v4}
    else:
        share4 = {4: (limit + 1) // 2, 6: limit // 2}
    return {lead: {4: share, 6: limit - share} for lead, share in share4.items()}


def _number_of(hosts: Node, version: int) -> int:
    """How many addresses of a family there are; what is alike may stand for others that it does not name."""
    return count(hosts, lambda host: count(host.contacts, lambda each: each.target.address.version == version))
