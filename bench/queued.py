"""Postroad with a full queue: its memory, how long it takes to start, and whether it delivers as fast as usual."""

import dataclasses
import time

import gauges
import peers
from load import Load, Sinks, send
from world import World

WAITING = "user@waiting.example"  # its one exchanger refuses connections
SHORT = 1000  # the queue to compare with
FILL_CONNECTIONS = 50
SETTLE_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Full:
    """With so many messages queued: seconds to start, PSS in MiB after it, messages a second delivered meanwhile."""

    queued: int
    fill_s: float
    start_s: float
    pss_mib: float
    rate: float
    peak_pss_mib: float


def measure(world: World, arguments) -> dict:
    """A short queue and a long one, one after the other."""
    peer = peers.Postroad(arguments.dir, arguments.postroad)
    load = Load(arguments.messages, arguments.connections[0], persistent=True, length=arguments.length)
    print(f"{'queued':>9}{'fill s':>9}{'start s':>9}{'PSS MiB':>9}{'msg/s':>8}{'peak PSS MiB':>14}", flush=True)
    rows = []
    for count in dict.fromkeys((min(SHORT, arguments.queued), arguments.queued)):
        full = _one(world, peer, load, count)
        print(
            f"{full.queued:>9}{full.fill_s:>9.1f}{full.start_s:>9.2f}{full.pss_mib:>9.1f}{full.rate:>8.0f}"
            f"{full.peak_pss_mib:>14.1f}",
            flush=True,
        )
        rows.append(dataclasses.asdict(full))
    return {"queued": rows}


def _one(world, peer, load, count):
    fill_s = fill(world, peer, dataclasses.replace(load, messages=count, connections=FILL_CONNECTIONS))
    with Sinks(world) as sinks, peers.Running(world, peer, fresh=False) as running:
        time.sleep(SETTLE_S)  # whatever it does after a start, it has begun
        pss, _rss = gauges.memory_mib(world.relay.pids())
        with gauges.PeakMemory(world.relay) as memory:
            begun = time.monotonic()
            send(world, load)
            ended = sinks.await_messages(load.messages, load.quiet_s)
        rate = sum(sinks.messages()) / (ended - begun)
    return Full(count, fill_s, running.start_s, pss, rate, memory.pss)


def fill(world: World, peer, load: Load) -> float:
    """Puts the messages into the peer's spool, for a domain that defers them; the seconds it took.

    They come by SMTP, through the relay. The hook for a faster way: `peer.prepare()`, then `add` to the spool it names.
    """
    begun = time.monotonic()
    with peers.Running(world, peer):
        send(world, load, WAITING)
    return time.monotonic() - begun
