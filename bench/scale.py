"""How many messages a second so many relays on one database do, and what limits them: docs/design/scale.md.

Arithmetic on what `bench/cluster.py` has measured: bench/scale.py [--json FILE of that run], else the figures below,
which are those of the page. A relay is one process; the database may use a part of its cores, or its log a part of what
its disk writes: beyond that, waiting grows faster than throughput.
"""

import argparse
import json
import math
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

NODES = (1, 2, 4, 8, 16, 32, 64)
CORES = (4, 16)
PARTITIONS = (1, 2, 4, 8)
USABLE = 0.7
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Costs:
    """What a message of 4 KiB costs, measured; and what the machines of the table have, assumed.

    `node_rate`: messages a second of a relay alone on the database. `wal_mib_s`: what the disk of the log writes.
    """

    node_rate: float = 2700
    relay_ms: float = 0.40
    database_ms: float = 0.12
    wal_kib: float = 6.5
    fsyncs: float = 0.08
    wal_mib_s: float = 400


def measured(path: Path) -> Costs:
    """The medians of a run of cluster.py: the rate of one relay, the costs of the most relays."""
    runs = [run for run in json.loads(path.read_text())["runs"] if run["peer"].endswith("on PostgreSQL")]
    most = max(runs, key=lambda run: int(run["peer"].split()[0]))["peer"]

    def median(peer, what):
        return statistics.median(run[what] for run in runs if run["peer"] == peer)

    costs = {what: median(most, what) for what in ("relay_ms", "database_ms", "wal_kib", "fsyncs")}
    return Costs(node_rate=median("1 on PostgreSQL", "rate"), **costs)


def limits(costs: Costs, nodes: int, cores: int) -> dict[str, float]:
    """Messages a second that each part could do by itself."""
    return {
        "relays": nodes * costs.node_rate,
        "database's cores": cores * USABLE * 1000 / costs.database_ms,
        "database's log": USABLE * costs.wal_mib_s * 1024 / costs.wal_kib,
    }


def table(costs: Costs) -> str:
    """By number of relays, for databases of several sizes."""
    heads = ["relays", *(f"database with {cores} cores" for cores in CORES), "its cores in use", "its log"]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(['---:'] * len(heads))} |"]
    for nodes in NODES:
        cells = []
        for cores in CORES:
            by = limits(costs, nodes, cores)
            limit = min(by, key=by.__getitem__)
            cells.append(f"{_rounded(by[limit])}" + (f" (the {limit})" if limit != "relays" else ""))
        rate = min(limits(costs, nodes, CORES[-1]).values())
        used, log = rate * costs.database_ms / 1000, rate * costs.wal_kib / 1024
        lines.append(f"| {nodes} | {' | '.join(cells)} | {used:.1f} of {CORES[-1]} | {log:.0f} MiB/s |")
    return "\n".join(lines)


def partitions(costs: Costs) -> str:
    """What several databases do, each with a part of the destinations, and how many relays keep them busy."""
    lines = ["| databases | messages a second | relays | processor cores in all |", "| ---: | ---: | ---: | ---: |"]
    for count in PARTITIONS:
        by = limits(costs, 10**9, CORES[-1])
        rate = count * min(by.values())
        relays = math.ceil(rate / costs.node_rate)
        cores = rate * (costs.relay_ms + costs.database_ms) / 1000
        lines.append(f"| {count} | {_rounded(rate)} | {relays} | {cores:.0f} |")
    return "\n".join(lines)


def million(costs: Costs) -> str:
    """What a million messages cost."""
    relay, database = (ms * MILLION / 1000 / 60 for ms in (costs.relay_ms, costs.database_ms))
    log, body = (kib * MILLION / 1024 / 1024 for kib in (costs.wal_kib, 4))
    return "\n".join(
        [
            "| a million messages of 4 KiB | |",
            "| --- | ---: |",
            f"| processor time of the relays | {relay:.1f} minutes of a core |",
            f"| processor time of the database | {database:.1f} minutes of a core |",
            f"| write-ahead log | {log:.1f} GiB, {log / body:.1f} times the mail |",
            f"| fsyncs | {_rounded(costs.fsyncs * MILLION)} |",
            f"| both, at 0.04 a core and hour | {(relay + database) / 60 * 0.04:.4f} |",
        ]
    )


def _rounded(value: float) -> str:
    """To two digits: more are not known."""
    step = 10 ** (math.floor(math.log10(value)) - 1)
    return f"{round(value / step) * step:,.0f}"


def main():
    """All three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="what cluster.py wrote with its --json")
    parser.add_argument("--wal-mib-s", type=float, default=Costs().wal_mib_s, help="what the log's disk writes (400)")
    arguments = parser.parse_args()
    costs = measured(arguments.json) if arguments.json else Costs()
    costs = replace(costs, wal_mib_s=arguments.wal_mib_s)
    print("\n\n".join((table(costs), partitions(costs), million(costs))))


if __name__ == "__main__":
    main()
