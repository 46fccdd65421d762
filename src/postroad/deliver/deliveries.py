"""Deliveries in progress: each from its turn to its result. This file awaits; others decide what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from postroad.deliver.aftermath import blocked
from postroad.deliver.attempting import Job
from postroad.deliver.course import AttemptOrder, draw_course
from postroad.deliver.dispatcher import Dispatcher
from postroad.deliver.exits import Exits
from postroad.deliver.feed import Feed
from postroad.deliver.hosts import Hosts
from postroad.deliver.pressure import Pressure
from postroad.deliver.queue import Item
from postroad.deliver.route_cache import DeliveryRoute, RouteCache, key_of
from postroad.deliver.trimming import trimmed, trimmed_pieces
from postroad.deliver.world import Tasks
from postroad.dialogue import Message, Pieces
from postroad.routing import Refusal, Route
from postroad.spool import Parcel, SpoolError
from postroad.words.trail import Attempt

WHOLE = 64 * 1024  # octets of a content that is read whole; a larger one is sent piece by piece


class Deliveries:
    """The deliveries in progress, from the queue to the exit of each parcel.

    `ended` is called when one is over while others wait.
    """

    def __init__(
        self, feed: Feed, ways: RouteCache, hosts: Hosts, exits: Exits, tasks: Tasks, ended: Callable[[], None]
    ) -> None:
        self.count = 0
        self._now = asyncio.get_running_loop().time
        self._spool = feed.spool
        self._lease = feed.lease
        self._queue = feed.queue
        self._ways = ways
        self._hosts = hosts
        self._exits = exits
        self._tasks = tasks
        self._tell_ended = ended
        self._dispatcher = Dispatcher(hosts.pool, tasks.spawn, self._now)
        self.pressure = Pressure(feed.queue, self._now, time.thread_time)

    def stop(self) -> None:
        """Hang up on what is under way."""
        self._dispatcher.stop()

    def course(self, parcel: Parcel, way: DeliveryRoute) -> AttemptOrder:
        """Drawn anew: at the next turn of its way, and with the unhealthy hosts last."""
        if not isinstance(way.answer, Route):
            return AttemptOrder(way)
        key = key_of(parcel) if parcel.routes else parcel.destination  # a call less for nearly all
        turn = self._ways.turn(key, way)
        course = draw_course(parcel, way, way.answer, turn)
        is_free = not self._hosts.health.is_any_unhealthy or self._exits.is_last(parcel)  # that asks everyone
        return course if is_free else self._hosts.arranged(course)

    def begin(self, item: Item) -> None:
        """At once, if all that it needs is at hand: its way, and its content."""
        item.is_under_way = True
        self.count += 1
        course = item.course
        assert course is not None  # noqa: S101  # it had one when it lined up
        parcel = item.parcel
        content = self._spool.at_hand(parcel.mail)
        key = key_of(parcel) if parcel.routes else parcel.destination
        if content is None or self._ways.get(key) is not course.way:
            self._tasks.spawn(self._prepare(item))
        else:
            self._set_out(item, content)

    async def _prepare(self, item: Item) -> None:
        """Find the way anew, if DNS has changed since, and read the content."""
        parcel = item.parcel
        try:
            key = key_of(parcel)
            way = self._ways.get(key) or await self._ways.find(key)
            if item.course is None or way.answer != item.course.way.answer:
                item.course = self.course(parcel, way)
            body: Pieces = self._spool.body(parcel.mail)
            large = parcel.mail.size > WHOLE
            if large and way.settings.signs_once:
                body = await trimmed_pieces(body)
            content = body if large else b"".join([piece async for piece in body])
        except Exception as bug:  # noqa: BLE001  # as in _set_out
            self._ended(item, bug)
        else:
            self._set_out(item, content)

    def _set_out(self, item: Item, content: bytes | Pieces) -> None:
        parcel, course = item.parcel, item.course
        assert course is not None  # noqa: S101  # as in _begin
        try:
            if self._hosts.health.is_any_unhealthy or course.unhealthy:  # meanwhile hosts may have failed or answered
                course = item.course = self.course(parcel, course.way)
                if course.is_blocked:
                    if self._exits.block(item, course):
                        self._leave(item)
                    else:
                        self._ended(item, blocked(parcel, course))
                    return
            if isinstance(course.way.answer, Refusal):
                self._ended(item, course.way.answer.attempt(len(parcel.mail.envelope.recipients)))
                return
            if course.way.settings.signs_once and isinstance(content, bytes):
                content = trimmed(content)
            message = Message(parcel.mail.envelope, content, partial(self._lease.holds, item.term))
            job = Job(message, course.way.answer.destination, course.plan, course.seed)
            greeted, ended = partial(self._queue.greeted, item), partial(self._ended, item)
            self._dispatcher.start(job, course.way.settings, greeted, ended)
        except Exception as bug:  # noqa: BLE001  # one message must not end the relay: it is told, and tried again later
            self.put_off(item, bug)

    def _ended(self, item: Item, done: Attempt | BaseException) -> None:
        """An attempt is over: learn from it, and have it settled."""
        try:
            self._conclude(item, done)
        except Exception as bug:  # noqa: BLE001  # as in _set_out
            self.put_off(item, bug, done if isinstance(done, Attempt) else None)
        if self._queue.waiting:
            self._tell_ended()

    def _conclude(self, item: Item, done: Attempt | BaseException) -> None:
        if isinstance(done, BaseException):
            while isinstance(done, BaseExceptionGroup) and len(done.exceptions) == 1:  # of whoever had the mail
                done = done.exceptions[0]
            if not self._lease.holds(item.term):
                self._leave(item)
                self._exits.lapse(item)
            elif isinstance(done, SpoolError) and done.is_passing:
                self._leave(item)
                self._exits.wait_for_spool(item, done)
            else:
                self.put_off(item, done)
            return
        course = item.course
        assert course is not None  # noqa: S101  # as in _begin
        met_host = self._hosts.hear(done, course.way) if course.first else None
        self._leave(item, met_host=met_host)
        self._exits.judge(item, course, done)

    def _leave(self, item: Item, *, met_host: bool | None = None) -> None:
        """It is under way no more, if it was."""
        if item.is_under_way:
            item.is_under_way = False
            self.count -= 1
            self._queue.leave(item, self._now(), met_host=met_host)
            if self.pressure.line:
                self.pressure.go_on()

    def put_off(self, item: Item, bug: BaseException, done: Attempt | None = None) -> None:
        """Something is wrong with us: it is tried again later, until its time is over."""
        self._leave(item)
        self._exits.put_off(item, bug, done)
