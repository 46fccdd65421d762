"""Postroad with a full queue: its memory, how long it takes to start, and whether it delivers as fast as usual."""

import asyncio
import dataclasses
import time
from pathlib import Path

import gauges
import peers
from load import Load, send
from sinks import Sinks
from world import World

from postroad.spool import StoredMail
from postroad.spool.sqlite import SqliteSpool
from postroad.words.mail import Envelope, Recipient, parse_mailbox

SHORT = 1000  # the queue to compare with
DOMAINS = 1000  # that mail waits for; below a domain whose one exchanger refuses connections
BATCH = 500
LATER_S = 3600.0
SETTLE_S = 5.0  # whatever it does after a start, it has begun by then


@dataclasses.dataclass(frozen=True, slots=True)
class Full:
    """With so many messages queued: seconds to start, PSS in MiB after it, messages a second delivered meanwhile."""

    queued: int
    fill_s: float
    start_s: float
    pss_mib: float
    rate: float
    cpu_ms: float
    peak_pss_mib: float


def measure(world: World, arguments) -> dict:
    """A short queue and a long one, in turn."""
    peer = peers.Postroad(arguments.dir, arguments.postroad)
    load = Load(arguments.messages, arguments.connections[0], persistent=True, length=arguments.length)
    print(
        f"{'queued':>9}{'fill s':>9}{'start s':>9}{'PSS MiB':>9}{'msg/s':>8}{'CPU ms':>8}{'peak PSS MiB':>14}",
        flush=True,
    )
    rows = []
    for _ in range(arguments.pairs):
        for count in dict.fromkeys((min(SHORT, arguments.queued), arguments.queued)):
            full = _one(world, peer, load, count, LATER_S if arguments.due == "later" else 0.0)
            print(
                f"{full.queued:>9}{full.fill_s:>9.1f}{full.start_s:>9.2f}{full.pss_mib:>9.1f}{full.rate:>8.0f}"
                f"{full.cpu_ms:>8.2f}{full.peak_pss_mib:>14.1f}",
                flush=True,
            )
            rows.append(dataclasses.asdict(full))
    return {"queued": rows}


def _one(world, peer, load, count, due_s):
    begun = time.monotonic()
    peer.prepare()
    asyncio.run(fill(peer.spool, count, load.length, time.time() + due_s))
    fill_s = time.monotonic() - begun
    with Sinks(world) as sinks, peers.Running(world, peer, fresh=False) as running:
        time.sleep(SETTLE_S)
        pss, _rss = gauges.memory_mib(world.relay.pids())
        with gauges.PeakMemory(world.relay) as memory:
            begun, cpu_s = time.monotonic(), world.relay.cpu_s()
            send(world, load)
            ended = sinks.await_messages(load.messages, load.quiet_s)
        delivered = max(1, sum(sinks.messages()))
        cpu_ms = 1000 * (world.relay.cpu_s() - cpu_s) / delivered
    return Full(count, fill_s, running.start_s, pss, delivered / (ended - begun), cpu_ms, memory.pss)


async def fill(folder: Path, count: int, length: int, due_at: float):
    """Puts so many messages, to a thousand domains, into a spool."""
    spool = await SqliteSpool.open(folder, node="bench")
    line = b"x" * 70 + b"\r\n"
    body = b"Subject: waiting\r\n\r\n" + line * (length // len(line))
    try:
        for first in range(0, count, BATCH):
            await asyncio.gather(
                *(
                    spool.add(_mail(number, len(body), due_at), body)
                    for number in range(first, min(first + BATCH, count))
                )
            )
    finally:
        await spool.close()


def _mail(number, size, due_at):
    sender = parse_mailbox("sender@client.test.example")
    recipient = Recipient(parse_mailbox(f"user@d{number % DOMAINS}.waiting.example"))
    return StoredMail(f"BENCH{number:010}", Envelope(sender, (recipient,)), due_at, number, size)
