"""What is removed: settled and deleted parcels, and messages that are finished."""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from postroad.spool.base import PARCELS, Parcel, Settlement, rerouted
from postroad.spool.calls import CompleteMessage, Overruling, Settling
from postroad.spool.postgres.keeping import add
from postroad.spool.postgres.texts import encode, plain
from postroad.spool.postgres.transaction import SpoolTransaction
from postroad.spool.rows import write_recipients

DAY_S = 86400

# Our parcels are found by number: `+ 0` hides the holder from the index of claims, which has all that this node ever
# claimed for as long as somebody's transaction keeps dead rows.
# Of two who settle the last two parcels of a message at the same time, one has to see that nothing is left: only these
# messages are locked, in order of number, and what is left is looked for in the next statement.
_LOCKED = """
locked AS MATERIALIZED (
    SELECT number FROM postroad.message WHERE number = ANY($1::bigint[]) AND parcels > 1 ORDER BY number FOR UPDATE
)
"""
_SETTLE = f"""
WITH {_LOCKED}
DELETE FROM postroad.parcel
WHERE number = ANY($2::bigint[]) AND holder + 0 = $3 AND (SELECT count(*) FROM locked) >= 0 RETURNING number
"""
_DEFER = """
UPDATE postroad.parcel SET holder = NULL, due_at = one.due_at, attempts = attempts + one.counts, warned = one.warned,
    waits_for_host = one.waits, said = one.said, recipients = coalesce(one.recipients, parcel.recipients)
FROM unnest(
    $2::bigint[], $3::double precision[], $4::integer[], $5::boolean[], $6::boolean[], $7::text[], $8::text[]
) AS one (number, due_at, counts, warned, waits, said, recipients)
WHERE parcel.number = one.number AND holder + 0 = $1 RETURNING destination, parcel.due_at, parcel.number
"""
_DELETE = f"""
WITH {_LOCKED}
DELETE FROM postroad.parcel
WHERE number = ANY($2::bigint[]) AND holder IS NULL AND (SELECT count(*) FROM locked) >= 0 RETURNING destination, number
"""
# As it was when a person read of it: not under way, nor tried since.
_TAKE = f"""
WITH {_LOCKED}
DELETE FROM postroad.parcel USING unnest($2::bigint[], $3::integer[], $4::text[]) AS one (number, attempts, recipients)
WHERE parcel.number = one.number AND holder IS NULL AND parcel.attempts = one.attempts
    AND coalesce(parcel.recipients, one.recipients) = one.recipients AND (SELECT count(*) FROM locked) >= 0
RETURNING parcel.destination, parcel.number
"""
_RECORDS = "SELECT message, count(*) FROM postroad.record WHERE message = ANY($1::bigint[]) GROUP BY message"
_ADDED = """
INSERT INTO postroad.parcel (number, destination, due_at, attempts, warned, recipients, said, routes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_ONE_MORE = "UPDATE postroad.message SET parcels = parcels + 1 WHERE number = $1"
_FINISH = """
WITH ending AS MATERIALIZED (
    SELECT number, id FROM postroad.message WHERE number = ANY($1::bigint[]) AND NOT EXISTS (
        SELECT FROM postroad.parcel
        WHERE parcel.number >= message.number << 20 AND parcel.number < (message.number + 1) << 20
    )
), body AS (
    DELETE FROM postroad.piece WHERE id = ANY(ARRAY(SELECT id FROM ending))
), told AS (
    DELETE FROM postroad.record WHERE message = ANY(ARRAY(SELECT number FROM ending))
    RETURNING message, number, destination, at, text, node
), message AS (
    DELETE FROM postroad.message WHERE number = ANY(ARRAY(SELECT number FROM ending))
    RETURNING number, id, received_at, size, about
)
SELECT number, id, received_at, size, about, NULL AS destination, NULL AS at, NULL AS text, NULL AS node
FROM message
UNION ALL SELECT message, NULL, NULL, number, NULL, destination, at, text, node FROM told
"""
_REMEMBER = """
WITH told AS (
    INSERT INTO postroad.record (message, destination, at, text, node)
    SELECT * FROM unnest($8::bigint[], $9::text[], $10::double precision[], $11::text[], $12::text[])
)
INSERT INTO postroad.past (number, id, received_at, size, about, finished_at, records)
SELECT number, id, received_at, size, about, $6, records
FROM unnest($1::bigint[], $2::text[], $3::double precision[], $4::bigint[], $5::text[], $7::text[])
    AS one (number, id, received_at, size, about, records)
"""

Told = tuple[int, str, float, str, str]
"""A record: its message, destination, time, text and node."""


async def settle(tx: SpoolTransaction, calls: Sequence[Settling], *, keeps_history: bool) -> list[None]:
    """Commit what became of claimed parcels."""
    if kept := await _still_claimed(tx, calls):
        await _follow(tx, kept, calls[-1][1], keeps_history=keeps_history)
    return [None] * len(calls)


async def overrule(tx: SpoolTransaction, calls: Sequence[Overruling], *, keeps_history: bool) -> list[int]:
    """Settle parcels that nobody has, as people decided: how many."""
    counts = []
    for settlements, now in calls:
        taken = await _taken(tx, settlements)
        if taken:
            await _follow(tx, [(one, now) for one in taken], now, keeps_history=keeps_history)
        counts.append(len(taken))
    return counts


async def delete(
    tx: SpoolTransaction, calls: Sequence[tuple[Sequence[int], float]], *, keeps_history: bool
) -> list[int]:
    """Delete parcels (numbers, now) that are not claimed: how many."""
    counts = []
    for parcels, now in calls:
        messages = {number // PARCELS for number in parcels}
        gone = await tx.db.fetch(_DELETE, sorted(messages), parcels)
        tx.changed.update(row[0] for row in gone)
        await finish(tx, {row[1] // PARCELS for row in gone}, (), now, keeps_history=keeps_history)
        counts.append(len(gone))
    return counts


async def finish(
    tx: SpoolTransaction, messages: Collection[int], told: Sequence[Told], now: float, *, keeps_history: bool
) -> None:
    """Those of these messages that have no parcel left are finished; keep the records, with them or for them."""
    rows = await tx.db.fetch(_FINISH, sorted(messages)) if messages else ()
    past = {row[0]: row for row in rows if row[1] is not None}
    records: dict[int, list[Any]] = {number: [] for number in past}
    for row in sorted((row for row in rows if row[1] is None), key=lambda row: (row[6], row[3])):
        records[row[0]].append([row[5], row[6], row[7], row[8]])
    for message, *record in told:
        records.get(message, []).append(record)
    open_ = [one for one in told if one[0] not in past]
    if open_ or (past and keeps_history):
        tx.day = int(now // DAY_S)
        finished = list(past.values()) if keeps_history else []
        await tx.db.fetch(_REMEMBER, *_past(finished, records, now), *_columns(open_))


def read_records(text: str) -> list[Any]:
    """What `past.records` holds."""
    found = json.loads(text)
    return found if isinstance(found, list) else []


async def _follow(
    tx: SpoolTransaction, kept: Sequence[tuple[Settlement, float]], now: float, *, keeps_history: bool
) -> None:
    """What follows once the parcels of these settlements are done with, or wait."""
    await _reroute(tx, kept)
    told = [_record(one, at, tx.life.name) for one, at in kept if one.record]
    messages = {one.parcel.number // PARCELS for one, _ in kept if not one.left}
    await finish(tx, messages, told, now, keeps_history=keeps_history)
    if reports := [CompleteMessage(mail, body) for one, _ in kept for mail, body in one.reports]:
        await add(tx, reports)


async def _taken(tx: SpoolTransaction, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Those whose parcels are as they were read; these are gone."""
    first = {one.parcel.number: one for one in settlements}
    messages = sorted({number // PARCELS for number in first})
    attempts = [one.parcel.attempts for one in first.values()]
    recipients = [write_recipients(one.parcel.mail.envelope.recipients) for one in first.values()]
    gone = await tx.db.fetch(_TAKE, messages, list(first), attempts, recipients)
    tx.changed.update(row[0] for row in gone)
    return [first[row[1]] for row in gone]


async def _still_claimed(tx: SpoolTransaction, calls: Sequence[Settling]) -> list[tuple[Settlement, float]]:
    """The settlements of parcels this node has, each parcel once, with the time of the call: their parcels are done."""
    first: dict[int, tuple[Settlement, float]] = {}
    for settlements, now, _ in calls:
        for one in settlements:
            first.setdefault(one.parcel.number, (one, now))
    if not first:
        return []
    messages = sorted({number // PARCELS for number in first})
    done = [number for number, (one, _) in first.items() if not one.left]
    ours = {row[0] for row in await tx.db.fetch(_SETTLE, messages, done, tx.token)}
    ours |= await _defer(tx, [one for one, _ in first.values() if one.left])
    return [pair for number, pair in first.items() if number in ours]


async def _defer(tx: SpoolTransaction, settlements: Sequence[Settlement]) -> set[int]:
    """Let the parcels wait whose recipients are left: which of them this node had."""
    if not settlements:
        return set()
    rows = [_deferred(one) for one in settlements]
    back = await tx.db.fetch(_DEFER, tx.token, *([row[place] for row in rows] for place in range(7)))
    tx.wait(back)
    return {row[2] for row in back}


def _deferred(one: Settlement) -> tuple[Any, ...]:
    left = None if one.left == one.parcel.mail.envelope.recipients else write_recipients(one.left)
    due_at = one.parcel.due_at if one.due_at is None else one.due_at
    return one.parcel.number, due_at, int(one.counts), one.warned, one.waits_for_host, plain(one.said), left


async def _reroute(tx: SpoolTransaction, settlements: Sequence[tuple[Settlement, float]]) -> None:
    """Add the parcels of those who take another route: before the old ones' messages could be finished."""
    said = [one.reroute.said for one, _ in settlements if one.reroute]
    if not said:
        return
    messages = sorted({one.parcel.number // PARCELS for one, _ in settlements if one.reroute})
    records = {row[0]: row[1] for row in await tx.db.fetch(_RECORDS, messages)}
    for parcel, text in zip(list(rerouted(settlements, records)), said, strict=True):
        await tx.db.execute(_ADDED, *_rerouted_row(parcel, text))
        await tx.db.execute(_ONE_MORE, parcel.number // PARCELS)
        tx.wait([(parcel.destination, parcel.due_at, parcel.number)])


def _rerouted_row(it: Parcel, said: str) -> tuple[Any, ...]:
    recipients, routes = write_recipients(it.mail.envelope.recipients), " ".join(it.routes)
    return it.number, it.destination, it.due_at, it.attempts, it.warned, recipients, plain(said), routes


def _record(one: Settlement, now: float, node: str) -> Told:
    return one.parcel.number // PARCELS, one.parcel.destination, now, plain(one.record), node


def _past(rows: Sequence[Any], records: Mapping[int, list[Any]], now: float) -> list[Any]:
    columns = [[row[place] for row in rows] for place in range(5)]
    return [*columns, now, [encode(records[row[0]]) for row in rows]]


def _columns(told: Sequence[Told]) -> list[list[Any]]:
    return [[one[place] for one in told] for place in range(5)]
