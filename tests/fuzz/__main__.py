"""`python -m tests.fuzz [SECONDS] [TARGET...]`: mutate the corpus of each target for so long; tell what breaks."""

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
    rng = Random(seed)
    for name in names:
        rounds = _fuzz(name, rng, seconds)
        sys.stdout.write(f"{name:<12} seed {seed}, {seconds:g} s, {rounds} rounds, nothing broke\n")
        sys.stdout.flush()


def _fuzz(name, rng, seconds):
    """How many rounds there was time for."""
    deadline, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        octets = targets.mutated(rng, rng.choice(targets.corpus(name)))
        try:
            targets.TARGETS[name](octets)
        except Exception as problem:  # noqa: BLE001  # whatever it is, it is the finding
            sys.exit(f"{name}: {problem!r}\n{octets!r}")
        rounds += 1
    return rounds


main()
