"""The delivery loop: takes parcels in turn, attempts each, settles it. It awaits; what to do is decided beside it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from postroad.deliver.aftermath import Sign, blocked, news_of, settlement
from postroad.deliver.attempting import Job
from postroad.deliver.bounce import Reporter, Reports
from postroad.deliver.courier import Courier
from postroad.deliver.course import Course, draw_course
from postroad.deliver.feed import Feed
from postroad.deliver.outages import Outages
from postroad.deliver.pool import Pool
from postroad.deliver.pressure import Pressure
from postroad.deliver.probe import Probes
from postroad.deliver.queue import Item, Queue
from postroad.deliver.settings import DeliverSettings, LoopSettings
from postroad.deliver.settler import AGAIN_S, Settler
from postroad.deliver.settling import Verdict, judge, lost_report
from postroad.deliver.ways import Finder, Way, Ways
from postroad.dialogue import Message, Pieces
from postroad.pace import Health, is_expired, next_at
from postroad.routing import Refusal, Route
from postroad.spool import Claims, Parcel, Settlement, SpoolError
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.trace import Event, Listener, nobody
from postroad.words.trail import Attempt, Target

WHOLE = 64 * 1024  # octets of a content that is read whole; a larger one is sent piece by piece


@dataclass(frozen=True, slots=True)
class World:
    """What the loop has of the world: the time of mail (seconds since the epoch), dice for jitter, and who listens."""

    wall: Callable[[], float]
    rng: Random
    listener: Listener = nobody


class Loop:
    """Delivers what the spool has. Draws come from the seed of each message, not from the dice of the world."""

    def __init__(self, spool: Claims, find: Finder, reporter: Reporter, settings: LoopSettings, world: World) -> None:
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
        self.pressure = Pressure(self.queue, self._now, time.thread_time)
        self.in_flight = 0  # deliveries under way
        self._courier = Courier(self._pool, self._spawn, self._now)
        self._settler = Settler(spool, world.wall, self._tell_trouble)
        self._aside = 0  # parcels set aside and not yet told of
        self._has_ended = asyncio.Event()  # a delivery, a settlement or a task: who waits for the end looks again
        self._is_pumping = False
        self._aging: asyncio.TimerHandle | None = None
        self._is_draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    def has_room_for(self, destinations: Collection[str]) -> bool:
        """Whether a fresh message may be claimed at once, rather than rest in the spool first."""
        if self._is_draining:
            return False
        for name in destinations:  # noqa: SIM110  # a generator is a call more for each
            if not self.queue.has_room_for(name):
                return False
        return True

    def take(self, parcels: Collection[Parcel]) -> None:
        """Deliver parcels that this node has claimed."""
        for parcel in parcels:
            item = Item(parcel)
            self.queue.admit(item)
            self._enter(item)
        if self.queue.waiting:
            self._pump()

    def _claimed(self, parcels: Collection[Parcel]) -> None:
        self._tell("deliver.claim.complete", parcels=parcels)
        self.take(parcels)

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
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._until_quiet()
        given_up = self.in_flight
        for task in self._tasks:
            task.cancel()
        self._courier.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._aging:
            self._aging.cancel()
        self._probes.close()
        await self._pool.close()
        await self._give_back()
        return given_up

    async def _until_quiet(self) -> None:
        while self.in_flight or self._settler.pending or self._tasks:
            self._has_ended.clear()
            await self._has_ended.wait()

    async def _give_back(self) -> None:
        """What waits here goes back to the spool."""
        waiting = [*self.queue.drop_waiting(), *(item for items in self._unrouted.values() for item in items)]
        self._unrouted.clear()
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
        except Exception as bug:  # noqa: BLE001  # as in _guarded
            for item in self._unrouted.pop(destination, []):
                self._put_off(item, bug)
            return
        for item in self._unrouted.pop(destination, []):
            self._line_up(item, way)
        self._pump()

    def _line_up(self, item: Item, way: Way) -> None:
        course = item.course = self._course(item.parcel, way)
        if course.ill and course.is_blocked and self._block(item, course):
            return
        if not self._is_draining and self.queue.begin(item, course, self._now()):
            self._begin(item)
        elif not self.queue.line_up(item, course):
            self._return(item, course)

    def _course(self, parcel: Parcel, way: Way) -> Course:
        if not isinstance(way.answer, Route):
            return Course(way)
        turn = self.ways.turn(parcel.destination, way)
        course = draw_course(parcel, way, way.answer, turn)
        if not self.health.is_any_ill or is_expired(
            self.settings.schedule, parcel.mail.received_at, self._world.wall()
        ):  # the last attempt asks everyone
            return course
        course = course.arranged(self.health, self._now())
        self._probes.want(course.ill, way.settings)
        return course

    def _pump(self) -> None:
        """Begin what may begin now, and come back when what is under way has grown old."""
        if not self.queue.waiting or self._is_pumping:  # what is begun may end at once
            return
        self._is_pumping = True
        again = self.queue.age(self._now())
        while not self._is_draining and (item := self.queue.next(self._now())):
            self._begin(item)
        self._is_pumping = False
        if again is not None and self._aging is None and not self._is_draining and self.queue.is_held_up:
            self._aging = asyncio.get_running_loop().call_at(again, self._age)

    def _age(self) -> None:
        self._aging = None
        self._pump()

    def _begin(self, item: Item) -> None:
        """At once, if all that it needs is at hand: its way, and its content."""
        item.is_under_way = True
        self.in_flight += 1
        course = item.course
        assert course is not None  # noqa: S101  # it had one when it lined up
        content = self._spool.at_hand(item.parcel.mail)
        if content is None or self.ways.get(item.parcel.destination) is not course.way:
            self._spawn(self._prepare(item))
        else:
            self._set_out(item, content)

    async def _prepare(self, item: Item) -> None:
        """Find the way anew, if DNS has changed since, and read the content."""
        parcel = item.parcel
        try:
            way = self.ways.get(parcel.destination) or await self.ways.find(parcel.destination)
            if item.course is None or way.answer != item.course.way.answer:
                item.course = self._course(parcel, way)
            body = self._spool.body(parcel.mail)
            large = parcel.mail.size > WHOLE
            content = body if large else b"".join([piece async for piece in body])
        except Exception as bug:  # noqa: BLE001  # as in _guarded
            self._ended(item, bug)
        else:
            self._set_out(item, content)

    def _set_out(self, item: Item, content: bytes | Pieces) -> None:
        parcel, course = item.parcel, item.course
        assert course is not None  # noqa: S101  # as in _begin
        try:
            if self.health.is_any_ill or course.ill:  # while it waited, hosts may have failed or answered
                course = item.course = self._course(parcel, course.way)
                if course.is_blocked:
                    if not self._block(item, course):
                        self._ended(item, blocked(parcel, course))
                    return
            if isinstance(course.way.answer, Refusal):
                self._ended(item, course.way.answer.attempt(len(parcel.mail.envelope.recipients)))
                return
            message = Message(parcel.mail.envelope, content)
            job = Job(message, course.way.answer.destination, course.plan, course.seed)
            greeted, ended = partial(self.queue.greeted, item), partial(self._ended, item)
            self._courier.start(job, course.way.settings, greeted, ended)
        except Exception as bug:  # noqa: BLE001  # one message must not end the relay: it is told, and tried again later
            self._put_off(item, bug)

    def _ended(self, item: Item, done: Attempt | BaseException) -> None:
        """An attempt is over: learn from it, and have it settled."""
        try:
            self._conclude(item, done)
        except Exception as bug:  # noqa: BLE001  # as in _set_out
            self._put_off(item, bug)
        if self.queue.waiting:
            self._pump()

    def _conclude(self, item: Item, done: Attempt | BaseException) -> None:
        if isinstance(done, BaseException):
            self._put_off(item, done)
            return
        course = item.course
        assert course is not None  # noqa: S101  # as in _begin
        met_host = self._hear(done, course.way.settings) if course.first else None
        self._leave(item, met_host=met_host)
        self._judge(item, course, done)

    def _leave(self, item: Item, *, met_host: bool | None = None) -> None:
        """It is under way no more, if it was."""
        if item.is_under_way:
            item.is_under_way = False
            self.in_flight -= 1
            self.queue.leave(item, self._now(), met_host=met_host)
            if self.pressure.line:
                self.pressure.go_on()

    def _hear(self, done: Attempt, settings: DeliverSettings) -> bool:
        """Learn from an attempt which hosts are unhealthy; whether any had a session with us."""
        met = False
        for sign, target in news_of(done):
            if sign is Sign.ANSWERS:
                met = True
                if self.health.succeeded(target.address, self._now()):
                    self._changed(target.address, is_well=True)
            elif sign is Sign.SUSPECT:
                self._probes.suspect(target, settings)
            else:
                self._probes.failed(target, settings)
                self._pool.drop(target.where)
        return met

    def _judge(self, item: Item, course: Course, done: Attempt) -> None:
        verdict = judge(item.parcel, done, self.settings.schedule, self._world.wall(), self._world.rng)
        if self._reporter.has_news(item.parcel, verdict):
            self._spawn(self._report(item, course, verdict))
        else:
            self._settle(item, course, verdict, ())

    async def _report(self, item: Item, course: Course, verdict: Verdict) -> None:
        """Write the report first: it enters the spool with the settlement."""
        try:
            while True:
                try:
                    reports = await self._reporter.reports(item.parcel, verdict, self._world.wall())
                    break
                except SpoolError as trouble:
                    self._tell_trouble(trouble)
                    await asyncio.sleep(AGAIN_S)
        except Exception as bug:  # noqa: BLE001  # as in _guarded
            self._put_off(item, bug)
        else:
            self._settle(item, course, verdict, reports)

    def _settle(self, item: Item, course: Course, verdict: Verdict, reports: Reports) -> None:
        ill = course.arranged(self.health, self._now()).ill if verdict.waits_for_host else ()

        def committed(bug: BaseException | None) -> None:
            self._let_go(item, bug)
            if bug:
                return
            if ill:
                self._look_back(item.parcel.destination, ill)
            if reports:
                self.look()
            self._tell("deliver.parcel.complete", parcel=item.parcel, attempt=verdict.attempt, verdict=verdict)
            if verdict.failed and (lost := lost_report(item.parcel, verdict)):
                self._tell("deliver.report.failed", **lost)

        self._settler.add(settlement(item.parcel, course, verdict, reports), committed)

    def _let_go(self, item: Item, bug: BaseException | None) -> None:
        """It is settled, or cannot be, which is told."""
        if bug:
            self._tell("deliver.parcel.broken", parcel=item.parcel, error=bug)
        self.queue.forget(item)
        if self.feed.has_more:
            self.feed.look_if_low(item.parcel.destination)
        if self._is_draining:
            self._has_ended.set()

    def _block(self, item: Item, course: Course) -> bool:
        """Set an item aside whose hosts are all unhealthy; False if its sender has to hear that it is late."""
        parcel, done = item.parcel, blocked(item.parcel, course)
        verdict = judge(parcel, done, self.settings.schedule, self._world.wall(), self._world.rng)
        if verdict.is_late:
            return False
        if self.outages.begin(course.way.key, (target.address for target in course.ill)):
            self._tell("deliver.set.blocked", destination=parcel.destination, hosts=[str(each) for each in course.ill])
        self._leave(item)
        self._set_aside(item, course, settlement(parcel, course, verdict, ()))
        return True

    def _return(self, item: Item, course: Course) -> None:
        """Too many wait for its host already: it waits in the spool, about as long as those before it take."""
        parcel = item.parcel
        due_at = self._world.wall() + self.queue.wait_s(course.first) * self._world.rng.uniform(1, 1.2)
        recipients = parcel.mail.envelope.recipients
        said = f"{Result.DEFERRED}: many messages wait for {course.well[0]}"
        settled = Settlement(parcel, recipients, due_at, "", counts=False, warned=parcel.warned, said=said)
        self._settler.add(settled, partial(self._let_go, item))

    def _set_aside(self, item: Item, course: Course, settled: Settlement) -> None:
        self._aside += 1

        def committed(bug: BaseException | None) -> None:
            self._let_go(item, bug)
            self._look_back(item.parcel.destination, course.ill)
            if self._aside:
                self._tell("deliver.queue.aside", parcels=self._aside)
                self._aside = 0

        self._settler.add(settled, committed)

    def _look_back(self, destination: str, ill: tuple[Target, ...]) -> None:
        """One of the hosts it waits for may be well by now, and have woken this parcel too early."""
        if any(self.health.is_well(target.address, self._now()) for target in ill):
            self._spawn(self._wake(lambda name: name == destination))

    def _put_off(self, item: Item, bug: BaseException) -> None:
        parcel, now = item.parcel, self._world.wall()
        self._tell("deliver.parcel.broken", parcel=parcel, error=bug)
        self._leave(item)
        received_at, attempts = parcel.mail.received_at, parcel.attempts + 1
        rng = self._world.rng
        due_at = next_at(self.settings.schedule, received_at=received_at, attempts=attempts, now=now, rng=rng)
        said = f"{Result.DEFERRED}: put off by trouble of our own: {bug!r}"
        left = Settlement(parcel, parcel.mail.envelope.recipients, due_at, warned=parcel.warned, said=said)
        self._settler.add(left, partial(self._let_go, item))

    def _changed(self, address: Address, *, is_well: bool) -> None:
        """A host fell ill, or is well again: then all mail that waits for it is due now."""
        self._tell("deliver.host.recovered" if is_well else "deliver.host.failed", address=str(address))
        if not is_well:
            for item in self.queue.evict(str(address)):
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
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._has_ended.set()

    def _tell_trouble(self, trouble: Exception) -> None:
        self._tell("deliver.spool.failed", why=trouble.why if isinstance(trouble, SpoolError) else repr(trouble))

    def _tell(self, name: str, **fields: object) -> None:
        if self._world.listener is not nobody:
            self._world.listener(Event(name, fields))
