"""The ways a parcel leaves memory: with a verdict, set aside, back into the spool's queue, or kept by a bug.

All of them end with a settlement in the spool, and what is told is told once that is on the disk.
"""

from __future__ import annotations

import asyncio
from functools import partial

from postroad.deliver.aftermath import blocked, broken, kept, settlement
from postroad.deliver.bounce import Reporter, Reports
from postroad.deliver.course import AttemptOrder
from postroad.deliver.disposition import Disposition, judge, judge_on_route, lost_report
from postroad.deliver.feed import Feed
from postroad.deliver.hosts import Hosts
from postroad.deliver.queue import Item
from postroad.deliver.settler import AGAIN_S, Settler
from postroad.deliver.world import Tasks, World
from postroad.pace import RetrySchedule, is_expired
from postroad.spool import Parcel, Settlement, SpoolError
from postroad.words.outcome import Result
from postroad.words.trail import Attempt, Target

KEPT_S = 3600.0  # until mail is tried again whose end could not be told of


class Exits:
    """Settles parcels. `schedule` and `reporter` may be replaced."""

    def __init__(
        self,
        schedule: RetrySchedule,
        reporter: Reporter,
        feed: Feed,
        hosts: Hosts,
        tasks: Tasks,
        world: World,
    ) -> None:
        self.schedule = schedule
        self.reporter = reporter
        self._queue = feed.queue
        self._feed = feed
        self._hosts = hosts
        self._settler = Settler(feed.spool, world)
        self._tasks = tasks
        self._world = world
        self._aside = 0  # parcels set aside and not yet told of

    @property
    def pending(self) -> int:
        """Settlements that are not on the disk yet."""
        return self._settler.pending

    def is_last(self, parcel: Parcel) -> bool:
        """Whether an attempt now is the last: it will not wait any longer."""
        return is_expired(self.schedule, parcel.mail.release_at or parcel.mail.received_at, self._world.wall())

    def judge(self, item: Item, course: AttemptOrder | None, done: Attempt) -> None:
        """As the attempt has it; whoever has to be told is told with the same commit."""
        wall, rng = self._world.wall(), self._world.rng
        if course and course.way.on_reject:
            verdict = judge_on_route(course.way, item.parcel, done, self.schedule, wall, rng)
        else:
            verdict = judge(item.parcel, done, self.schedule, wall, rng)
        if self.reporter.has_news(item.parcel, verdict):
            self._tasks.spawn(self._report(item, course, verdict))
        else:
            self._settle(item, course, verdict, ())

    def block(self, item: Item, course: AttemptOrder) -> bool:
        """Set an item aside whose hosts are all unhealthy; False if its sender has to hear that it is late."""
        parcel = item.parcel
        verdict = judge(parcel, blocked(parcel, course), self.schedule, self._world.wall(), self._world.rng)
        if verdict.is_late:
            return False
        if self._hosts.begins_outage(course):
            hosts = [str(target) for target in course.unhealthy]
            self._world.tell("deliver.set.blocked", destination=parcel.destination, hosts=hosts)
        self._aside += 1
        settled = settlement(parcel, course, verdict, ())
        self._settler.add(settled, partial(self._set_aside, item, course))
        return True

    def give_back(self, item: Item, course: AttemptOrder) -> None:
        """Too many wait for its host already: it waits in the spool, about as long as those before it take."""
        parcel = item.parcel
        due_at = self._world.wall() + self._queue.wait_s(course.first) * self._world.rng.uniform(1, 1.2)
        recipients = parcel.mail.envelope.recipients
        said = f"{Result.DEFERRED}: many messages wait for {course.healthy[0]}"
        settled = Settlement(parcel, recipients, due_at, "", counts=False, warned=parcel.warned, said=said)
        self._settler.add(settled, partial(self._let_go, item))

    def lapse(self, item: Item) -> None:
        """It may be another node's by now, for our lease ran out: if it is still ours, it waits as it did before."""
        self._return_unsent(item, "the lease of this relay had run out", item.parcel.due_at)

    def wait_for_spool(self, item: Item, trouble: SpoolError) -> None:
        """Its content cannot be read while the spool is in trouble: that is no fault of the mail, and no attempt."""
        self._world.tell_trouble(trouble)
        self._return_unsent(item, "the spool could not be read", self._world.wall() + AGAIN_S)

    def _return_unsent(self, item: Item, why: str, due_at: float) -> None:
        parcel = item.parcel
        said = f"{Result.DEFERRED}: not sent, because {why}"
        recipients = parcel.mail.envelope.recipients
        settled = Settlement(parcel, recipients, due_at, "", counts=False, warned=parcel.warned, said=said)
        self._settler.add(settled, partial(self._let_go, item))

    def put_off(self, item: Item, bug: BaseException, done: Attempt | None = None) -> None:
        """Something is wrong with us, which is told: judged as any attempt that brought nothing.

        `done` is the attempt, if it was over by then.
        """
        self._world.tell("deliver.parcel.broken", parcel=item.parcel, error=bug)
        attempt = broken(item.parcel, bug, done)
        try:
            self.judge(item, item.course, attempt)
        except Exception as worse:  # noqa: BLE001  # one message must not end the relay, nor be lost
            self._keep(item, attempt, worse)

    def _keep(self, item: Item, done: Attempt, bug: BaseException) -> None:
        """A bug again, in judging or reporting: no mail may end of which nobody is told, nor be tried without pause."""
        self._world.tell("deliver.parcel.broken", parcel=item.parcel, error=bug)
        due_at = self._world.wall() + KEPT_S
        self._settler.add(kept(item.parcel, done, due_at, bug), partial(self._let_go, item))

    async def _report(self, item: Item, course: AttemptOrder | None, verdict: Disposition) -> None:
        """Write the report first: it enters the spool with the settlement. If a bug prevents it, a plain one does."""
        try:
            try:
                reports = await self._reports(item, verdict)
            except Exception as bug:  # noqa: BLE001  # as in put_off
                self._world.tell("deliver.parcel.broken", parcel=item.parcel, error=bug)
                reports = self.reporter.plain_reports(item.parcel, verdict, self._world.wall())
            self._settle(item, course, verdict, reports)
        except Exception as worse:  # noqa: BLE001  # as in put_off
            self._keep(item, verdict.attempt, worse)

    async def _reports(self, item: Item, verdict: Disposition) -> Reports:
        while True:
            try:
                return await self.reporter.reports(item.parcel, verdict, self._world.wall())
            except SpoolError as trouble:
                if not trouble.is_passing:
                    raise
                self._world.tell_trouble(trouble)
                await asyncio.sleep(AGAIN_S)

    def _settle(self, item: Item, course: AttemptOrder | None, verdict: Disposition, reports: Reports) -> None:
        unhealthy = self._hosts.unhealthy_of(course) if course and verdict.waits_for_host else ()
        settled = settlement(item.parcel, course, verdict, reports)
        has_more = bool(reports or verdict.sent_on)
        self._settler.add(settled, partial(self._settled, item, verdict, unhealthy, has_more=has_more))

    def _settled(
        self,
        item: Item,
        verdict: Disposition,
        unhealthy: tuple[Target, ...],
        bug: BaseException | None,
        *,
        has_more: bool,
    ) -> None:
        self._let_go(item, bug)
        if bug:
            return
        if unhealthy:
            self._look_back(item, unhealthy)
        if has_more:
            self._feed.look()
        about = {"route": item.course.way.name} if item.course and item.course.way.name else {}
        self._world.tell(
            "deliver.parcel.complete", parcel=item.parcel, attempt=verdict.attempt, verdict=verdict, **about
        )
        if verdict.failed and (lost := lost_report(item.parcel, verdict)):
            self._world.tell("deliver.report.failed", **lost)

    def _set_aside(self, item: Item, course: AttemptOrder, bug: BaseException | None) -> None:
        self._let_go(item, bug)
        self._look_back(item, course.unhealthy)
        if self._aside:
            self._world.tell("deliver.queue.aside", parcels=self._aside)
            self._aside = 0

    def _let_go(self, item: Item, bug: BaseException | None) -> None:
        """It is settled, or cannot be, which is told."""
        if bug:
            self._world.tell("deliver.parcel.broken", parcel=item.parcel, error=bug)
        self._queue.forget(item)
        if self._feed.has_more:
            self._feed.look_if_low(item.parcel.destination)
        self._tasks.changed.set()

    def _look_back(self, item: Item, unhealthy: tuple[Target, ...]) -> None:
        """One of the hosts it waits for may be healthy by now, and have woken this parcel too early."""
        if self._hosts.is_any_healthy(unhealthy):
            destination = item.parcel.destination
            self._tasks.spawn(self._feed.wake(lambda name: name == destination))
