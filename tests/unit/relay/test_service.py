"""A relay as a service: signals, systemd, and a process that ends in order."""

import asyncio
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from relaying import LIMIT_S, MESSAGE, ZONE, Told

from postroad.app import InputError
from postroad.config import read
from postroad.dns import parse_zones
from postroad.lab import Lab, parse_fault
from postroad.net import bind
from postroad.relay.service import Place, inherited_sockets, notify, serve
from postroad.spool import Selection
from postroad.spool.sqlite import SqliteSpool
from postroad.words.trace import Event

LOOPBACK = ip_address("127.0.0.1")
# What systemd does: the socket is fd 3, and the environment says whose it is
ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "postroad", "relay", "--config", sys.argv[2]])
"""


def written(lab, folder):
    """A settings file for this lab."""
    host, port = lab.resolver_address
    path = folder / "postroad.toml"
    path.write_text(f"""
        hostname = "relay.example.org"
        drain = "5s"
        spool.path = "spool"
        deliver = {{port = {lab.port}, allow_loopback = true}}
        dns.resolvers = ["{host}:{port}"]
        log = {{format = "json", level = "debug"}}
    """)
    return path


def config_of(path, **tables):
    """The settings in a file, its port any that is free."""
    config = read(path.read_text(), path)
    listen = config.listen[0].model_copy(update={"port": 0})
    return config.model_copy(update={"listen": (listen,), **tables})


class Log:
    """What is written on stderr, as events."""

    def __init__(self, told):
        self._told = told

    def write(self, text):
        """A line of JSON."""
        fields = json.loads(text)
        self._told(Event(fields.pop("event"), fields))

    def flush(self):
        """Nothing is held back."""


class Systemd:
    """The socket that sd_notify writes to."""

    def __init__(self, folder, monkeypatch):
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(str(folder / "notify"))
        self._sock.setblocking(False)  # noqa: FBT003  # the name says it
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))

    async def hear(self):
        """The next word."""
        return (await asyncio.get_running_loop().sock_recv(self._sock, 1000)).decode()

    def close(self):
        """No more."""
        self._sock.close()


@asynccontextmanager
async def serving(monkeypatch, folder, load=None, **tables):
    """A service in this process, which ends by a signal; its log and its task."""
    told = Told()
    monkeypatch.setattr("sys.stderr", Log(told))
    async with asyncio.timeout(LIMIT_S), Lab(parse_zones({"zone": ZONE})) as lab:
        path = written(lab, folder)
        service = asyncio.create_task(serve(lambda: (load or config_of)(path, **tables), Place()))
        await told.until("relay.port.open")
        try:
            yield lab, told, service
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await service


def test_systemd_hears_each_step(tmp_path, monkeypatch):
    """Ready when the ports are open, reloading and ready again, stopping."""

    async def story():
        systemd = Systemd(tmp_path, monkeypatch)
        try:
            async with serving(monkeypatch, tmp_path):
                words = [await systemd.hear()]
                os.kill(os.getpid(), signal.SIGHUP)
                words += [await systemd.hear(), await systemd.hear()]
            return [*words, await systemd.hear()]
        finally:
            systemd.close()

    ready, reloading, again, stopping = asyncio.run(story())
    assert ("READY=1", "READY=1", "STOPPING=1") == (ready, again, stopping)
    assert ["RELOADING", "MONOTONIC_USEC"] == [line.partition("=")[0] for line in reloading.splitlines()]


def test_start_says_whose_mail_is_refused(tmp_path, monkeypatch):
    """Cron's mail for root and everyone's for postmaster, until the settings name who reads it."""

    async def story():
        async with serving(monkeypatch, tmp_path) as (_lab, told, _service):
            await told.until("relay.alias.missing", 2)
            return [fields["name"] for fields in told.named("relay.alias.missing")]

    assert ["root", "postmaster"] == asyncio.run(story())


def test_nobody_to_notify_is_no_trouble(monkeypatch, tmp_path):
    """Without systemd nothing is said; a systemd that is gone does not hear it."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")


def test_abstract_socket_is_notified(monkeypatch):
    """A name that begins with @ stands for one in the abstract namespace."""
    name = f"postroad-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("STATUS=well")
        assert b"STATUS=well" == sock.recv(100)


def test_sockets_of_another_process_are_not_taken(monkeypatch):
    """LISTEN_PID names whom they are for."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert [] == inherited_sockets()


def test_wrong_settings_at_sighup_change_nothing(tmp_path, monkeypatch):
    """The relay goes on with the old ones, and the log says what is wrong; mended, they are taken."""
    loads = iter([None, "retry.first: nonsense", None])

    def load(path):
        wrong = next(loads)
        if wrong:
            raise InputError(wrong)
        return config_of(path)

    async def story():
        async with serving(monkeypatch, tmp_path, load) as (_, told, service):
            os.kill(os.getpid(), signal.SIGHUP)
            failed = await told.until("relay.reload.failed")
            os.kill(os.getpid(), signal.SIGHUP)
            await told.until("relay.reload.complete")
            return failed["why"], service.done()

    assert ("retry.first: nonsense", False) == asyncio.run(story())


def test_numbers_are_served_and_end_with_the_relay(tmp_path, monkeypatch):
    """Where the settings say so; the port is free again afterwards."""

    async def story():
        metrics = read("", tmp_path / "x").metrics.model_copy(update={"listen": (LOOPBACK, 0)})
        async with serving(monkeypatch, tmp_path, metrics=metrics) as (_, told, _service):
            port = int((await told.until("relay.metrics.open"))["where"].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health HTTP/1.0\r\n\r\n")
            answer = await reader.read()
            writer.close()
        bind(LOOPBACK, port).close()
        return answer

    assert asyncio.run(story()).endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize(
    ("which", "hint"), [("listen", "name another port in"), ("metrics", "another address or port")]
)
def test_port_that_is_taken_ends_the_start(tmp_path, which, hint):
    """With what to do about it; the spool is closed, so the next start has it."""

    async def story():
        async with asyncio.timeout(LIMIT_S), Lab(parse_zones({"zone": ZONE})) as lab:
            config = config_of(written(lab, tmp_path))
            with socket.create_server(("127.0.0.1", 0)) as sock:
                port = sock.getsockname()[1]
                listen = (config.listen[0].model_copy(update={"port": port}),)
                metrics = config.metrics.model_copy(update={"listen": (LOOPBACK, port)})
                wrong = config.model_copy(update={"listen": listen} if which == "listen" else {"metrics": metrics})
                with pytest.raises(InputError, match=hint):
                    await serve(lambda: wrong, Place())
            await (await SqliteSpool.open(tmp_path / "spool", node="relay")).close()

    asyncio.run(story())


class Process:
    """`postroad relay` in a process of its own, on a socket it inherits."""

    def __init__(self, path):
        sock = bind(LOOPBACK, 0)
        self.port = sock.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LISTEN", "NOTIFY"))}
        self._process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATED, str(sock.fileno()), str(path)],
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[sock.fileno()],
            env=environment,
        )
        sock.close()

    def until(self, name, count=1):
        """Wait for so many events of a name in its log; the last."""
        for line in self._process.stderr:
            event = json.loads(line)
            count -= event["event"] == name
            if not count:
                return event
        raise AssertionError(f"the relay ended before {name}")

    def submit(self, to, times):
        """Hand mail over."""
        with smtplib.SMTP("127.0.0.1", self.port, "client.example") as client:
            for _ in range(times):
                client.sendmail("me@example.net", [to], MESSAGE)

    def end(self):
        """SIGTERM; its exit status and the events it still had to tell."""
        self._process.send_signal(signal.SIGTERM)
        _, rest = self._process.communicate(timeout=LIMIT_S)
        return self._process.returncode, [json.loads(line) for line in rest.splitlines()]


def test_sigterm_ends_a_process_that_loses_nothing(tmp_path):
    """Stopped in the middle of its work it ends with 0; what it took is delivered, once, by it or by the next one."""

    async def story():
        faults = {"127.0.0.13": parse_fault("refuse")}
        async with asyncio.timeout(LIMIT_S), Lab(parse_zones({"zone": ZONE}), faults=faults) as lab:
            path = written(lab, tmp_path)
            first = Process(path)
            opened = await asyncio.to_thread(first.until, "relay.port.open")
            await asyncio.to_thread(first.submit, "bob@example.net", 5)
            await asyncio.to_thread(first.submit, "ann@example.com", 30)
            status, events = await asyncio.to_thread(first.end)
            tool = await SqliteSpool.open(tmp_path / "spool", node="")
            left = len(await tool.listed(Selection(), 100))
            taken = len(lab.received)
            await tool.hurry(Selection(), 0)
            await tool.close()
            await lab.set_fault("127.0.0.13", parse_fault("accept"))
            second = Process(path)
            await asyncio.to_thread(second.until, "deliver.attempt.complete", left)
            again, _ = await asyncio.to_thread(second.end)
            return opened, status, again, taken + left, len(lab.received), events[-1]["event"], first.port

    opened, status, again, between, in_the_end, last, port = asyncio.run(story())
    assert f"127.0.0.1:{port}" == opened["where"]
    assert (0, 0, 35, 35, "relay.drained") == (status, again, between, in_the_end, last)
