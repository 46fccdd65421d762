"""`python -m tests.fuzz [SECONDS] [TARGET...]`: mutate the corpus until the time is up; tell what breaks."""

import sys
import time
from random import Random

from tests.fuzz import targets


def main():
    """Fuzz the targets in turn; exit status 1 if one broke, with the octets that did it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    names = sys.argv[2:] or sorted(targets.TARGETS)
    unknown = set(names) - set(targets.TARGETS)
    if unknown:
        sys.exit(f"no target {', '.join(sorted(unknown))}; there are {', '.join(sorted(targets.TARGETS))}")
    seed = time.time_ns()
    rng, deadline, rounds = Random(seed), time.monotonic() + seconds, 0
    sys.stdout.write(f"seed {seed}, {seconds:g} s, {', '.join(names)}\n")
    while time.monotonic() < deadline:
        for name in names:
            octets = targets.mutated(rng, rng.choice(targets.corpus(name)))
            try:
                targets.TARGETS[name](octets)
            except Exception as problem:  # noqa: BLE001  # whatever it is, it is the finding
                sys.exit(f"{name}: {problem!r}\n{octets!r}")
            rounds += 1
    sys.stdout.write(f"{rounds} rounds, nothing broke\n")


main()
