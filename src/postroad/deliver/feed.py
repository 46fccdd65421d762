"""What the loop takes from the spool and gives back: claims in turn, mail that waits for hosts, a clock set back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection

from postroad.deliver.queue import Queue
from postroad.deliver.settler import AGAIN_S
from postroad.deliver.world import World
from postroad.pace import RetrySchedule
from postroad.spool import Claims, Parcel, Settlement, SpoolError

STEP_S = 60.0  # a clock set back by less delays mail by less
HEED_S = 3600.0
SLICE = 1000  # destinations looked at in one go when a host answers again
CLAIM = 200  # parcels claimed at a time: relays that share a spool have their turns in between, and each gets of all


class Feed:
    """The part of delivery that claims due parcels while there is room for them.

    `take` gets the parcels; `now` is the clock of the event loop.
    """

    def __init__(
        self,
        spool: Claims,
        queue: Queue,
        take: Callable[[Collection[Parcel]], None],
        world: World,
        now: Callable[[], float],
    ) -> None:
        self.poll_s = 1.0
        self.schedule = RetrySchedule()
        self.spool = spool
        self.queue = queue
        self._take = take
        self._world = world
        self.lease = world.lease
        self._wall = world.wall
        self._now = now
        self._hungry = asyncio.Event()
        self.has_more = False  # the spool may have more due, for all that was found when last asked
        self._is_over = False
        self._ahead_s = float("inf")  # the time of mail before the clock of the loop, when last compared
        self._heeded_at = 0.0

    def look(self) -> None:
        """There may be something new in the spool: look now, not at the next poll."""
        self._hungry.set()

    def look_if_low(self, destination: str) -> None:
        """The same, if the spool had more, and for this destination more may be claimed."""
        if self.has_more and self.queue.is_low(destination):
            self._hungry.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._is_over = True
        self._hungry.set()

    async def run(self) -> None:
        """Feed until stopped; SpoolError is told and waited out."""
        while not self._is_over:
            try:
                await self._heed_clock()
                wait_s = await self._feed()
            except SpoolError as trouble:
                if not self._is_over:  # else the spool may have gone first
                    self._world.tell_trouble(trouble)
                wait_s = AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hungry.wait()
            self._hungry.clear()

    async def give_back(self, parcels: Collection[Parcel]) -> None:
        """Back to the spool; if it takes nothing now, it takes all when this node starts again."""
        with contextlib.suppress(SpoolError):
            await self.spool.release(parcels)

    async def _put_back(self, early: Collection[Parcel]) -> None:
        """What was made due before its sender wants it delivered, by a clock set back or by somebody, waits on."""
        put_back = [
            Settlement(each, each.mail.envelope.recipients, each.mail.release_at, counts=False, warned=each.warned)
            for each in early
        ]
        try:
            await self.spool.settle(put_back, self._wall())
        except SpoolError:
            await self.give_back(early)
            raise

    async def wake(self, is_meant: Callable[[str], bool]) -> None:
        """A host answers again: all mail that waits for one, of these destinations, is due now, and told of."""
        while not self._is_over:
            try:
                woken = await self._hastened(is_meant)
            except SpoolError as trouble:  # nothing else would hasten it, once the spool is well
                self._world.tell_trouble(trouble)
                await asyncio.sleep(AGAIN_S)
            else:
                if woken:
                    self._world.tell("deliver.queue.woken", parcels=woken)
                return

    async def _hastened(self, is_meant: Callable[[str], bool]) -> int:
        woken, after = 0, ""
        while destinations := await self.spool.stranded(after, SLICE):
            for destination in destinations:
                if is_meant(destination):
                    while some := await self.spool.retry_stranded(destination, self._wall()):
                        woken += some
                        self.look()
            after = destinations[-1]
        return woken

    async def _heed_clock(self) -> None:
        """Mail must not wait for a time that only a clock set back since called near: looked for after each step back.

        And at the start, for what happened before it; and hourly, for deliveries that were under way at the step.
        """
        now, loop_now = self._wall(), self._now()
        if now - loop_now < self._ahead_s - STEP_S or loop_now >= self._heeded_at + HEED_S:
            await self.spool.clock_set_back(now, now + self.schedule.longest_s * (1 + self.schedule.jitter))
            self._heeded_at = loop_now
        self._ahead_s = now - loop_now

    async def _feed(self) -> float:
        """Claim what is due and finds room; how long to wait until the next look."""
        room = self.queue.room
        if room < self.queue.limits.held // 10:
            return self.poll_s
        most, each = min(room, CLAIM), max(1, min(room // 4, self.queue.limits.waiting // 2))
        if not self.lease.runs:  # what is claimed now might not be sent
            return self.poll_s
        full = self.queue.full_destinations()
        parcels = await self.spool.claim(self._wall(), most, each=each, skip=full)
        self.has_more = bool(parcels or full)
        if self._is_over:  # since we asked
            await self.give_back(parcels)
            return 0.0
        early = [each for each in parcels if each.mail.release_at and each.mail.release_at > self._wall()]
        self._take([each for each in parcels if each not in early] if early else parcels)
        if early:
            await self._put_back(early)
        if parcels:
            return 0.0
        due_at = await self.spool.next_due(full)
        return self.poll_s if due_at is None else min(self.poll_s, max(due_at - self._wall(), 0.01))
