"""`python -m tests.faults [--kills 50] [--seconds N] [--namespaces] [--json FILE] [NAME...]`: break, and count losses.

Each line ends with the figures of its scenario; docs/design/spool.md says what each breaks, and what must hold.

With --namespaces the relay is alone in a network namespace and the rest in another one, joined by a cable; exchangers
are smtp-sinks of Postfix. That wants root, iproute2 and `make peers`, and is skipped with the reason without them.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from pathlib import Path

from tests.faults import namespaces, real, scenarios
from tests.faults.spools import FOLDER, KINDS
from tests.faults.stage import Scale
from tests.faults.worlds import Loopback, Namespaces

EXAMPLES = """\
examples:
  make faults                                                  all of them on loopback, some minutes
  make faults ARGS="--kills 100 workers worker parent"
  make faults ARGS="disk disk-split handover filled quota"     full disks (wants root)
  make faults ARGS="--namespaces outage sluggish tarpits instep instep-split resting resting-split"
"""
COLUMNS = ("kills", "accepted", "delivered", "lost", "duplicated", "promised", "seconds")
HEAD = f"{'scenario':<12}" + "".join(f"{column:>11}" for column in COLUMNS)


def line(figures):
    """A scenario as a line of the table, with its notes, and what was wrong below."""
    if figures.skipped:
        return f"{figures.name:<12}  skipped: {figures.skipped}"
    numbers = "".join(f"{getattr(figures, column):>11}" for column in COLUMNS)
    notes = ", ".join(f"{key} {value}" for key, value in figures.notes.items())
    return "\n".join([f"{figures.name:<12}{numbers}  {notes}", *(f"  WRONG: {text}" for text in figures.wrong)])


def main():
    """Play the scenarios one after the other; exit status 1 if a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=50, help="how often the relay is killed (50)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the load of a scenario lasts (5)")
    parser.add_argument("--crowd", type=int, default=10_000, help="how many idle connections (10000)")
    parser.add_argument("--mountain", type=int, default=1_000_000, help="messages of one destination (1000000)")
    parser.add_argument("--seed", type=int, default=Scale().seed)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--burst", type=int, default=20_000, help="messages that clients send at full load (20000)")
    parser.add_argument("--spool", choices=KINDS, default=FOLDER, help="what the relays keep mail in (sqlite)")
    parser.add_argument(
        "--namespaces", action="store_true", help=f"with real sinks in network namespaces: {', '.join(scenarios.REAL)}"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(scenarios.ALL))
    asked = parser.parse_args()
    playable = scenarios.REAL if asked.namespaces else tuple(scenarios.ALL)
    if asked.spool != FOLDER:
        playable = [name for name in playable if name in (*scenarios.EITHER, *scenarios.CLUSTERED)]
    if unknown := set(asked.names) - set(playable):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; choose one of {', '.join(playable)}")
    if asked.namespaces and (obstacle := namespaces.obstacle() or real.obstacle()):
        sys.stdout.write(f"skipped: {obstacle}\n")
        return
    with Namespaces() if asked.namespaces else contextlib.nullcontext(Loopback()) as world:
        scale = Scale(
            kills=asked.kills,
            seconds=asked.seconds,
            crowd=asked.crowd,
            mountain=asked.mountain,
            burst=asked.burst,
            seed=asked.seed,
            world=world,
            spool=asked.spool,
        )
        found = _play(asked.names or playable, scale)
    if asked.json:
        asked.json.write_text(json.dumps([figures.as_dict() for figures in found], indent=2) + "\n")
    sys.exit(any(figures.wrong for figures in found))


def _play(names, scale):
    sys.stdout.write(f"seed {scale.seed}; duplicates promised: at most so many\n{HEAD}\n")
    found = []
    for name in names:
        found.append(asyncio.run(scenarios.play(name, scale)))
        sys.stdout.write(line(found[-1]) + "\n")
        sys.stdout.flush()
    return found


if __name__ == "__main__":
    main()
