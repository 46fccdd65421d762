"""Several workers: each started again when it dies, all ended when we are."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

from relaying import LIMIT_S

from postroad.app import InputError
from postroad.net import bind
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


def inherit_pipes(monkeypatch):
    """Let workers have the pipe of Births."""
    spawn = asyncio.create_subprocess_exec

    def passing_the_pipe(*command, **options):
        return spawn(*command, **options, close_fds=False)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", passing_the_pipe)


def test_worker_that_dies_is_started_again_and_all_end_with_us(monkeypatch):
    """Killed, a worker comes back under its number; SIGTERM ends the crew in order."""
    monkeypatch.setattr("postroad.relay.crew.AGAIN_S", 0.0)
    inherit_pipes(monkeypatch)

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


def test_worker_that_dies_is_told_and_its_new_settings_end_nobody(monkeypatch):
    """One that was at work and cannot start again, for the settings are wrong by now, leaves the others at work."""
    monkeypatch.setattr("postroad.relay.crew.AGAIN_S", 0.0)

    async def story():
        told, enough, again = [], asyncio.Event(), []

        def hear(event):
            told.append((event.name, event.fields["worker"], event.fields["why"]))
            if len(told) == 1:
                again.append(True)
            if len(told) == 3:
                enough.set()

        async def start(*command, **options):
            script = (
                "raise SystemExit(2)" if again else "print('ready', flush=True); import os; os.kill(os.getpid(), 9)"
            )
            return await spawn(sys.executable, "-S", "-c", script, **options)

        spawn = asyncio.create_subprocess_exec
        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
        async with asyncio.timeout(LIMIT_S):
            crew = asyncio.create_task(Crew((), 1, hear).run())
            await enough.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await crew
        return told[:3]

    failed = "relay.worker.failed", 1
    ended = (*failed, "ended with status 2")
    assert [(*failed, "killed by SIGKILL"), ended, ended] == asyncio.run(story())


def test_worker_that_does_not_end_is_killed(monkeypatch):
    """One that is stopped hears no SIGTERM: it is killed once it is time, and the log says so; the other one ends."""
    inherit_pipes(monkeypatch)

    async def story():
        told, births = [], Births()
        command = (sys.executable, "-S", "-c", WORKER, str(births.telling))
        async with asyncio.timeout(LIMIT_S):
            crew = Crew(command, 2, lambda event: told.append((event.name, event.fields)), end_s=0.0)
            running = asyncio.create_task(crew.run())
            stopped = (await births.next(2))["2"]
            os.kill(stopped, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGTERM)
            await running
        births.close()
        return [fields for name, fields in told if fields["worker"] == 2 and name == "relay.worker.failed"]

    why = "it has not ended within 0 s after SIGTERM, and is killed"
    assert [{"worker": 2, "why": why}] == asyncio.run(story())


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


def configured(folder, port):
    """Settings of a relay with no mail to deliver."""
    path = folder / "postroad.toml"
    path.write_text(
        f"hostname = 'relay.example.org'\nspool.path = 'spool'\nlisten = [{{port = {port}}}]\nlog.format = 'json'\n"
        "aliases = {root = 'ann@example.com', postmaster = 'root'}\n"
    )
    return path


class Running:
    """`postroad relay --workers 2`, and its log."""

    def __init__(self, path):
        command = (sys.executable, "-m", "postroad", "relay", "--config", str(path), "--workers", "2")
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def until(self, name, count=1):
        """Wait for so many events of a name."""
        for line in self.process.stderr:
            count -= json.loads(line)["event"] == name
            if not count:
                return
        raise AssertionError(f"it ended before {name}")

    def rest(self):
        """The names of all events that come until nobody is left who could tell one."""
        with self.process.stderr as log:
            return [json.loads(line)["event"] for line in log]


def test_workers_end_with_their_parent_at_once(tmp_path):
    """Killed, it leaves nobody: the next start at once has ports and spool. A worker killed there is replaced."""
    with bind(ip_address("127.0.0.1"), 0) as sock:
        port = sock.getsockname()[1]
    path = configured(tmp_path, port)
    first = Running(path)
    first.until("relay.port.open", 2)
    first.process.kill()
    first.process.wait()
    second = Running(path)
    assert ["relay.parent.gone"] * 2 == first.rest()
    second.until("relay.port.open", 2)
    workers = Path(f"/proc/{second.process.pid}/task/{second.process.pid}/children").read_text().split()
    os.kill(int(workers[0]), signal.SIGKILL)
    second.until("relay.worker.failed")
    second.until("relay.port.open")
    second.process.terminate()
    told = second.rest()
    assert (["relay.drained"] * 2, 0) == (told, second.process.wait())
