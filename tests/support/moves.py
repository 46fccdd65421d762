"""Spools to move: what is in one, filled by its own calls, and both ends of a move."""

from contextlib import asynccontextmanager
from dataclasses import replace
from unittest.mock import patch

from tests.support.letters import EVERYTHING, NOW, letter, octets
from tests.support.postgres import UNSAFE, Kept, a_client, database, loop, wipe

from postroad.spool import PIECE, Lesson, Reroute, Settlement, State
from postroad.spool.base import PARCELS
from postroad.spool.moving import MoveRole, move_all
from postroad.spool.postgres import PostgresMoveEnd, PostgresSpool
from postroad.spool.sqlite import SqliteMoveEnd, SqliteSpool

DATABASE = ""
"""The place of the spool in the database, where another one would be a folder."""

MOST = 9
"""Messages of a plan: who looks at a spool asks for each of so many."""

KINDS = ["counts", "mta-sts"]
LEASES = "UPDATE postroad.node SET renewed_at = renewed_at - interval '61 s'"
EMPTY = """
DO $$ BEGIN IF to_regclass('postroad.spool') IS NOT NULL THEN
    DROP SCHEMA postroad CASCADE;
END IF; END $$
"""


async def fill(spool, plan):
    """Do what a plan says for each message: (number of destinations, body, front, fate)."""
    assert len(plan) <= MOST
    for n, (destinations, size, front, fate) in enumerate(plan):
        id_ = f"m{n:03}"
        body = (id_.encode() * (size // 4 + 1))[:size]
        mail = letter(id_, *(f"u{each}@d{each}.example" for each in range(destinations)), size=size + len(front))
        if fate == "holds":
            mail = replace(mail, release_at=NOW + 86400)
        if size > PIECE:
            for start in range(0, size - 7, PIECE):
                await spool.write(id_, body[start : min(start + PIECE, size - 7)])
            body = body[-7:]
        parcels = await spool.add(mail, body, claim=fate != "waits", front=front)
        await FATES[fate](spool, parcels, mail)
    await spool.learn([Lesson("counts", "day one", count=3, at=NOW), Lesson("mta-sts", "x\0y", "a policy\0", 0, NOW)])


async def _nothing(spool, parcels, mail):
    pass


async def _finishes(spool, parcels, mail):
    report = replace(letter(f"r{mail.id}", "ann@home.example", sender="", size=3), received_at=NOW + 2)
    await spool.settle([Settlement(parcels[0], record='{"a":1}', reports=((report, b"dsn"),))], NOW + 2)
    await spool.settle([Settlement(parcel, record="{}") for parcel in parcels[1:]], NOW + 3)


async def _defers(spool, parcels, mail):
    left = [
        Settlement(it, it.mail.envelope.recipients, NOW + 9, "{}", said="451 é\0", waits_for_host=True, warned=True)
        for it in parcels
    ]
    await spool.settle(left, NOW + 1)


async def _reroutes(spool, parcels, mail):
    reroute = Reroute(parcels[0].mail.envelope.recipients, ("first", "second"), "550 no")
    await spool.settle([Settlement(parcels[0], record="{}", reroute=reroute)], NOW + 1)


async def _holds(spool, parcels, mail):
    await spool.release(parcels)
    await spool.hold(replace(EVERYTHING, ids=(mail.id,)))


FATES = {
    "waits": _nothing,
    "claimed": _nothing,
    "finishes": _finishes,
    "defers": _defers,
    "reroutes": _reroutes,
    "holds": _holds,
}


async def contents(spool, *, without_nul=False):
    """All that can be seen of a spool, but for numbers that are its own; what was claimed waits."""

    def text(said):
        return said.replace("\0", "\ufffd") if without_nul else said

    found = {}
    for id_ in [f"{r}m{n:03}" for n in range(MOST) for r in ("", "r")]:
        told = await spool.story(id_)
        if told is None:
            continue
        parcels = [
            (replace(one.parcel, number=one.parcel.number % PARCELS), _state(one.state), text(one.said))
            for one in told.parcels
        ]
        body = await octets(spool, told.mail) if told.finished_at is None else None
        found[id_] = told.mail, parcels, told.records, told.finished_at, body
    lessons = [await spool.recall(kind) for kind in KINDS]
    queue = [one.parcel.mail.id for one in await spool.listed(EVERYTHING, 1000)]
    stats = await spool.stats(NOW + 20)
    counts = stats.messages, stats.octets, stats.waiting + stats.claimed, stats.held, stats.finished
    return found, lessons, queue, counts, await spool.stranded("", 99)


def _state(state):
    return State.WAITING if state is State.CLAIMED else state


@asynccontextmanager
async def end_at(where, way):
    """An end of a move: in a folder, or in the database ("")."""
    with patch("postroad.spool.postgres.move_end.DatabaseConnections", Kept):
        end = (
            await SqliteMoveEnd.open(where, way)
            if where
            else await PostgresMoveEnd.open(database("moves"), way, accepted=UNSAFE)
        )
    try:
        yield end
    finally:
        await end.close()


async def move(source, target, wrap=lambda end: end, progress=lambda _part: None):
    """Move from one to the other."""
    async with end_at(source, MoveRole.OUT) as out, end_at(target, MoveRole.IN) as in_:
        return await move_all(wrap(out), wrap(in_), progress)


@asynccontextmanager
async def spool_at(where, node=""):
    """The spool there, for a tool or a node."""
    with patch("postroad.spool.postgres.spool.DatabaseConnections", Kept):
        spool = (
            await SqliteSpool.open(where, node=node)
            if where
            else await PostgresSpool.open(database("moves"), node=node, accepted=UNSAFE)
        )
    try:
        yield spool
    finally:
        await spool.close()


async def seen(where, **how):
    """What is to be seen there."""
    async with spool_at(where) as spool:
        return await contents(spool, **how)


async def do(statement):
    """Do this in the database."""
    async with a_client(database("moves")) as db:
        return await db.fetchval(statement)


async def filled(where, plan):
    """Fill a spool, whose node is dead then."""
    if not where:
        await wipe(database("moves"))
    async with spool_at(where, "one") as spool:
        await fill(spool, plan)
    if not where:
        await do(LEASES)


def play(story):
    """Run a story in the loop that the connections belong to."""
    return loop().run(story)
