"""Several workers: each started again when it dies, all ended when we are."""

import asyncio
import os
import signal
import sys

from relaying import LIMIT_S

from postroad.app import InputError
from postroad.relay.crew import Crew

# A worker that says it is ready, tells its number and pid on stderr, and ends in order when told to
WORKER = """
import os, signal, sys, threading
end = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.write(int(sys.argv[1]), f"{sys.argv[3]} {os.getpid()} ".encode())
print("ready", flush=True)
signal.pause()
"""


class Births:
    """Hears which workers are born, over a pipe they inherit."""

    def __init__(self):
        self.hearing, self.telling = os.pipe()
        os.set_inheritable(self.telling, True)  # noqa: FBT003  # it takes no names

    async def next(self, count):
        """The number and pid of so many workers."""
        words = []
        while len(words) < 2 * count:
            words += (await asyncio.to_thread(os.read, self.hearing, 100)).decode().split()
        return dict(zip(words[::2], map(int, words[1::2]), strict=True))

    def close(self):
        """Hear no more."""
        os.close(self.hearing)
        os.close(self.telling)


def test_worker_that_dies_is_started_again_and_all_end_with_us(monkeypatch):
    """Killed, a worker comes back under its number; SIGTERM ends the crew in order."""
    monkeypatch.setattr("postroad.relay.crew.AGAIN_S", 0.0)
    spawn = asyncio.create_subprocess_exec

    def passing_the_pipe(*command, **options):
        return spawn(*command, **options, close_fds=False)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", passing_the_pipe)

    async def story():
        births = Births()
        command = (sys.executable, "-S", "-c", WORKER, str(births.telling))
        async with asyncio.timeout(LIMIT_S):
            crew = asyncio.create_task(Crew(command, 2).run())
            first = await births.next(2)
            os.kill(first["2"], signal.SIGKILL)
            again = await births.next(1)
            os.kill(os.getpid(), signal.SIGTERM)
            await crew
        births.close()
        return sorted(first), sorted(again), first["2"] != again["2"]

    assert (["1", "2"], ["2"], True) == asyncio.run(story())


def test_worker_that_cannot_start_ends_the_crew():
    """What no other start mends is an error, not a loop."""

    async def story():
        async with asyncio.timeout(LIMIT_S):
            await Crew((sys.executable, "-S", "-c", "raise SystemExit(2)"), 2).run()

    try:
        asyncio.run(story())
    except InputError as problem:
        told = str(problem)
    assert told.endswith("could not start; its reason stands above")
