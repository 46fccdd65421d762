"""The health of a spool, its migration and its move as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from postroad.spool import (
    DatabaseHealth,
    FolderHealth,
    Moved,
    NodeHealth,
    PendingMigration,
    SpoolHealth,
    TableHealth,
    XminHealth,
)
from postroad.views.json.shape import VERSION


class HealthFindingJson(TypedDict):
    """Something that is wrong with a spool."""

    code: str
    what: str
    where: str
    fix: str


class NodeHealthJson(TypedDict):
    """A node of a spool."""

    name: str
    renewed_s: float | None
    claimed: int
    alive: bool


class FolderHealthJson(TypedDict):
    """A spool on SQLite; sizes in octets."""

    size: int
    free_pages: int
    log: int
    reserve: int
    free_disk: int
    owner: str
    mode: str


class XminHealthJson(TypedDict):
    """The oldest snapshot of a server, and who holds it."""

    holder: str
    pid: int | None
    application: str
    user: str
    query: str
    held_s: float | None
    age: int


class IndexHealthJson(TypedDict):
    """An index; its size in octets."""

    name: str
    size: int


class TableHealthJson(TypedDict):
    """A table; its size in octets, without indexes."""

    name: str
    live: int
    dead: int
    size: int
    indexes: list[IndexHealthJson]
    vacuumed_s: float | None
    analyzed_s: float | None


class DatabaseHealthJson(TypedDict):
    """A spool on PostgreSQL."""

    server: str
    settings: dict[str, str]
    clock_s: float
    is_pooled: bool
    connections: int
    most_connections: int
    xmin: XminHealthJson | None
    tables: list[TableHealthJson]
    days: list[str]


class SpoolHealthJson(TypedDict):
    """`postroad spool check --json`."""

    version: int
    spool: str
    kind: Literal["sqlite", "postgresql"]
    healthy: bool
    findings: list[HealthFindingJson]
    schema: int
    newest_schema: int
    nodes: list[NodeHealthJson]
    folder: FolderHealthJson | None
    database: DatabaseHealthJson | None


class SchemaStepJson(TypedDict):
    """A step of a migration."""

    schema: int
    about: str
    blocked: bool


class MigrationJson(TypedDict):
    """`postroad spool migrate --json`."""

    version: int
    schema: int
    newest_schema: int
    running: list[str]
    steps: list[SchemaStepJson]
    done: bool


MovedJson = TypedDict(
    "MovedJson",
    {
        "version": int,
        "from": str,
        "to": str,
        "complete": bool,
        "messages": int,
        "octets": int,
        "finished": int,
        "lessons": int,
        "resumed": int,
        "left": int,
        "claimed": int,
        "in_both": list[str],
    },
)


def health_shape(health: SpoolHealth) -> SpoolHealthJson:
    """`postroad spool check --json`."""
    return {
        "version": VERSION,
        "spool": health.where,
        "kind": "sqlite" if health.folder else "postgresql",
        "healthy": not health.findings,
        "findings": [
            {"code": one.code.value, "what": one.what, "where": one.where, "fix": one.fix} for one in health.findings
        ],
        "schema": health.schema,
        "newest_schema": health.newest,
        "nodes": [_node(node) for node in health.nodes],
        "folder": _folder(health.folder),
        "database": _database(health.database),
    }


def _node(node: NodeHealth) -> NodeHealthJson:
    return {"name": node.name, "renewed_s": node.renewed_s, "claimed": node.claimed, "alive": node.alive}


def _folder(found: FolderHealth | None) -> FolderHealthJson | None:
    if found is None:
        return None
    return {
        "size": found.size,
        "free_pages": found.free_pages,
        "log": found.log,
        "reserve": found.reserve,
        "free_disk": found.free_disk,
        "owner": found.owner,
        "mode": found.mode,
    }


def _database(found: DatabaseHealth | None) -> DatabaseHealthJson | None:
    if found is None:
        return None
    return {
        "server": found.server,
        "settings": dict(found.settings),
        "clock_s": found.clock_s,
        "is_pooled": found.is_pooled,
        "connections": found.connections,
        "most_connections": found.most_connections,
        "xmin": _xmin(found.xmin),
        "tables": [_table(table) for table in found.tables],
        "days": list(found.days),
    }


def _xmin(found: XminHealth | None) -> XminHealthJson | None:
    if found is None:
        return None
    return {
        "holder": found.holder,
        "pid": found.pid,
        "application": found.application,
        "user": found.user,
        "query": found.query,
        "held_s": found.held_s,
        "age": found.age,
    }


def _table(found: TableHealth) -> TableHealthJson:
    return {
        "name": found.name,
        "live": found.live,
        "dead": found.dead,
        "size": found.size,
        "indexes": [{"name": name, "size": size} for name, size in found.indexes],
        "vacuumed_s": found.vacuumed_s,
        "analyzed_s": found.analyzed_s,
    }


def migration_shape(pending: PendingMigration, *, done: bool) -> MigrationJson:
    """`postroad spool migrate --json`."""
    return {
        "version": VERSION,
        "schema": pending.version,
        "newest_schema": pending.newest,
        "running": list(pending.running),
        "steps": [
            {"schema": step.number, "about": step.about, "blocked": step in pending.obstacles} for step in pending.steps
        ],
        "done": done,
    }


def moved_shape(moved: Moved, source: str, target: str) -> MovedJson:
    """`postroad spool move --json`."""
    return {
        "version": VERSION,
        "from": source,
        "to": target,
        "complete": moved.is_complete,
        "messages": moved.messages,
        "octets": moved.octets,
        "finished": moved.finished,
        "lessons": moved.lessons,
        "resumed": moved.resumed,
        "left": moved.left,
        "claimed": moved.claimed,
        "in_both": list(moved.twice),
    }
