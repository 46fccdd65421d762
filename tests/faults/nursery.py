"""Relays that are forks of a process in which all is loaded that they need: a start takes a tenth of the time."""

import gc
import multiprocessing
import os
import resource
import subprocess
import sys
from multiprocessing import forkserver

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
        """Send it a signal."""
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

    child.main(parent, *arguments)
