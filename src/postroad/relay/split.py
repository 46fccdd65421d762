"""Delivery by another process, so that two cores are used: the receiving process's side.

Each thing lives in one process. Here are ports, spool, limits of clients; there are routes, health of hosts,
connections, places. The other one is started by us, and again whenever it dies; it ends when we do, however we end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from postroad.deliver import Pressure
from postroad.relay.child import Child, command, ending, program
from postroad.relay.deliverer_settings import DelivererSettings
from postroad.relay.delivery import Numbers
from postroad.relay.tally import Tally
from postroad.spool import Handover, Parcel, Spool, SpoolError, Words
from postroad.words.inputs import InputError
from postroad.words.phrasebook import seconds
from postroad.words.trace import Event, Listener

if TYPE_CHECKING:
    from postroad.dns import Resolver
    from postroad.relay.settings import RelaySettings

AGAIN_S = 1.0
"""Between the end of a process that nobody asked to end, and its next start."""

QUIET_S = 2.0
"""Without a report for so long, all is not well."""

TRIES = 3
"""To start it the first time: what has killed it, such as want of memory, may be gone in a second."""


@dataclass(frozen=True, slots=True)
class DelivererReport:
    """The state of the other process: its clock, the processor time it has used, and its numbers."""

    at: float = 0.0
    used: float = 0.0
    numbers: Numbers = field(default_factory=Numbers)


class Split:
    """Another process that delivers from our spool (see Delivering). `how` is the command that starts it."""

    def __init__(
        self,
        settings: DelivererSettings,
        spool: Spool,
        listener: Listener,
        how: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._limits = settings.relay.loop.queue
        self._tell = listener
        self._command = how or command()
        self._program = program()
        self._report = DelivererReport()
        self.tally = Tally()
        self._why_down = "the delivery process has not started yet"
        self._now = asyncio.get_running_loop().time
        self._heard_at = float("-inf")
        self._handover = Handover(spool, self._settled)
        self.pressure = Pressure(self._handover, lambda: self._report.at, lambda: self._report.used)
        self._child: Child | None = None
        self._ending = asyncio.Event()
        self._is_told_to_look = False
        self._nodes = 1
        self._lease: tuple[float, float] | None = None

    @property
    def numbers(self) -> Numbers:
        """See Delivering, a quarter of a second ago."""
        return self._report.numbers

    @property
    def trouble(self) -> str:
        """See Delivering."""
        silent_s = self._now() - self._heard_at
        if self._why_down or silent_s < QUIET_S:
            return self._why_down
        return f"the delivery process has not answered for {seconds(silent_s)}"

    def has_room_for(self, destinations: Collection[str]) -> bool:
        """See Delivering. None may have more there than is left to all others, nor than may wait for one address."""
        if self._ending.is_set():
            return False
        return self._handover.has_room_for(destinations, self._limits.held, self._limits.waiting)

    def take(self, parcels: Collection[Parcel]) -> None:
        """See Delivering. If nobody is there, the next one has them."""
        self._handover.give(parcels)

    def look(self) -> None:
        """See Delivering. Once a turn is enough."""
        if self._child and not self._is_told_to_look:
            self._is_told_to_look = True
            asyncio.get_running_loop().call_soon(self._say_look)

    async def start(self) -> None:
        """See Delivering."""
        for left in reversed(range(TRIES)):
            code = await self._first_start()
            if code is None:
                return
            why = ending(code)
            if code >= 0 or not left:
                raise InputError(f"the delivery process could not start: it {why}; see the log")
            self._tell(Event("relay.worker.failed", {"why": why, "again_s": AGAIN_S}))
            await asyncio.sleep(AGAIN_S)

    async def _first_start(self) -> int | None:
        """None once it is ready, or the status it has ended with."""
        try:
            child = self._child = await self._begin()
        except OSError as problem:
            raise InputError(f"the delivery process cannot be started: {problem.strerror or problem}") from None
        return await child.begun()

    async def run(self) -> None:
        """See Delivering: start it again whenever it has died."""
        while not self._ending.is_set():
            try:
                child = self._child = self._child or await self._begin()
            except OSError as problem:
                pid, why = None, f"cannot be started: {problem.strerror or problem}"
            else:
                pid, why = child.pid, ending(await child.ended())
            self._child = None
            self._why_down = f"the delivery process {why} and is being restarted"
            await self._handover.end()
            if not self._ending.is_set():
                self._tell(Event("relay.worker.failed", {"pid": pid, "why": why, "again_s": AGAIN_S}))
                await asyncio.sleep(AGAIN_S)

    def lease(self, asked_at: float, until: float) -> None:
        """See Delivering. Whoever is started later is told then."""
        self._lease = asked_at, until
        if self._child and self._child.ready.is_set():
            self._child.link.tell("lease", asked_at, until)

    def share(self, nodes: int) -> None:
        """See Delivering. Whoever is started later is told then."""
        if nodes != self._nodes:
            self._nodes = nodes
            if self._child and self._child.ready.is_set():
                self._child.link.tell("share", nodes)

    def reload(self, settings: RelaySettings, resolver: Resolver) -> None:  # noqa: ARG002  # it has one of its own
        """See Delivering: here only the limits; the rest is for `configure`."""
        self._limits = settings.loop.queue

    def configure(self, settings: DelivererSettings) -> None:
        """It has these settings for what it is given from now on, and so has the one after it."""
        self._settings = settings
        if self._child and self._child.ready.is_set():
            self._child.link.tell("configure", settings.packed())

    async def refresh(self) -> None:
        """See Delivering."""
        if self._child and self._child.ready.is_set():
            with suppress(SpoolError):  # it has gone meanwhile
                await self._child.link.call("count")

    async def drain(self, limit_s: float) -> int:
        """See Delivering. One that takes longer than that, and a while, is killed."""
        self._ending.set()
        given_up = await self._child.drain(limit_s) if self._child else 0
        await self._handover.end()
        with suppress(SpoolError):  # the next start takes back what we have
            await self._handover.take_back()
        return given_up

    async def _begin(self) -> Child:
        return await Child.start(self._command, self._program, self._settings, self._words, self._tell)

    def _words(self, child: Child) -> Words:
        """What it may say to us."""
        return {
            **self._handover.words,
            "ready": partial(self._is_ready, child),
            "report": partial(self._hear_report, child),
            "counted": self.tally.add,
        }

    def _is_ready(self, child: Child) -> None:
        child.ready.set()
        self._why_down, self._heard_at = "", self._now()
        if child.settings is not self._settings:  # they have changed meanwhile
            self.configure(self._settings)
        if self._lease:
            child.link.tell("lease", *self._lease)
        if self._nodes > 1:
            child.link.tell("share", self._nodes)
        self._handover.begin(child.link)

    def _hear_report(self, child: Child, at: float, used: float, numbers: Sequence[int]) -> None:
        self._report, self._heard_at = DelivererReport(at, used, Numbers(*numbers)), self._now()
        child.has_reported = True

    def _settled(self, count: int) -> None:
        for _ in range(count):
            self.pressure.go_on()

    def _say_look(self) -> None:
        self._is_told_to_look = False
        if self._child and self._child.ready.is_set():
            self._child.link.tell("look")
