"""Several relay processes that share ports and spool, so that more than one core is used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from postroad.app import InputError
from postroad.relay.service import READY, notify, telling
from postroad.words.trace import Event, Listener, nobody

if TYPE_CHECKING:
    from postroad.config import Config

AGAIN_S = 1.0
"""Between the end of a worker nobody asked to end, and its next start."""

GRACE_S = 5.0
"""What a worker may take beyond the drain of the settings to end: one that is stopped, or stuck, never would."""

USAGE = 2  # the exit code of what another start does not mend


async def oversee(config: Config, command: Sequence[str], count: int) -> None:
    """Run a crew until SIGTERM or SIGINT, with a log of its own among theirs.

    Raises:
        InputError: as `Crew.run`.

    """
    async with telling(config) as voice:
        await Crew(command, count, voice.tell, end_s=config.drain + GRACE_S).run()


class Crew:
    """Workers `1..count`: each is started, started again if it dies, and told what we are told.

    One that dies leaves the others at work. They end with this process, however it ends: it holds their stdin open.
    Told to end, one that has not after `end_s` is killed.
    """

    def __init__(
        self, command: Sequence[str], count: int, listener: Listener = nobody, *, end_s: float = GRACE_S
    ) -> None:
        self._command = command
        self._count = count
        self._tell = listener
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._is_ending = False
        self._end_s = end_s
        self._last_word: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; SIGHUP is passed on.

        Raises:
            InputError: a worker says, at the first start, that the settings, the spool or a port cannot be used.

        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        starting = [asyncio.Event() for _ in range(self._count)]
        watches = [asyncio.create_task(self._watch(place + 1, ready)) for place, ready in enumerate(starting)]
        announcing = asyncio.create_task(_announce(starting))
        try:
            await asyncio.gather(*watches)
        finally:
            announcing.cancel()
            self._end()
            await asyncio.gather(*watches, return_exceptions=True)
            if self._last_word:
                self._last_word.cancel()

    async def _watch(self, number: int, ready: asyncio.Event) -> None:
        while not self._is_ending:
            code = await self._work(number, ready)
            if not await self._is_replaced(number, code, was_ready=ready.is_set()):
                return

    async def _is_replaced(self, number: int, code: int, *, was_ready: bool) -> bool:
        """Whether a worker that has ended is started again, once it is time."""
        if self._is_ending:
            return False
        if code == USAGE and not was_ready:
            raise InputError(f"worker {number} could not start; its reason stands above")
        self._tell(Event("relay.worker.failed", {"worker": number, "why": _ending(code), "again_s": AGAIN_S}))
        await asyncio.sleep(AGAIN_S)
        return True

    async def _work(self, number: int, ready: asyncio.Event) -> int:
        # systemd hears of all of them from here; each alone would say that the service is up, or gone
        alone = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command, "--worker", str(number), stdin=pipe, stdout=pipe, env=alone
        )
        self._processes[number] = process
        if self._is_ending:
            self._pass_on(signal.SIGTERM)
        assert process.stdout  # noqa: S101  # it is a pipe
        if (await process.stdout.readline()).strip() == READY.encode():
            ready.set()
        return await process.wait()

    def _end(self) -> None:
        if not self._is_ending:
            self._is_ending = True
            notify("STOPPING=1")
            self._pass_on(signal.SIGTERM)
            self._last_word = asyncio.get_running_loop().call_later(self._end_s, self._kill)

    def _kill(self) -> None:
        """End those that have not ended: what they had under way is done after the next start, as after any crash."""
        for number, process in self._processes.items():
            if process.returncode is None:
                why = f"it has not ended within {self._end_s:g} s after SIGTERM, and is killed"
                self._tell(Event("relay.worker.failed", {"worker": number, "why": why}))
        self._pass_on(signal.SIGKILL)

    def _pass_on(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)


async def _announce(starting: Sequence[asyncio.Event]) -> None:
    for ready in starting:
        await ready.wait()
    notify("READY=1")


def _ending(code: int) -> str:
    return f"ended with status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def command_of_ours(options: Sequence[str]) -> tuple[str, ...]:
    """How a worker is started: as we were, by the same interpreter."""
    return (sys.executable, "-m", "postroad", "relay", *options)
