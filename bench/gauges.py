"""What a relay costs: processor time, memory, disk flushes, fsyncs; read from Linux's own counters.

Processor time is that of a cgroup (version 2, no controller needed), so processes that came and went are in it.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

TOP = "postroad-bench"
END_S = 15.0  # a relay may drain before it ends
SAMPLE_S = 0.5
MIB = 1024  # in KiB, the unit of smaps_rollup
SYNCS = "fsync,fdatasync,sync_file_range,msync,syncfs,sync"
JOIN = 'echo $$ > "$0" && exec "$@"'


def _cgroup_root():
    for line in Path("/proc/mounts").read_text().splitlines():
        _device, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    sys.exit("no cgroup version 2 is mounted")


class Group:
    """The processes of one cgroup, whatever they fork."""

    def __init__(self, name: str):
        root = _cgroup_root()
        own = re.search(r"^0::/(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
        self._outside = root / (own[1] if own else "") / "cgroup.procs"
        self._path = root / TOP / name

    def make(self):
        """Creates the group."""
        self._path.mkdir(parents=True, exist_ok=True)

    def enter(self):
        """Counts this process, and what it starts from now on, into the group."""
        (self._path / "cgroup.procs").write_text(str(os.getpid()))

    def leave(self):
        """Puts this process back outside."""
        self._outside.write_text(str(os.getpid()))

    def joining(self, command):
        """The command, started in this group."""
        return ["sh", "-c", JOIN, str(self._path / "cgroup.procs"), *command]

    def pids(self):
        """The processes there are now."""
        try:
            return [int(pid) for pid in (self._path / "cgroup.procs").read_text().split()]
        except FileNotFoundError:
            return []

    def cpu_s(self):
        """Processor time, user and system, of all processes there were, in seconds."""
        return int(re.search(r"usage_usec (\d+)", (self._path / "cpu.stat").read_text())[1]) / 1e6

    def end(self):
        """Asks the processes to end, but for strace, which has to tell its sum; then kills what is left."""
        for pid in self.pids():
            if _comm(pid) != "strace":
                _signal(pid, signal.SIGTERM)
        if not self._empty_by(time.monotonic() + END_S):
            (self._path / "cgroup.kill").write_text("1")
            self._empty_by(time.monotonic() + END_S)

    def remove(self):
        """Kills what is left and removes the group."""
        if self._path.exists():
            (self._path / "cgroup.kill").write_text("1")
            self._empty_by(time.monotonic() + END_S)
            self._path.rmdir()
        with contextlib.suppress(OSError):  # not there, or the other group still is
            self._path.parent.rmdir()

    def _empty_by(self, deadline):
        while self.pids():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def _comm(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _signal(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def memory_mib(pids):
    """(PSS, RSS) summed over processes, in MiB; PSS counts a shared page once, so it is the one to compare."""
    pss = rss = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # it has ended
        pss += _kib(text, "Pss")
        rss += _kib(text, "Rss")
    return pss / MIB, rss / MIB


def _kib(text, field):
    found = re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0  # a process about to end has no memory


class PeakMemory:
    """The highest memory of a group between `with` and its end: `pss` and `rss` in MiB, sampled twice a second."""

    def __init__(self, group: Group):
        self._group = group
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.pss = self.rss = 0.0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _sample(self):
        while True:
            over = self._over.wait(SAMPLE_S)
            pss, rss = memory_mib(self._group.pids())
            self.pss, self.rss = max(self.pss, pss), max(self.rss, rss)
            if over:
                return


def flushes():
    """Flush requests that all disks of the machine have completed since it started."""
    fields = (line.split() for line in Path("/proc/diskstats").read_text().splitlines())
    whole = re.compile(r"(vd[a-z]+|sd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)")
    return sum(int(field[18]) for field in fields if len(field) > 18 and whole.fullmatch(field[2]))


def busy_s():
    """Processor seconds that the whole machine has been busy since it started."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def counting_syncs(command, report: Path):
    """The command under strace, which stops it only at calls that sync (seccomp), and counts them into `report`."""
    return [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-c",
        "-U",
        "name,calls",
        "-e",
        f"trace={SYNCS}",
        "-o",
        str(report),
        *command,
    ]


def syncs(report: Path):
    """The calls counted by `counting_syncs`, once the command has ended."""
    rows = (line.split() for line in report.read_text().splitlines())
    return sum(int(row[1]) for row in rows if len(row) == 2 and row[0] in SYNCS.split(","))


def machine(directory: Path):
    """What a reader must know of the machine before comparing figures."""
    kind = subprocess.run(
        ["df", "--output=fstype", directory], check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    return {"cores": os.cpu_count(), "kernel": os.uname().release, "filesystem": kind, "python": sys.version.split()[0]}
