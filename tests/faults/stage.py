"""Where a scenario plays: a relay, its exchangers, its clients, on a loopback network of its own."""

import asyncio
import contextlib
import math
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from random import Random

from tests.faults.books import LOOK_S, Figures, Ledger, until
from tests.faults.load import Letters, Load
from tests.faults.ports import free_port
from tests.faults.relays import FORKED, RelayProcess, is_running, write_settings
from tests.faults.spools import FOLDER, spool_of
from tests.faults.worlds import Loopback

from postroad.spool import open_place

ZONE = """
$TTL 1
one.example.  IN MX 10 a.sink.example.
one.example.  IN MX 10 b.sink.example.
two.example.  IN MX 10 b.sink.example.
two.example.  IN MX 10 c.sink.example.
home.example. IN MX 10 c.sink.example.
a.sink.example. IN A {0}1
b.sink.example. IN A {0}2
c.sink.example. IN A {0}3
"""
ORPHANS_S = 30.0  # more than the one that delivers may take to end after the one that receives
NAMES = ("one.example", "two.example", "home.example", "a.sink.example", "b.sink.example", "c.sink.example")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much of each scenario, and where. `seconds` is how long load lasts; `penalty_s` None: the relay's own.

    `part`: of the messages that a scenario asks for before it goes on. `rest_s`: what a client rests after each
    message; without, as much is sent as the machine can take. `is_forked`: its relays are forks of a process that has
    loaded all, not started as users start theirs. `spool`: what kind they have.
    """

    kills: int = 50
    seconds: float = 5.0
    part: float = 1.0
    senders: int = 20
    crowd: int = 10_000
    pits: int = 200
    mountain: int = 1_000_000
    singles: int = 2_000
    burst: int = 20_000
    mourned: int = 200
    penalty_s: float | None = None
    rest_s: float = 0.0
    seed: int = 20261121
    world: object = Loopback()
    is_forked: bool = False
    spool: str = FOLDER


SHORT = Scale(
    kills=1,
    seconds=0.2,
    part=0.15,
    senders=5,
    rest_s=0.05,
    crowd=120,
    pits=40,
    mountain=1000,
    singles=20,
    burst=250,
    mourned=5,
    penalty_s=0.3,
    is_forked=True,
)


class Stage:
    """`async with Stage(...)`: the exchangers are open, the relay is not started yet; at the end all is gone.

    Every scenario has a network of its own, so that all may play at once. `zone`: more names.
    `settings`: more tables, or a function that makes them of the port of the exchangers. `nodes`: how many relays share
    the spool. `relay`: options of RelayProcess.
    """

    def __init__(  # noqa: PLR0913  # each has a default and is written by name
        self, name, network, scale, *, settings=None, zone="", forgiving=False, nodes=1, **relay
    ):
        self.world = scale.world
        self.net = self.world.net(network)
        self.scale = scale
        self.rng = Random(f"{scale.seed} {name}")
        self.figures = Figures(name)
        self.ledger = Ledger()
        self.letters = Letters(self.rng)
        self.folder = Path(tempfile.mkdtemp(prefix="postroad-faults-"))
        self.store = spool_of(scale.spool, self.folder, is_copied=scale.is_forked)
        self.sinks = [self.world.sink(f"{self.net}{number}", self.ledger, self.rng) for number in (1, 2, 3)]
        self.port = free_port([str(sink.address) for sink in self.sinks])
        more = settings(self.port) if callable(settings) else settings or {}
        self._penalty_s = scale.penalty_s if forgiving else None
        self.relays = [self._relay(network, number, nodes, relay) for number in range(nodes)]
        self.relay = self.relays[0]
        for each in self.relays:
            self._write_settings(each, more, zone)
        self._began = 0.0

    async def __aenter__(self):
        self._began = time.monotonic()
        await self.store.make()
        for sink in self.sinks:
            await sink.open(self.port)
        return self

    async def __aexit__(self, *_):
        for relay in self.relays:
            await relay.kill()
            relay.close()
        for sink in self.sinks:
            await sink.end()
        await self.store.end()
        shutil.rmtree(self.folder)

    @property
    def spool(self):
        """The folder of the spool."""
        return self.store.path

    def load(self, **options):
        """Clients for the relays."""
        places = [relay.place for relay in self.relays]
        return Load(places, self.ledger, self.letters, source=self.world.clients, rest_s=self.scale.rest_s, **options)

    def address(self, number):
        """One of the network of this scenario."""
        return ip_address(f"{self.net}{number}")

    def be(self, *moods):
        """All exchangers have these moods from now on."""
        for sink in self.sinks:
            sink.moods = moods

    def part_of(self, count):
        """What this scale has in place of so many messages."""
        return math.ceil(count * self.scale.part)

    async def accepted(self, more):
        """Wait until so many more are accepted, or the part of them that this scale has."""
        wanted = len(self.ledger.accepted) + self.part_of(more)
        if not await until(lambda: len(self.ledger.accepted) >= wanted, lambda: len(self.ledger.accepted)):
            self.figures.must(holds=False, otherwise=f"no mail is accepted any more: {dict(self.ledger.replies)}")

    async def kill(self, relay=None):
        """Kill a relay, and read in the spool it leaves which deliveries were in flight: those may come twice."""
        relay = relay or self.relay
        await relay.kill()
        await self._count_doubts(relay)

    async def kill_parent(self):
        """Kill the one that receives alone: the other is to end with it, and leave port and spool to the next."""
        orphans = await self.relay.kill_parent()
        ended = await until(lambda: not any(map(is_running, orphans)), patience_s=ORPHANS_S)
        self.figures.must(ended, f"the one that delivers lives {ORPHANS_S:g} s after the one that receives")
        for pid in filter(is_running, orphans):
            os.kill(pid, signal.SIGKILL)
        await self._count_doubts(self.relay)

    async def kill_deliverer(self):
        """Kill the one that delivers; the other stands still until it is read which deliveries there may be twice."""
        await until(self.relay.children)
        (killed,) = self.relay.children()
        async with self.relay.paused(self.relay.pid):
            os.kill(killed, signal.SIGKILL)
            await until(lambda: not is_running(killed))
            claimed = [mailbox for mailboxes in (await self.store.claimed()).values() for mailbox in mailboxes]
        self.figures.kills += 1
        self.figures.promised += len(claimed)
        self.ledger.doubtful = (self.ledger.doubtful or Counter()) + Counter(claimed)

    async def _count_doubts(self, relay):
        source = relay.source
        ended = await until(lambda: not any(sink.peers[source] if source else sink.sessions for sink in self.sinks))
        self.figures.must(ended, "connections outlive the relay")
        self.figures.kills += 1
        await self.doubt(relay)

    async def doubt(self, relay):
        """What a relay had claimed that does nothing any more, and an exchanger has taken from it, may come twice."""
        claimed = (await self.store.claimed()).get(relay.node, set())
        doubtful = claimed & self.ledger.pop_fresh(relay.source)
        self.figures.promised += len(doubtful)
        if self.ledger.doubtful is not None:
            self.ledger.doubtful.update(doubtful)

    async def drain(self):
        """Wait until the spool is empty, then end the relay in order."""
        async with self._watched() as is_drained:
            is_empty = await until(is_drained, lambda: (self.ledger.taken.total(), len(self.ledger.missing)))
        self.figures.must(is_empty, "the spool does not run empty")
        self.figures.notes["rss_mib"] = self.relay.rss_mib()[0]
        for relay in self.relays:
            status = 0 if relay.is_buried else await relay.stop()
            self.figures.must(status == 0, f"the relay ended with status {status}")

    def close(self):
        """The figures."""
        figures = self.figures
        figures.close(self.ledger)
        figures.wrong += [complaint for relay in self.relays for complaint in relay.complaints()]
        figures.seconds = round(time.monotonic() - self._began, 1)
        if self.ledger.replies:
            figures.notes["replies"] = {str(code): count for code, count in sorted(self.ledger.replies.items())}
        return figures

    @contextlib.asynccontextmanager
    async def _watched(self):
        """Watch the live spool from outside, as `postroad queue` does; calling the result says whether it is empty."""
        task = asyncio.create_task(self._run_empty())
        try:
            yield lambda: task.done() and task.result() is None  # or it raises what went wrong
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run_empty(self):
        spool = await open_place(self.store.where, node="", asynchronous=True)
        try:
            while (await spool.stats(time.time())).messages:  # noqa: ASYNC110  # another process empties it
                await asyncio.sleep(LOOK_S)
        finally:
            await spool.close()

    def _relay(self, network, number, nodes, options):
        """One of so many that share the spool: then each has a name and an address of its own."""
        place, folder = self.world.place(network, number) if number else self.world.place(network), self.folder
        if nodes > 1 or self.scale.spool != FOLDER:
            options = options | {"node": f"n{number + 1}"}
        if nodes > 1:
            options |= {"source": place[0]}
            folder = self.folder / f"n{number + 1}"
            folder.mkdir()
        how = FORKED if self.scale.is_forked else self.world.at_relay
        return RelayProcess(folder, place, how=how, penalty_s=self._penalty_s, **options)

    def _write_settings(self, relay, more, names):
        zone = relay.folder / "zone"
        zone.write_text(ZONE.format(self.net) + names)
        settings = {
            "hostname": "relay.example",
            "drain": "5s",
            "spool": self.store.settings | {"node": relay.node, "history": "5s"},
            "listen": {"address": relay.place[0], "port": relay.place[1]},
            "deliver": {"port": self.port, "allow_loopback": True, "tls": "off", "connect_timeout": "2s"}
            | ({"source": [relay.source]} if relay.source else {}),
            "retry": {"first": "300ms", "factor": 1.5, "longest": "1s", "warn_after": 0},
            "dns": {"zones": [str(zone)]},
            "relay": {"networks": [self.world.networks]},
            "limits": {},
            "timeouts": {},
            "log": {"level": "error"},
        }
        for name, table in more.items():
            settings[name] = settings[name] | table if isinstance(table, dict) else table
        write_settings(relay.folder / "relay.toml", settings)
