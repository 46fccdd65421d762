"""The relay under test, as a process of its own."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

from tests.faults.books import until
from tests.faults.nursery import Forked

ROOT = Path(__file__).parents[2]
FORKED = "forked"  # of a process that has loaded all, not started as users start theirs: see Forked
PIPE = 4096  # octets that a pipe nobody reads still takes
END_S = 30.0  # more than any relay here may take to end
BROKEN = re.compile(r"Traceback|deliver\.parcel\.broken|never retrieved|Exception ignored", re.MULTILINE)


class Log(StrEnum):
    """Where a relay writes its log."""

    FILE = "a file"
    CLOSED = "a pipe whose reader goes once the relay has started"
    STALLED = "a pipe that nobody reads"
    FULL = "a full disk"


class RelayProcess:
    """One relay after the other, on the same settings, port and spool; with two workers, one of them delivers.

    `https_port`: where it looks for MTA-STS policies, of hosts for which the authority of the lab vouches. `node`: its
    name in the spool; `source`: the address that it delivers from, "" for any. `constants`: others of
    its modules than it has, by their full names.
    """

    def __init__(  # noqa: PLR0913  # each has a default and is written by name
        self, folder, place, *, how=(), penalty_s=None, workers=1, log_to=Log.FILE, https_port=0,
        node="relay", source="", constants=None,
    ):  # fmt: skip
        self.place = place
        self.node = node
        self.source = source
        self.how = how  # what stands before its command, to be run elsewhere; or FORKED
        self.starts = 0
        self.folder = folder  # of its settings and its log
        self._log = folder / "relay.log"
        self._settings = folder / "relay.toml"
        self._clock = folder / "clock"
        self._penalty = "" if penalty_s is None else str(penalty_s)
        self._https = str(https_port or "")
        self.constants = constants or {}
        self._process = None
        self._workers = workers
        self._log_to = log_to
        self._unread = []  # ends of pipes that nobody reads
        self.nice = 0
        self.is_buried = False  # killed, and not started again
        self.limits = {}  # of the process: RLIMIT_..., soft and hard

    @property
    def pid(self):
        """Of the process that runs."""
        return self._process.pid

    @property
    def is_alive(self):
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def set_clock(self, ahead_s):
        """Its clock is so much ahead of ours from now on."""
        with self._clock.open("r+b" if self._clock.exists() else "wb") as file:
            file.write(struct.pack("d", ahead_s))

    def spawn(self):
        """Start it; it is not ready yet."""
        words = ["relay", "--config", str(self._settings)] + ["--workers", str(self._workers)] * (self._workers > 1)
        clock = str(self._clock) if self._clock.exists() else ""
        arguments = (self.nice, clock, self._penalty, self._https, json.dumps(self.constants), words)
        if self.how is FORKED:
            self._process = Forked(arguments, self._open_log(), self.limits)
        else:
            self._process = self._run(*arguments)
        self.starts += 1
        self.is_buried = False

    async def start(self):
        """Start it, and wait until its port is open.

        Raises:
            RuntimeError: it ended instead, with what it said.

        """
        self.spawn()
        await until(lambda: self._is_open() or not self.is_alive)
        if not self.is_alive:
            raise RuntimeError(f"the relay does not start: {self.log()[-2000:]}")
        if self._log_to is Log.CLOSED:
            self.close()

    def children(self):
        """The process that delivers, if there is one now."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    async def kill(self):
        """End it as a crash does, with the one that delivers."""
        self.is_buried = True
        children = self.children() if self.is_alive else ()
        if self.is_alive:
            self._kill_group()
        await self._end(signal.SIGKILL)
        await until(lambda: not any(map(is_running, children)))

    async def kill_parent(self):
        """End the one that receives as a crash does, and it alone; the other one."""
        children = self.children()
        await self._end(signal.SIGKILL)
        return children

    @contextlib.asynccontextmanager
    async def paused(self, *pids):
        """These processes stand still: a signal takes its time, above all on a busy machine."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        await until(lambda: all(map(has_stopped, pids)))
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def close(self):
        """Let go of pipes."""
        for end in self._unread:
            os.close(end)
        self._unread.clear()

    def _run(self, nice, clock, penalty, https, constants, words):
        child = ["tests.faults.child", str(os.getpid()), str(nice), clock, penalty, https, constants]
        command = [*self.how, sys.executable, "-m", *child, *words]
        with self._open_log().open("ab", buffering=0) as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, process_group=0
            )
        for which, limits in self.limits.items():
            resource.prlimit(process.pid, which, limits)
        return process

    def _open_log(self):
        """What it is to write to: whoever opens that does not wait."""
        if self._log_to is Log.FILE:
            return self._log
        if self._log_to is Log.FULL:
            return Path("/dev/full")
        pipe = self._log.with_name(f"pipe{self.starts}")
        os.mkfifo(pipe)
        self._unread.append(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
        fcntl.fcntl(self._unread[-1], fcntl.F_SETPIPE_SZ, PIPE)
        return pipe

    async def stop(self):
        """End it in order; its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number):
        if self._process is None:
            return None
        if self.is_alive:
            self._process.send_signal(number)
        try:
            return await asyncio.to_thread(self._process.wait, END_S)
        except subprocess.TimeoutExpired:
            self._kill_group()
            return await asyncio.to_thread(self._process.wait)

    def _kill_group(self):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.killpg(self.pid, signal.SIGKILL)

    def log(self):
        """All it has said."""
        return self._log.read_text() if self._log.exists() else ""

    def complaints(self):
        """What its log tells of bugs, the first of each kind."""
        log, found = self.log(), {}
        for place in BROKEN.finditer(log):
            found.setdefault(place[0], log[place.start() : place.start() + 1500])
        return list(found.values())

    def rss_mib(self):
        """Memory in use now, and the most it has been."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return tuple(int(re.search(rf"{key}:\s+(\d+)", status)[1]) // 1024 for key in ("VmRSS", "VmHWM"))

    def _is_open(self):
        with socket.socket() as sock:
            return sock.connect_ex(self.place) == 0


def is_running(pid):
    """Whether a process is there and no zombie: where nobody collects orphans they stay as such."""
    return _state(pid) != "Z"


def has_stopped(pid):
    """Whether a process stands still, or has ended."""
    return _state(pid) in "TZ"


def _state(pid):
    """Its letter in /proc: T stands still, Z has ended or was never there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def write_settings(path, settings):
    """Write a settings file: values, tables of them, and lists of such tables."""
    lines = []
    for name, table in settings.items():
        if name == "listen":
            lines += ["[[listen]]", *_values(table)]
        elif isinstance(table, dict):
            lines += [f"[{name}]", *_values(table)]
        elif isinstance(table, list):
            lines += [line for each in table for line in (f"[[{name}]]", *_values(each))]
        else:
            lines.insert(0, f"{name} = {json.dumps(table)}")
    path.write_text("\n".join(lines) + "\n")


def _values(table):
    return [f"{key} = {_inline(value)}" for key, value in table.items()]


def _inline(value):
    """A value, which looks as in JSON, or a table in braces."""
    return f"{{ {', '.join(_values(value))} }}" if isinstance(value, dict) else json.dumps(value)
