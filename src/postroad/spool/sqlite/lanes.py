"""Who has which parcel: the round of the destinations, claims, leases."""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence

from postroad.spool.base import LEASE_S, Node, Parcel
from postroad.spool.calls import HASTENED, Claim, Release
from postroad.spool.rows import DAMAGED, PARCEL, Damaged, Row, moment, read_parcel, sound
from postroad.spool.sqlite.rows import numbers

_NEXT_IN_LANE = "SELECT min(due_at) FROM parcel WHERE destination = ? AND node IS NULL AND held = 0"
_KEEP_LANE = """
INSERT INTO lane (destination, turn_at, turn, served_at) VALUES (?, ?, 0, ?)
ON CONFLICT DO UPDATE SET turn_at = max(excluded.turn_at, served_at)
"""
_NO_TIME = -1e300  # before any: never served
_DUE_LANES = "SELECT destination FROM lane WHERE turn_at <= ? ORDER BY turn_at, turn, destination"
_DUE_IN_LANE = f"""
SELECT {PARCEL} FROM parcel LEFT JOIN message ON message.number = parcel.number >> 20
WHERE destination = ? AND node IS NULL AND held = 0 AND due_at <= ? ORDER BY due_at, parcel.number LIMIT ?
"""
_TURNS = "UPDATE tally SET next_turn = next_turn + ? RETURNING next_turn"
_SERVED = "UPDATE lane SET served_at = ?, turn = ? WHERE destination = ?"
_NOT_AHEAD = "UPDATE lane SET served_at = ? WHERE turn_at > ? AND served_at > ? RETURNING destination"
_HOLD_DAMAGED = "UPDATE parcel SET held = 1, said = ? WHERE number = ?"
_CLAIM = "UPDATE parcel SET node = ? WHERE number IN (SELECT value FROM json_each(?))"
_RELEASE = """
UPDATE parcel SET node = NULL WHERE number IN (SELECT value FROM json_each(?)) AND +node = ? RETURNING destination
"""
_RELEASE_ALL = "UPDATE parcel SET node = NULL WHERE node = ? RETURNING destination"
_HASTEN = """
UPDATE parcel SET due_at = :now WHERE number IN (
    SELECT number FROM parcel
    WHERE destination = :to AND node IS NULL AND held = 0 AND waits_for_host = 1 AND due_at > :now
    ORDER BY due_at LIMIT :most
)
"""
# Each step of the recursion seeks the next name in the index: DISTINCT would read every parcel
_NEXT_STRANDED = "SELECT min(destination) FROM parcel WHERE node IS NULL AND held = 0 AND waits_for_host = 1"
_STRANDED = f"""
WITH RECURSIVE name(destination) AS (
    {_NEXT_STRANDED} AND destination > ?
    UNION ALL
    SELECT ({_NEXT_STRANDED} AND destination > name.destination) FROM name WHERE name.destination IS NOT NULL
)
SELECT destination FROM name WHERE destination IS NOT NULL LIMIT ?
"""


_NODES = "SELECT name, renewed_at FROM node WHERE renewed_at >= ? ORDER BY name"


def take_back(db: sqlite3.Connection, node: str) -> None:
    """What a node that starts does about its life before: what it had claimed is free, what was arriving is lost."""
    db.execute("BEGIN IMMEDIATE")
    release_all(db, [node])
    db.execute("UPDATE arrival SET seen_at = 0 WHERE node = ?", (node,))
    db.execute("INSERT OR REPLACE INTO node VALUES (?, NULL)", (node,))
    db.execute("COMMIT")


def refresh(db: sqlite3.Connection, destinations: Iterable[str]) -> None:
    """Make the lanes of these destinations agree with their parcels."""
    for destination in destinations:
        due_at = db.execute(_NEXT_IN_LANE, (destination,)).fetchone()[0]
        if due_at is None:
            db.execute("DELETE FROM lane WHERE destination = ?", (destination,))
        else:
            db.execute(_KEEP_LANE, (destination, due_at, _NO_TIME))


def claim(db: sqlite3.Connection, asked: Sequence[Claim]) -> list[tuple[Parcel, ...]]:
    """Take parcels that are due."""
    return [_claim(db, one) for one in asked]


def release(db: sqlite3.Connection, asked: Sequence[Release]) -> list[None]:
    """Give parcels back untouched."""
    for parcels, node in asked:
        which = numbers(parcel.number for parcel in parcels)
        refresh(db, {row[0] for row in db.execute(_RELEASE, (which, node)).fetchall()})
    return [None] * len(asked)


def release_all(db: sqlite3.Connection, nodes: Sequence[str]) -> list[int]:
    """Give back all that a node has; how many."""
    freed = [db.execute(_RELEASE_ALL, (node,)).fetchall() for node in nodes]
    refresh(db, {row[0] for rows in freed for row in rows})
    return [len(rows) for rows in freed]


def renew(db: sqlite3.Connection, asked: Sequence[tuple[str, float]]) -> list[int]:
    """Renew the lease of a node at a time, and bury the dead; how many parcels that freed."""
    return [_renew(db, node, now) for node, now in asked]


def nodes(db: sqlite3.Connection, now: float) -> tuple[Node, ...]:
    """The nodes whose lease runs."""
    rows = db.execute(_NODES, (now - LEASE_S,))
    return tuple([Node(sound(name, str), moment(at)) for name, at in rows])


def retry_stranded(db: sqlite3.Connection, asked: Sequence[tuple[str, float]]) -> list[int]:
    """Make parcels of a destination due that wait for a host; how many."""
    wanted = [{"now": now, "to": destination, "most": HASTENED} for destination, now in asked]
    counts = [db.execute(_HASTEN, each).rowcount for each in wanted]
    refresh(db, {destination for (destination, _), count in zip(asked, counts, strict=True) if count})
    return counts


def clock_set_back(db: sqlite3.Connection, nows: Sequence[float]) -> list[None]:
    """No lane was served later than now."""
    for now in nows:
        refresh(db, [row[0] for row in db.execute(_NOT_AHEAD, (now, now, now)).fetchall()])
    return [None] * len(nows)


def stranded(db: sqlite3.Connection, after: str, limit: int) -> tuple[str, ...]:
    """Destinations behind this name whose parcels wait for a host."""
    return tuple(destination for (destination,) in db.execute(_STRANDED, (after, limit)))


def next_due(db: sqlite3.Connection, skip: Collection[str]) -> float | None:
    """When a claim that skips these next finds something."""
    lanes = db.execute("SELECT turn_at, destination FROM lane ORDER BY turn_at, turn, destination")
    return next((turn_at for turn_at, destination in lanes if destination not in skip), None)


def _claim(db: sqlite3.Connection, asked: Claim) -> tuple[Parcel, ...]:
    taken: list[Parcel] = []
    served: list[str] = []
    for destination in _due_lanes(db, asked):
        limit = min(asked.each, asked.most - len(taken))
        if limit <= 0:
            break
        rows = db.execute(_DUE_IN_LANE, (destination, asked.now, limit)).fetchall()
        taken += _readable(db, rows)
        served.append(destination)
    if served:
        db.execute(_CLAIM, (asked.node, numbers(parcel.number for parcel in taken)))
        _move_back(db, served, asked.now)
    return tuple(taken)


def _readable(db: sqlite3.Connection, rows: Iterable[Row]) -> Iterator[Parcel]:
    """Those that can be read; the others are held, so that none comes again and again and stops its lane."""
    for row in rows:
        try:
            yield read_parcel(row)
        except Damaged as problem:
            db.execute(_HOLD_DAMAGED, (f"{DAMAGED} ({problem})", row[5]))


def _due_lanes(db: sqlite3.Connection, asked: Claim) -> Iterator[str]:
    for (destination,) in db.execute(_DUE_LANES, (asked.now,)):
        if destination not in asked.skip:
            yield destination


def _move_back(db: sqlite3.Connection, served: Sequence[str], now: float) -> None:
    """These lanes had their turn."""
    first = int(db.execute(_TURNS, (len(served),)).fetchone()[0]) - len(served)
    db.executemany(_SERVED, [(now, first + place, destination) for place, destination in enumerate(served)])
    refresh(db, served)


def _renew(db: sqlite3.Connection, node: str, now: float) -> int:
    ours = db.execute("SELECT renewed_at FROM node WHERE name = ?", (node,)).fetchone()
    # We renew three times in a lease: a longer gap means that the clock was set forward, or the machine slept. It says
    # nothing about the others, so their leases run anew; as do those of a node that has not renewed yet, and of one
    # that did in what is the future again.
    has_jumped = bool(ours and ours[0] is not None and ours[0] < now - LEASE_S / 2)
    db.execute("UPDATE node SET renewed_at = ? WHERE renewed_at IS NULL OR renewed_at > ? OR ?", (now, now, has_jumped))
    db.execute("INSERT INTO node VALUES (?, ?) ON CONFLICT DO UPDATE SET renewed_at = excluded.renewed_at", (node, now))
    dead = db.execute("DELETE FROM node WHERE renewed_at < ? RETURNING name", (now - LEASE_S,)).fetchall()
    return sum(release_all(db, [name for (name,) in dead]))
