"""The health of a spool, its migration and its move as text."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.spool import DatabaseHealth, FolderHealth, Moved, NodeHealth, PendingMigration, SpoolHealth
from postroad.views.text.blocks import Block, Table
from postroad.words.phrasebook import counted, octets, seconds

MOST_TOLD = 20
"""Messages in both spools that are named; --json names all."""


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
    yield "healthy" if not count else counted(count, "finding")


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
    yield f"  {counted(moved.messages, 'queued message')} ({octets(moved.octets)})"
    yield f"  {counted(moved.finished, 'finished message')}"
    yield f"  {counted(moved.lessons, 'fact')} that the relay had learned"
    if moved.resumed:
        yield f"  {moved.resumed} more that an interrupted run had left in transit"
    if moved.is_complete:
        yield "nothing is left"
        return
    yield f"{moved.left} left in {source}:"
    if moved.claimed:
        yield f"  {moved.claimed} claimed by a relay: stop it, and run this again"
    for id_ in moved.twice[:MOST_TOLD]:
        yield f"  {id_} is in both: delete it in one of them (postroad queue delete {id_})"
    if len(moved.twice) > MOST_TOLD:
        yield f"  and {len(moved.twice) - MOST_TOLD} more in both"


def _node(node: NodeHealth) -> str:
    seen = "" if node.renewed_s is None else f", lease renewed {seconds(node.renewed_s)} ago"
    return f"{node.name}: {'alive' if node.alive else 'not running'}{seen}, {counted(node.claimed, 'parcel')} claimed"


def _folder(found: FolderHealth) -> Iterator[Block]:
    yield f"database {octets(found.size)}, {octets(found.free_pages)} of it free; log {octets(found.log)}"
    yield f"disk     {octets(found.free_disk)} free; reserve {octets(found.reserve)}"
    yield f"owner    {found.owner}, mode {found.mode}"


def _database(found: DatabaseHealth) -> Iterator[Block]:
    yield f"server   PostgreSQL {found.server}" + (" behind a pooler" if found.is_pooled else "")
    yield f"settings {', '.join(f'{name} = {value or chr(39) * 2}' for name, value in found.settings)}"
    yield f"clock    {seconds(abs(found.clock_s))} {'behind' if found.clock_s > 0 else 'ahead of'} this machine"
    yield f"sessions {found.connections} of {found.most_connections}"
    if xmin := found.xmin:
        since = "" if xmin.held_s is None else f" for {seconds(xmin.held_s)}"
        yield f"xmin     held by {xmin.holder} {xmin.pid or ''} {xmin.application}{since}: {xmin.query}"
    yield f"history  {', '.join(found.days) or 'no partition'}"
    heads = ("table", "rows", "dead", "size", "indexes", "vacuumed", "analyzed")
    rows = [
        (
            table.name,
            str(table.live),
            str(table.dead),
            octets(table.size),
            octets(sum(size for _, size in table.indexes)),
            _ago(table.vacuumed_s),
            _ago(table.analyzed_s),
        )
        for table in found.tables
    ]
    yield Table(heads, rows, frozenset(heads[1:]))


def _ago(span_s: float | None) -> str:
    return "never" if span_s is None else f"{seconds(round(span_s))} ago"
