"""How long a start takes, beside a bare Python: `import postroad` and `postroad --help`, medians of ten runs."""

import statistics
import subprocess
import sys
import time

RUNS = 10
CASES = (
    ("python -c pass", ["-c", "pass"], None),
    ("import postroad", ["-c", "import postroad"], 50),
    ("postroad --help", ["-m", "postroad", "--help"], 250),
)


def median_ms(arguments):
    """The median of some runs, after one that fills the caches, in milliseconds."""
    times = [_once_ms(arguments) for _ in range(RUNS + 1)]
    return statistics.median(times[1:])


def _once_ms(arguments):
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1000


def main():
    """Print the table; fail if a start takes longer than its target."""
    medians = [median_ms(arguments) for _name, arguments, _target in CASES]
    bare = medians[0]
    print(f"{'start':<18}{'median':>10}{'on top':>10}{'ratio':>8}{'target':>10}")
    met = True
    for (name, _arguments, target), taken in zip(CASES, medians, strict=True):
        limit = f"< {target} ms" if target else ""
        print(f"{name:<18}{taken:>7.0f} ms{taken - bare:>7.0f} ms{taken / bare:>8.1f}{limit:>10}")
        met = met and (target is None or taken < target)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
