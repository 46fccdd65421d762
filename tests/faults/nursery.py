"""Relays that are forks of a process in which all is loaded that they need: a start takes a tenth of the time.

So are those that deliver for them, which are their forks.
"""

import asyncio
import gc
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path

NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload(["tests.faults.loaded"])


class Forked:
    """A relay so begun, as a subprocess.Popen has it; see RelayProcess. It leads a process group of its own."""

    def __init__(self, arguments, log, limits):
        ours, theirs = NURSERY.Pipe(duplex=False)
        self._process = NURSERY.Process(target=_live, args=(arguments, str(log), limits, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.pid = self._process.pid
        with ours:
            ours.poll(None)  # it has its group, or has ended

    def poll(self):
        """How it ended."""
        return self._process.exitcode

    def wait(self, timeout=None):
        """How it ends."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self._process.exitcode

    def send_signal(self, number):
        """Send it a signal, unless it has ended: which the nursery knows before us."""
        with suppress(ProcessLookupError):
            if self.poll() is None:
                os.kill(self.pid, number)


def _live(arguments, log, limits, begun):
    parent = os.getppid()
    os.close(forkserver._forkserver._forkserver_alive_fd)  # open here, it would let that outlive the run, and us
    gc.freeze()  # what was loaded is no work for the collector
    os.setpgid(0, 0)
    for which, bounds in limits.items():
        resource.setrlimit(which, bounds)
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for number in (1, 2):
        os.dup2(opened, number)
    os.close(opened)
    # Those of the process it is a fork of know what it wrote to: whether one can seek there
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    begun.close()
    from tests.faults import child

    asyncio.create_subprocess_exec = _begin_deliverer
    child.main(parent, *arguments)


class ForkedDeliverer:
    """One that delivers, as an asyncio.subprocess.Process has it."""

    def __init__(self, pid):
        self.pid = pid
        loop = asyncio.get_running_loop()
        self._status = loop.create_future()
        self._ended = os.pidfd_open(pid)
        loop.add_reader(self._ended, self._reap)

    def _reap(self):
        asyncio.get_running_loop().remove_reader(self._ended)
        os.close(self._ended)
        self._status.set_result(os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]))

    async def wait(self):
        """How it ends."""
        return await asyncio.shield(self._status)

    def kill(self):
        """As a crash does."""
        if self._status.done():
            raise ProcessLookupError
        os.kill(self.pid, signal.SIGKILL)


async def _begin_deliverer(*command, pass_fds, **_options):
    """In place of asyncio's: `command` is an interpreter, -c, its program, and the words for that."""
    pid = os.fork()
    if pid:
        return ForkedDeliverer(pid)
    try:
        _deliver(command[3:], pass_fds)
    except SystemExit as end:
        os._exit(end.code or 0)
    finally:
        os._exit(1)


def _deliver(words, kept):
    gc.freeze()  # nothing of the one that receives is ever closed here
    signal.set_wakeup_fd(-1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:  # its numbers are given to nothing else
        if each not in {1, 2, nothing, *kept}:
            with suppress(OSError):  # the one that was listed
                os.dup2(nothing, each)
    asyncio._set_running_loop(None)
    from postroad.cli.deliverer import main

    sys.argv = ["postroad", *words]
    main()
