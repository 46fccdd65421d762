"""The round of the destinations: tickets, and claims by them.

A ticket is written once, taken once, and found by its time from a mark on; and so are the parcels that it stands for.
What is dead lies before the mark. docs/design/spool.md says why nobody waits, and what each ticket promises.
"""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from postroad.spool.base import Parcel
from postroad.spool.calls import HASTENED, Claim, Release
from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.transaction import MARGIN_S, NEVER, Place, Round, SpoolTransaction, TicketKey
from postroad.spool.rows import DAMAGED, PARCEL, Damaged, read_parcel

_FEW, _MANY = 64, 256  # tickets looked at in one statement
_ALIKE = 8  # tickets that a destination may keep while it is skipped
_LONG_AGO = float("-inf")
_ANY = (-1, "", -1)  # before any ticket of a time

_COLUMNS = "(turn_at, turn, destination, served_at, low_at, low_number)"
_WAITS = "holder IS NULL AND NOT held"
_NEXT = f"""
SELECT due_at, number FROM postroad.parcel
WHERE parcel.destination = lane.destination AND {_WAITS} AND (due_at, number) >= (lane.low_at, lane.low_number)
ORDER BY due_at, number LIMIT 1
"""
_DRAW = f"""
INSERT INTO postroad.ticket {_COLUMNS}
SELECT * FROM unnest(
    $1::double precision[], $2::bigint[], $3::text[], $4::double precision[], $5::double precision[], $6::bigint[]
)
"""
_LOOK_BACK = "UPDATE postroad.look SET count = count + 1"
_TICKETS = f"""
WITH page AS MATERIALIZED (
    SELECT ctid, turn_at, turn, destination, number, served_at, low_at, low_number FROM postroad.ticket
    WHERE turn_at <= $1 AND (turn_at, turn, destination, number) > ($2, $3, $4, $5)
    ORDER BY turn_at, turn, destination, number LIMIT $6 FOR UPDATE SKIP LOCKED
)
SELECT count, lane.*, next.due_at
FROM postroad.look LEFT JOIN page AS lane ON true LEFT JOIN LATERAL ({_NEXT}) AS next ON true
"""
# Also of those that another node has locked, for it may leave them where they are
_MARK = """
SELECT turn_at FROM postroad.ticket WHERE (turn_at, turn, destination, number) > ($1, $2, $3, $4)
    AND turn_at <= $5 AND destination <> ALL($6::text[])
ORDER BY turn_at, turn, destination, number LIMIT 1
"""
_ASIDE = f"""
SELECT lane.ctid, turn_at, turn, destination, lane.number, served_at, low_at, low_number, next.due_at
FROM postroad.ticket AS lane LEFT JOIN LATERAL ({_NEXT}) AS next ON true
WHERE turn_at = $1 AND turn = $2 AND destination = $3 AND lane.number = $4 FOR UPDATE OF lane SKIP LOCKED
"""
_CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT found.number, found.due_at, lane.place
    FROM unnest($1::text[], $2::double precision[], $3::bigint[])
        WITH ORDINALITY AS lane (destination, low_at, low_number, place)
    CROSS JOIN LATERAL (
        SELECT number, due_at FROM postroad.parcel
        WHERE parcel.destination = lane.destination AND {_WAITS} AND due_at <= $4
            AND (due_at, number) >= (lane.low_at, lane.low_number) AND number <> ALL($8::bigint[])
        ORDER BY due_at, number LIMIT $5 FOR UPDATE SKIP LOCKED
    ) AS found
), parcel AS (
    UPDATE postroad.parcel SET holder = $7 WHERE number = ANY(ARRAY(
        SELECT number FROM due ORDER BY place, due_at, number LIMIT $6
    )) RETURNING *
)
SELECT {{PARCEL}} FROM parcel LEFT JOIN postroad.message ON message.number = parcel.number >> 20
""".replace("{PARCEL}", PARCEL)
_NEXT_TURNS = "SELECT nextval('postroad.turn') FROM generate_series(1, $1::integer)"
_RETURN = f"""
WITH gone AS (DELETE FROM postroad.ticket WHERE ctid = ANY($6::tid[]))
INSERT INTO postroad.ticket {_COLUMNS}
SELECT greatest(next.due_at, lane.served_at), lane.turn, lane.destination, lane.served_at, next.due_at, next.number
FROM unnest($1::text[], $2::bigint[], $3::double precision[], $4::double precision[], $5::bigint[])
    AS lane (destination, turn, served_at, low_at, low_number) CROSS JOIN LATERAL ({_NEXT}) AS next
RETURNING destination, turn_at
"""
_HOLD_DAMAGED = "UPDATE postroad.parcel SET held = true, holder = NULL, said = $2 WHERE number = $1"
_RELEASE = """
UPDATE postroad.parcel SET holder = NULL WHERE number = ANY($1::bigint[]) AND holder + 0 = $2
RETURNING destination, due_at, number
"""
_HASTEN = f"""
UPDATE postroad.parcel SET due_at = $2 WHERE number = ANY(ARRAY(
    SELECT number FROM postroad.parcel WHERE destination = $1 AND {_WAITS} AND waits_for_host AND due_at > $2
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
)) RETURNING destination, due_at, number
"""
_EMPTY = f"""
SELECT destination FROM unnest($1::text[]) AS lane (destination)
WHERE NOT EXISTS (SELECT FROM postroad.parcel WHERE parcel.destination = lane.destination AND {_WAITS})
"""
_NOT_AHEAD = f"""
WITH lane AS (
    DELETE FROM postroad.ticket WHERE turn_at > $1 AND served_at > $1 RETURNING turn, destination, low_at, low_number
)
INSERT INTO postroad.ticket {_COLUMNS}
SELECT greatest(next.due_at, $1), turn, destination, $1, next.due_at, next.number
FROM lane CROSS JOIN LATERAL ({_NEXT}) AS next
"""
# Each step of the recursion seeks the next name in the index: DISTINCT would read every parcel
_NAMES = f"""
WITH RECURSIVE name (destination) AS (
    (SELECT destination FROM postroad.parcel WHERE {_WAITS} {{more}} AND destination > $1
     ORDER BY destination LIMIT 1)
    UNION ALL
    SELECT (SELECT destination FROM postroad.parcel WHERE {_WAITS} {{more}}
            AND destination > name.destination ORDER BY destination LIMIT 1)
    FROM name WHERE name.destination IS NOT NULL
)
"""
_STRANDED = (
    _NAMES.format(more="AND waits_for_host") + "SELECT destination FROM name WHERE destination IS NOT NULL LIMIT $2"
)
_MISSING = f"""
{_NAMES.format(more="")}
INSERT INTO postroad.ticket {_COLUMNS}
SELECT '-infinity', 0, destination, '-infinity', '-infinity', 0
FROM name LEFT JOIN (SELECT DISTINCT destination FROM postroad.ticket) AS known USING (destination)
WHERE destination IS NOT NULL AND known.destination IS NULL
"""
_OF_OLD_NODES = f"""
INSERT INTO postroad.ticket {_COLUMNS}
SELECT turn_at, turn, destination, served_at, '-infinity', 0 FROM postroad.lane WHERE NOT EXISTS (
    SELECT FROM postroad.ticket
    WHERE ticket.turn_at = lane.turn_at AND ticket.turn = lane.turn AND ticket.destination = lane.destination
)
"""
_NO_OLD_NODES = """
DELETE FROM postroad.lane WHERE NOT EXISTS (SELECT FROM postroad.node WHERE draws IS DISTINCT FROM process)
"""
_BOUNDS = f"""
SELECT turn_at, destination, (SELECT greatest(next.due_at, lane.served_at) FROM ({_NEXT}) AS next) AS exact
FROM postroad.ticket AS lane WHERE turn_at >= $2 AND destination <> ALL($1::text[])
ORDER BY turn_at, turn, destination, number LIMIT $3
"""


@dataclass(slots=True, eq=False)
class _Lane:
    """A destination with its tickets, and their keys: the turn that it had last, and from where on its parcels are."""

    destination: str
    served: tuple[float, int]
    low: Place
    due_at: float = float("inf")  # of the first one, infinite of none
    tickets: list[Any] = field(default_factory=list)
    keys: list[TicketKey] = field(default_factory=list)

    def place(self) -> Any:  # noqa: ANN401  # what orders them
        """Its place in the round."""
        return self.turn, self.destination

    @property
    def turn(self) -> tuple[float, int]:
        """When its turn is, and which it had last."""
        return max(self.due_at, self.served[0]), self.served[1]

    def take(self, row: Any) -> None:  # noqa: ANN401  # a row of _TICKETS
        """One more ticket of it: together they stand for what each stands for."""
        self.low = min(self.low, (row["low_at"], row["low_number"]))
        if row["due_at"] is not None:
            self.due_at = min(self.due_at, row["due_at"])
        self.tickets.append(row["ctid"])
        self.keys.append(_key(row))


async def settle_lanes(tx: SpoolTransaction) -> None:
    """Draw tickets for what the calls of a transaction let wait: once, in the end."""
    served = tx.life.round.served
    if changed := [name for name in tx.changed if name in served]:
        for row in await tx.db.fetch(_EMPTY, changed):
            del served[row[0]]
    if tx.waiting:
        await _draw(tx, tx.waiting)


async def claim(tx: SpoolTransaction, asked: Sequence[Claim]) -> list[tuple[Parcel, ...]]:
    """Take parcels that are due."""
    return [tuple(await _claim(tx, one)) if one.most > 0 else () for one in asked]


async def release(tx: SpoolTransaction, asked: Sequence[Release]) -> list[None]:
    """Give parcels back untouched."""
    which = sorted({parcel.number for parcels, _ in asked for parcel in parcels})
    tx.wait(await tx.db.fetch(_RELEASE, which, tx.token))
    return [None] * len(asked)


async def retry_stranded(tx: SpoolTransaction, asked: Sequence[tuple[str, float]]) -> list[int]:
    """Make parcels of a destination due that wait for a host; how many."""
    return [tx.wait(await tx.db.fetch(_HASTEN, destination, now, HASTENED)) for destination, now in asked]


async def clock_set_back(tx: SpoolTransaction, nows: Sequence[float]) -> list[None]:
    """No destination was served later than now, and none with parcels is without a ticket."""
    for now in nows:
        await tx.db.fetch(_NOT_AHEAD, now)
        await tx.db.fetch(_MISSING, "")
        tx.life.round.set_back(now)
    return [None] * len(nows)


async def adopt_old(tx: SpoolTransaction) -> None:
    """Draw tickets for the lanes of nodes of version 1; after the last of these, for what they left."""
    await tx.db.fetch(_OF_OLD_NODES)
    await tx.db.fetch(_NO_OLD_NODES)


async def stranded(db: Db, after: str, limit: int) -> tuple[str, ...]:
    """Destinations behind this name whose parcels wait for a host."""
    return tuple(row[0] for row in await db.fetch(_STRANDED, after, limit))


async def next_due(db: Db, skip: Sequence[str], known: Round) -> float | None:
    """When a claim that skips these next finds something: the exact time of the tickets whose bounds are lowest."""
    limit, start = _FEW, min([known.mark, *[key[0] for key in known.left_aside(skip)]])
    while True:
        rows = await db.fetch(_BOUNDS, skip, start - MARGIN_S, limit)
        exact = [(row["exact"], known.served.get(row["destination"], NEVER)[0]) for row in rows]
        first = min((max(pair) for pair in exact if pair[0] is not None), default=None)
        if len(rows) < limit or (first is not None and first <= rows[-1]["turn_at"]):
            return first
        limit *= 8


async def _draw(tx: SpoolTransaction, waiting: Mapping[str, Place]) -> None:
    """A ticket for each of these destinations, whose first new parcel is there."""
    known = tx.life.round
    rows = []
    for destination, (due_at, number) in waiting.items():
        served_at, turn = known.served.get(destination, NEVER)
        rows.append((max(due_at, served_at), turn, destination, served_at, due_at, number))
    await tx.db.fetch(_DRAW, *_columns(rows, 6))
    if known.has_passed(min(row[0] for row in rows)) or not tx.life.name:
        await tx.db.execute(_LOOK_BACK)


async def _claim(tx: SpoolTransaction, asked: Claim) -> list[Parcel]:
    """Destinations in their turn, a few at first: mostly these have enough."""
    known = tx.life.round
    lanes: dict[str, _Lane] = {}
    taken: list[Parcel] = []
    done: dict[str, bool] = {}  # destination -> whether it was served
    later: list[_Lane] = []
    aside, rows, size = *await _first(tx, asked), _FEW
    while True:
        later += [lane for lane in _found(tx, lanes, [*aside, *rows]) if lane.destination not in asked.skip]
        is_last = len(rows) < size
        turns = sorted((lane for lane in later if is_last or lane.turn <= _key(rows[-1])[:2]), key=_Lane.place)
        some = await _take(tx, asked, turns, asked.most - len(taken))
        taken += some
        done |= _served(turns, some, is_full=len(taken) >= asked.most)
        later = [lane for lane in later if lane not in turns]
        if is_last or len(taken) >= asked.most:
            break
        aside, size, after = [], min(size * 2, _MANY), _key(rows[-1])
        rows = (await _page(tx, asked.now, after, size))[1]
    if not is_last:  # of who is skipped there may be more
        known.mark = min(known.mark, rows[-1]["turn_at"])
    skipped = {to: lane for to, lane in lanes.items() if to in asked.skip}
    # One does for many; and who was served here has its turn behind tickets that are older than that
    done |= {to: False for to, lane in skipped.items() if len(lane.tickets) > _ALIKE}
    done |= {lane.destination: False for lane in later if lane.turn > lane.keys[0][:2]}
    left = {to: lane.keys for to, lane in lanes.items() if to not in done and (to in skipped or to in known.aside)}
    known.put_aside(left, set(done).difference(skipped))
    await _return(tx, [lanes[to] for to in done], [to for to, is_served in done.items() if is_served], asked.now)
    tx.claims |= bool(taken)
    return taken


async def _first(tx: SpoolTransaction, asked: Claim) -> tuple[list[Any], list[Any]]:
    """Tickets that lie before the mark for they were skipped until now, and the first ones from the mark on."""
    known = tx.life.round
    aside = [row for key in known.left_aside(asked.skip) for row in await tx.db.fetch(_ASIDE, *key)]
    start = known.start(asked.now)
    looked, rows = await _page(tx, asked.now, (start, *_ANY), _FEW)
    if looked != known.looked and start > _LONG_AGO:
        start = _LONG_AGO
        _, rows = await _page(tx, asked.now, (start, *_ANY), _FEW)
    first = await tx.db.fetchval(_MARK, start, *_ANY, asked.now, list(asked.skip))
    known.looked, known.now = looked, max(known.now, asked.now)
    known.mark = asked.now if first is None else first
    return aside, rows


async def _page(tx: SpoolTransaction, now: float, after: TicketKey, size: int) -> tuple[int, list[Any]]:
    """The next tickets that are due, in order, and how often any were drawn before the mark."""
    rows = await tx.db.fetch(_TICKETS, now, *after, size)
    return rows[0]["count"], sorted((row for row in rows if row["number"] is not None), key=_key)


def _found(tx: SpoolTransaction, lanes: dict[str, _Lane], rows: Iterable[Any]) -> list[_Lane]:
    """The destinations of tickets that were not among those before."""
    new: list[_Lane] = []
    for row in rows:
        to = row["destination"]
        if to not in lanes:
            served = tx.life.round.served.get(to, (row["served_at"], row["turn"]))
            lanes[to] = _Lane(to, served, (row["low_at"], row["low_number"]))
            new.append(lanes[to])
        lanes[to].take(row)
    return new


async def _take(tx: SpoolTransaction, asked: Claim, lanes: Sequence[_Lane], left: int) -> list[Parcel]:
    """Claim what is due of these, in order."""
    if not lanes:
        return []
    names = [lane.destination for lane in lanes]
    lows = [lane.low for lane in lanes]
    limits = min(asked.each, left), left
    rows = await tx.db.fetch(_CLAIM, names, *_columns(lows, 2), asked.now, *limits, tx.token, tx.life.numbers_stale)
    places = {name: place for place, name in enumerate(names)}
    return [parcel async for parcel in _readable(tx, sorted(rows, key=lambda row: (places[row[6]], row[7], row[5])))]


def _served(lanes: Sequence[_Lane], some: Sequence[Parcel], *, is_full: bool) -> dict[str, bool]:
    """Who was looked at, and had something: once a claim has all that it may, nobody was looked at behind the last."""
    served = {parcel.destination for parcel in some}
    if is_full:
        last = max((place for place, lane in enumerate(lanes) if lane.destination in served), default=-1)
        lanes = lanes[: last + 1]
    return {lane.destination: lane.destination in served for lane in lanes}


async def _return(tx: SpoolTransaction, lanes: Sequence[_Lane], served: Sequence[str], now: float) -> None:
    """Take the tickets of these destinations, and draw one for what is left of each."""
    if not lanes:
        return
    known = tx.life.round
    turns = await tx.db.fetch(_NEXT_TURNS, len(served)) if served else ()
    known.serve({to: (now, turn) for to, (turn,) in zip(served, turns, strict=True)})
    rows = []
    for lane in lanes:
        served_at, turn = known.served.get(lane.destination, lane.served)
        rows.append((lane.destination, turn, served_at, *lane.low))
    left = await tx.db.fetch(_RETURN, *_columns(rows, 5), [ticket for lane in lanes for ticket in lane.tickets])
    known.mark = min([known.mark, *[row[1] for row in left]])  # those of who is skipped may lie before it
    for destination in {lane.destination for lane in lanes}.difference(row[0] for row in left):
        known.served.pop(destination, None)


async def _readable(tx: SpoolTransaction, rows: Iterable[Any]) -> Any:  # noqa: ANN401  # an iterator of parcels
    """Those that can be read; the others are held, so that none comes again and again and stops its lane."""
    for row in rows:
        try:
            parcel = read_parcel(tuple(row))
        except Damaged as problem:
            await tx.db.execute(_HOLD_DAMAGED, row[5], f"{DAMAGED} ({problem})")
        else:
            yield parcel


def _key(row: Any) -> TicketKey:  # noqa: ANN401  # a row of _TICKETS
    return row["turn_at"], row["turn"], row["destination"], row["number"]


def _columns(rows: Sequence[tuple[Any, ...]], many: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(many)]
