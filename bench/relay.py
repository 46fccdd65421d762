"""Throughput of relays, in turn on the same machine: smtp-source -> relay -> MX look-up -> two smtp-sinks."""

import argparse
import dataclasses
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import gauges
import peers
import queued
import roots
from load import Load, Result, measure, syncs_each, unrelayed_rate
from world import World, require_root_and_tools

SYNC_MESSAGES = 1000
EVEN = 4.0  # standard errors
EXAMPLES = """\
examples:
  bench/relay.py                                          everything, about 8 minutes
  bench/relay.py --quick                                  one pair of 2000 messages, about a minute
  bench/relay.py --peer postroad --peer postfix-tuned --connections 20 --pairs 5 --json relay.json
  bench/relay.py --peer postroad --peer postroad-workers
  bench/relay.py --queued 100000                          memory, start and speed with a full queue; Postroad alone
"""
HEAD = (
    f"{'peer':<15}{'msg/s':>7}{'accepted':>10}{'CPU ms':>8}{'load CPU':>10}{'other':>7}{'PSS MiB':>9}{'RSS MiB':>9}"
    f"{'flushes':>9}{'syncs':>7}{'mail1':>7}{'sessions':>10}{'start':>7}"
)


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--peer",
        action="append",
        choices=peers.NAMES,
        metavar="NAME",
        help=f"one of {', '.join(peers.NAMES)}; may be given"
        " again: the first is compared with each other one (default: all but Exim)",
    )
    add("--messages", type=int, default=10000, help="messages a run (%(default)s)")
    add("--length", type=int, default=4096, help="octets a message (%(default)s)")
    add("--pairs", type=int, default=3, help="rounds of all peers in turn (%(default)s)")
    add("--connections", type=int, action="append", help="connections of the client; may be given again (20, 50)")
    add(
        "--reuse",
        choices=("both", "persistent", "one-each"),
        default="both",
        help="of the client's connections (%(default)s)",
    )
    add("--no-syncs", action="store_true", help="leave out the runs under strace that count fsyncs")
    add("--quick", action="store_true", help="one pair, 2000 messages, 20 connections")
    add("--queued", type=int, metavar="N", help="measure with N messages waiting in the queue in place of all else")
    add(
        "--due", choices=("later", "now"), default="later", help="when the waiting messages of --queued are to be tried"
    )
    add("--postroad", default=peers.POSTROAD, metavar="COMMAND", help="how to start it; {config} is its settings file")
    add(
        "--dir",
        type=Path,
        default=Path(tempfile.gettempdir()) / "postroad-bench",
        help="roots, queues, logs (%(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures there too")
    arguments = parser.parse_args()
    if arguments.quick:
        parser.set_defaults(messages=2000, pairs=1, connections=[20])
        arguments = parser.parse_args()
    arguments.peer = arguments.peer or list(peers.NAMES[:4])
    arguments.connections = arguments.connections or [20, 50]
    return arguments


def loads(arguments) -> list[Load]:
    """The settings of the client to go through."""
    reuse = {"both": (True, False), "persistent": (True,), "one-each": (False,)}[arguments.reuse]
    return [
        Load(arguments.messages, connections, persistent, arguments.length)
        for persistent in reuse
        for connections in arguments.connections
    ]


def rounds(world: World, contenders, load: Load, pairs: int, syncs: dict[str, float | None]) -> Iterator[Result]:
    """All peers in turn, `pairs` times, so that a slow hour of the machine meets each of them."""
    for _ in range(pairs):
        for peer in contenders:
            result = dataclasses.replace(measure(world, peer, load), syncs=syncs.get(peer.name))
            print(line(result), flush=True)
            yield result


def line(result: Result) -> str:
    """One run as a row of the table."""
    first = 100 * result.split[0] / max(1, result.delivered)
    uneven = f" SPLIT OFF BY {result.deviation:.1f} STANDARD ERRORS" if abs(result.deviation) > EVEN else ""
    missing = "" if result.complete else f" ONLY {result.delivered} OF {result.load.messages}"
    syncs = "-" if result.syncs is None else f"{result.syncs:.2f}"
    return (
        f"{result.peer:<15}{result.rate:>7.0f}{result.accepted_rate:>10.0f}{result.cpu_ms:>8.2f}{result.load_cpu_ms:>10.2f}"
        f"{result.other_cpu:>7.0%}{result.pss_mib:>9.0f}{result.rss_mib:>9.0f}{result.flushes:>9.2f}{syncs:>7}"
        f"{first:>6.1f}%{sum(result.sessions):>10}{result.start_s:>6.2f}s{missing}{uneven}"
    )


def ratios(results: list[Result], subject: str) -> Iterator[tuple[str, str, list[float]]]:
    """(other peer, measure, the ratio in each pair) of the subject to each other peer."""
    own = [result for result in results if result.peer == subject]
    for other in dict.fromkeys(result.peer for result in results if result.peer != subject):
        theirs = [result for result in results if result.peer == other]
        pairs = list(zip(own, theirs, strict=True))
        yield other, "msg/s", [a.rate / b.rate for a, b in pairs if b.rate]
        yield other, "CPU a message", [a.cpu_ms / b.cpu_ms for a, b in pairs if b.cpu_ms]
        yield other, "peak PSS", [a.pss_mib / b.pss_mib for a, b in pairs if b.pss_mib]


def compare(results: list[Result], subject: str) -> list[dict]:
    """Prints the ratios of the subject to the others, and gives them for JSON."""
    rows = []
    for other, of, values in ratios(results, subject):
        if values:
            low, middle, high = min(values), statistics.median(values), max(values)
            print(f"  {subject} to {other}: {of:<14}{low:>8.3f} min{middle:>9.3f} median{high:>8.3f} max")
            rows.append({"to": other, "of": of, "min": low, "median": middle, "max": high, "pairs": len(values)})
    return rows


def throughput(world: World, arguments) -> dict:
    """The whole table, printed as it grows."""
    contenders = [peers.make(name, arguments.dir, arguments.postroad) for name in arguments.peer]
    tables = []
    for load in loads(arguments):
        alone = unrelayed_rate(world, load)
        print(f"\n{load.messages} messages of {load.length} octets, connections: {load}; ", end="")
        print(f"client straight to a sink: {alone:.0f} msg/s\n{HEAD}", flush=True)
        short = dataclasses.replace(load, messages=min(SYNC_MESSAGES, load.messages))
        counted = {} if arguments.no_syncs else {peer.name: syncs_each(world, peer, short) for peer in contenders}
        results = list(rounds(world, contenders, load, arguments.pairs, counted))
        compared = compare(results, contenders[0].name)
        runs = [run.as_dict() for run in results]
        tables.append({"load": dataclasses.asdict(load), "unrelayed_rate": alone, "runs": runs, "ratios": compared})
    return {"throughput": tables}


def main():
    """Runs what the command line asks for."""
    arguments = parse_arguments()
    require_root_and_tools()
    if shutil.which("strace") is None:
        arguments.no_syncs = True
    arguments.dir.mkdir(parents=True, exist_ok=True)
    tools = roots.ensure(arguments.dir, "postfix")
    for name in arguments.peer:
        peers.make(name, arguments.dir)  # makes its root, which needs the network of the host
    machine = gauges.machine(arguments.dir)
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    with World(arguments.dir, tools) as world:
        report = queued.measure(world, arguments) if arguments.queued else throughput(world, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine} | report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
