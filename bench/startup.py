"""What a start costs in processor time, beside a bare Python: a name imported, short commands, and large zones."""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from postroad.spool.sqlite import SqliteSpool

RUNS, RUNS_OF_LARGE = 10, 3
ZONE = "docs/examples/example.com.zone"
HEAD = "$ORIGIN example.com.\n$TTL 3600\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1"
MESSAGE = b"From: me@example.net\nSubject: a start\n\nHello\n"


def cases(folder):
    """What is started, and what it may cost on top of a bare Python, in milliseconds."""
    command = ["-m", "postroad"]
    return (
        ("python -c pass", ["-c", "pass"], None),
        ("from postroad import route", ["-c", "from postroad import route"], 50),
        ("postroad sendmail", [*command, "sendmail", "-C", f"{folder}/postroad.toml", "you@example.org"], 80),
        ("postroad --help", [*command, "--help"], 200),
        ("postroad rules", [*command, "rules"], 200),
        ("postroad route ZONE", [*command, "route", ZONE, "--seed", "1"], 200),
        ("postroad config check", [*command, "config", "check", f"{folder}/postroad.toml"], 200),
        ("postroad simulate t1", [*command, "simulate", "t1"], 350),
    )


def prepare(folder):
    """The settings and the spool that the starts find there."""
    Path(folder, "postroad.toml").write_text('hostname = "relay.example"\n[spool]\npath = "spool"\n')
    asyncio.run(_make_spool(Path(folder, "spool")))


async def _make_spool(folder):
    await (await SqliteSpool.open(folder, node="one")).close()


def large_cases(folder):
    """The same of commands that work for a second or two."""
    simulate = ["-m", "postroad", "simulate"]
    return (
        ("simulate 100 MX, one down", [*simulate, _zone(folder, 100, 1), "--down", "m3"], 2000),
        ("simulate 400 MX x 20, random", [*simulate, _zone(folder, 400, 20), "--dns-order", "random"], 2000),
    )


def _zone(folder, exchangers, addresses):
    """A zone of so many equal exchangers with so many addresses each."""
    path = Path(folder, f"{exchangers}x{addresses}.zone")
    lines = [HEAD, *(f"@ MX 10 m{number}" for number in range(exchangers))]
    every = (divmod(number, addresses) for number in range(exchangers * addresses))
    lines += [f"m{number} A 203.{number // 250}.{number % 250}.{1 + each}" for number, each in every]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def cpu_ms(arguments, runs=RUNS):
    """The median of some runs, after one that fills the caches."""
    times = [_once_ms(arguments) for _ in range(runs + 1)]
    return statistics.median(times[1:])


def _once_ms(arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], input=MESSAGE, check=False, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def main():
    """Print the table; fail if a start costs more than its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the medians there, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        rows = [(name, cpu_ms(words), target) for name, words, target in cases(folder)]
        rows += [(name, cpu_ms(words, RUNS_OF_LARGE), target) for name, words, target in large_cases(folder)]
    bare = rows[0][1]
    print(f"{'start':<28}{'median CPU':>12}{'on top':>10}{'ratio':>8}{'target':>12}")
    for name, taken, target in rows:
        limit = f"< {target} ms" if target else ""
        print(f"{name:<28}{taken:>9.0f} ms{taken - bare:>7.0f} ms{taken / bare:>8.1f}{limit:>12}")
    if arguments.json:
        arguments.json.write_text(json.dumps({name: taken for name, taken, _target in rows}, indent=2))
    return 0 if all(target is None or taken < target for _name, taken, target in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
