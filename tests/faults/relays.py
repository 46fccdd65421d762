"""The relay under test, as a process of its own."""

import asyncio
import json
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

from tests.faults.books import until

ROOT = Path(__file__).parents[2]
BROKEN = re.compile(r"Traceback|deliver\.parcel\.broken|never retrieved|Exception ignored", re.MULTILINE)


class RelayProcess:
    """One relay after the other, on the same settings, port and spool."""

    def __init__(self, folder, place, *, penalty_s=None):
        self.place = place
        self.starts = 0
        self._log = folder / "relay.log"
        self._settings = folder / "relay.toml"
        self._clock = folder / "clock"
        self._penalty = "" if penalty_s is None else str(penalty_s)
        self._process = None
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
        program = ["postroad"]
        if self._clock.exists() or self._penalty:
            if not self._clock.exists():
                self.set_clock(0.0)
            program = ["tests.faults.child", str(self._clock), self._penalty]
        command = [sys.executable, "-m", *program, "relay", "--config", str(self._settings)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, process_group=0
            )
        for which, limits in self.limits.items():
            resource.prlimit(self.pid, which, limits)
        self.starts += 1

    async def start(self):
        """Start it, and wait until its port is open.

        Raises:
            RuntimeError: it ended instead, with what it said.

        """
        self.spawn()
        await until(lambda: self._is_open() or not self.is_alive)
        if not self.is_alive:
            raise RuntimeError(f"the relay does not start: {self.log()[-2000:]}")

    async def kill(self):
        """End it as a crash does."""
        await self._end(signal.SIGKILL)

    async def stop(self):
        """End it in order; its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number):
        if self._process is None:
            return None
        if self.is_alive:
            self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait)

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


def write_settings(path, settings):
    """Write a settings file: tables of tables' values, all of which look the same in JSON."""
    lines = []
    for name, table in settings.items():
        if isinstance(table, dict):
            header = f"[[{name}]]" if name == "listen" else f"[{name}]"
            lines += [header, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        else:
            lines.insert(0, f"{name} = {json.dumps(table)}")
    path.write_text("\n".join(lines) + "\n")
