"""Several relays on one PostgreSQL for real: processes, mail over the wire, one of them killed on the way."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from subprocess import Popen
from typing import Any

from postroad.build import build_message, zone_of, zone_resolver
from postroad.deliver import DeliverSettings, Job, attempt
from postroad.lab import Fault, Lab, Mode
from postroad.routing import Plan
from postroad.scenarios.database import DemoDatabase
from postroad.spool import LEASE_S
from postroad.words.inputs import InputError
from postroad.words.names import Address, parse_address
from postroad.words.outcome import Result
from postroad.words.phrasebook import counted, seconds
from postroad.words.trail import Target

SETUP = "t1"
REPLY_S = 0.02
"""How late the exchangers answer: as a host on the Internet, so that relays have mail in their hands."""

CLIENTS = 8  # for each relay
LOOK_S = 0.25
START_S = 0.05
TRIES = 200  # of a message that no relay takes
CONTENT = (
    "From: ann@demo.invalid\nTo: user@example.com\nSubject: demo\nMessage-ID: <{}@demo.invalid>\n\n" + "A line.\n" * 100
)
_ID = re.compile(rb"^Message-ID: <([\d.]+)@demo", re.MULTILINE)
_DELIVERED = b'"result": "delivered"'
_SETTINGS = """
hostname = "{name}.demo.invalid"
drain = "5s"
[spool]
url = "{url}"
node = "{name}"
[[listen]]
address = "127.0.0.1"
port = {port}
[dns]
resolvers = ["{resolver}"]
[deliver]
port = {smtp}
allow_loopback = true
[log]
format = "json"
"""
_NODES = """
SELECT name, extract(epoch FROM clock_timestamp() - renewed_at)::float8,
    (SELECT count(*) FROM postroad.parcel WHERE holder = token)
FROM postroad.node
"""
_LEFT = "SELECT count(*), count(*) FILTER (WHERE holder IS NULL) FROM postroad.parcel"
_AGE = """
UPDATE postroad.node SET renewed_at = least(renewed_at, clock_timestamp() - make_interval(secs => $2)) WHERE name = $1
"""


class NodeState(StrEnum):
    """What became of a relay of the demo."""

    STARTING = "starting"
    RUNNING = "running"
    KILLED = "killed"  # it still holds what it had claimed
    TAKEN_OVER = "taken over"  # what it had claimed is free, for the others


@dataclass
class NodeRun:
    """A relay of the demo: what clients gave it, what it holds (claimed), what it delivered."""

    name: str
    port: int
    state: NodeState = NodeState.STARTING
    accepted: int = 0
    held: int = 0
    delivered: int = 0
    renewed_s: float | None = None  # ago; None: it has no lease


@dataclass
class ClusterRun:
    """The demo of a cluster as it goes on: its relays, and what became of the messages so far."""

    messages: int
    lease_s: float
    nodes: list[NodeRun]
    database: str = ""
    arrivals: Counter[str] = field(default_factory=Counter)  # by message
    accepted: set[str] = field(default_factory=set)
    waiting: int = 0
    left: int = 0  # parcels in the spool
    taken_over: int = 0  # parcels that the dead relay held
    takeover_s: float | None = None
    news: list[tuple[float, str]] = field(default_factory=list)  # seconds after the first message, sentences
    is_over: bool = False

    @property
    def delivered(self) -> int:
        """Accepted messages that an exchanger has."""
        return sum(one in self.arrivals for one in self.accepted)

    @property
    def twice(self) -> int:
        """Accepted messages that the exchangers have more than once."""
        return sum(self.arrivals[one] > 1 for one in self.accepted)

    @property
    def lost(self) -> int:
        """Accepted messages that nobody has in the end."""
        return len(self.accepted) - self.delivered if self.is_over else 0

    @property
    def dead(self) -> NodeRun | None:
        """The relay that was killed."""
        gone = (NodeState.KILLED, NodeState.TAKEN_OVER)
        return next((node for node in self.nodes if node.state in gone), None)

    @property
    def survived(self) -> bool:
        """Whether all mail was accepted and none lost, and none came twice but what the dead relay had in its hands."""
        is_whole = len(self.accepted) == self.messages and not self.lost
        return self.is_over and is_whole and self.twice <= self.taken_over


async def perform_cluster(
    messages: int, nodes: int, *, url: str = "", lease_s: float = LEASE_S
) -> AsyncIterator[ClusterRun]:
    """Play it; the same ClusterRun is given out whenever there is something to see, and a last time when it is over.

    The relay that is killed has its lease shortened to `lease_s`, so that nobody has to wait for it.

    Raises:
        InputError: there is no PostgreSQL, or the database cannot be used.

    """
    zones = zone_resolver([zone_of(SETUP)]).zone_data
    names = [f"node-{number}" for number in range(1, nodes + 1)]
    play = ClusterRun(messages, lease_s, [NodeRun(*each) for each in zip(names, _free_ports(nodes), strict=True)])
    with DemoDatabase(url) as database:
        db = await database.connect()
        try:
            async with Lab(zones) as lab:
                for address in lab.exchangers:
                    await lab.set_fault(address, Fault(Mode.TARPIT, REPLY_S))
                async for _ in _Stage(play, database, db, lab).play():
                    yield play
        finally:
            db.terminate()


class _Stage:
    """The processes and connections of one performance."""

    def __init__(self, run: ClusterRun, database: DemoDatabase, db: Any, lab: Lab) -> None:  # noqa: ANN401  # of asyncpg
        self._run = run
        self._database = database
        self._db = db
        self._lab = lab
        self._processes: dict[str, Popen[bytes]] = {}
        self._logs = {node.name: _LogCount(database.folder / f"{node.name}.log") for node in run.nodes}
        self._began = time.monotonic()
        self._turn = itertools.cycle(run.nodes)

    async def play(self) -> AsyncIterator[None]:
        """Start, send, kill, wait until all is delivered and the dead one's claims are taken over."""
        async for _ in self._start():
            yield
        self._began = time.monotonic()
        sending = asyncio.create_task(self._send_all())
        try:
            while not await self._is_done(sending):
                yield
                await asyncio.sleep(LOOK_S)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        self._run.is_over = True
        yield

    async def _start(self) -> AsyncIterator[None]:
        version = (await self._fetch("SHOW server_version"))[0][0]
        self._run.database = f"PostgreSQL {version.split()[0]}"
        for node in self._run.nodes:  # the first one makes the schema, the others wait for it
            self._processes[node.name] = self._database.start(self._command(node), self._logs[node.name].path)
        for node in self._run.nodes:
            while not await _answers(node.port):
                self._check(node)
                yield
                await asyncio.sleep(START_S)
            node.state = NodeState.RUNNING
        yield

    def _command(self, node: NodeRun) -> list[str]:
        path = self._database.folder / f"{node.name}.toml"
        host, port = self._lab.resolver_address
        path.write_text(
            _SETTINGS.format(
                name=node.name, url=self._database.url, port=node.port, resolver=f"{host}:{port}", smtp=self._lab.port
            )
        )
        path.chmod(0o600)  # a URL may have a password
        return [sys.executable, "-m", "postroad", "relay", "--config", str(path)]

    def _check(self, node: NodeRun) -> None:
        """See that a relay that should run does."""
        if self._processes[node.name].poll() is not None:
            said = self._logs[node.name].path.read_text(errors="replace").strip()
            raise InputError(f"{node.name} has ended: {said[-500:]}")

    async def _send_all(self) -> None:
        numbers = iter(range(self._run.messages))
        await asyncio.gather(*(self._client(numbers) for _ in range(CLIENTS * len(self._run.nodes))))

    async def _client(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            for tried in range(TRIES):
                node = next(node for node in self._turn if node.state is NodeState.RUNNING)
                # A name of its own for each try: what a relay kept without our hearing of it is no duplicate of ours
                name = f"{number}.{tried}"
                if await _is_taken(name, node.port):
                    node.accepted += 1
                    self._run.accepted.add(name)
                    break
                await asyncio.sleep(START_S * (tried > len(self._run.nodes)))

    async def _is_done(self, sending: asyncio.Task[None]) -> bool:
        """Look at everything, and kill a relay when it is time."""
        run = self._run
        await self._look()
        if run.dead is None and len(run.accepted) * 2 >= run.messages:
            await self._kill(run.nodes[-1])
        for node in run.nodes:
            if node.state is NodeState.RUNNING:
                self._check(node)
        if sending.done():
            sending.result()
        return sending.done() and run.dead is not None and run.dead.state is NodeState.TAKEN_OVER and not run.left

    async def _look(self) -> None:
        run = self._run
        self._count_arrivals()
        leases = {name: (ago_s, held) for name, ago_s, held in await self._fetch(_NODES)}
        run.left, run.waiting = (await self._fetch(_LEFT))[0]
        for node in run.nodes:
            node.delivered = self._logs[node.name].count()
            node.renewed_s, node.held = leases.get(node.name, (None, 0))
            if node.state is NodeState.KILLED and node.name not in leases:
                node.state = NodeState.TAKEN_OVER
                run.takeover_s = time.monotonic() - self._began - run.news[0][0]
                parcels = counted(run.taken_over, "parcel")
                self._tell(f"{node.name}'s lease has run out; the others take over its {parcels}")

    async def _kill(self, node: NodeRun) -> None:
        os.kill(self._processes[node.name].pid, signal.SIGKILL)
        node.state = NodeState.KILLED
        if self._run.lease_s < LEASE_S:
            await self._fetch(_AGE, node.name, LEASE_S - self._run.lease_s)
        leases = {name: held for name, _, held in await self._fetch(_NODES)}
        self._run.taken_over = leases.get(node.name, 0)
        self._tell(f"{node.name} is killed (kill -9) while it holds {counted(self._run.taken_over, 'parcel')}")

    async def _fetch(self, query: str, *args: object) -> Any:  # noqa: ANN401  # rows
        async with self._db.transaction():  # so that a pooler does not part the question from its answer
            return await self._db.fetch(query, *args)

    def _count_arrivals(self) -> None:
        for message in self._lab.received:
            if found := _ID.search(message.content):
                self._run.arrivals[found[1].decode()] += 1
        self._lab.received.clear()
        for exchanger in self._lab.exchangers.values():
            exchanger.received.clear()

    def _tell(self, text: str) -> None:
        self._run.news.append((time.monotonic() - self._began, text))


class _LogCount:
    """The deliveries in a relay's log, counted as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0
        self._count = 0

    def count(self) -> int:
        """How many there are by now."""
        with self.path.open("rb") as log:
            log.seek(self._at)
            whole, newline, _rest = log.read().rpartition(b"\n")
        self._at += len(whole) + len(newline)
        self._count += whole.count(_DELIVERED)
        return self._count


def outcome(run: ClusterRun) -> str:
    """The sum, in sentences."""
    told = f"Accepted {len(run.accepted)}, delivered {run.delivered}, twice {run.twice}, lost {run.lost}."
    if run.dead is None or run.takeover_s is None:
        return told
    taken = f"{seconds(run.takeover_s)} after the kill the others took over {counted(run.taken_over, 'parcel')}"
    again = f", {run.twice} of which {run.dead.name} had delivered without saying so" if run.twice else ""
    return f"{told} {taken}{again}."


async def _is_taken(name: str, port: int) -> bool:
    """Whether a relay took a message: it said 250 after the final dot."""
    message = build_message(CONTENT.format(name), "ann@demo.invalid", ["user@example.com"])
    plan = Plan((Target("localhost", _loopback(), 0, port),))
    done = await attempt(Job(message, "localhost", plan), DeliverSettings(hostname="client.demo.invalid"))
    return done.result is Result.DELIVERED


def _loopback() -> Address:
    address = parse_address("127.0.0.1")
    assert address is not None  # noqa: S101  # it is one
    return address


async def _answers(port: int) -> bool:
    try:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _free_ports(count: int) -> list[int]:
    """Ports that were free together a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
