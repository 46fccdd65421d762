"""The load of the throughput benchmark: Postfix's smtp-source before the relay, two sinks behind; what came of it."""

import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import gauges
import signatures
from peers import Running
from sinks import Handshakes, Sinks
from world import MAIL1, RELAY, World

SENDER = f"sender@{signatures.DOMAIN}"
RECIPIENT = "user@example.com"


@dataclass(frozen=True, slots=True)
class Load:
    """What the client does: messages of `length` octets over so many connections at a time.

    `persistent` sends them one after the other over the same connections; otherwise each has its own. `quiet_s` is how
    long nothing may arrive before the run is given up.
    """

    messages: int
    connections: int
    persistent: bool
    length: int = 4096
    quiet_s: float = 60.0

    def __str__(self):
        return f"{self.connections} {'persistent' if self.persistent else 'one each'}"


@dataclass(frozen=True, slots=True)
class Result:
    """One run. Rates in messages a second, costs of the relay alone in CPU milliseconds, flushes and syncs a message.

    `load_cpu_ms` is what client, sinks and nameserver used a message; `other_cpu` how much of the machine's processor
    time went elsewhere, a gauge of noise. `flushes` are of the whole machine. `sessions` are connections to the sinks,
    `handshakes` those with TLS, if the sinks offered it.
    """

    peer: str
    load: Load
    start_s: float
    delivered: int
    rate: float
    accepted_rate: float
    cpu_ms: float
    load_cpu_ms: float
    other_cpu: float
    pss_mib: float
    rss_mib: float
    flushes: float
    split: tuple[int, int]
    sessions: tuple[int, int]
    handshakes: Handshakes | None = None
    syncs: float | None = None

    @property
    def complete(self):
        """Whether every message has arrived, once."""
        return self.delivered == self.load.messages

    @property
    def deviation(self):
        """How far the split is from even, in standard errors of a fair draw for each message."""
        total = sum(self.split)
        return (self.split[0] - total / 2) / (total**0.5 / 2) if total else 0.0

    def as_dict(self):
        """For JSON."""
        return asdict(self) | {"deviation": self.deviation}


def measure(world: World, peer, load: Load) -> Result:
    """One run: a fresh relay, the whole load through it."""
    with Sinks(world) as sinks:
        with Running(world, peer) as running, gauges.PeakMemory(world.relay) as memory:
            before = _counters(world)
            begun = time.monotonic()
            sent_at = send(world, load)
            ended = sinks.await_messages(load.messages, load.quiet_s)
            relay_s, rest_s, busy_s, flushes = (now - then for now, then in zip(_counters(world), before, strict=True))
            split = sinks.messages()
        delivered = sum(split)
        each = 1000 / max(1, delivered)
        return Result(
            peer=peer.name,
            load=load,
            start_s=running.start_s,
            delivered=delivered,
            rate=delivered / (ended - begun),
            accepted_rate=load.messages / (sent_at - begun),
            cpu_ms=relay_s * each,
            load_cpu_ms=rest_s * each,
            other_cpu=max(0.0, busy_s - relay_s - rest_s) / max(busy_s, 0.01),
            pss_mib=memory.pss,
            rss_mib=memory.rss,
            flushes=flushes / max(1, delivered),
            split=split,
            sessions=sinks.sessions(),  # the relay has ended, so all are counted
            handshakes=sinks.handshakes(),
        )


def syncs_each(world: World, peer, load: Load) -> float:
    """Calls of fsync (and the like) a message, in a run of its own under strace."""
    report = world.directory / f"{peer.name}.syncs"
    with Sinks(world) as sinks:
        with Running(world, peer, syncs=report):
            send(world, load)
            sinks.await_messages(load.messages, load.quiet_s)
        return gauges.syncs(report) / load.messages


def unrelayed_rate(world: World, load: Load) -> float:
    """Messages a second from the client straight to one sink: what the load itself can do here."""
    with Sinks(world) as sinks:
        begun = time.monotonic()
        send(world, load, MAIL1, sinks.port)
        return load.messages / (sinks.await_messages(load.messages, load.quiet_s) - begun)


def sample(world: World, peer, load: Load) -> list[bytes]:
    """The messages of a run as they came to the sinks; nothing is measured."""
    with Sinks(world, dumps=True) as sinks:
        with Running(world, peer):
            send(world, load)
            sinks.await_messages(load.messages, load.quiet_s)
        return sinks.dumped()


def send(world: World, load: Load, target: str = RELAY, port: int = 25) -> float:
    """Sends the load; when the last message was accepted."""
    command = ["smtp-source", f"-s{load.connections}", f"-m{load.messages}", f"-l{load.length}"]
    command += [f"-f{SENDER}", f"-t{RECIPIENT}", *["-d"] * load.persistent, f"{target}:{port}"]
    done = subprocess.run(world.of_tools(command), check=False, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"smtp-source: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return time.monotonic()


def _counters(world):
    return world.relay.cpu_s(), world.rest.cpu_s(), gauges.busy_s(), gauges.flushes()
