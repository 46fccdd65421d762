"""The delivery loop: takes parcels in turn, attempts each, settles it, and feeds itself from the spool."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from postroad.deliver.attempt import Job, attempt
from postroad.deliver.bounce import Reporter
from postroad.deliver.pool import Pool, ReusePolicy
from postroad.deliver.probe import Probes
from postroad.deliver.queue import Item, Queue
from postroad.deliver.settings import DeliverSettings
from postroad.deliver.settling import Verdict, judge, lost_report
from postroad.deliver.ways import Finder, Way, Ways
from postroad.dialogue import Message, Pieces
from postroad.pace import Health, HealthPolicy, RetrySchedule, WindowPolicy, is_expired, next_at
from postroad.routing import Plan, Refusal, draw
from postroad.spool import Parcel, Settlement, Spool, SpoolError
from postroad.words.names import Address
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.record import attempt_record
from postroad.words.trace import Event, Listener, nobody
from postroad.words.trail import Attempt, Target

T = TypeVar("T")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

WHOLE = 64 * 1024  # octets of a content that is read whole; a larger one is sent piece by piece
AGAIN_S = 1.0  # between two tries to settle on a spool in trouble
STEP_S = 60.0  # a clock set back by less delays mail by less
HEED_S = 3600.0


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How much at once, and how patient. `concurrency` and `per_address` count deliveries at once."""

    concurrency: int = 200
    per_address: int = 50
    # The health of addresses says when a set is dead, so no window does.
    window: WindowPolicy = field(default_factory=lambda: WindowPolicy(dead_after=float("inf")))
    held: int = 10_000  # parcels in memory; the others rest in the spool
    poll_s: float = 1.0  # how soon mail is found that another process put into the spool
    reuse: ReusePolicy = field(default_factory=ReusePolicy)
    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    health: HealthPolicy = field(default_factory=HealthPolicy)


@dataclass(frozen=True, slots=True)
class World:
    """What the loop has of the world: the time of mail (seconds since the epoch), dice for jitter, and who listens."""

    wall: Callable[[], float]
    rng: Random
    listener: Listener = nobody


@dataclass(frozen=True, slots=True)
class Course:
    """Where one delivery is to go: targets that are well, then those that are ill, in the order drawn."""

    way: Way
    turn: int = 0
    well: tuple[Target, ...] = ()
    ill: tuple[Target, ...] = ()

    @property
    def first(self) -> Address | None:
        """The address asked first, where a place is needed."""
        return self.well[0].address if self.well else None

    @property
    def plan(self) -> Plan:
        """All of them."""
        return Plan((*self.well, *self.ill))


class Loop:
    """Delivers what the spool has. Draws come from the seed of each message, not from the dice of the world."""

    def __init__(self, spool: Spool, find: Finder, reporter: Reporter, settings: LoopSettings, world: World) -> None:
        self.settings = settings
        self._spool = spool
        self._reporter = reporter
        self._wall = world.wall
        self._rng = world.rng
        self._listener = world.listener
        self._now = asyncio.get_running_loop().time
        self.ways = Ways(find, self._now)
        self.queue = Queue(settings.held, settings.window, settings.per_address)
        self.health = Health(settings.health)
        self._pool = Pool(settings.reuse, self._now)
        self._probes = Probes(self.health, self._now, self._changed)
        self._unrouted: dict[str, list[Item]] = {}
        self._runners = 0
        self._hungry = asyncio.Event()
        self._ahead_s = float("inf")  # the time of mail before the clock of the loop, when last compared
        self._heeded_at = 0.0
        self._has_more = False  # the spool had more due when last asked
        self._is_draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    def has_room_for(self, destinations: Collection[str]) -> bool:
        """Whether a fresh message may be claimed at once, rather than rest in the spool first."""
        return not self._is_draining and all(self.queue.has_room_for(name) for name in destinations)

    def take(self, parcels: Collection[Parcel]) -> None:
        """Deliver parcels that this node has claimed."""
        for parcel in parcels:
            item = Item(parcel)
            self.queue.admit(item)
            self._enter(item)

    @property
    def in_flight(self) -> int:
        """Deliveries under way."""
        return self._runners

    @property
    def resting(self) -> int:
        """Connections that wait for another message."""
        return self._pool.resting

    def reload(self, settings: LoopSettings, find: Finder, reporter: Reporter) -> None:
        """Deliveries that begin from now on have other settings; windows and the health of hosts are kept."""
        self.settings = settings
        self.ways = Ways(find, self._now)
        self._reporter = reporter
        self._pool.policy = settings.reuse
        self.queue.limit(settings.held, settings.window, settings.per_address)

    def look(self) -> None:
        """There may be something new in the spool: look now, not at the next poll."""
        self._hungry.set()

    async def run(self) -> None:
        """Feed from the spool until drained; SpoolError is told and waited out."""
        while not self._is_draining:
            try:
                await self._heed_clock()
                wait_s = await self._feed()
            except SpoolError as trouble:
                self._tell("deliver.spool.failed", why=trouble.why)
                wait_s = AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hungry.wait()
            self._hungry.clear()

    async def _heed_clock(self) -> None:
        """Mail must not wait for a time that only a clock set back since called near: looked for after each step back.

        And at the start, for what happened before it; and hourly, for deliveries that were under way at the step.
        """
        now, loop_now = self._wall(), self._now()
        if now - loop_now < self._ahead_s - STEP_S or loop_now >= self._heeded_at + HEED_S:
            schedule = self.settings.schedule
            await self._spool.set_back(now, now + schedule.longest_s * (1 + schedule.jitter))
            self._heeded_at = loop_now
        self._ahead_s = now - loop_now

    async def drain(self, limit_s: float) -> int:
        """Begin nothing new, let deliveries under way end, then give up the rest; how many were given up."""
        self._is_draining = True
        self._hungry.set()
        await self._give_back()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._runners:
                    await asyncio.wait(set(self._tasks), return_when=asyncio.FIRST_COMPLETED)
        given_up = self._runners
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._probes.close()
        await self._pool.close()
        await self._give_back()
        return given_up

    async def _give_back(self) -> None:
        """What waits here goes back to the spool; if it takes nothing now, it takes all when this node starts again."""
        items = [*self.queue.drop_waiting(), *(item for items in self._unrouted.values() for item in items)]
        self._unrouted.clear()
        with contextlib.suppress(SpoolError):
            await self._spool.release([item.parcel for item in items])

    async def _feed(self) -> float:
        """Claim what is due and finds room; how long to wait until the next look."""
        room = self.queue.room
        if room < self.queue.most // 10:
            return self.settings.poll_s
        most, each = min(room, 1000), min(max(1, room // 4), 500)
        full = self.queue.full_destinations()
        parcels = await self._spool.claim(self._wall(), most, each=each, skip=full)
        self._has_more = bool(parcels)
        self._tell("deliver.claim.complete", parcels=parcels)
        self.take(parcels)
        if self._is_draining:  # since we asked
            await self._give_back()
        if parcels:
            return 0.0
        due_at = await self._spool.next_due(full)
        return self.settings.poll_s if due_at is None else min(self.settings.poll_s, max(due_at - self._wall(), 0.01))

    def _enter(self, item: Item) -> None:
        destination = item.parcel.destination
        way = self.ways.get(destination)
        if way:
            self.queue.line_up(item, way)
            self._pump()
        elif destination in self._unrouted:
            self._unrouted[destination].append(item)
        else:
            self._unrouted[destination] = [item]
            self._spawn(self._route(destination))

    async def _route(self, destination: str) -> None:
        try:
            way = await self.ways.find(destination)
        except Exception as bug:  # noqa: BLE001  # as in _serve
            for item in self._unrouted.pop(destination, []):
                await self._put_off(item, bug)
                self._finish(item, met_host=None)
            return
        for item in self._unrouted.pop(destination, []):
            self.queue.line_up(item, way)
        self._pump()

    def _pump(self) -> None:
        while self._runners < self.settings.concurrency and not self._is_draining and (item := self.queue.next()):
            self._runners += 1
            self._spawn(self._run(item))

    async def _run(self, item: Item | None) -> None:
        """Deliver one item after the other: a task for each would cost more than some deliveries do."""
        try:
            while item:
                await self._serve(item)
                if self._has_more and self.queue.room > self.queue.most // 2:
                    self._hungry.set()
                item = None if self._is_draining else self.queue.next()
                self._pump()  # the window may have opened further
        finally:
            self._runners -= 1

    async def _serve(self, item: Item) -> None:
        """See an item through, or leave it parked until a place at its address is free."""
        met_host = None
        try:
            course = await self._course(item)
            if not self.queue.enter(item, course.first):
                return
            met_host = await self._deliver(item, course)
        except Exception as bug:  # noqa: BLE001  # one message must not end the relay: told, and tried again later
            await self._put_off(item, bug)
        self._finish(item, met_host=met_host)

    def _finish(self, item: Item, *, met_host: bool | None) -> None:
        self.queue.finish(item, met_host=met_host)

    async def _course(self, item: Item) -> Course:
        """The order drawn for this delivery: from the message's own seed and the number of the attempt."""
        parcel = item.parcel
        way = self.ways.get(parcel.destination) or await self.ways.find(parcel.destination)
        if isinstance(way.answer, Refusal):
            return Course(way)
        route, turn = self.ways.turn(parcel.destination, way)
        plan = draw(route, way.policy, Random(draw_seed(parcel)))
        well, ill = self.health.arrange(plan.targets, self._now())
        self._probes.want(ill, way.settings)
        if is_expired(self.settings.schedule, parcel.mail.received_at, self._wall()):
            return Course(way, turn, plan.targets)  # the last attempt asks everyone
        return Course(way, turn, well, ill)

    async def _deliver(self, item: Item, course: Course) -> bool | None:
        """Attempt it and settle it; whether any host had a session with us, None if none was asked."""
        met_host = None
        if course.ill and not course.well:
            done = self._wait_for_host(item, course)
        else:
            done = await self._attempt(item, course)
            met_host = self._hear(done, course.way.settings) if course.well else None
        await self._settle(item.parcel, course, done)
        return met_host

    def _wait_for_host(self, item: Item, course: Course) -> Attempt:
        """No attempt: all of its hosts are ill, and mail need not find that out once more."""
        parcel = item.parcel
        outcomes = (_all_ill(course.ill),) * len(parcel.mail.envelope.recipients)
        return Attempt(parcel.destination, outcomes, (), draw_seed(parcel), 0.0)

    async def _attempt(self, item: Item, course: Course) -> Attempt:
        envelope, way = item.parcel.mail.envelope, course.way
        if isinstance(way.answer, Refusal):
            refusal = way.answer
            outcome = Outcome(refusal.result, Scope.DOMAIN, refusal.text, refusal.enhanced)
            return Attempt(refusal.destination, (outcome,) * len(envelope.recipients), (), None, 0.0)
        content = await self._content(item.parcel)
        job = Job(Message(envelope, content), way.answer.destination, course.plan, draw_seed(item.parcel))
        return await attempt(job, way.settings, nobody, self._pool)

    async def _content(self, parcel: Parcel) -> bytes | Pieces:
        body = self._spool.body(parcel.mail)
        if parcel.mail.size > WHOLE:
            return body
        return b"".join([piece async for piece in body])

    def _hear(self, done: Attempt, settings: DeliverSettings) -> bool:
        """Learn from an attempt which hosts are ill; whether any had a session with us."""
        met = False
        for place, contact in enumerate(done.contacts):
            host = contact.host
            if contact.is_unused:
                is_beaten = any(not later.is_unused for later in done.contacts[place + 1 :])
                if is_beaten and contact.phase is Phase.CONNECT:
                    self._probes.suspect(contact.target, settings)
            elif host and host.scope is Scope.HOST and contact.phase in (Phase.CONNECT, Phase.GREETING):
                self._probes.failed(contact.target, settings)
                self._pool.drop(contact.target.address)
            elif not (host and host.scope is Scope.US):  # our own lack of a socket says nothing about a host
                met = True
                if self.health.succeeded(contact.target.address, self._now()):
                    self._changed(contact.target.address, is_well=True)
        return met

    async def _settle(self, parcel: Parcel, course: Course, done: Attempt) -> None:
        now = self._wall()
        verdict = judge(parcel, done, self.settings.schedule, now, self._rng)
        reports = await self._insist(lambda: self._reporter.reports(parcel, verdict, now))
        settlement = Settlement(
            parcel,
            left=tuple(fate.recipient for fate in verdict.left),
            due_at=verdict.due_at,
            record=_record(verdict.attempt, course, [str(each.mailbox) for each in parcel.mail.envelope.recipients]),
            counts=bool(done.contacts) or isinstance(course.way.answer, Refusal),
            warned=parcel.warned or verdict.is_late,
            waits_for_host=verdict.waits_for_host,
            said=verdict.said,
            reports=reports,
        )
        ill = self._still_ill(course) if verdict.waits_for_host else ()
        await self._insist(lambda: self._spool.settle([settlement], now))
        self._wait_for(ill, parcel.destination)
        if reports:
            self.look()
        self._tell_done(parcel, done, verdict)

    def _still_ill(self, course: Course) -> tuple[Target, ...]:
        return self.health.arrange(course.plan.targets, self._now())[1]

    def _wait_for(self, ill: tuple[Target, ...], destination: str) -> None:
        """Have a parcel woken when one of its hosts is well again; one may be by now, and have woken it too early."""
        self._probes.wait_for([target.address for target in ill], destination)
        for target in self.health.arrange(ill, self._now())[0]:
            self._wake(target.address)

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, however long the spool is in trouble: what became of mail must not be forgotten."""
        while True:
            try:
                return await work()
            except SpoolError as trouble:
                self._tell("deliver.spool.failed", why=trouble.why)
                await asyncio.sleep(AGAIN_S)

    async def _put_off(self, item: Item, bug: Exception) -> None:
        parcel, now = item.parcel, self._wall()
        self._tell("deliver.parcel.broken", parcel=parcel, error=bug)
        received_at, attempts = parcel.mail.received_at, parcel.attempts + 1
        due_at = next_at(self.settings.schedule, received_at=received_at, attempts=attempts, now=now, rng=self._rng)
        said = f"{Result.DEFERRED}: put off by trouble of our own: {bug!r}"
        left = Settlement(parcel, parcel.mail.envelope.recipients, due_at, warned=parcel.warned, said=said)
        await self._insist(lambda: self._spool.settle([left], now))

    def _changed(self, address: Address, *, is_well: bool) -> None:
        """A host fell ill, or is well again."""
        self._tell("deliver.host.recovered" if is_well else "deliver.host.failed", address=str(address))
        if is_well:
            self._wake(address)

    def _wake(self, address: Address) -> None:
        """A host answers again: what waits for it is due now."""
        for destination in self._probes.take_waiting(address):
            self._spawn(self._hasten(destination))

    async def _hasten(self, destination: str) -> None:
        with contextlib.suppress(SpoolError):
            if await self._spool.hasten(destination, self._wall()):
                self.look()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self, name: str, **fields: object) -> None:
        if self._listener is not nobody:
            self._listener(Event(name, fields))

    def _tell_done(self, parcel: Parcel, done: Attempt, verdict: Verdict) -> None:
        if self._listener is not nobody:
            self._tell("deliver.parcel.complete", parcel=parcel, attempt=done, verdict=verdict)
        if lost := lost_report(parcel, verdict):
            self._tell("deliver.report.failed", **lost)


def draw_seed(parcel: Parcel) -> int:
    """The seed of this attempt's draw: recorded, and another one for each attempt."""
    return parcel.mail.seed + parcel.attempts


def _all_ill(targets: tuple[Target, ...]) -> Outcome:
    names = ", ".join(str(target) for target in targets[:3])
    text = f"every exchanger failed a moment ago and has not answered since ({names})"
    return Outcome(Result.DEFERRED, Scope.HOST, text, "4.4.1", Phase.CONNECT)


def _record(done: Attempt, course: Course, recipients: Collection[str]) -> str:
    """The attempt as the spool keeps it; the route, which is the same for thousands of them, is text already."""
    way = course.way
    shape = attempt_record(done) | {"recipients": list(recipients), "procedure": way.policy.name, "turn": course.turn}
    if course.ill:
        shape["ill"] = [str(target.address) for target in course.ill]
    return f'{_encode(shape)[:-1]},"route":{way.record}}}'
