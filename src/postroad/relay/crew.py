"""Several relay processes that share ports and spool, so that more than one core is used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence

from postroad.app import InputError
from postroad.relay.service import READY, notify

AGAIN_S = 1.0
"""Between the end of a worker nobody asked to end, and its next start."""

USAGE = 2  # the exit code of what another start does not mend


class Crew:
    """Workers `1..count`: each is started, started again if it dies, and told what we are told."""

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._command = command
        self._count = count
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._is_ending = False

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; SIGHUP is passed on.

        Raises:
            InputError: a worker says that the settings, the spool or a port cannot be used.

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

    async def _watch(self, number: int, ready: asyncio.Event) -> None:
        while not self._is_ending:
            code = await self._work(number, ready)
            if code == USAGE:
                raise InputError(f"worker {number} could not start; its reason stands above")
            if not self._is_ending:
                await asyncio.sleep(AGAIN_S)

    async def _work(self, number: int, ready: asyncio.Event) -> int:
        # systemd hears of all of them from here; each alone would say that the service is up, or gone
        alone = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        process = await asyncio.create_subprocess_exec(
            *self._command, "--worker", str(number), stdout=asyncio.subprocess.PIPE, env=alone
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

    def _pass_on(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)


async def _announce(starting: Sequence[asyncio.Event]) -> None:
    for ready in starting:
        await ready.wait()
    notify("READY=1")


def command_of_ours(options: Sequence[str]) -> tuple[str, ...]:
    """How a worker is started: as we were, by the same interpreter."""
    return (sys.executable, "-m", "postroad", "relay", *options)
