"""What an earlier bulk run has done: the whole lines of its NDJSON."""

from __future__ import annotations

import json
from pathlib import Path

from postroad.words.inputs import InputError


def done_in(path: Path) -> frozenset[str]:
    """The domains a file has results of; none if it is not there. A last line that was cut off is taken away.

    Raises:
        InputError: it cannot be read, or is no NDJSON of `postroad check`.

    """
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        return frozenset()
    except OSError as problem:
        raise InputError(f"{path}: {problem.strerror}") from None
    whole = octets[: octets.rfind(b"\n") + 1]
    domains = frozenset(_domain(path, number, line) for number, line in enumerate(whole.splitlines(), 1) if line)
    if len(whole) < len(octets):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return domains


def _domain(path: Path, number: int, line: bytes) -> str:
    try:
        return str(json.loads(line)["domain"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path}:{number}: not a line of `check --format ndjson`; choose another file") from None
