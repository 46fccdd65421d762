"""One process receives and one delivers: they are one relay, and each may die."""

import asyncio
import contextlib
import errno
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import urllib.request
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.examples import in_whole_runs
from tests.support.patience import PATIENCE_S
from tests.support.relaying import MESSAGE, ZONE, House, Told
from typer.testing import CliRunner

import postroad
from postroad.cli.root import app
from postroad.config import read
from postroad.deliver import Loop, pressure
from postroad.dns import parse_zones
from postroad.lab import Lab, parse_fault
from postroad.net import bind
from postroad.receive import ListenSettings
from postroad.relay import Relay, child, relay_settings
from postroad.relay import split as module
from postroad.relay.deliverer import ProcessorWait, deliver_over
from postroad.relay.deliverer_settings import DelivererSettings
from postroad.relay.delivery import LocalDelivery
from postroad.relay.event_bus import EventBus
from postroad.relay.metrics import Metrics
from postroad.relay.settings import resolver_of
from postroad.relay.split import Split
from postroad.relay.tls_reports import ReportStore
from postroad.spool import SpoolError, Trouble
from postroad.spool.memory import MemorySpool
from postroad.spool.remote import Handover
from postroad.spool.wire import Link
from postroad.words.inputs import InputError
from postroad.words.trace import Event

LOOPBACK = ip_address("127.0.0.1")
LATE = {"receive.message.complete", "gather.store.failed"}
"""Events that may come when they can: two processes write them, and one may have died meanwhile."""


class Process:
    """What asyncio has of a process; it runs in this one. `log` has what it writes on stderr, as events."""

    def __init__(self, descriptor, log):
        self.pid = descriptor
        self.status = None
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._sock = socket.socket(fileno=os.dup(descriptor))
        self._task = asyncio.create_task(self._run())

    async def wait(self):
        """Its status."""
        await self._ended.wait()
        return self.status

    def kill(self):
        """As a crash: whatever it has is dropped."""
        self._exit(-signal.SIGKILL)

    async def _run(self):
        try:
            await deliver_over(self._sock, self._write, self._exit)
        except InputError:
            self._exit(2)
        except SystemExit as end:
            self._exit(end.code)
        self._exit(0)

    def _exit(self, status):
        if self.status is None:
            self.status = status
            self._task.cancel()
            with contextlib.suppress(OSError):  # closed
                self._sock.shutdown(socket.SHUT_RDWR)
            self._ended.set()

    def _write(self, octets):
        for line in octets.splitlines():
            fields = json.loads(line)
            self._loop.call_soon_threadsafe(self._log, Event(fields.pop("event"), fields))
        return len(octets)


def config_of(lab, text=""):
    """Settings for a lab; with numbers, wherever they are asked for."""
    host, port = lab.resolver_address
    return read(
        f"hostname = 'relay.example.org'\ndrain = '100ms'\ndns.resolvers = ['{host}:{port}']\n"
        "metrics.listen = '127.0.0.1:9100'\n"
        f"deliver = {{port = {lab.port}, allow_loopback = true}}\nlog.format = 'json'\n{text}\n",
        Path("relay.toml"),
    )


def sent(config):
    """What the process that delivers has of these settings."""
    return DelivererSettings.of(config, relay_settings(config))


@asynccontextmanager
async def parted(monkeypatch, faults=None, spool=None, text="", zone=ZONE):
    """A house whose relay delivers by another process: in this one, over a real socket."""
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    told = Told()
    faults = {address: parse_fault(fault) for address, fault in (faults or {}).items()}
    async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": zone}), faults=faults, listener=told) as lab:
        log, processes = Told(), []

        async def start(*command, **_options):
            processes.append(Process(int(command[-1]), log))
            return processes[-1]

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
        config = config_of(lab, text)
        settings = replace(relay_settings(config), listen=(ListenSettings(LOOPBACK, 0),))
        spool = spool or MemorySpool()
        split = Split(DelivererSettings.of(config, settings), spool, told)
        relay = Relay(settings, spool, resolver_of(config), told, split)
        await relay.open()
        it = House(lab, relay, told)
        it.log, it.processes, it.split = log, processes, split
        try:
            yield it
        finally:
            await relay.close()


def play(story, monkeypatch, **how):
    """Tell a story in such a house."""

    async def whole():
        async with parted(monkeypatch, **how) as it:
            return await story(it)

    return asyncio.run(whole())


async def numbers_of(it, *pages):
    """A scrape, and what the page on health says; or these pages alone."""
    metrics = await Metrics(it.relay, EventBus()).open(LOOPBACK, 0)

    def fetch(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}{path}", timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    try:
        text, health = [await asyncio.to_thread(fetch, path) for path in pages or ("/metrics", "/health")]
    finally:
        await metrics.close()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(each.name.removeprefix("postroad_"), *each.labels.values()): each.value for each in samples}, health


def test_mail_is_received_here_and_delivered_there(monkeypatch):
    """To both exchangers, with our Received field in front; the log of the one that delivers has each attempt."""

    async def story(it):
        await it.submit("ann@example.com", times=20)
        await it.log.until("deliver.attempt.complete", 20)
        assert (await it.relay.spool.stats(0)).messages == 0
        content = it.lab.received[0].content
        return sum(it.taken().values()), sorted(it.taken()), content.startswith(b"Received:"), content.endswith(MESSAGE)

    assert (20, ["11", "12"], True, True) == play(story, monkeypatch)


def test_large_mail_is_read_through_the_other_process(monkeypatch):
    """Larger than what is pushed along."""
    content = MESSAGE + b"0123456789abcdef" * 60_000 + b"\r\n"

    async def story(it):
        lines = content.replace(b"0123456789abcdef" * 4, b"0123456789abcdef" * 4 + b"\r\n")
        await it.submit("ann@example.com", content=lines)
        await it.log.until("deliver.attempt.complete")
        return it.lab.received[0].content.endswith(lines)

    assert play(story, monkeypatch)


def test_numbers_of_both_are_one_page(monkeypatch):
    """What is received is counted here, what is delivered there; each scrape has all of it, once."""

    async def story(it):
        bus = EventBus()
        it.told.others.append(bus)
        metrics = await Metrics(it.relay, bus).open(LOOPBACK, 0)
        await it.submit("ann@example.com", times=3)
        await it.log.until("deliver.attempt.complete", 3)
        await metrics.close()
        first, health = await numbers_of(it)
        second, _ = await numbers_of(it)
        bus.close()
        keys = [("attempts_total", "delivered"), ("delivery_seconds_count",), ("attempt_seconds_bucket", "+Inf")]
        return [first[key] for key in keys], [second[key] for key in keys], health

    assert ([3, 3, 3], [3, 3, 3], "ok\n") == play(story, monkeypatch)


def test_one_that_dies_is_started_again_and_has_what_it_had(monkeypatch):
    """It is told; mail under way when it died is delivered by the next one, and so is what came meanwhile."""

    async def story(it):
        await it.submit("bob@example.net")
        await it.told.until("lab.smtp.connected")
        it.processes[0].kill()
        await it.told.until("relay.worker.failed")
        await it.submit("ann@example.com")
        await it.lab.set_fault("127.0.0.13", parse_fault("accept"))
        await it.log.until("deliver.attempt.complete", 2)
        (failed,) = it.told.named("relay.worker.failed")
        return failed["why"], sorted(it.taken()), len(it.processes), (await it.relay.spool.stats(0)).messages

    why, taken, lives, left = play(story, monkeypatch, faults={"127.0.0.13": "slow"})
    assert ("was killed by SIGKILL", 2, 0) == (why, lives, left)
    assert {"13"} < set(taken)


def test_health_says_who_is_missing(monkeypatch):
    """Until the next one is there."""

    async def story(it):
        monkeypatch.setattr(module, "AGAIN_S", 3600.0)
        well = it.split.trouble
        it.processes[0].kill()
        await it.told.until("relay.worker.failed")
        room = it.split.has_room_for(["example.com"])
        return well, it.split.trouble, room

    expected = "", "the delivery process was killed by SIGKILL and is being restarted", False
    assert expected == play(story, monkeypatch)


def test_machine_without_room_for_a_process_is_asked_again(monkeypatch):
    """Accepting goes on; whatever is missing may be there in a second."""

    async def story(it):
        start = asyncio.create_subprocess_exec
        refusals = iter([BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")])

        async def refused(*command, **options):
            for problem in refusals:
                raise problem
            return await start(*command, **options)

        monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
        it.processes[0].kill()
        await it.told.until("relay.worker.failed", 2)
        await it.submit("ann@example.com")
        await it.log.until("deliver.attempt.complete")
        return it.told.named("relay.worker.failed")[1]["why"]

    assert "cannot be started: Resource temporarily unavailable" == play(story, monkeypatch)


def test_one_that_says_nothing_is_killed(monkeypatch):
    """It may be stopped, or stuck: nobody would deliver any more."""
    monkeypatch.setattr(child, "LOOK_S", 0.0)
    monkeypatch.setattr("postroad.relay.deliverer.REPORT_S", 3600.0)

    async def story(it):
        await it.told.until("relay.worker.failed", 2)
        return [fields["why"] for fields in it.told.named("relay.worker.failed")][:2]

    expected = ["it has not answered for 0 s and is killed", "was killed by SIGKILL"]
    assert expected == play(story, monkeypatch)


def test_other_settings_reach_the_other_process(monkeypatch):
    """Mail accepted after them goes by them; so it does if they come while nobody delivers."""

    async def story(it):
        elsewhere = config_of(it.lab, f"route = [{{domains = ['*'], next_hop = '127.0.0.13:{it.lab.port}'}}]")
        it.split.configure(sent(elsewhere))
        await it.submit("ann@example.com")
        await it.log.until("deliver.attempt.complete")
        it.processes[0].kill()
        hosts = f"route = [{{domains = ['*'], next_hop = '127.0.0.12:{it.lab.port}'}}]"
        it.split.configure(sent(config_of(it.lab, hosts)))
        await it.told.until("relay.worker.failed")
        await it.submit("ann@example.com")
        await it.log.until("deliver.attempt.complete", 2)
        return it.taken()

    assert {"13": 1, "12": 1} == play(story, monkeypatch)


def test_how_many_relays_share_the_spool_reaches_the_other_process(monkeypatch):
    """There the windows are; the one after it hears of it at its start. A relay alone is told nothing."""

    async def story(it):
        it.split.share(1)
        it.split.share(3)
        first = await heard.get()
        it.processes[0].kill()
        await it.told.until("relay.worker.failed")
        return first, await heard.get()

    heard = asyncio.Queue()
    monkeypatch.setattr(LocalDelivery, "share", lambda _, nodes: heard.put_nowait(nodes))
    assert (3, 3) == play(story, monkeypatch)


def test_the_lease_reaches_the_other_process(monkeypatch):
    """It sends what is claimed, as long as that is ours; the one after it has the same lease from its start."""

    async def story(it):
        first = await heard.get()
        it.processes[0].kill()
        await it.told.until("relay.worker.failed")
        return {first, await heard.get()} == {it.split._lease}

    heard = asyncio.Queue()
    monkeypatch.setattr(Loop, "lease", lambda _, asked_at, until: heard.put_nowait((asked_at, until)))
    assert play(story, monkeypatch)


def test_settings_that_change_during_a_start_are_sent_after_it(monkeypatch):
    """It was started with the old ones, and could not be told yet."""

    async def story(it):
        begin = asyncio.create_subprocess_exec

        async def start(*command, **options):
            hosts = f"route = [{{domains = ['*'], next_hop = '127.0.0.13:{it.lab.port}'}}]"
            it.split.configure(sent(config_of(it.lab, hosts)))
            return await begin(*command, **options)

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
        it.processes[0].kill()
        await it.told.until("relay.worker.failed")
        await it.submit("ann@example.com")
        await it.log.until("deliver.attempt.complete")
        return it.taken()

    assert {"13": 1} == play(story, monkeypatch)


def test_one_whose_parent_is_gone_ends_at_once():
    """And says so."""

    async def story():
        ends, log = [], Told()
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE})) as lab:
            ready = asyncio.Event()
            ours, theirs = socket.socketpair()
            words = Handover(MemorySpool()).words
            link = await Link.open(ours, {**words, "ready": ready.set, "report": lambda *_: None})
            link.tell("begin", module.program(), sent(config_of(lab)).packed())
            process = Process(theirs.detach(), log)
            process._exit = ends.append
            await ready.wait()
            link.close()
            await log.until("relay.parent.gone")
            await process._task
        return ends[0]

    assert 1 == asyncio.run(story())


def test_trouble_with_the_spool_is_seen_at_both_ends(monkeypatch):
    """The one that delivers logs it and tries again; the page on health, which is here, says it too."""

    class Full(MemorySpool):
        times = 1

        async def settle(self, settlements, now):
            if self.times:
                self.times -= 1
                raise SpoolError(Trouble.FULL, "the disk is full")
            await super().settle(settlements, now)

    async def story(it):
        monkeypatch.setattr("postroad.deliver.settler.AGAIN_S", 0.0)
        await it.submit("ann@example.com")
        why = (await it.log.until("deliver.spool.failed"))["why"]
        await it.log.until("deliver.attempt.complete")
        with pytest.raises(HTTPError) as unhealthy:
            await numbers_of(it, "/health")
        with unhealthy.value as answer:
            return why, answer.read().decode()

    expected = "the disk is full", "the spool is in trouble: the disk is full\n"
    assert expected == play(story, monkeypatch, spool=Full())


def test_senders_wait_while_the_other_process_has_no_processor_left(monkeypatch):
    """With much handed over and not heard back of; not if it has time, and waits for slow hosts."""
    monkeypatch.setattr("postroad.relay.deliverer.REPORT_S", 3600.0)
    monkeypatch.setattr(pressure, "MOST", 10)

    async def story(it):
        await it.submit("bob@example.net", times=pressure.MOST)
        waits = []
        for second, used in enumerate((1.0, 1.1), 1):
            it.split._hear_report(it.split._child, 1e9 + second, 1e9 + used, (0, 0, 0, 0))
            waits.append(it.split.pressure.turn() is not None)
        return waits

    assert [True, False] == play(story, monkeypatch, faults={"127.0.0.13": "slow"})


def test_program_that_was_replaced_asks_for_a_restart(monkeypatch):
    """Its next process would not understand the one that runs."""

    async def story(it):
        it.split._program = "postroad 0.0"
        it.processes[0].kill()
        await it.told.until("relay.worker.failed", 2)
        return it.told.named("relay.worker.failed")[1]["why"]

    assert "ended with status 2" == play(story, monkeypatch)


def test_one_that_cannot_start_ends_the_start(monkeypatch):
    """What no other start mends is an error, not a loop."""

    async def story():
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE})) as lab:
            config = config_of(lab)
            told = Told()
            split = Split(sent(config), MemorySpool(), told, (sys.executable, "-S", "-c", "raise SystemExit(2)"))
            with pytest.raises(InputError, match="could not start: it ended with status 2"):
                await split.start()
            return told.events, await split.drain(1.0)

    assert ([], 0) == asyncio.run(story())


def test_one_that_is_killed_at_the_first_start_is_started_again(monkeypatch):
    """What has killed it, such as want of memory, may be gone in a second."""
    monkeypatch.setattr(module, "AGAIN_S", 0.0)

    async def story():
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE})) as lab:
            told, config = Told(), config_of(lab)
            dying = (sys.executable, "-S", "-c", "import os; os.kill(os.getpid(), 9)")
            split = Split(sent(config), MemorySpool(), told, dying)
            with pytest.raises(InputError, match="it was killed by SIGKILL"):
                await split.start()
            return [fields["why"] for fields in told.named("relay.worker.failed")]

    assert ["was killed by SIGKILL"] * 2 == asyncio.run(story())


def test_one_that_is_never_ready_is_killed(monkeypatch):
    """It may be stopped: whoever waits for the start has to hear of it."""
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    monkeypatch.setattr(child, "START_S", 0.0)

    async def story():
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE})) as lab:
            told, config = Told(), config_of(lab)
            waiting = (sys.executable, "-S", "-c", "import time; time.sleep(3600)")
            split = Split(sent(config), MemorySpool(), told, waiting)
            with pytest.raises(InputError, match="it was killed by SIGKILL"):
                await split.start()
            return told.named("relay.worker.failed")[0]["why"]

    assert "it was not ready within 0 s and is killed" == asyncio.run(story())


def test_the_other_process_runs_nothing_of_the_working_directory(tmp_path):
    """A relay that root starts in a folder that anybody may write to is still ours alone."""
    for name in ("postroad.py", "random.py", "sitecustomize.py"):
        (tmp_path / name).write_text("raise SystemExit(7)")
    begin = child.command()
    looks = f"{begin[-1].partition(' from ')[0]} import postroad, random; print(postroad.__file__)"
    done = subprocess.run([*begin[:-1], looks], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (0, f"{postroad.__file__}\n") == (done.returncode, done.stdout)


def test_one_that_does_not_end_is_killed(monkeypatch):
    """It was told to; the log says so, and the relay ends."""

    async def story(it):
        monkeypatch.setattr(child, "GRACE_S", 0.0)
        monkeypatch.setattr("postroad.relay.delivery.Loop.drain", lambda *_: asyncio.sleep(PATIENCE_S))
        await it.split.drain(0.0)
        (failed,) = it.told.named("relay.worker.failed")
        return failed["why"]

    assert "it did not exit within 0 s of SIGTERM and is killed" == play(story, monkeypatch)


class Running:
    """`postroad relay --workers 2`, and its log."""

    def __init__(self, path):
        command = (sys.executable, "-m", "postroad", "relay", "--config", str(path), "--workers", "2")
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.port = None

    def until(self, name, count=1):
        """Wait for so many events of a name; the last."""
        for line in self.process.stderr:
            event = json.loads(line)
            count -= event["event"] == name
            if not count:
                return event
        raise AssertionError(f"it ended before {name}")

    def rest(self):
        """The names of all events that come until nobody is left who could tell one."""
        with self.process.stderr as log:
            return [json.loads(line)["event"] for line in log]

    def child(self):
        """The process that delivers."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text())

    def submit(self, to, times):
        """Hand mail over."""
        with smtplib.SMTP("127.0.0.1", self.port, "client.example") as client:
            for _ in range(times):
                client.sendmail("me@example.net", [to], MESSAGE)


def configured(folder, lab):
    """A settings file with a free port."""
    host, nameserver = lab.resolver_address
    with bind(LOOPBACK, 0) as sock:
        port = sock.getsockname()[1]
    path = folder / "postroad.toml"
    path.write_text(
        f"hostname = 'relay.example.org'\nspool.path = 'spool'\nlisten = [{{port = {port}}}]\nlog.format = 'json'\n"
        f"dns.resolvers = ['{host}:{nameserver}']\ndeliver = {{port = {lab.port}, allow_loopback = true}}\n"
        "aliases = {root = 'ann@example.com', postmaster = 'root'}\n"
    )
    return path, port


def in_processes(tell):
    """Run a story, told in a thread, about real processes: it gets how to start them."""

    async def whole(folder):
        async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE})) as lab:
            path, port = configured(folder, lab)

            def start():
                running = Running(path)
                running.until("relay.port.open")
                running.port = port
                return running

            return await asyncio.to_thread(tell, start, lab)

    return lambda tmp_path: asyncio.run(whole(tmp_path))


@in_whole_runs
def test_real_processes_outlive_a_kill_and_leave_nobody(tmp_path):
    """Mail goes on once the one that delivers is back. It outlives its parent by nothing: the next start has all.

    Signals to all of them change nothing of that, as systemd sends SIGTERM to a whole group, and a terminal SIGINT:
    what is done is the receiver's to say. Killed, that one leaves nobody, so the next has port and spool at once; at
    the end both end in order.
    """

    def story(start, lab):
        relay = start()
        relay.submit("ann@example.com", 20)
        relay.until("deliver.attempt.complete", 20)
        first = relay.child()
        os.kill(first, signal.SIGKILL)
        failed = relay.until("relay.worker.failed")
        relay.submit("ann@example.com", 20)
        relay.until("deliver.attempt.complete", 20)
        second = relay.child()
        is_lean = "pydantic" not in Path(f"/proc/{second}/maps").read_text()  # it reads no settings
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(second, number)
        relay.submit("ann@example.com", 1)
        relay.until("deliver.attempt.complete")
        relay.process.kill()
        relay.process.wait()
        following = start()
        told = relay.rest()
        following.submit("ann@example.com", 1)
        following.until("deliver.attempt.complete")
        third = following.child()
        following.process.send_signal(signal.SIGINT)
        end, status = following.rest(), following.process.wait()
        # The second is an orphan, which init reaps when it may: that its log has ended says that it has
        gone = not any(Path(f"/proc/{pid}").exists() for pid in (first, third))
        ends = [[name for name in names if name not in LATE] for names in (told, end)]
        return failed["why"], failed["pid"] == first, is_lean, ends, status, gone, len(lab.received)

    ends = [["relay.parent.gone"], ["relay.drained"]]
    expected = "was killed by SIGKILL", True, True, ends, 0, True, 42
    assert expected == in_processes(story)(tmp_path)


def test_three_are_one_too_many():
    """There is no work for a third, and the error says so."""
    ended = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["relay", "--workers", "3"])
    assert (2, True) == (ended.exit_code, "one receives, one delivers" in ended.stderr)


def test_wait_for_a_processor_is_counted_where_the_kernel_says_it(tmp_path):
    """Nanoseconds, the second number of the file, as they are now; none where there is no such file, or another."""
    says = tmp_path / "schedstat"
    says.write_text("1 2500000000 3\n")
    wait = ProcessorWait(says)
    first = wait.seconds()
    says.write_text("1 3500000000 3\n")
    silent = [ProcessorWait(tmp_path / "none").seconds(), ProcessorWait(Path("/dev/null")).seconds()]
    assert (2.5, 3.5, [0.0, 0.0]) == (first, wait.seconds(), silent)


def test_sessions_are_counted_where_mail_is_delivered_and_kept_where_the_spool_is(monkeypatch):
    """What the other process has counted for TLS reports is in the spool when it ends."""

    async def story():
        spool = MemorySpool()
        spool.close = lambda: asyncio.sleep(0)  # it outlives the relay, as a disk does
        text = "[tls_report]\nenabled = true"
        zone = ZONE + '\n$ORIGIN example.com.\n_smtp._tls TXT "v=TLSRPTv1; rua=mailto:reports@example.com"\n'
        async with parted(monkeypatch, spool=spool, text=text, zone=zone) as it:
            await it.submit("ann@example.com")
            await it.log.until("deliver.attempt.complete")
        store = ReportStore(spool)
        (due,) = await store.due()
        ((row, count),) = await store.rows(due)
        assert ("example.com", 1, "starttls-not-supported") == (due.reader, count, row.failure)

    asyncio.run(story())
