"""A relay as a service: signals, systemd, and a process that ends in order."""

import asyncio
import json
import os
import signal
import smtplib
import socket
import threading
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from tests.support.forked import CLOSED, begin, wait
from tests.support.patience import PATIENCE_S
from tests.support.relaying import MESSAGE, ZONE, Told

from postroad.cli import main
from postroad.config import read
from postroad.dns import parse_zones
from postroad.lab import Lab, parse_fault
from postroad.net import bind
from postroad.relay import Relay, relay_settings, resolver_of
from postroad.relay.service import inherited_sockets, notify, serve
from postroad.spool import Selection
from postroad.spool.sqlite import SqliteSpool
from postroad.words.inputs import InputError
from postroad.words.trace import Event

LOOPBACK = ip_address("127.0.0.1")


def activated():
    """What systemd does: the socket, here given as stdin, is fd 3, and the environment says whose it is."""
    os.dup2(0, 3)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    main()


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
    """What is written on stderr, as events; it is written by a thread."""

    def __init__(self, told):
        self._told = told
        self._loop = asyncio.get_running_loop()

    def write(self, octets):
        """Lines of JSON."""
        for line in octets.splitlines():
            fields = json.loads(line)
            self._loop.call_soon_threadsafe(self._told, Event(fields.pop("event"), fields))
        return len(octets)


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
async def serving(monkeypatch, folder, load=None, zone=ZONE, **tables):
    """A service in this process, which ends by a signal; its log and its task."""
    told = Told()
    async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": zone})) as lab:
        path = written(lab, folder)
        service = asyncio.create_task(serve(lambda: (load or config_of)(path, **tables), Log(told).write))
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


def test_sighup_says_what_changed_and_what_needs_a_restart(tmp_path, monkeypatch):
    """Each time, until the file has the old value again or the relay is restarted; the log changes at once."""
    updates = iter([{}, {"drain": 7.0, "reserve": 1, "level": "info"}, {"reserve": 1}, {}])

    def load(path):
        config, update = config_of(path), next(updates)
        spool = config.spool.model_copy(update={key: update[key] for key in update if key == "reserve"})
        log = config.log.model_copy(update={key: update[key] for key in update if key == "level"})
        return config.model_copy(update={"spool": spool, "log": log, "drain": update.get("drain", 5.0)})

    async def story():
        async with serving(monkeypatch, tmp_path, load) as (_, told, _service):
            for count in (1, 2, 3):
                os.kill(os.getpid(), signal.SIGHUP)
                await told.until("relay.reload.complete", count)
            return [
                {key: each[key] for key in each if key not in ("at", "level")}
                for each in told.named("relay.reload.complete")
            ]

    first = {"changed": ["drain", "spool.reserve", "log.level"], "needs_restart": ["spool.reserve"]}
    second = {"changed": ["drain", "log.level"], "needs_restart": ["spool.reserve"]}
    assert [first, second, {"changed": ["spool.reserve"]}] == asyncio.run(story())


def test_bug_that_ends_the_relay_is_in_the_log(tmp_path, monkeypatch):
    """With where it happened; the exit status is 1, so that systemd starts it again. Nothing else is on stderr."""

    class Buggy(SqliteSpool):
        async def claim(self, *_arguments, **_how):
            raise ValueError("a bug")

    monkeypatch.setattr("postroad.spool.sqlite.SqliteSpool", Buggy)

    async def story():
        told = Told()
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE})) as lab:
            path = written(lab, tmp_path)
            with pytest.raises(SystemExit) as ended:
                await serve(lambda: config_of(path), Log(told).write)
            return ended.value.code, await told.until("relay.bug.caught")

    status, bug = asyncio.run(story())
    assert (1, "error", "ValueError('a bug')") == (status, bug["level"], bug["error"])
    assert "in claim" in bug["trace"]


def test_what_python_would_print_is_in_the_log(tmp_path, monkeypatch):
    """A task that nobody awaited, a thread that ended, an object that could not be deleted: stderr may stall."""

    class Sticky:
        def __del__(self):
            raise ValueError("sticky")

    async def story():
        async with serving(monkeypatch, tmp_path) as (_, told, _service):
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: 1 / 0)
            Sticky()
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
            await told.until("relay.bug.caught", 3)
            return [each["error"] for each in told.named("relay.bug.caught")]

    errors = asyncio.run(story())
    assert ["ValueError('sticky')", *["ZeroDivisionError('division by zero')"] * 2] == sorted(errors)


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


def test_an_open_spool_is_closed_and_one_that_is_gone_takes_no_mail(tmp_path, monkeypatch):
    """The log says what was repaired; mail for a file nobody would find again hears 451 and not 250."""

    def send(where):
        host, _, port = where.rpartition(":")
        with smtplib.SMTP(host, int(port), timeout=PATIENCE_S) as client:
            client.sendmail("a@example.net", ["b@[192.0.2.1]"], MESSAGE)

    async def story():
        spool = tmp_path / "spool"
        spool.mkdir()
        spool.chmod(0o755)
        async with serving(monkeypatch, tmp_path) as (_, told, _service):
            repaired = (await told.until("relay.spool.repaired"))["what"]
            where = (await told.until("relay.port.open"))["where"]
            await asyncio.to_thread(send, where)
            spool.rename(tmp_path / "elsewhere")
            with pytest.raises(smtplib.SMTPDataError) as refused:
                await asyncio.to_thread(send, where)
            (tmp_path / "elsewhere").rename(spool)
            await asyncio.to_thread(send, where)
        return repaired, refused.value.smtp_code

    repaired, code = asyncio.run(story())
    assert (True, 451) == ("its mode is 0700 now" in repaired, code)


@pytest.mark.parametrize(
    ("which", "hint"), [("listen", "choose another port in"), ("metrics", "another address or port")]
)
def test_port_that_is_taken_ends_the_start(tmp_path, which, hint):
    """With what to do about it; the spool is closed, so the next start has it."""

    async def story():
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE})) as lab:
            config = config_of(written(lab, tmp_path))
            with socket.create_server(("127.0.0.1", 0)) as sock:
                port = sock.getsockname()[1]
                listen = (config.listen[0].model_copy(update={"port": port}),)
                metrics = config.metrics.model_copy(update={"listen": (LOOPBACK, port)})
                wrong = config.model_copy(update={"listen": listen} if which == "listen" else {"metrics": metrics})
                with pytest.raises(InputError, match=hint):
                    await serve(lambda: wrong)
            await (await SqliteSpool.open(tmp_path / "spool", node="relay")).close()

    asyncio.run(story())


def submit(port, to, times):
    """Hand mail over."""
    with smtplib.SMTP("127.0.0.1", port, "client.example") as client:
        for _ in range(times):
            client.sendmail("me@example.net", [to], MESSAGE)


class Process:
    """`postroad relay` in a process of its own, on a socket it inherits."""

    def __init__(self, path):
        sock = bind(LOOPBACK, 0)
        sock.listen()  # so that clients may come before it has started
        self.port = sock.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LISTEN", "NOTIFY"))}
        reading, writing = os.pipe()
        words = ["relay", "--config", path]
        self._pid = begin(words, activated, stdin=sock.fileno(), stderr=writing, env=environment)
        os.close(writing)
        sock.close()
        self._log = os.fdopen(reading)

    def until(self, name, count=1):
        """Wait for so many events of a name in its log; the last."""
        for line in self._log:
            event = json.loads(line)
            count -= event["event"] == name
            if not count:
                return event
        raise AssertionError(f"the relay ended before {name}")

    def end(self):
        """SIGTERM; its exit status and the events it still had to tell."""
        os.kill(self._pid, signal.SIGTERM)
        with self._log as rest:
            events = [json.loads(line) for line in rest]
        return wait(self._pid), events


def test_sigterm_ends_a_process_that_loses_nothing(tmp_path):
    """Stopped in the middle of its work it ends with 0; what it took is delivered, once, by it or by the next one."""

    async def story():
        faults = {"127.0.0.13": parse_fault("refuse")}
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE}), faults=faults) as lab:
            path = written(lab, tmp_path)
            first = Process(path)
            opened = await asyncio.to_thread(first.until, "relay.port.open")
            await asyncio.to_thread(submit, first.port, "bob@example.net", 5)
            await asyncio.to_thread(submit, first.port, "ann@example.com", 30)
            status, events = await asyncio.to_thread(first.end)
            tool = await SqliteSpool.open(tmp_path / "spool", node="")
            left = len(await tool.listed(Selection(), 100))
            taken = len(lab.received)
            await tool.retry(Selection(), 0)
            await tool.close()
            await lab.set_fault("127.0.0.13", parse_fault("accept"))
            told, config = Told(), config_of(path)
            spool = await SqliteSpool.open(tmp_path / "spool", node="relay")
            second = Relay(relay_settings(config), spool, resolver_of(config), told)
            await second.open()
            await told.until("deliver.parcel.complete", left)
            await second.close()
            return opened, status, taken + left, len(lab.received), events[-1]["event"], first.port

    opened, status, between, in_the_end, last, port = asyncio.run(story())
    assert f"127.0.0.1:{port}" == opened["where"]
    assert (0, 35, 35, "relay.drained") == (status, between, in_the_end, last)


def test_a_relay_without_stderr_has_its_mail_delivered(tmp_path, monkeypatch):
    """There is nowhere to write its log: all mail is accepted and arrives once, and it ends in order and in time.

    A log that nobody reads, or that a full disk holds: see tests/faults/logs.py.
    """

    async def story():
        told = Told()
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE}), listener=told) as lab:
            path, systemd = written(lab, tmp_path), Systemd(tmp_path, monkeypatch)
            with bind(LOOPBACK, 0) as sock:
                port = sock.getsockname()[1]
            path.write_text(f"{path.read_text()}\nlisten = [{{port = {port}}}]")
            pid = begin(["relay", "--config", path], stderr=CLOSED)
            assert "READY=1" == await systemd.hear()
            await asyncio.to_thread(submit, port, "ann@example.com", 20)
            await told.until("lab.smtp.received", 20)
            os.kill(pid, signal.SIGTERM)
            status = await asyncio.to_thread(wait, pid)
            systemd.close()
            spool = await SqliteSpool.open(tmp_path / "spool", node="")
            left = (await spool.stats(0)).messages
            await spool.close()
        return len(lab.received), left, status

    assert (20, 0, 0) == asyncio.run(story())


def patched(monkeypatch, name, before):
    """The relay does something else before it does this."""
    usual = getattr(Relay, name)

    async def changed(self, *arguments):
        await before()
        await usual(self, *arguments)

    monkeypatch.setattr(Relay, name, changed)


async def hang_up():
    """Somebody asks for the settings to be read again, and the loop goes round."""
    os.kill(os.getpid(), signal.SIGHUP)
    for _ in range(100):
        await asyncio.sleep(0)


def test_reload_asked_for_while_the_relay_opens_is_done_then(tmp_path, monkeypatch):
    """Ports are opened once, and the settings are those of the file as it is when it is read again."""
    patched(monkeypatch, "open", hang_up)

    async def story():
        async with serving(monkeypatch, tmp_path) as (_lab, told, _service):
            await told.until("relay.reload.complete")
            return [event.name for event in told.events if event.name in ("relay.port.open", "relay.reload.complete")]

    assert ["relay.port.open", "relay.reload.complete"] == asyncio.run(story())


def test_nothing_is_reloaded_while_the_relay_ends(tmp_path, monkeypatch):
    """A port opened then would be nobody's."""
    patched(monkeypatch, "close", hang_up)

    async def story():
        async with serving(monkeypatch, tmp_path) as (_lab, told, _service):
            pass
        return told.named("relay.reload.complete")

    assert [] == asyncio.run(story())


def test_relay_that_is_to_stop_while_it_opens_stops(tmp_path, monkeypatch):
    """Whatever it waits for: here, for ever."""

    async def never():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    patched(monkeypatch, "open", never)

    async def story():
        told = Told()
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE})) as lab:
            path = written(lab, tmp_path)
            await serve(lambda: config_of(path), Log(told).write)
        return told.named("relay.port.open"), len(told.named("relay.drained"))

    assert ([], 1) == asyncio.run(story())


def test_start_says_once_that_the_resolver_does_not_validate(tmp_path, monkeypatch):
    """It answers for the root without AD: mail goes out as before, but no exchanger is verified by DANE (T12)."""

    async def story():
        async with serving(monkeypatch, tmp_path, zone=f"$TTL 60\n. NS ns.example.\n{ZONE}") as (lab, told, _service):
            await told.until("relay.dane.off")
            return "{}:{}".format(*lab.resolver_address), [fields["why"] for fields in told.named("relay.dane.off")]

    where, told = asyncio.run(story())
    assert [f"the resolver at {where} does not validate; turn DNSSEC validation on there"] == told


@pytest.mark.parametrize("mode", ["dane", "dane-only"])
def test_start_says_by_which_keys_no_mail_leaves(tmp_path, monkeypatch, mode):
    """Where nothing is verified, "dane-only" keeps all its mail until it is returned."""

    def load(path):
        config = config_of(path)
        return config.model_copy(update={"deliver": config.deliver.model_copy(update={"tls": mode})})

    async def story():
        zone = f"$TTL 60\n. NS ns.example.\n{ZONE}"
        async with serving(monkeypatch, tmp_path, load, zone) as (_lab, told, _service):
            await told.until("relay.dane.missing" if mode == "dane-only" else "relay.dane.off")
            return [(fields["key"], fields["why"]) for fields in told.named("relay.dane.missing")]

    why = 'no mail leaves by "dane-only", and all of it is returned at retry.expiry; write "dane"'
    assert ([("deliver.tls", why)] if mode == "dane-only" else []) == asyncio.run(story())
