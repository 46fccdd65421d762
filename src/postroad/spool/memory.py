"""A spool in memory, for tests and trials: every promise but durability."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from postroad.spool.base import (
    LEASE_S,
    PARCELS,
    PIECE,
    Body,
    Lesson,
    Listed,
    Node,
    Parcel,
    Record,
    Selection,
    Settlement,
    SpoolError,
    State,
    Stats,
    StoredMail,
    Story,
    Trouble,
    Unshared,
    as_wholes,
    rerouted,
    split,
)
from postroad.spool.calls import HASTENED

ARRIVAL_S = 86400.0
BUSIEST = 20
_NEVER = float("-inf")


@dataclass(slots=True)
class _Kept:
    mail: StoredMail
    octets: bytes
    records: list[Record] = field(default_factory=list)
    open: int = 0  # parcels
    finished_at: float | None = None

    def is_remembered(self, since: float) -> bool:
        """Whether it is not finished, or was no earlier than that."""
        return self.finished_at is None or self.finished_at >= since


@dataclass(slots=True)
class _Slot:
    parcel: Parcel
    state: State
    said: str = ""
    waits_for_host: bool = False

    def listed(self, node: str) -> Listed:
        """As people see it."""
        return Listed(self.parcel, self.state, node if self.state is State.CLAIMED else "", self.said)

    def is_as_read(self, read: Parcel) -> bool:
        """Whether nobody has it, and it was not tried since."""
        tried = (self.parcel.attempts, self.parcel.mail.envelope.recipients)
        return self.state is not State.CLAIMED and tried == (read.attempts, read.mail.envelope.recipients)

    def wait(self, one: Settlement) -> None:
        """Who is left of it waits, as the settlement has it."""
        parcel = self.parcel
        envelope = replace(parcel.mail.envelope, recipients=one.left)
        self.parcel = Parcel(
            number=parcel.number,
            destination=parcel.destination,
            mail=replace(parcel.mail, envelope=envelope),
            due_at=parcel.due_at if one.due_at is None else one.due_at,
            attempts=parcel.attempts + one.counts,
            warned=one.warned,
            routes=parcel.routes,
        )
        self.state, self.said, self.waits_for_host = State.WAITING, one.said, one.waits_for_host


@dataclass(slots=True)
class _Arrival:
    octets: bytearray = field(default_factory=bytearray)
    seen_at: float | None = None

    def is_fresh(self, now: float) -> bool:
        """Whether it may still be arriving: its time runs from when it is first seen."""
        self.seen_at = now if self.seen_at is None else self.seen_at
        return self.seen_at >= now - ARRIVAL_S


class _Lanes:
    """The parcels of a spool, in lanes by destination that take turns: what waits, and what is under way."""

    def __init__(self) -> None:
        self.slots: dict[int, _Slot] = {}  # in order of acceptance
        self._served: dict[str, tuple[float, int]] = {}  # destination -> when, and which turn it was
        self._turn = 0

    def waiting(self) -> dict[str, list[_Slot]]:
        """Waiting parcels by destination, by time."""
        lanes: dict[str, list[_Slot]] = {}
        for slot in self.slots.values():
            if slot.state is State.WAITING:
                lanes.setdefault(slot.parcel.destination, []).append(slot)
        for slots in lanes.values():
            slots.sort(key=lambda slot: slot.parcel.due_at)
        return lanes

    def selected(self, selection: Selection, *states: State) -> list[_Slot]:
        """Those that people mean."""
        slots = (slot for slot in self.slots.values() if not states or slot.state in states)
        return [slot for slot in slots if _fits(slot, selection)]

    def take(self, now: float, most: int, each: int, skip: Collection[str]) -> list[_Slot]:
        """Those whose turn it is, claimed: of each lane in turn a few."""
        taken: list[_Slot] = []
        for destination, slots in self._round(now):
            due = [] if destination in skip else [slot for slot in slots if slot.parcel.due_at <= now]
            if due and len(taken) < most:
                taken += due[: min(each, most - len(taken))]
                self._turn += 1
                self._served[destination] = (now, self._turn)
        self.turn_to(State.CLAIMED, taken)
        return taken

    def reroute(self, one: Settlement, records: int, now: float) -> int:
        """Those who take another route wait in a parcel of their own, beside the others of its message: how many."""
        found = {
            parcel.number: _Slot(parcel, State.WAITING, one.reroute.said if one.reroute else "")
            for parcel in rerouted([(one, now)], {one.parcel.number // PARCELS: records})
        }
        self.slots = dict(sorted({**self.slots, **found}.items())) if found else self.slots
        return len(found)

    def turn_to(self, state: State, slots: Collection[_Slot]) -> int:
        """Put them all into a state; how many they are."""
        for slot in slots:
            slot.state = state
        self.forget()
        return len(slots)

    def hurry(self, slots: Collection[_Slot], now: float) -> int:
        """Make them due now; how many they are."""
        for slot in slots:
            slot.parcel = replace(slot.parcel, due_at=min(slot.parcel.due_at, now))
        return len(slots)

    def as_read(self, settlements: Iterable[Settlement]) -> list[tuple[_Slot, Settlement]]:
        """Those of parcels that nobody has, and that were not tried since they were read."""
        found = {one.parcel.number: (slot, one) for one in settlements if (slot := self.slots.get(one.parcel.number))}
        return [pair for pair in found.values() if pair[0].is_as_read(pair[1].parcel)]

    def next_due(self, skip: Collection[str]) -> float | None:
        """When the next lane has its turn."""
        lanes = self.waiting().items()
        return min((self._turn_of(to, slots)[0] for to, slots in lanes if to not in skip), default=None)

    def retry_stranded(self, destination: str, now: float) -> int:
        """Its host is well again: what waits for that is due, as many as one slice has."""
        waiting = self.waiting().get(destination, [])
        late = [slot for slot in waiting if slot.waits_for_host and slot.parcel.due_at > now][:HASTENED]
        for slot in late:
            slot.parcel = replace(slot.parcel, due_at=now)
        return len(late)

    def stranded(self) -> list[str]:
        """The destinations with mail that waits for a host."""
        return sorted(to for to, slots in self.waiting().items() if any(slot.waits_for_host for slot in slots))

    def clock_set_back(self, now: float) -> None:
        """The clock was set back: no lane was served later than now."""
        self._served = {to: (min(at, now), turn) for to, (at, turn) in self._served.items()}

    def forget(self) -> None:
        """A lane that has run empty is gone, and with it when it was served."""
        lanes = self.waiting()
        self._served = {destination: served for destination, served in self._served.items() if destination in lanes}

    def _round(self, now: float) -> list[tuple[str, list[_Slot]]]:
        """The lanes whose turn has come, in order of it."""
        lanes = {to: slots for to, slots in self.waiting().items() if self._turn_of(to, slots)[0] <= now}
        return sorted(lanes.items(), key=lambda lane: (self._turn_of(*lane), lane[0]))

    def _turn_of(self, destination: str, slots: list[_Slot]) -> tuple[float, int]:
        served_at, turn = self._served.get(destination, (_NEVER, 0))
        return max(slots[0].parcel.due_at, served_at), turn


class MemoryLearned:
    """What was learned, in memory: that of a spool, or of who has none."""

    def __init__(self) -> None:
        self._lessons: dict[tuple[str, str], Lesson] = {}

    async def learn(self, lessons: Collection[Lesson]) -> None:
        """See Spool."""
        self._check()
        for one in lessons:
            before = self._lessons.get((one.kind, one.key))
            count = one.count + (before.count if before else 0)
            self._lessons[one.kind, one.key] = replace(one, count=count)

    async def recall(self, kind: str, begin: str = "") -> tuple[Lesson, ...]:
        """See Spool."""
        self._check()
        known = (one for one in self._lessons.values() if one.kind == kind and one.key.startswith(begin))
        return tuple(sorted(known, key=lambda one: one.key))

    async def forget(self, kind: str, keys: Collection[str]) -> int:
        """See Spool."""
        self._check()
        return sum([self._lessons.pop((kind, key), None) is not None for key in set(keys)])

    def _check(self) -> None:
        """Whether calls are answered."""


class MemorySpool(MemoryLearned, Unshared):
    """A spool in memory, for tests and for reference."""

    def __init__(self, node: str = "memory", history_s: float = 86400.0) -> None:
        super().__init__()
        self._node = node
        self._history_s = history_s
        self._arrivals: dict[str, _Arrival] = {}
        self._kept: dict[str, _Kept] = {}
        self._lanes = _Lanes()
        self._next = PARCELS
        self._renewed_at = _NEVER
        self._is_closed = False

    async def write(self, id_: str, piece: bytes) -> None:
        """See Spool."""
        self._check()
        self._arrivals.setdefault(id_, _Arrival()).octets.extend(piece)

    async def discard(self, id_: str) -> None:
        """See Spool."""
        self._check()
        self._arrivals.pop(id_, None)

    async def add(
        self, mail: StoredMail, rest: bytes, *, claim: bool = False, front: bytes = b""
    ) -> tuple[Parcel, ...]:
        """See Spool."""
        self._check()
        return self._add(mail, rest, State.CLAIMED if claim else State.WAITING, front)

    async def claim(self, now: float, most: int, *, each: int, skip: Collection[str] = ()) -> tuple[Parcel, ...]:
        """See Spool."""
        self._check()
        taken = self._lanes.take(now, most, each, skip)
        return tuple(slot.parcel for slot in taken)

    async def settle(self, settlements: Collection[Settlement], now: float) -> None:
        """See Spool."""
        self._check()
        for mail, octets in (report for one in settlements for report in one.reports):
            _examine(self._kept, mail, octets)
        for one in settlements:
            if (slot := self._lanes.slots.get(one.parcel.number)) and slot.state is State.CLAIMED:
                self._settle(slot, one, now)

    async def release(self, parcels: Collection[Parcel]) -> None:
        """See Spool."""
        self._check()
        slots = (self._lanes.slots.get(parcel.number) for parcel in parcels)
        self._lanes.turn_to(State.WAITING, [slot for slot in slots if slot and slot.state is State.CLAIMED])

    async def retry_stranded(self, destination: str, now: float) -> int:
        """See Spool."""
        self._check()
        return self._lanes.retry_stranded(destination, now)

    async def stranded(self, after: str, limit: int) -> tuple[str, ...]:
        """See Spool."""
        self._check()
        return tuple(name for name in self._lanes.stranded() if name > after)[:limit]

    async def next_due(self, skip: Collection[str] = ()) -> float | None:
        """See Spool."""
        self._check()
        return self._lanes.next_due(skip)

    def body(self, mail: StoredMail) -> Body:
        """See Spool."""
        return Body(mail, self.piece)

    def at_hand(self, mail: StoredMail) -> bytes | None:
        """See Spool."""
        kept = self._kept.get(mail.id)
        return None if kept is None or kept.finished_at is not None else kept.octets

    async def piece(self, id_: str, ordinal: int) -> tuple[bytes, bool]:
        """See Spool."""
        kept = self._kept.get(id_)
        if kept is None or kept.finished_at is not None:
            raise SpoolError(Trouble.MISSING, f"the spool has no body of {id_}")
        start, end = ordinal * PIECE, (ordinal + 1) * PIECE
        return kept.octets[start:end], end < len(kept.octets)

    async def renew(self, now: float) -> int:
        """See Spool. No other node can be here."""
        self._check()
        self._renewed_at = now
        return 0

    async def nodes(self, now: float) -> tuple[Node, ...]:
        """See Spool."""
        self._check()
        return (Node(self._node, self._renewed_at),) if self._renewed_at >= now - LEASE_S else ()

    async def sweep(self, now: float) -> None:
        """See Spool."""
        self._check()
        self._kept = {id_: kept for id_, kept in self._kept.items() if kept.is_remembered(now - self._history_s)}
        self._arrivals = {id_: arrival for id_, arrival in self._arrivals.items() if arrival.is_fresh(now)}

    async def listed(self, selection: Selection, limit: int = 100) -> tuple[Listed, ...]:
        """See Spool."""
        self._check()
        return tuple(slot.listed(self._node) for slot in self._lanes.selected(selection)[:limit])

    async def story(self, id_: str) -> Story | None:
        """See Spool."""
        self._check()
        kept = self._kept.get(id_)
        if kept is None:
            return None
        parcels = tuple(slot.listed(self._node) for slot in self._lanes.selected(Selection(ids=(id_,))))
        records = tuple(sorted(kept.records, key=lambda record: record.at))
        return Story(kept.mail, parcels, records, kept.finished_at)

    async def hold(self, selection: Selection) -> int:
        """See Spool."""
        self._check()
        return self._lanes.turn_to(State.HELD, self._lanes.selected(selection, State.WAITING))

    async def unhold(self, selection: Selection) -> int:
        """See Spool."""
        self._check()
        return self._lanes.turn_to(State.WAITING, self._lanes.selected(selection, State.HELD))

    async def retry(self, selection: Selection, now: float) -> int:
        """See Spool."""
        self._check()
        return self._lanes.hurry(self._lanes.selected(replace(selection, released_by=now), State.WAITING), now)

    async def clock_set_back(self, now: float, latest: float) -> int:
        """See Spool."""
        self._lanes.clock_set_back(now)
        return await self.retry(Selection(state=State.WAITING, due_after=latest), now)

    async def delete(self, selection: Selection, now: float) -> int:
        """See Spool."""
        self._check()
        slots = self._lanes.selected(selection, State.WAITING, State.HELD)
        for slot in slots:
            self._drop(slot, now)
        self._lanes.forget()
        return len(slots)

    async def overrule(self, settlements: Collection[Settlement], now: float) -> int:
        """See Spool."""
        self._check()
        found = self._lanes.as_read(as_wholes(settlements))
        for slot, one in found:
            self._settle(slot, one, now)
        self._lanes.forget()
        return len(found)

    async def stats(self, now: float) -> Stats:
        """See Spool."""
        self._check()
        return _counted(self._kept.values(), self._lanes, now)

    async def close(self) -> None:
        """See Spool."""
        self._is_closed = True

    def _check(self) -> None:
        if self._is_closed:
            raise SpoolError(Trouble.CLOSED, "the spool in memory is closed")

    def _add(self, mail: StoredMail, rest: bytes, state: State, front: bytes = b"") -> tuple[Parcel, ...]:
        octets = front + self._arrivals.get(mail.id, _Arrival()).octets + rest
        _examine(self._kept, mail, octets)
        self._arrivals.pop(mail.id, None)
        parts = enumerate(split(mail), start=self._next)
        due_at = mail.release_at or mail.received_at
        parcels = tuple(Parcel(number, to, part, due_at) for number, (to, part) in parts)
        self._next += PARCELS
        self._lanes.slots.update((parcel.number, _Slot(parcel, state)) for parcel in parcels)
        self._kept[mail.id] = _Kept(mail, octets, open=len(parcels))
        return parcels

    def _settle(self, slot: _Slot, one: Settlement, now: float) -> None:
        kept = self._kept[slot.parcel.mail.id]
        kept.open += self._lanes.reroute(replace(one, parcel=slot.parcel), len(kept.records), now)
        if one.record:
            kept.records.append(Record(slot.parcel.destination, now, one.record, self._node))
        if one.left:
            slot.wait(one)
        else:
            self._drop(slot, now)
        for mail, octets in one.reports:
            self._add(mail, octets, State.WAITING)

    def _drop(self, slot: _Slot, now: float) -> None:
        del self._lanes.slots[slot.parcel.number]
        kept = self._kept[slot.parcel.mail.id]
        kept.open -= 1
        if kept.open == 0:
            kept.octets, kept.finished_at = b"", now
            if self._history_s <= 0:
                del self._kept[kept.mail.id]


def _examine(kept: Collection[str], mail: StoredMail, octets: bytes) -> None:
    if not mail.envelope.recipients:
        raise ValueError("a message needs at least one recipient")
    if mail.id in kept:
        raise ValueError("there is already a message with this id")
    if len(octets) != mail.size:
        raise ValueError(f"the body of {mail.id} has {len(octets)} octets, not {mail.size}")


def _fits(slot: _Slot, selection: Selection) -> bool:
    parcel = slot.parcel
    reverse_path = parcel.mail.envelope.reverse_path
    tests: Iterable[bool] = (
        not selection.ids or parcel.mail.id in selection.ids,
        not selection.destination or parcel.destination == selection.destination,
        not selection.sender or selection.sender == ("<>" if reverse_path is None else str(reverse_path)),
        selection.state is None or slot.state is selection.state,
        selection.due_before is None or parcel.due_at < selection.due_before,
        selection.due_after is None or parcel.due_at > selection.due_after,
        selection.released_by is None or (parcel.mail.release_at or 0) <= selection.released_by,
    )
    return all(tests)


def _counted(kept: Collection[_Kept], lanes: _Lanes, now: float) -> Stats:
    open_ = [one for one in kept if one.finished_at is None]
    states = Counter(slot.state for slot in lanes.slots.values())
    lengths = {destination: len(slots) for destination, slots in lanes.waiting().items()}
    return Stats(
        messages=len(open_),
        octets=sum(one.mail.size for one in open_),
        waiting=states[State.WAITING],
        due=sum(s.parcel.due_at <= now for s in lanes.slots.values() if s.state is State.WAITING),
        claimed=states[State.CLAIMED],
        held=states[State.HELD],
        finished=len(kept) - len(open_),
        oldest_at=open_[0].mail.received_at if open_ else None,
        destinations=tuple(sorted(lengths.items(), key=lambda pair: (-pair[1], pair[0]))[:BUSIEST]),
    )
