"""Rows as SQLite takes them, many to a step."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache

from postroad.spool.rows import PARCEL, Row

LISTED = f"{PARCEL}, parcel.node, parcel.held, parcel.said"
"""The columns `read_listed` wants."""

_encode = json.JSONEncoder(separators=(",", ":")).encode
_AT_ONCE = 64


def numbers(values: Iterable[int]) -> str:
    """Numbers as one parameter, for json_each: one statement for any number of them."""
    return _encode(list(values))


def insert(db: sqlite3.Connection, into: str, rows: Sequence[Row]) -> None:
    """Insert rows: `into` is the statement up to VALUES.

    Many to a step, for each step gives up the interpreter's lock, and with a busy loop it is long in coming back. Their
    number is a power of two, so that SQLite prepares few statements.
    """
    start = 0
    while left := len(rows) - start:
        many = min(_AT_ONCE, 1 << left.bit_length() - 1)
        some = rows[start : start + many]
        db.execute(_inserting(into, len(rows[0]), many), [value for row in some for value in row])
        start += many


@cache
def _inserting(into: str, columns: int, many: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{into} VALUES {', '.join([row] * many)}"
