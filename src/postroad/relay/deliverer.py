"""The delivery process beside a receiving one: a loop on that process's spool, until it stops or disappears.

It heeds no signal: what it is to do comes over the link. Its log is its own, on the same stderr.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from postroad.relay.child import program
from postroad.relay.deliverer_settings import DelivererSettings, unpacked
from postroad.relay.delivery import LocalDelivery
from postroad.relay.journal import write_stderr
from postroad.relay.listeners import RelayListeners, Write, caught, open_listeners, tune
from postroad.relay.settings import resolver_by
from postroad.relay.tally import LOST_LINES, Tally
from postroad.spool import Link, MessageIds, RemoteSpool, Row, Words
from postroad.words.inputs import InputError
from postroad.words.trace import Event

REPORT_S = 0.25  # as often as Pressure looks at the processor
FAREWELL_S = 0.1  # for the log, when the process that receives is gone
SCHEDSTAT = Path("/proc/thread-self/schedstat")  # the second number: nanoseconds, proc(5)
COUNT_S = 1.0  # for what was told to be counted


async def deliver(descriptor: int) -> None:
    """Deliver for the process that started us and has the other end of this socket.

    Raises:
        InputError: the settings cannot be used here; or the program was replaced under its parent.
        SystemExit: a bug has ended it; the log has it.

    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # systemd and terminals send them to a whole group
        signal.signal(number, signal.SIG_IGN)
    await deliver_over(socket.socket(fileno=descriptor))


async def deliver_over(sock: socket.socket, write: Write = write_stderr, end: Callable[[int], Any] = os._exit) -> None:
    """The same over a socket. `write` takes the log; `end` ends this process at once if it is an orphan."""
    first: asyncio.Future[tuple[str, bytes]] = asyncio.get_running_loop().create_future()
    words: dict[str, Callable[..., Any]] = {"begin": lambda *them: first.set_result(them)}
    it: Deliverer | None = None
    link = await Link.open(sock, words, lambda: it.lost(end) if it else end(1))
    theirs, packed = await first
    if theirs != (ours := program()):
        raise InputError(f"this is {ours}, but the receiving process is still {theirs}: restart the relay")
    settings = unpacked(packed)
    async with open_listeners(settings.style, write) as listeners:
        try:
            it = Deliverer(settings, link, listeners)
            words |= it.words
            await it.run()
        except InputError:
            raise
        except Exception as bug:  # noqa: BLE001  # a traceback on stderr could wait for a reader for ever
            listeners.tell(caught("the delivery process stops", bug))
            raise SystemExit(1) from None


class Deliverer:
    """The delivery side of a link; `words` are the calls that it answers."""

    def __init__(self, settings: DelivererSettings, link: Link, listeners: RelayListeners) -> None:
        self.words: Words = {
            "configure": self._configure,
            "take": self._take,
            "look": self._look,
            "lease": self._lease,
            "share": self._share,
            "count": self._count,
            "drain": self._drain,
        }
        self._link = link
        self._listeners = listeners
        self._is_drained = False
        self._is_over = asyncio.Event()
        self._lost_lines = 0
        self._tally = Tally()
        self._counting = listeners.tell.subscribe("metrics", self._tally) if settings.is_counted else None
        self._spool = RemoteSpool(link.call)
        self._delivery = LocalDelivery(
            settings.relay, self._spool, resolver_by(settings.dns), MessageIds(), listeners.tell
        )

    async def run(self) -> None:
        """Until the other end is gone; raises what ended the work before, which is a bug."""
        tune()
        self._link.tell("ready")
        over = asyncio.create_task(self._is_over.wait())
        working = {asyncio.create_task(work) for work in (self._delivery.run(), self._report())}
        while not over.done():
            done, _ = await asyncio.wait({over, *working}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            working -= done
        for task in working:
            task.cancel()

    def lost(self, end: Callable[[int], Any]) -> None:
        """The other end is gone: as it should, or at once, for its next start is not to find us at work."""
        self._is_over.set()
        if not self._is_drained:
            self._listeners.tell(Event("relay.parent.gone", {"why": "the parent process has exited"}))
            self._listeners.log.flush(FAREWELL_S)
            end(1)

    async def _report(self) -> None:
        waited = ProcessorWait()
        while True:
            it = self._delivery.numbers
            numbers = (it.in_flight, it.parcels, it.resting, it.unhealthy)
            self._link.tell("report", time.monotonic(), time.thread_time() + waited.seconds(), numbers)
            await asyncio.sleep(REPORT_S)

    def _take(self, row: Row, body: bytes | None) -> None:
        self._delivery.take((self._spool.received(row, body),))

    def _look(self) -> None:
        self._delivery.look()

    def _lease(self, asked_at: float, until: float) -> None:
        self._delivery.lease(asked_at, until)

    def _share(self, nodes: int) -> None:
        self._delivery.share(nodes)

    def _configure(self, packed: bytes) -> None:
        settings = unpacked(packed)
        try:
            self._delivery.reload(settings.relay, resolver_by(settings.dns))
        except InputError as problem:
            self._listeners.tell(Event("relay.reload.failed", {"why": str(problem)}))
        else:
            self._listeners.journal.style = settings.style

    async def _count(self) -> None:
        if self._counting:
            await asyncio.to_thread(self._counting.flush, COUNT_S)
        sums, trouble = self._tally.cut()
        lost, self._lost_lines = self._listeners.lost_lines - self._lost_lines, self._listeners.lost_lines
        self._link.tell("counted", sums | {(LOST_LINES,): lost}, trouble)

    async def _drain(self, limit_s: float) -> int:
        given_up = await self._delivery.drain(limit_s)
        self._is_drained = True
        return given_up


class ProcessorWait:
    """The time this thread has waited for a processor: where others have it, ours is as short as if we had used it.

    The file stays open: to open it takes six calls, at each of which another thread may take the interpreter.
    """

    def __init__(self, where: Path = SCHEDSTAT) -> None:
        try:
            self._file: int | None = os.open(where, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # not Linux
            self._file = None

    def seconds(self) -> float:
        """So far; 0 where the kernel does not say."""
        try:
            return int(os.pread(self._file, 64, 0).split()[1]) / 1e9 if self._file is not None else 0.0
        except (OSError, LookupError, ValueError):
            return 0.0
