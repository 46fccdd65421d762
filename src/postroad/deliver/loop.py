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
from postroad.deliver.session import Message, Pieces
from postroad.deliver.settings import DeliverSettings
from postroad.deliver.settling import Verdict, judge, summary
from postroad.deliver.ways import Finder, Way, Ways
from postroad.pace import Health, HealthPolicy, RetrySchedule, WindowPolicy, is_expired
from postroad.routing import Plan, Refusal, draw
from postroad.spool import Parcel, Settlement, Spool, SpoolError
from postroad.words.names import Address
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.record import attempt_record
from postroad.words.trace import Event, Listener, nobody
from postroad.words.trail import Attempt, Target

T = TypeVar("T")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

HELD_OCTETS = 64 * 1024  # a content up to this size stays in memory from acceptance to delivery
AGAIN_S = 1.0  # between two tries to settle on a spool in trouble


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How much at once, and how patient. `concurrency` and `per_address` count deliveries at once."""

    concurrency: int = 200
    per_address: int = 50
    # The health of addresses says when a set is dead, so no window does.
    window: WindowPolicy = field(default_factory=lambda: WindowPolicy(dead_after=float("inf")))
    held: int = 10_000  # parcels in memory; the others rest in the spool
    held_octets: int = 64 * 1024 * 1024  # of their contents
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
        self._probes = Probes(self.health, self._now, self._recovered)
        self._unrouted: dict[str, list[Item]] = {}
        self._octets = 0
        self._runners = 0
        self._hungry = asyncio.Event()
        self._has_more = False  # the spool had more due when last asked
        self._is_draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    def has_room_for(self, destinations: Collection[str]) -> bool:
        """Whether a fresh message may be claimed at once, rather than rest in the spool first."""
        return not self._is_draining and all(self.queue.has_room_for(name) for name in destinations)

    def take(self, parcels: Collection[Parcel], content: bytes | None) -> None:
        """Deliver parcels that this node has claimed."""
        if content is not None:
            keeps = len(content) <= HELD_OCTETS and self._octets + len(content) <= self.settings.held_octets
            content = content if keeps else None
        for parcel in parcels:
            if content is not None:
                self._octets += len(content)
            item = Item(parcel, content)
            self.queue.admit(item)
            self._enter(item)

    def reload(self, settings: LoopSettings, find: Finder) -> None:
        """Deliveries that begin from now on have other settings; windows and the health of hosts are kept."""
        self.settings = settings
        self.ways = Ways(find, self._now)

    def look(self) -> None:
        """There may be something new in the spool: look now, not at the next poll."""
        self._hungry.set()

    async def run(self) -> None:
        """Feed from the spool until drained; SpoolError is told and waited out."""
        while not self._is_draining:
            try:
                wait_s = await self._feed()
            except SpoolError as trouble:
                self._tell("deliver.spool.failed", why=trouble.why)
                wait_s = AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hungry.wait()
            self._hungry.clear()

    async def drain(self, limit_s: float) -> int:
        """Begin nothing new, let deliveries under way end, then give up the rest; how many were given up."""
        self._is_draining = True
        self._hungry.set()
        waiting = self.queue.drop_waiting() + [item for items in self._unrouted.values() for item in items]
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
        with contextlib.suppress(SpoolError):
            await self._spool.release([item.parcel for item in waiting])
        return given_up

    async def _feed(self) -> float:
        """Claim what is due and finds room; how long to wait until the next look."""
        room = self.queue.room
        if room < self.queue.most // 10:
            return self.settings.poll_s
        most, each = min(room, 1000), min(max(1, room // 4), 500)
        parcels = await self._spool.claim(self._wall(), most, each=each, skip=self.queue.full_destinations())
        self._has_more = bool(parcels)
        self.take(parcels, None)
        if parcels:
            return 0.0
        due_at = await self._spool.next_due()
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
        way = await self.ways.find(destination)
        for item in self._unrouted.pop(destination):
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
                try:
                    await self._deliver(item)
                except Exception as bug:  # noqa: BLE001  # one message must not end the relay: told, and tried again later
                    self._tell("deliver.parcel.broken", parcel=item.parcel, error=bug)
                    await self._put_off(item.parcel)
                if self._has_more and self.queue.room > self.queue.most // 2:
                    self._hungry.set()
                item = None if self._is_draining else self.queue.next()
                self._pump()  # the window may have opened further
        finally:
            self._runners -= 1

    async def _deliver(self, item: Item) -> None:
        way, plan, turn = await self._plan(item)
        targets, ill = self.health.arrange(plan.targets, self._now())
        self._probes.want(ill, way.settings)
        if is_expired(self.settings.schedule, item.parcel.mail.received_at, self._wall()):
            targets, ill = plan.targets, ()  # the last attempt asks everyone
        first = targets[0].address if targets else None
        if first and not self.queue.enter(first, item):
            return
        met_host: bool | None = None
        try:
            if plan.targets and not targets:
                done = self._wait_for_host(item, plan)
            else:
                done = await self._attempt(item, way, Plan((*targets, *ill)))
                met_host = self._hear(done, way.settings) if targets else None
            await self._settle(item, way, done, turn, ill)
        finally:
            if first:
                self.queue.leave(first)
            if item.content is not None:
                self._octets -= len(item.content)
            self.queue.finish(item, met_host=met_host)

    async def _plan(self, item: Item) -> tuple[Way, Plan, int]:
        """The order drawn for this delivery: from the message's own seed and the number of the attempt."""
        parcel = item.parcel
        way = self.ways.get(parcel.destination) or await self.ways.find(parcel.destination)
        if isinstance(way.answer, Refusal):
            return way, Plan(()), 0
        route, turn = self.ways.turn(parcel.destination, way)
        return way, draw(route, way.policy, Random(draw_seed(parcel))), turn

    def _wait_for_host(self, item: Item, plan: Plan) -> Attempt:
        """No attempt: all of its hosts are ill, and mail need not find that out once more."""
        parcel = item.parcel
        outcomes = (_all_ill(plan.targets),) * len(parcel.mail.envelope.recipients)
        return Attempt(parcel.destination, outcomes, (), draw_seed(parcel), 0.0)

    async def _attempt(self, item: Item, way: Way, plan: Plan) -> Attempt:
        envelope = item.parcel.mail.envelope
        if isinstance(way.answer, Refusal):
            refusal = way.answer
            outcome = Outcome(refusal.result, Scope.DOMAIN, refusal.text, refusal.enhanced)
            return Attempt(refusal.destination, (outcome,) * len(envelope.recipients), (), None, 0.0)
        content = item.content if item.content is not None else await self._content(item.parcel)
        job = Job(Message(envelope, content), way.answer.destination, plan, draw_seed(item.parcel))
        return await attempt(job, way.settings, nobody, self._pool)

    async def _content(self, parcel: Parcel) -> bytes | Pieces:
        body = self._spool.body(parcel.mail)
        if parcel.mail.size > HELD_OCTETS:
            return body
        return b"".join([piece async for piece in body])

    def _hear(self, done: Attempt, settings: DeliverSettings) -> bool:
        """Learn from an attempt which hosts are ill; whether any had a session with us."""
        met = False
        for place, contact in enumerate(done.contacts):
            ending = contact.ending
            if ending is None:
                is_beaten = any(later.ending for later in done.contacts[place + 1 :])
                if is_beaten and contact.phase is Phase.CONNECT:
                    self._probes.suspect(contact.target, settings)
            elif ending.scope is Scope.HOST and contact.phase in (Phase.CONNECT, Phase.GREETING):
                self._probes.failed(contact.target, settings)
            else:
                met = True
                if self.health.succeeded(contact.target.address, self._now()):
                    self._recovered(contact.target.address)
        return met

    async def _settle(self, item: Item, way: Way, done: Attempt, turn: int, ill: tuple[Target, ...]) -> None:
        now = self._wall()
        parcel = item.parcel
        verdict = judge(parcel, done, self.settings.schedule, now, self._rng)
        record = _record(done, way, turn, ill, [str(each.mailbox) for each in parcel.mail.envelope.recipients])
        reports = await self._insist(lambda: self._reporter.reports(parcel, verdict, done, now))
        settlement = Settlement(
            parcel,
            left=tuple(fate.recipient for fate in verdict.left),
            due_at=verdict.due_at,
            record=record,
            counts=bool(done.contacts) or isinstance(way.answer, Refusal),
            warned=parcel.warned or verdict.is_late,
            waits_for_host=verdict.waits_for_host,
            said=summary(done) if verdict.left else "",
            reports=reports,
        )
        if verdict.waits_for_host:
            asked = [contact.target.address for contact in done.contacts]
            self._probes.wait_for([*asked, *(target.address for target in ill)], parcel.destination)
        await self._insist(lambda: self._spool.settle([settlement], now))
        if reports:
            self.look()
        self._tell_done(parcel, done, verdict)

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, however long the spool is in trouble: what became of mail must not be forgotten."""
        while True:
            try:
                return await work()
            except SpoolError as trouble:
                self._tell("deliver.spool.failed", why=trouble.why)
                await asyncio.sleep(AGAIN_S)

    async def _put_off(self, parcel: Parcel) -> None:
        now = self._wall()
        left = Settlement(parcel, parcel.mail.envelope.recipients, now + self.settings.schedule.first_s)
        await self._insist(lambda: self._spool.settle([left], now))

    def _recovered(self, address: Address) -> None:
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


def draw_seed(parcel: Parcel) -> int:
    """The seed of this attempt's draw: recorded, and another one for each attempt."""
    return parcel.mail.seed + parcel.attempts


def _all_ill(targets: tuple[Target, ...]) -> Outcome:
    names = ", ".join(str(target) for target in targets[:3])
    text = f"every exchanger failed a moment ago and has not answered since ({names})"
    return Outcome(Result.DEFERRED, Scope.HOST, text, "4.4.1", Phase.CONNECT)


def _record(done: Attempt, way: Way, turn: int, ill: tuple[Target, ...], recipients: Collection[str]) -> str:
    """The attempt as the spool keeps it; the route, which is the same for thousands of them, is text already."""
    shape = attempt_record(done) | {"recipients": list(recipients), "procedure": way.policy.name, "turn": turn}
    if ill:
        shape["ill"] = [str(target.address) for target in ill]
    return f'{_encode(shape)[:-1]},"route":{way.record}}}'
