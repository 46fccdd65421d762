"""The delivery loop: takes parcels in turn, attempts each, settles it. It awaits; what to do is decided beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from postroad.deliver.aftermath import Sign, blocked, news_of, settlement
from postroad.deliver.attempt import Job, attempt
from postroad.deliver.bounce import Reporter
from postroad.deliver.course import Course, draw_course, draw_seed
from postroad.deliver.feed import AGAIN_S, Feed
from postroad.deliver.outages import Outages
from postroad.deliver.pool import Pool, ReusePolicy
from postroad.deliver.pressure import Pressure
from postroad.deliver.probe import Probes
from postroad.deliver.queue import Item, Queue, QueueLimits
from postroad.deliver.settings import DeliverSettings
from postroad.deliver.settling import judge, lost_report
from postroad.deliver.ways import Finder, Way, Ways
from postroad.dialogue import Message, Pieces
from postroad.pace import Health, HealthPolicy, RetrySchedule, is_expired, next_at
from postroad.routing import Refusal, Route
from postroad.spool import Parcel, Settlement, Spool, SpoolError
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.trace import Event, Listener, nobody
from postroad.words.trail import Attempt, Target

T = TypeVar("T")

WHOLE = 64 * 1024  # octets of a content that is read whole; a larger one is sent piece by piece


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How much at once, and how patient."""

    queue: QueueLimits = field(default_factory=QueueLimits)
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
        self._world = world
        self._now = asyncio.get_running_loop().time
        self.ways = Ways(find, self._now)
        self.queue = Queue(settings.queue)
        self.health = Health(settings.health)
        self.feed = Feed(spool, self.queue, self._claimed, world.wall, self._now, self._tell_trouble)
        self._pool = Pool(settings.reuse, self._now)
        self.outages = Outages()
        self._probes = Probes(self.health, self._now, self._changed, self.outages.concerns)
        self._unrouted: dict[str, list[Item]] = {}
        self._blocked: list[tuple[Item, Settlement]] = []  # to be settled together
        self.pressure = Pressure(lambda: self.queue.waiting, self._now, time.thread_time)
        self._runners = 0
        self._aging: asyncio.TimerHandle | None = None
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
        self._pump()

    def _claimed(self, parcels: Collection[Parcel]) -> None:
        self._tell("deliver.claim.complete", parcels=parcels)
        self.take(parcels)

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
        self.queue.limit(settings.queue)
        self.feed.poll_s, self.feed.schedule = settings.poll_s, settings.schedule

    def look(self) -> None:
        """There may be something new in the spool: look now, not at the next poll."""
        self.feed.look()

    async def run(self) -> None:
        """Feed from the spool until drained."""
        self.feed.poll_s, self.feed.schedule = self.settings.poll_s, self.settings.schedule
        await self.feed.run()

    async def drain(self, limit_s: float) -> int:
        """Begin nothing new, let deliveries under way end, then give up the rest; how many were given up."""
        self._is_draining = True
        self.feed.stop()
        await self._give_back()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=limit_s)
        given_up = self._runners
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._aging:
            self._aging.cancel()
        self._probes.close()
        await self._pool.close()
        await self._give_back()
        return given_up

    async def _give_back(self) -> None:
        """What waits here goes back to the spool."""
        waiting = [*self.queue.drop_waiting(), *(item for items in self._unrouted.values() for item in items)]
        waiting += [item for item, _ in self._blocked]
        self._unrouted.clear()
        self._blocked.clear()
        await self.feed.give_back([item.parcel for item in waiting])

    def _enter(self, item: Item) -> None:
        """Draw its course, or find the way first: once for all that wait for the same."""
        destination = item.parcel.destination
        way = self.ways.get(destination)
        if way:
            self._line_up(item, way)
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
                self.queue.finish(item, self._now(), met_host=None)
            return
        for item in self._unrouted.pop(destination, []):
            self._line_up(item, way)
        self._pump()

    def _line_up(self, item: Item, way: Way) -> None:
        course = item.course = self._course(item.parcel, way)
        if self._block(item, course):
            return
        if not self.queue.line_up(item, course):
            self._return(item, course)

    def _course(self, parcel: Parcel, way: Way) -> Course:
        if not isinstance(way.answer, Route):
            return Course(way)
        route, turn = self.ways.turn(parcel.destination, way)
        is_last = is_expired(self.settings.schedule, parcel.mail.received_at, self._world.wall())
        course = draw_course(parcel, way, route, turn)
        if is_last:  # it asks everyone
            return course
        course = course.arranged(self.health, self._now())
        self._probes.want(course.ill, way.settings)
        return course

    def _pump(self) -> None:
        """Begin what may begin now, and come back when what is under way has grown old."""
        again = self.queue.age(self._now())
        while not self._is_draining and (item := self.queue.next(self._now())):
            self._runners += 1
            self._spawn(self._run(item))
        if again is not None and self.queue.is_held_up and self._aging is None and not self._is_draining:
            self._aging = asyncio.get_running_loop().call_at(again, self._age)

    def _age(self) -> None:
        self._aging = None
        self._pump()

    async def _run(self, item: Item | None) -> None:
        """Deliver one item after the other: a task for each would cost more than some deliveries do."""
        try:
            while item:
                await self._serve(item)
                self.feed.look_if_low()
                item = None if self._is_draining else self.queue.next(self._now())
                self._pump()  # the window may have opened further
        finally:
            self._runners -= 1

    async def _serve(self, item: Item) -> None:
        met_host = None
        try:
            course = await self._refreshed(item)
            if self._block(item, course):
                return
            if course.is_blocked:
                await self._settle(item.parcel, course, blocked(item.parcel, course))
            else:
                done = await self._attempt(item, course)
                met_host = self._hear(done, course.way.settings) if course.well else None
                await self._settle(item.parcel, course, done)
        except Exception as bug:  # noqa: BLE001  # one message must not end the relay: told, and tried again later
            await self._put_off(item, bug)
        self.queue.finish(item, self._now(), met_host=met_host)
        self.pressure.go_on()

    async def _refreshed(self, item: Item) -> Course:
        """The course as it is now: while the item waited, hosts may have failed or answered, and DNS changed."""
        course, destination = item.course, item.parcel.destination
        assert course is not None  # noqa: S101  # it had one when it lined up
        way = self.ways.get(destination) or await self.ways.find(destination)
        if way.answer == course.way.answer and not self.health and not course.ill:
            return course
        return self._course(item.parcel, way)

    async def _attempt(self, item: Item, course: Course) -> Attempt:
        envelope, way = item.parcel.mail.envelope, course.way
        if isinstance(way.answer, Refusal):
            return way.answer.attempt(len(envelope.recipients))
        content = await self._content(item.parcel)
        job = Job(Message(envelope, content), way.answer.destination, course.plan, draw_seed(item.parcel))
        return await attempt(job, way.settings, nobody, self._pool, lambda: self.queue.greeted(item, self._now()))

    async def _content(self, parcel: Parcel) -> bytes | Pieces:
        body = self._spool.body(parcel.mail)
        if parcel.mail.size > WHOLE:
            return body
        return b"".join([piece async for piece in body])

    def _hear(self, done: Attempt, settings: DeliverSettings) -> bool:
        """Learn from an attempt which hosts are unhealthy; whether any had a session with us."""
        met = False
        for news in news_of(done):
            match news.sign:
                case Sign.SUSPECT:
                    self._probes.suspect(news.target, settings)
                case Sign.FAILS:
                    self._probes.failed(news.target, settings)
                    self._pool.drop(news.target.address)
                case Sign.ANSWERS:
                    met = True
                    if self.health.succeeded(news.target.address, self._now()):
                        self._changed(news.target.address, is_well=True)
        return met

    async def _settle(self, parcel: Parcel, course: Course, done: Attempt) -> None:
        now = self._world.wall()
        verdict = judge(parcel, done, self.settings.schedule, now, self._world.rng)
        reports = await self._insist(lambda: self._reporter.reports(parcel, verdict, now))
        settled = settlement(parcel, course, verdict, reports)
        ill = course.arranged(self.health, self._now()).ill if verdict.waits_for_host else ()
        await self._insist(lambda: self._spool.settle([settled], now))
        self._look_back(parcel.destination, ill)
        if reports:
            self.look()
        self._tell("deliver.parcel.complete", parcel=parcel, attempt=done, verdict=verdict)
        if lost := lost_report(parcel, verdict):
            self._tell("deliver.report.failed", **lost)

    def _block(self, item: Item, course: Course) -> bool:
        """Set an item aside if all its hosts are unhealthy, and its sender need not hear that it is late."""
        if not course.is_blocked:
            return False
        parcel, done = item.parcel, blocked(item.parcel, course)
        verdict = judge(parcel, done, self.settings.schedule, self._world.wall(), self._world.rng)
        if verdict.is_late:
            return False
        if self.outages.begin(course.way.key, (target.address for target in course.ill)):
            self._tell("deliver.set.blocked", destination=parcel.destination, hosts=[str(each) for each in course.ill])
        self._set_aside(item, settlement(parcel, course, verdict, ()))
        return True

    def _return(self, item: Item, course: Course) -> None:
        """Too many wait for its host already: it waits in the spool, about as long as those before it take."""
        parcel = item.parcel
        due_at = self._world.wall() + self.queue.wait_s(course.first) * self._world.rng.uniform(1, 1.2)
        recipients = parcel.mail.envelope.recipients
        said = f"{Result.DEFERRED}: many messages wait for {course.well[0]}"
        self._set_aside(item, Settlement(parcel, recipients, due_at, "", counts=False, warned=parcel.warned, said=said))

    def _set_aside(self, item: Item, settled: Settlement) -> None:
        if not self._blocked:
            self._spawn(self._settle_blocked())
        self._blocked.append((item, settled))

    async def _settle_blocked(self) -> None:
        """One commit for all that were set aside meanwhile."""
        await asyncio.sleep(0)
        taken, self._blocked = self._blocked, []
        try:
            await self._insist(lambda: self._spool.settle([settled for _, settled in taken], self._world.wall()))
        except Exception as bug:  # noqa: BLE001  # as in _serve
            self._tell("deliver.parcel.broken", parcel=taken[0][0].parcel, error=bug)
        self._tell("deliver.queue.aside", parcels=len(taken))
        courses = {item.parcel.destination: item.course for item, settled in taken if settled.waits_for_host}
        for item, _ in taken:
            self.queue.finish(item, self._now(), met_host=None)
        for destination, course in courses.items():
            if course:
                self._look_back(destination, course.ill)
        self._pump()

    def _look_back(self, destination: str, ill: tuple[Target, ...]) -> None:
        """One of the hosts it waits for may be well by now, and have woken this parcel too early."""
        if any(self.health.is_well(target.address, self._now()) for target in ill):
            self._spawn(self._wake(lambda name: name == destination))

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, however long the spool is in trouble: what became of mail must not be forgotten."""
        while True:
            try:
                return await work()
            except SpoolError as trouble:
                self._tell_trouble(trouble)
                await asyncio.sleep(AGAIN_S)

    async def _put_off(self, item: Item, bug: Exception) -> None:
        parcel, now = item.parcel, self._world.wall()
        self._tell("deliver.parcel.broken", parcel=parcel, error=bug)
        received_at, attempts = parcel.mail.received_at, parcel.attempts + 1
        rng = self._world.rng
        due_at = next_at(self.settings.schedule, received_at=received_at, attempts=attempts, now=now, rng=rng)
        said = f"{Result.DEFERRED}: put off by trouble of our own: {bug!r}"
        left = Settlement(parcel, parcel.mail.envelope.recipients, due_at, warned=parcel.warned, said=said)
        await self._insist(lambda: self._spool.settle([left], now))

    def _changed(self, address: Address, *, is_well: bool) -> None:
        """A host fell ill, or is well again: then all mail that waits for it is due now."""
        self._tell("deliver.host.recovered" if is_well else "deliver.host.failed", address=str(address))
        if not is_well:
            for item in self.queue.evict(address):
                if item.course:
                    self._line_up(item, item.course.way)
        else:
            self.outages.end(address)
            self._spawn(self._wake(lambda name: self.ways.may_lead(name, address)))

    async def _wake(self, is_meant: Callable[[str], bool]) -> None:
        try:
            woken = await self.feed.wake(is_meant)
        except SpoolError as trouble:
            self._tell_trouble(trouble)
        else:
            if woken:
                self._tell("deliver.queue.woken", parcels=woken)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell_trouble(self, trouble: SpoolError) -> None:
        self._tell("deliver.spool.failed", why=trouble.why)

    def _tell(self, name: str, **fields: object) -> None:
        if self._world.listener is not nobody:
            self._world.listener(Event(name, fields))
