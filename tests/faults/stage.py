"""Where a scenario plays: a relay, its exchangers, its clients, on a loopback network of its own."""

import asyncio
import contextlib
import math
import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from random import Random

from tests.faults.books import LOOK_S, Figures, Ledger, until
from tests.faults.load import Letters, Load
from tests.faults.ports import free_port
from tests.faults.relays import FORKED, RelayProcess, is_running, write_settings
from tests.faults.worlds import Loopback

from postroad.spool import Selection, SpoolError, State
from postroad.spool.sqlite import SqliteSpool

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
    loaded all, not started as users start theirs.
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


SHORT = Scale(
    kills=2,
    seconds=0.3,
    part=0.3,
    senders=5,
    rest_s=0.04,
    crowd=150,
    pits=40,
    mountain=2000,
    singles=40,
    burst=500,
    mourned=10,
    penalty_s=0.3,
    is_forked=True,
)


class Stage:
    """`async with Stage(...)`: the exchangers are open, the relay is not started yet; at the end all is gone.

    Every scenario has a network of its own, so that all may play at once. `zone`: more names.
    `settings`: more tables, or a function that makes them of the port of the exchangers. `relay`: options of
    RelayProcess.
    """

    def __init__(self, name, network, scale, *, settings=None, zone="", forgiving=False, **relay):
        self.world = scale.world
        self.net = self.world.net(network)
        self.scale = scale
        self.rng = Random(f"{scale.seed} {name}")
        self.figures = Figures(name)
        self.ledger = Ledger()
        self.letters = Letters(self.rng)
        self.folder = Path(tempfile.mkdtemp(prefix="postroad-faults-"))
        self.spool = self.folder / "spool"
        self.sinks = [self.world.sink(f"{self.net}{number}", self.ledger, self.rng) for number in (1, 2, 3)]
        self.port = free_port([str(sink.address) for sink in self.sinks])
        place, penalty_s = self.world.place(network), scale.penalty_s if forgiving else None
        how = FORKED if scale.is_forked else self.world.at_relay
        self.relay = RelayProcess(self.folder, place, how=how, penalty_s=penalty_s, **relay)
        self._write_settings(place, settings(self.port) if callable(settings) else settings or {}, zone)
        self._began = 0.0

    async def __aenter__(self):
        self._began = time.monotonic()
        for sink in self.sinks:
            await sink.open(self.port)
        return self

    async def __aexit__(self, *_):
        await self.relay.kill()
        self.relay.close()
        for sink in self.sinks:
            await sink.end()
        shutil.rmtree(self.folder)

    def load(self, **options):
        """Clients for the relay."""
        return Load(
            self.relay.place, self.ledger, self.letters, source=self.world.clients, rest_s=self.scale.rest_s, **options
        )

    def address(self, number):
        """One of the network of this scenario."""
        return ip_address(f"{self.net}{number}")

    def be(self, *moods):
        """All exchangers have these moods from now on."""
        for sink in self.sinks:
            sink.moods = moods

    async def accepted(self, more):
        """Wait until so many more are accepted, or the part of them that this scale has."""
        wanted = len(self.ledger.accepted) + math.ceil(more * self.scale.part)
        if not await until(lambda: len(self.ledger.accepted) >= wanted, lambda: len(self.ledger.accepted)):
            self.figures.must(holds=False, otherwise=f"no mail is accepted any more: {dict(self.ledger.replies)}")

    async def kill(self):
        """Kill the relay, and read in the spool it leaves which deliveries were in flight: those may come twice."""
        await self.relay.kill()
        await self._count_doubts()

    async def kill_parent(self):
        """Kill the one that receives alone: the other is to end with it, and leave port and spool to the next."""
        orphans = await self.relay.kill_parent()
        ended = await until(lambda: not any(map(is_running, orphans)), patience_s=ORPHANS_S)
        self.figures.must(ended, f"the one that delivers lives {ORPHANS_S:g} s after the one that receives")
        for pid in filter(is_running, orphans):
            os.kill(pid, signal.SIGKILL)
        await self._count_doubts()

    async def kill_deliverer(self):
        """Kill the one that delivers; the other stands still until it is read which deliveries there may be twice."""
        await until(self.relay.children)
        (killed,) = self.relay.children()
        async with self.relay.paused(self.relay.pid):
            os.kill(killed, signal.SIGKILL)
            await until(lambda: not is_running(killed))
            claimed = [mailbox for mailboxes in (await self._claimed()).values() for mailbox in mailboxes]
        self.figures.kills += 1
        self.figures.promised += len(claimed)
        self.ledger.doubtful = (self.ledger.doubtful or Counter()) + Counter(claimed)

    async def _count_doubts(self):
        ended = await until(lambda: not any(sink.sessions for sink in self.sinks))
        self.figures.must(ended, "connections outlive the relay")
        self.figures.kills += 1
        self.figures.promised += await self._in_doubt()
        self.ledger.fresh.clear()

    async def drain(self):
        """Wait until the spool is empty, then end the relay in order."""
        async with self._watched() as is_drained:
            is_empty = await until(is_drained, lambda: (self.ledger.taken.total(), len(self.ledger.missing)))
        self.figures.must(is_empty, "the spool does not run empty")
        memory = self.relay.rss_mib()
        self.figures.notes["rss_mib"] = memory[0]
        status = await self.relay.stop()
        self.figures.must(status == 0, f"the relay ended with status {status}")

    def close(self):
        """The figures."""
        figures = self.figures
        figures.close(self.ledger)
        figures.wrong += self.relay.complaints()
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
        spool = await SqliteSpool.open(self.spool, node="")
        try:
            while (await spool.stats(time.time())).messages:  # noqa: ASYNC110  # another process empties it
                await asyncio.sleep(LOOK_S)
        finally:
            await spool.close()

    async def _in_doubt(self):
        """How many recipients a dead relay had claimed, and an exchanger taken from it."""
        claimed = await self._claimed()
        return len({mailbox for mailboxes in claimed.values() for mailbox in mailboxes} & self.ledger.fresh)

    async def _claimed(self):
        """The recipients claimed in a spool that nobody uses now, by node."""
        copy = self.folder / "dead"
        copy.mkdir()
        for part in ("spool.db", "spool.db-wal"):  # opened in its place it would be recovered before the relay does
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(self.spool / part, copy / part)
        try:
            self.figures.must(await asyncio.to_thread(_is_sound, copy / "spool.db"), "the spool is damaged")
            return await _claimed(copy)
        except SpoolError:  # killed before there was one
            return {}
        finally:
            shutil.rmtree(copy)

    def _write_settings(self, place, more, names):
        zone = self.folder / "zone"
        zone.write_text(ZONE.format(self.net) + names)
        settings = {
            "hostname": "relay.example",
            "drain": "5s",
            "spool": {"path": str(self.spool), "history": "5s"},
            "listen": {"address": place[0], "port": place[1]},
            "deliver": {"port": self.port, "allow_loopback": True, "tls": "off", "connect_timeout": "2s"},
            "retry": {"first": "300ms", "factor": 1.5, "longest": "1s", "warn_after": 0},
            "dns": {"zones": [str(zone)]},
            "relay": {"networks": [self.world.networks]},
            "limits": {},
            "timeouts": {},
            "log": {"level": "error"},
        }
        for name, table in more.items():
            settings[name] = settings[name] | table if isinstance(table, dict) else table
        write_settings(self.folder / "relay.toml", settings)


async def _claimed(folder):
    spool = await SqliteSpool.open(folder, node="")
    try:
        listed = await spool.listed(Selection(state=State.CLAIMED), 1_000_000)
    finally:
        await spool.close()
    claimed = defaultdict(set)
    for each in listed:
        claimed[each.node] |= {str(recipient.mailbox) for recipient in each.parcel.mail.envelope.recipients}
    return claimed


def _is_sound(path):
    if not path.exists():
        return True
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
