"""The health of a spool: what was found, and what is wrong with it, where, and how to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HealthCode(StrEnum):
    """What may be wrong, for programs."""

    OLD_SCHEMA = "old-schema"
    UNSAFE = "unsafe"
    HELD_XMIN = "held-xmin"
    HIDDEN_SESSIONS = "hidden-sessions"
    DEAD_ROWS = "dead-rows"
    LARGE_INDEX = "large-index"
    NO_AUTOVACUUM = "no-autovacuum"
    DEAD_NODE = "dead-node"
    CLOCK = "clock"
    NO_PARTITION = "no-partition"
    FEW_CONNECTIONS = "few-connections"
    UNFINISHED_MOVE = "unfinished-move"
    DAMAGED = "damaged"
    OPEN_TO_OTHERS = "open-to-others"
    LITTLE_ROOM = "little-room"
    LARGE_LOG = "large-log"
    FREE_PAGES = "free-pages"


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """Something that is wrong: what, where, and how to fix it."""

    code: HealthCode
    what: str
    where: str
    fix: str


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """A node: how long ago it renewed its lease (None: not known), how many parcels it has, whether it is alive."""

    name: str
    renewed_s: float | None
    claimed: int
    alive: bool


@dataclass(frozen=True, slots=True)
class FolderHealth:
    """The disk under a spool of SQLite: octets of each file, of free pages, and of the disk; whose the folder is."""

    size: int
    free_pages: int
    log: int
    reserve: int
    free_disk: int
    owner: str
    mode: str


@dataclass(frozen=True, slots=True)
class XminHealth:
    """The oldest snapshot of a server: who holds it since when (seconds), how many transactions ago."""

    holder: str
    pid: int | None
    application: str
    user: str
    query: str
    held_s: float | None
    age: int


@dataclass(frozen=True, slots=True)
class TableHealth:
    """A table: rows that live and are dead as counted by the server, octets, seconds since it was looked after."""

    name: str
    live: int
    dead: int
    size: int
    indexes: tuple[tuple[str, int], ...]
    vacuumed_s: float | None
    analyzed_s: float | None


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """A spool of PostgreSQL, and its server."""

    server: str
    settings: tuple[tuple[str, str], ...]
    clock_s: float  # this machine's, ahead of the server's, at least
    is_pooled: bool
    connections: int
    most_connections: int
    xmin: XminHealth | None
    tables: tuple[TableHealth, ...]
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpoolHealth:
    """The health of a spool: it has either a folder or a database."""

    where: str
    schema: int
    newest: int
    nodes: tuple[NodeHealth, ...]
    findings: tuple[HealthFinding, ...]
    folder: FolderHealth | None = None
    database: DatabaseHealth | None = None


def unfinished_move(where: str, other: str, *, enters: bool) -> HealthFinding:
    """A move has to be finished."""
    pair = (other, where) if enters else (where, other)
    what = f"a move {'from' if enters else 'to'} {other} is not finished: some mail may be in neither queue"
    return HealthFinding(HealthCode.UNFINISHED_MOVE, what, where, f"run `postroad spool move {' '.join(pair)}` again")


def old_schema(where: str, version: int, newest: int) -> HealthFinding:
    """An older Postroad has made it."""
    what = f"its schema is version {version}, that of this Postroad is {newest}"
    return HealthFinding(HealthCode.OLD_SCHEMA, what, where, "restart the relay, or run `postroad spool migrate`")
