"""What each checker finds in the same zones: ours, named-checkzone (BIND) and kzonecheck (Knot).

Usage: bench/checkers.py [--bind PROGRAM] [--knot PROGRAM]

Each zone of tests/rules/<rule>/finds has one fault. A peer finds it if it says anything, or fails, there, and not on
the near miss beside it (`silent`). Peers that are not installed, or do not run, are left out; on Debian they are in
bind9-utils and knot-dnssecutils.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ROOT / "tests" / "rules"
UNABLE = 127  # of a program that lacks a library
QUIET = ("OK", "loaded serial")


def ours(zone: Path) -> set[str]:
    """The ids of what we find."""
    command = [sys.executable, "-m", "postroad", "check", _domain(zone), "--zone", zone, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2 or not done.stdout:
        return set()
    return {finding["rule"] for finding in _findings(json.loads(done.stdout))}


def _findings(shape):
    if isinstance(shape, dict):
        yield from shape.get("findings", [])
        for value in shape.values():
            yield from _findings(value)
    elif isinstance(shape, list):
        for value in shape:
            yield from _findings(value)


def _origin(zone: Path) -> str:
    words = zone.read_text().split()
    return words[words.index("$ORIGIN") + 1].rstrip(".")


def _domain(zone: Path) -> str:
    """What is checked, as the tests have it: a line `domain NAME` in what is expected, else example.com."""
    lines = zone.with_name("expect").read_text().splitlines()
    named = [line.split()[1] for line in lines if line.startswith("domain ")]
    return named[0] if named else "example.com"


def _runs(program: str) -> bool:
    if not shutil.which(program):
        return False
    return subprocess.run([program, "-h"], capture_output=True, check=False).returncode != UNABLE


def said(command: list[str | Path]) -> set[str]:
    """The lines of a peer's complaints, without the zone's name and place."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    heard = {line.strip() for line in lines if line.strip() and not any(word in line for word in QUIET)}
    return heard | ({f"exit status {done.returncode}"} if done.returncode else set())


def finds(peer, folder: Path) -> bool:
    """Whether a peer says something of the fault that it does not say of the near miss."""
    near_miss = folder / "silent" / "zone"
    usual = {_kind(line) for line in peer(near_miss)} if near_miss.exists() else set()
    return bool({_kind(line) for line in peer(folder / "finds" / "zone")} - usual)


def _kind(line: str) -> str:
    """A complaint without names and numbers: of two zones the same kind reads alike."""
    return " ".join(word for word in line.split() if not set(word) & set(".'/0123456789"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bind", default="named-checkzone", metavar="PROGRAM")
    parser.add_argument("--knot", default="kzonecheck", metavar="PROGRAM")
    asked = parser.parse_args()
    peers = {}
    if _runs(asked.bind):
        peers["named-checkzone"] = lambda zone: said([asked.bind, "-i", "full", _origin(zone), zone])
    if _runs(asked.knot):
        peers["kzonecheck"] = lambda zone: said([asked.knot, "-o", _origin(zone), zone])
    folders = sorted(path.parent for path in FOLDERS.glob("*/finds") if (path / "zone").exists())
    totals = dict.fromkeys(["postroad", *peers], 0)
    print(f"{'fault':<28}" + "".join(f"{name:>17}" for name in totals))
    for folder in folders:
        found = {"postroad": folder.name in ours(folder / "finds" / "zone")}
        found |= {name: finds(peer, folder) for name, peer in peers.items()}
        for name, is_found in found.items():
            totals[name] += is_found
        print(f"{folder.name:<28}" + "".join(f"{'finds' if found[name] else '-':>17}" for name in totals))
    print(f"{f'of {len(folders)}':<28}" + "".join(f"{count:>17}" for count in totals.values()))


if __name__ == "__main__":
    main()
