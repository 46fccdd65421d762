"""Throughput of relays, in turn on the same machine: smtp-source -> relay -> MX look-up -> two smtp-sinks."""

import argparse
import dataclasses
import itertools
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
import signatures
from load import Load, Result, measure, sample, syncs_each, unrelayed_rate
from world import World, require_root_and_tools

SYNC_MESSAGES = 1000
SAMPLE_MESSAGES = 100
EVEN = 4.0  # standard errors
MEASURES = {"msg/s": "rate", "CPU a message": "cpu_ms", "peak PSS": "pss_mib"}
EXAMPLES = """\
examples:
  bench/relay.py                                          everything, about 8 minutes
  bench/relay.py --quick                                  one pair of 2000 messages, about a minute
  bench/relay.py --peer postroad --peer postfix-tuned --connections 20 --pairs 5 --json relay.json
  bench/relay.py --peer postroad --peer postroad-workers
  bench/relay.py --peer postroad-dkim --peer postfix-opendkim --reuse persistent     both sign all mail
  bench/relay.py --tls --peer postroad --peer postfix-tuned --reuse persistent       TLS to the exchangers
  bench/relay.py --queued 100000                          memory, start and speed with a full queue; Postroad alone
"""
HEAD = (
    f"{'peer':<22}{'msg/s':>7}{'accepted':>10}{'CPU ms':>8}{'load CPU':>10}{'other':>7}{'PSS MiB':>9}{'RSS MiB':>9}"
    f"{'flushes':>9}{'syncs':>7}{'mail1':>7}{'sessions':>10}{'TLS':>6}{'resumed':>9}{'start':>8}"
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
        f" again: each is compared with those after it (default: {', '.join(peers.NAMES[:4])})",
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
    add("--tls", action="store_true", help="the exchangers offer STARTTLS: stunnel in front of each smtp-sink")
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
    tls = result.handshakes
    began, resumed = ("-", "-") if tls is None else (tls.new + tls.resumed, tls.resumed)
    return (
        f"{result.peer:<22}{result.rate:>7.0f}{result.accepted_rate:>10.0f}{result.cpu_ms:>8.2f}{result.load_cpu_ms:>10.2f}"
        f"{result.other_cpu:>7.0%}{result.pss_mib:>9.0f}{result.rss_mib:>9.0f}{result.flushes:>9.2f}{syncs:>7}"
        f"{first:>6.1f}%{sum(result.sessions):>10}{began:>6}{resumed:>9}{result.start_s:>7.2f}s{missing}{uneven}"
    )


def ratios(results: list[Result]) -> Iterator[dict]:
    """Of each peer to each that comes after it: the ratio of each measure, round by round."""
    by_peer = {name: [run for run in results if run.peer == name] for name in dict.fromkeys(r.peer for r in results)}
    for (name, own), (other, theirs) in itertools.combinations(by_peer.items(), 2):
        for of, field in MEASURES.items():
            both = [(getattr(a, field), getattr(b, field)) for a, b in zip(own, theirs, strict=True)]
            if values := [a / b for a, b in both if b]:
                spread = {"min": min(values), "median": statistics.median(values), "max": max(values)}
                yield {"peer": name, "to": other, "of": of, **spread, "pairs": len(values)}


def compare(results: list[Result]) -> list[dict]:
    """Prints the ratios, a pair of peers in a line, and gives them for JSON."""
    rows = list(ratios(results))
    if rows:
        print(f"{'ratio, min median max':<42}" + "".join(f"{of:>22}" for of in MEASURES))
    for (peer, other), each in itertools.groupby(rows, key=lambda row: (row["peer"], row["to"])):
        cells = (f"{row['min']:>8.2f}{row['median']:>7.2f}{row['max']:>7.2f}" for row in each)
        print(f"{peer} : {other:<{39 - len(peer)}}" + "".join(cells))
    return rows


def require_signatures(world: World, contenders, load: Load):
    """Ends the benchmark unless who signs does so, and nobody else, in a short run of the same load for each."""
    for peer in contenders:
        messages = sample(world, peer, load)
        ought = "have one valid signature" if peer.signs else "have no signature"
        good = len(messages) - signatures.unlike(messages, world.directory, signed=peer.signs)
        print(f"{peer.name}: {good} of {load.messages} messages arrive and {ought}", flush=True)
        if good != load.messages:
            sys.exit("not what was to be compared: no figures")


def throughput(world: World, arguments) -> dict:
    """The whole table, printed as it grows."""
    contenders = [peers.make(name, arguments.dir, arguments.postroad, tls=arguments.tls) for name in arguments.peer]
    tables = []
    if any(peer.signs for peer in contenders):
        require_signatures(world, contenders, dataclasses.replace(loads(arguments)[0], messages=SAMPLE_MESSAGES))
    for load in loads(arguments):
        alone = unrelayed_rate(world, load)
        print(f"\n{load.messages} messages of {load.length} octets, connections: {load}; ", end="")
        print("TLS to the exchangers; " if arguments.tls else "", end="")
        print(f"client straight to a sink{' without it' * arguments.tls}: {alone:.0f} msg/s\n{HEAD}", flush=True)
        short = dataclasses.replace(load, messages=min(SYNC_MESSAGES, load.messages))
        counted = {} if arguments.no_syncs else {peer.name: syncs_each(world, peer, short) for peer in contenders}
        results = list(rounds(world, contenders, load, arguments.pairs, counted))
        compared = compare(results)
        runs = [run.as_dict() for run in results]
        tables.append({"load": dataclasses.asdict(load), "unrelayed_rate": alone, "runs": runs, "ratios": compared})
    return {"tls": arguments.tls, "throughput": tables}


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
    stunnel = roots.ensure(arguments.dir, "stunnel") if arguments.tls else None
    with World(arguments.dir, tools, stunnel) as world:
        report = queued.measure(world, arguments) if arguments.queued else throughput(world, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine} | report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
