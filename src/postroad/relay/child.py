"""The process that delivers, as the one that receives has it: from its start to its end."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import PackageNotFoundError, version

from postroad.relay.deliverer_settings import DelivererSettings
from postroad.spool import Link, SpoolError, Words
from postroad.words.phrasebook import seconds
from postroad.words.trace import Event, Listener

GRACE_S = 5.0
"""What it may take beyond the drain of the settings to end: one that is stopped, or stuck, never would."""

LOOK_S = 20.0
SILENT = 3
"""So many looks in a row without a report from it, and it is taken for stuck: it has four to make each second."""

START_S = 60.0
"""In which it is ready, on a machine however busy; one that is stopped never is."""

OURS = frozenset({"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"})
"""What systemd tells us in the environment, and nobody else."""


def command() -> tuple[str, ...]:
    """How it is started, behind which comes the descriptor of its end of the link.

    By the same interpreter, from where we were loaded ourselves: `-m` would look into the working directory first, and
    anybody may have put something there.
    """
    begin = f"import sys; sys.path[:] = {sys.path!r}; from postroad.cli.deliverer import main; main()"
    return (sys.executable, "-c", begin)


def ending(code: int) -> str:
    """How a process has ended, for people."""
    return f"ended with status {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"


def program() -> str:
    """What runs here, and on what: two ends of a link have to be the same."""
    with suppress(PackageNotFoundError):
        return f"postroad {version('postroad')} on Python {platform.python_version()}"
    return f"postroad on Python {platform.python_version()}"


class Child:
    """The process that delivers, from its start to its end, and our end of the link to it."""

    link: Link

    def __init__(self, settings: DelivererSettings, process: asyncio.subprocess.Process, listener: Listener) -> None:
        self.settings = settings  # it was started with
        self.ready = asyncio.Event()
        self.has_reported = False
        self._process = process
        self._tell = listener
        self._lost = asyncio.Event()  # and all that it said is heard

    @classmethod
    async def start(
        cls,
        how: Sequence[str],
        who: str,
        settings: DelivererSettings,
        words: Callable[[Child], Words],
        listener: Listener,
    ) -> Child:
        """Start it by a command; who we are, and what it may say to us.

        Raises:
            OSError: no memory, or no process more.

        """
        ours, theirs = socket.socketpair()
        environment = {key: value for key, value in os.environ.items() if key not in OURS}
        with theirs, ExitStack() as undo:
            end = theirs.fileno()
            undo.callback(ours.close)
            process = await asyncio.create_subprocess_exec(
                *how, str(end), stdin=asyncio.subprocess.DEVNULL, pass_fds=(end,), env=environment
            )
            undo.pop_all()
        child = cls(settings, process, listener)
        child.link = await Link.open(ours, words(child), child._lost.set)
        child.link.tell("begin", who, settings.packed())
        return child

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    async def begun(self) -> int | None:
        """None once it is ready, or the status it has ended with."""
        ended = asyncio.create_task(self._process.wait())
        ready = asyncio.create_task(self.ready.wait())
        try:
            await asyncio.wait({ended, ready}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
            if self.ready.is_set():
                return None
            if not ended.done():
                self._kill(f"it was not ready within {seconds(START_S)} and is killed")
            return await self._process.wait()
        finally:
            ended.cancel()
            ready.cancel()

    async def ended(self) -> int:
        """Its exit status, once it has ended; meanwhile it is killed if it says nothing any more."""
        ended = asyncio.create_task(self._process.wait())
        silent = 0
        while not (await asyncio.wait({ended}, timeout=LOOK_S))[0]:
            silent = 0 if self.has_reported else silent + 1
            self.has_reported = False
            if silent == SILENT:
                self._kill(f"it has not answered for {seconds(SILENT * LOOK_S)} and is killed")
        await self._lost.wait()
        return ended.result()

    async def drain(self, limit_s: float) -> int:
        """Have it end what is under way, and itself; how many it gave up. If it takes a while longer, it is killed."""
        given_up, most_s = 0, limit_s + GRACE_S
        try:
            async with asyncio.timeout(most_s):
                given_up = await self._drained(limit_s)
        except TimeoutError:
            self._kill(f"it did not exit within {seconds(most_s)} of SIGTERM and is killed")
        await self._process.wait()
        await self._lost.wait()
        return given_up

    async def _drained(self, limit_s: float) -> int:
        if not self.ready.is_set():  # it has nothing to end
            with suppress(ProcessLookupError):
                self._process.kill()
            return 0
        given_up = 0
        with suppress(SpoolError):  # it dies; nobody waits for it any more
            given_up = int(await self.link.call("drain", limit_s))
        self.link.close()
        if code := await self._process.wait():
            self._tell(Event("relay.worker.failed", {"pid": self.pid, "why": ending(code)}))
        return given_up

    def _kill(self, why: str) -> None:
        """What it had under way is done by the next one, as after any crash."""
        self._tell(Event("relay.worker.failed", {"pid": self.pid, "why": why}))
        with suppress(ProcessLookupError):
            self._process.kill()
