"""Delivery by another process, so that two cores are used: the receiving process's side.

Each thing lives in one process. Here are ports, spool, limits of clients; there are routes, health of hosts,
connections, places. The other one is started by us, and again whenever it dies; it ends when we do, however we end.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import platform
import signal
import socket
import sys
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from postroad.deliver import Pressure, QueueLimits
from postroad.relay.delivery import Numbers
from postroad.relay.tally import Tally
from postroad.spool import Handover, Link, Parcel, Spool, SpoolError, Words
from postroad.words.inputs import InputError
from postroad.words.trace import Event, Listener

if TYPE_CHECKING:
    from postroad.config import Config
    from postroad.dns import Resolver
    from postroad.relay.settings import RelaySettings

AGAIN_S = 1.0
"""Between the end of a process that nobody asked to end, and its next start."""

GRACE_S = 5.0
"""What it may take beyond the drain of the settings to end: one that is stopped, or stuck, never would."""

QUIET_S = 2.0
"""Without a report for so long, all is not well."""

LOOK_S = 20.0
SILENT = 3
"""So many looks in a row without a report from it, and it is taken for stuck: it has four to make each second."""

START_S = 60.0
"""In which it is ready, on a machine however busy; one that is stopped never is."""

TRIES = 3
"""To start it the first time: what has killed it, such as want of memory, may be gone in a second."""

OURS = frozenset({"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"})
"""What systemd tells us in the environment, and nobody else."""


@dataclass(frozen=True, slots=True)
class DelivererReport:
    """The state of the other process: its clock, the processor time it has used, and its numbers."""

    at: float = 0.0
    used: float = 0.0
    numbers: Numbers = field(default_factory=Numbers)


def command() -> tuple[str, ...]:
    """How it is started, behind which comes the descriptor of its end of the link.

    By the same interpreter, from where we were loaded ourselves: `-m` would look into the working directory first, and
    anybody may have put something there.
    """
    begin = f"import sys; sys.path[:] = {sys.path!r}; from postroad.cli import main; main()"
    return (sys.executable, "-c", begin, "relay", "--deliverer")


class Life:
    """The other process, from its start to its end."""

    def __init__(self, config: Config) -> None:
        self.config = config  # it was started with
        self.process: asyncio.subprocess.Process
        self.link: Link
        self.ready = asyncio.Event()
        self.lost = asyncio.Event()  # and all that it said is heard
        self.has_reported = False


class Split:
    """Another process that delivers from our spool (see Delivering). `how` is the command that starts it."""

    def __init__(
        self,
        config: Config,
        limits: QueueLimits,
        spool: Spool,
        listener: Listener,
        how: Sequence[str] = (),
    ) -> None:
        self._config = config
        self._limits = limits
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
        self._life: Life | None = None
        self._ending = asyncio.Event()
        self._is_told_to_look = False

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
        return f"the delivery process has not answered for {silent_s:.0f} s"

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
        if self._life and not self._is_told_to_look:
            self._is_told_to_look = True
            asyncio.get_running_loop().call_soon(self._say_look)

    async def start(self) -> None:
        """See Delivering."""
        for left in reversed(range(TRIES)):
            code = await self._first_start()
            if code is None:
                return
            why = _ending(code)
            if code >= 0 or not left:
                raise InputError(f"the delivery process could not start: it {why}; see the log")
            self._tell(Event("relay.worker.failed", {"why": why, "again_s": AGAIN_S}))
            await asyncio.sleep(AGAIN_S)

    async def _first_start(self) -> int | None:
        """None once it is ready, or the status it has ended with."""
        try:
            life = self._life = await self._begin()
        except OSError as problem:
            raise InputError(f"the delivery process cannot be started: {problem.strerror or problem}") from None
        ended = asyncio.create_task(life.process.wait())
        ready = asyncio.create_task(life.ready.wait())
        try:
            await asyncio.wait({ended, ready}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
            if life.ready.is_set():
                return None
            if not ended.done():
                self._kill(life, f"it was not ready within {START_S:g} s and is killed")
            self._life = None
            return await life.process.wait()
        finally:
            ended.cancel()
            ready.cancel()

    async def run(self) -> None:
        """See Delivering: start it again whenever it has died."""
        while not self._ending.is_set():
            try:
                life = self._life = self._life or await self._begin()
            except OSError as problem:  # no memory, or no process more
                pid, why = None, f"cannot be started: {problem.strerror or problem}"
            else:
                pid, why = life.process.pid, _ending(await self._outlive(life))
            self._life = None
            self._why_down = f"the delivery process {why} and is being restarted"
            await self._handover.end()
            if not self._ending.is_set():
                self._tell(Event("relay.worker.failed", {"pid": pid, "why": why, "again_s": AGAIN_S}))
                await asyncio.sleep(AGAIN_S)

    def reload(self, settings: RelaySettings, resolver: Resolver) -> None:  # noqa: ARG002  # it has one of its own
        """See Delivering: here only the limits; the rest is for `configure`."""
        self._limits = settings.loop.queue

    def configure(self, config: Config) -> None:
        """It has these settings for what it is given from now on, and so has the one after it."""
        self._config = config
        if self._life and self._life.ready.is_set():
            self._life.link.tell("configure", pickle.dumps(config))

    async def refresh(self) -> None:
        """See Delivering."""
        if self._life and self._life.ready.is_set():
            with suppress(SpoolError):  # it has gone meanwhile
                await self._life.link.call("count")

    async def drain(self, limit_s: float) -> int:
        """See Delivering. One that takes longer than that, and a while, is killed."""
        self._ending.set()
        life, given_up = self._life, 0
        if life:
            try:
                async with asyncio.timeout(limit_s + GRACE_S):
                    given_up = await self._drained(life, limit_s)
            except TimeoutError:
                self._kill(life, f"it did not exit within {limit_s + GRACE_S:g} s of SIGTERM and is killed")
            await life.process.wait()
            await life.lost.wait()
        await self._handover.end()
        with suppress(SpoolError):  # the next start takes back what we have
            await self._handover.take_back()
        return given_up

    async def _begin(self) -> Life:
        life = Life(self._config)
        ours, theirs = socket.socketpair()
        environment = {key: value for key, value in os.environ.items() if key not in OURS}
        with theirs, ExitStack() as undo:
            end = theirs.fileno()
            undo.callback(ours.close)
            life.process = await asyncio.create_subprocess_exec(
                *self._command, str(end), stdin=asyncio.subprocess.DEVNULL, pass_fds=(end,), env=environment
            )
            undo.pop_all()
        news: Words = {
            "ready": partial(self._is_ready, life),
            "report": partial(self._hear_report, life),
            "counted": self.tally.add,
        }
        life.link = await Link.open(ours, {**self._handover.words, **news}, life.lost.set)
        life.link.tell("begin", self._program, pickle.dumps(life.config))
        return life

    def _is_ready(self, life: Life) -> None:
        life.ready.set()
        self._why_down, self._heard_at = "", self._now()
        if life.config is not self._config:  # they have changed meanwhile
            self.configure(self._config)
        self._handover.begin(life.link)

    def _hear_report(self, life: Life, at: float, used: float, numbers: Sequence[int]) -> None:
        self._report, self._heard_at = DelivererReport(at, used, Numbers(*numbers)), self._now()
        life.has_reported = True

    def _settled(self, count: int) -> None:
        for _ in range(count):
            self.pressure.go_on()

    def _say_look(self) -> None:
        self._is_told_to_look = False
        if self._life and self._life.ready.is_set():
            self._life.link.tell("look")

    async def _outlive(self, life: Life) -> int:
        """Its exit status, once it has ended."""
        ended = asyncio.create_task(life.process.wait())
        silent = 0
        while not (await asyncio.wait({ended}, timeout=LOOK_S))[0]:
            silent = 0 if life.has_reported else silent + 1
            life.has_reported = False
            if silent == SILENT:
                self._kill(life, f"it has not answered for {SILENT * LOOK_S:g} s and is killed")
        await life.lost.wait()
        return ended.result()

    async def _drained(self, life: Life, limit_s: float) -> int:
        if not life.ready.is_set():  # it has nothing to end
            with suppress(ProcessLookupError):
                life.process.kill()
            return 0
        given_up = 0
        with suppress(SpoolError):  # it dies; nobody waits for it any more
            given_up = int(await life.link.call("drain", limit_s))
        life.link.close()
        if code := await life.process.wait():
            self._tell(Event("relay.worker.failed", {"pid": life.process.pid, "why": _ending(code)}))
        return given_up

    def _kill(self, life: Life, why: str) -> None:
        """What it had under way is done by the next one, as after any crash."""
        self._tell(Event("relay.worker.failed", {"pid": life.process.pid, "why": why}))
        with suppress(ProcessLookupError):
            life.process.kill()


def _ending(code: int) -> str:
    return f"ended with status {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"


def program() -> str:
    """What runs here, and on what: two ends of a link have to be the same."""
    with suppress(PackageNotFoundError):
        return f"postroad {version('postroad')} on Python {platform.python_version()}"
    return f"postroad on Python {platform.python_version()}"
