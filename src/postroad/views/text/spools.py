"""The health of a spool, its migration and its move as text."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.spool import DatabaseHealth, FolderHealth, Moved, NodeHealth, PendingMigration, SpoolHealth
from postroad.views.text.blocks import Block, Table

MIB = 1024 * 1024


def examined(health: SpoolHealth) -> Iterator[Block]:
    """`postroad spool check`: what is there, then what is wrong with it."""
    yield f"spool    {health.where}"
    yield f"schema   {health.schema}" + ("" if health.schema == health.newest else f" (newest: {health.newest})")
    for node in health.nodes:
        yield f"node     {_node(node)}"
    if health.folder:
        yield from _folder(health.folder)
    if health.database:
        yield from _database(health.database)
    for finding in health.findings:
        yield ""
        yield (f"{finding.code}: {finding.what}", "bold red")
        yield f"  where: {finding.where}"
        yield f"  fix:   {finding.fix}"
    yield ""
    count = len(health.findings)
    yield "healthy" if not count else f"{count} finding{'' if count == 1 else 's'}"


def migrated(pending: PendingMigration, *, done: bool) -> Iterator[str]:
    """`postroad spool migrate`: the steps, done or to do."""
    if not pending.steps:
        yield f"nothing to do: the schema is version {pending.version}"
        return
    for step in pending.steps:
        stops = f" (stop {', '.join(pending.running)} first)" if step in pending.obstacles else ""
        yield f"{'done' if done else 'to do'}: version {step.number}: {step.about}{stops}"
    if not done:
        yield "nothing is changed yet; without --dry-run it would be"


def moved_lines(moved: Moved, source: str, target: str) -> Iterator[str]:
    """`postroad spool move`: what was moved, and what was not."""
    yield f"moved from {source} to {target}:"
    yield f"  {moved.messages} queued messages ({moved.octets} octets)"
    yield f"  {moved.finished} finished messages"
    yield f"  {moved.lessons} lessons"
    if moved.resumed:
        yield f"  {moved.resumed} more that an interrupted run had left on their way"
    if moved.is_complete:
        yield "nothing is left"
        return
    yield f"{moved.left} left in {source}:"
    if moved.claimed:
        yield f"  {moved.claimed} claimed by a relay: stop it, and run this again"
    for id_ in moved.twice:
        yield f"  {id_} is in both: delete it in one of them (postroad queue delete {id_})"


def _node(node: NodeHealth) -> str:
    seen = "" if node.renewed_s is None else f", lease renewed {node.renewed_s:.0f} s ago"
    return f"{node.name}: {'alive' if node.alive else 'not running'}{seen}, {node.claimed} parcels claimed"


def _folder(found: FolderHealth) -> Iterator[Block]:
    yield f"database {_size(found.size)}, {_size(found.free_pages)} of it free; log {_size(found.log)}"
    yield f"disk     {_size(found.free_disk)} free; reserve {_size(found.reserve)}"
    yield f"owner    {found.owner}, mode {found.mode}"


def _database(found: DatabaseHealth) -> Iterator[Block]:
    yield f"server   PostgreSQL {found.server}" + (" behind a pooler" if found.is_pooled else "")
    yield f"settings {', '.join(f'{name} = {value or chr(39) * 2}' for name, value in found.settings)}"
    yield f"clock    {abs(found.clock_s) * 1000:.0f} ms {'behind' if found.clock_s > 0 else 'ahead of'} this machine"
    yield f"sessions {found.connections} of {found.most_connections}"
    if xmin := found.xmin:
        since = "" if xmin.held_s is None else f" for {xmin.held_s:.1f} s"
        yield f"xmin     held by {xmin.holder} {xmin.pid or ''} {xmin.application}{since}: {xmin.query}"
    yield f"history  {', '.join(found.days) or 'no partition'}"
    heads = ("table", "rows", "dead", "size", "indexes", "vacuumed", "analyzed")
    rows = [
        (
            table.name,
            str(table.live),
            str(table.dead),
            _size(table.size),
            _size(sum(size for _, size in table.indexes)),
            _ago(table.vacuumed_s),
            _ago(table.analyzed_s),
        )
        for table in found.tables
    ]
    yield Table(heads, rows, frozenset(heads[1:]))


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds / 60:.0f} min ago"


def _size(octets: int) -> str:
    return f"{octets / MIB:.1f} MiB" if octets >= MIB else f"{octets / 1024:.0f} KiB"
