"""What only the spool on PostgreSQL has: tokens, leases, other nodes at the same moment, servers that are refused."""

import asyncio
from pathlib import Path
from unittest.mock import patch

import asyncpg
import pytest
from tests.support.letters import BODY, EVERYTHING, NOW, letter, octets, states
from tests.support.postgres import UNSAFE, a_client, database, loop, nodes

from postroad.spool import Lesson, Reroute, Selection, Settlement, SpoolError, Trouble, open_place, place_of
from postroad.spool.postgres import AcceptedRisks, PostgresSpool, is_url, lessons, settling, without_password
from postroad.spool.postgres import lanes as of_lanes
from postroad.spool.postgres.commits import BEGIN
from postroad.spool.postgres.promise import broken_promises, check_clock, check_promise
from postroad.words.inputs import InputError

LEASE = "UPDATE postroad.node SET renewed_at = renewed_at - interval '{} s' WHERE name = ANY($1)"


def run(story, *names, **settings):
    """Run a story about these nodes on one empty database."""

    async def whole():
        async with nodes(*names, **settings) as spools:
            return await story(*spools)

    return loop().run(whole())


async def pass_time(seconds, *names):
    """The database's clock goes on for these, as it were."""
    async with a_client(database()) as db:
        await db.execute(LEASE.format(seconds), names)


async def trouble_of(call):
    """The kind of trouble that a call ends in, and its words."""
    with pytest.raises(SpoolError) as trouble:
        await call
    return trouble.value.kind, trouble.value.why


def test_concurrent_messages_share_a_commit():
    """A hundred messages at once, and their settlements: a few commits, not two hundred."""

    async def story(spool):
        parcels = await asyncio.gather(*(spool.add(letter(f"m{n}"), BODY, claim=True) for n in range(100)))
        await asyncio.gather(*(spool.settle([Settlement(parcel)], NOW) for (parcel,) in parcels))
        stats = await spool.stats(NOW)
        return stats.messages, stats.finished, spool.commits <= 10

    assert (0, 100, True) == run(story, "one")


def test_two_nodes_share_the_mail():
    """They claim at the same moment, and no parcel twice."""

    async def story(one, two):
        await asyncio.gather(*(one.add(letter(f"m{n}", f"x@{n % 40}.example"), BODY) for n in range(400)))
        claims = await asyncio.gather(*(spool.claim(NOW, 30, each=3) for _ in range(10) for spool in (one, two)))
        while more := await one.claim(NOW, 100, each=100):
            claims.append(more)
        numbers = [parcel.number for parcels in claims for parcel in parcels]
        return len(numbers), len(set(numbers))

    assert (400, 400) == run(story, "one", "two")


def test_the_last_two_parcels_of_a_message_settled_at_once():
    """By two nodes: one of them finishes the message, whichever is later."""

    async def story(one, two):
        for n in range(10):
            await one.add(letter(f"m{n}", "a@one.example", "b@two.example"), BODY)
            (a,), (b,) = await one.claim(NOW, 1, each=1), await two.claim(NOW, 1, each=1)
            await asyncio.gather(
                one.settle([Settlement(a, record="{}")], NOW), two.settle([Settlement(b, record="{}")], NOW)
            )
        told = [await one.story(f"m{n}") for n in range(10)]
        return {(one.finished_at, len(one.records)) for one in told}, (await one.stats(NOW)).messages

    assert ({(NOW, 2)}, 0) == run(story, "one", "two")


def test_the_last_two_are_settled_at_once_where_one_took_another_route_or_is_deleted():
    """One of them finishes the message as well, with the record of the attempt before."""

    async def story(one, two):
        for n in range(10):
            await one.add(letter(f"r{n}", "a@one.example", "b@one.example"), BODY)
            (whole,) = await one.claim(NOW, 1, each=1)
            first, second = whole.mail.envelope.recipients
            await one.settle([Settlement(whole, (second,), NOW, "{}", reroute=Reroute((first,), ("x",), "no"))], NOW)
            (a,), (b,) = await one.claim(NOW, 1, each=1), await two.claim(NOW, 1, each=1)
            await asyncio.gather(one.settle([Settlement(a)], NOW), two.settle([Settlement(b)], NOW))
        records = [(record.text, record.node) for record in (await one.story("r0")).records]
        rerouted = (await one.stats(NOW)).messages, records
        for n in range(10):
            await one.add(letter(f"d{n}", "a@one.example", "b@two.example"), BODY)
            (a,) = await one.claim(NOW, 1, each=1)
            await asyncio.gather(one.settle([Settlement(a)], NOW), two.delete(Selection(ids=(f"d{n}",)), NOW))
            await two.delete(EVERYTHING, NOW)
        return rerouted, (await one.stats(NOW)).messages

    assert ((0, [("{}", "one")]), 0) == run(story, "one", "two")


def test_a_node_that_starts_takes_its_own_claims_back():
    """Claimed by a dead node -> due at once; what was arriving is swept up; the other node keeps what it has."""

    async def story(one, two):
        await one.add(letter("m1"), BODY, claim=True)
        await two.add(letter("m2"), BODY, claim=True)
        await one.write("m3", b"half")
        again = await PostgresSpool.open(database(), node="one", accepted=UNSAFE)
        (parcel,) = await again.claim(NOW, 10, each=10)
        body = await octets(again, parcel.mail)
        await again.sweep(NOW)
        async with a_client(database()) as db:
            halves = await db.fetchval("SELECT count(*) FROM postroad.piece WHERE id = 'm3'")
        await again.close()
        return parcel.mail.id, body, halves

    assert ("m1", BODY, 0) == run(story, "one", "two")


def test_a_name_belongs_to_the_last_process_that_took_it():
    """The one before settles nothing, claims nothing, accepts nothing to deliver, and is told which process it is."""

    async def story(old):
        (parcel,) = await old.add(letter("m1"), BODY, claim=True)
        new = await PostgresSpool.open(database(), node="one", accepted=UNSAFE)
        await old.settle([Settlement(parcel, record="{}")], NOW)
        told = [
            await trouble_of(old.add(letter("m2"), BODY, claim=True)),
            await trouble_of(old.claim(NOW, 1, each=1)),
            await trouble_of(old.renew(NOW)),
            await trouble_of(old.add(letter("m2"), BODY)),
        ]
        left = await states(new)
        await new.close()
        return left, {kind for kind, _ in told}, all("the name one" in why and "process" in why for _, why in told)

    assert ([("far.example", "waiting")], {Trouble.LOCKED}, True) == run(story, "one")


def test_a_lease_that_ran_out_frees_what_the_dead_had():
    """After a lease, no sooner; who comes back settles and reads nothing of it, but goes on in a new life."""

    async def story(one, two):
        (lost,) = await one.add(letter("m1"), BODY, claim=True)
        (kept,) = await two.add(letter("m2"), BODY, claim=True)
        await pass_time(58, "one")
        freed = [await two.renew(NOW)]
        await pass_time(2, "one")
        freed.append(await two.renew(NOW))
        before = await states(two)
        (fresh,) = await one.add(letter("m3"), BODY, claim=True)  # a new life begins
        own = await one.claim(NOW, 10, each=10)
        at_hand = one.at_hand(lost.mail), one.at_hand(fresh.mail)
        (taken,) = await two.claim(NOW, 10, each=10)
        reading = await trouble_of(one.piece("m1", 0))
        await one.settle([Settlement(lost, record="{}"), Settlement(fresh)], NOW)
        await two.settle([Settlement(kept), Settlement(taken)], NOW)
        return freed, before[0], own, at_hand, taken.mail.id, reading[0], (await two.stats(NOW)).finished

    expected = [0, 1], ("far.example", "waiting"), (), (None, BODY), "m1", Trouble.MISSING, 3
    assert expected == run(story, "one", "two")


def test_a_node_that_stops_gives_its_lease_back():
    """It is counted no longer, and what it had is free at the next renewal of another."""

    async def story(one, two):
        await one.add(letter("m1"), BODY, claim=True)
        await one.close()
        alive = [node.name for node in await two.nodes(NOW)]
        return alive, await two.renew(NOW), len(await two.claim(NOW, 1, each=1))

    assert (["two"], 1, 1) == run(story, "one", "two")


def test_a_parcel_is_never_in_the_same_hands_twice():
    """Lost with a lease: this node claims it again once it is done with the first time, not before."""

    async def story(one, two):
        (lost,) = await one.add(letter("m1"), BODY, claim=True)
        await pass_time(61, "one")
        await two.renew(NOW)
        await one.renew(NOW)
        first = await one.claim(NOW, 10, each=10)
        await one.settle([Settlement(lost)], NOW)
        return first, await one.claim(NOW, 10, each=10) == (lost,)

    assert ((), True) == run(story, "one", "two")


def test_when_the_database_was_away_no_node_is_dead():
    """None could renew: the first one that does gives all of them another lease."""

    async def story(one, two):
        await one.add(letter("m1"), BODY, claim=True)
        await pass_time(300, "one", "two")
        return [await two.renew(NOW), await two.renew(NOW), await one.renew(NOW)], await states(one)

    assert ([0, 0, 0], [("far.example", "claimed")]) == run(story, "one", "two")


def test_a_claim_of_nobody_is_freed():
    """Committed as its node was buried: the next renewal of any node finds it."""

    async def story(one):
        await one.add(letter("m1"), BODY)
        async with a_client(database()) as db:
            await db.execute("UPDATE postroad.parcel SET holder = 0")
        return [await one.renew(NOW), len(await one.claim(NOW, 1, each=1))]

    assert [1, 1] == run(story, "one")


def test_a_tool_changes_the_queue_of_a_living_relay():
    """It lists, holds, deletes and adds, but claims and settles nothing; where no spool is it makes none."""

    async def story(relay):
        tool = await PostgresSpool.open(database(), node="", accepted=UNSAFE)
        await relay.add(letter("m1"), BODY)
        await tool.add(letter("m2"), BODY)
        counts = await tool.hold(EVERYTHING), await tool.delete(Selection(ids=("m1",)), NOW)
        for call in (tool.claim(NOW, 1, each=1), tool.renew(NOW), tool.settle([], NOW), tool.release([])):
            with pytest.raises(ValueError, match="a tool has no node"):
                await call
        await tool.close()
        return counts, await states(relay)

    assert ((2, 1), [("far.example", "held")]) == run(story, "one")

    async def nowhere():
        kind, why = await trouble_of(PostgresSpool.open(database("_empty"), node="", accepted=UNSAFE))
        assert (Trouble.MISSING, True) == (kind, "start the relay" in why)

    loop().run(nowhere())


def test_tickets_of_a_destination_become_one():
    """Each commit draws one, a claim takes them all; where another node has nothing to give back, none is left."""

    async def tickets():
        async with a_client(database()) as db:
            return [
                tuple(row) for row in await db.fetch("SELECT turn_at, destination FROM postroad.ticket ORDER BY 1, 2")
            ]

    async def story(one, two):
        for n in range(3):
            await one.add(letter(f"m{n}", at=NOW + n), BODY)
        drawn = len(await tickets())
        (parcel, *_), left = await one.claim(NOW + 9, 2, each=2), await tickets()
        await two.claim(NOW + 9, 2, each=2)
        none = await tickets()
        await one.release([parcel])
        return drawn, left, none, await tickets(), [len(await spool.claim(NOW + 9, 2, each=2)) for spool in (two, one)]

    there = [(NOW + 9, "far.example")]
    assert (3, there, [], there, [1, 0]) == run(story, "one", "two")


def test_what_another_node_looked_at_and_left_is_seen_by_the_next():
    """However long ago its turn was: a claim passes over what is locked, but not for good."""

    async def story(one):
        await one.add(letter("m1"), BODY)
        async with a_client(database()) as db, db.transaction():
            await db.execute("SELECT FROM postroad.ticket FOR UPDATE")
            passed = [await one.claim(NOW + 100, 1, each=1) for _ in range(2)]
        return passed, len(await one.claim(NOW + 100, 1, each=1))

    assert ([(), ()], 1) == run(story, "one")


def test_many_tickets_are_no_more_turns_than_one():
    """A mountain that came in many commits, older than all others: it is served once before these."""

    async def story(one, two):
        for n in range(60):
            await one.add(letter(f"big{n}", "x@big.example", at=NOW - 10), BODY)
        for n in range(10):
            await one.add(letter(f"s{n}", f"x@s{n}.example", at=NOW - 5), BODY)
        taken = [await spool.claim(NOW, 5, each=5) for spool in (one, two, one, two)]
        return [sorted({parcel.destination for parcel in some}) for some in taken]

    big, others = ["big.example"], [f"s{n}.example" for n in range(10)]
    assert [big, others[:5], others[5:], big] == run(story, "one", "two")


@pytest.mark.parametrize("tickets", [2, 20])
def test_a_destination_that_was_skipped_has_its_turn_as_soon_as_it_is_not(tickets):
    """Its tickets lie far before those that a node looks at by then, and those of another node are not the same."""

    async def story(one, two):
        for n in range(tickets):
            await one.add(letter(f"a{n}", "x@a.example", at=NOW + n / 100), BODY)
        first = await one.claim(NOW + 50, 1, each=1, skip={"b.example"})
        await one.release(first)  # the last ticket stands for the first parcel
        await one.add(letter("b", "x@b.example", at=NOW + 50), BODY)
        others = [len(await one.claim(NOW + 50, 5, each=5, skip={"a.example"})) for _ in range(2)]
        due = await one.next_due(), await one.next_due(skip=["a.example"])
        return (
            others,
            due[1],
            due[0] <= NOW + 50,
            len(await one.claim(NOW + 50, 99, each=99)),
            await two.claim(NOW + 50, 9, each=9),
        )

    assert ([1, 0], None, True, tickets, ()) == run(story, "one", "two")


@pytest.mark.parametrize("more", [1, 20])
def test_no_ticket_of_who_was_skipped_is_forgotten(more):
    """Not with others that come meanwhile, nor by a claim that has enough before it, or finds it locked, or fails."""

    async def story(one):
        for name in ("a", "b"):
            await one.add(letter(name, f"x@{name}.example"), BODY)
        await one.claim(NOW + 60, 1, each=1, skip={"a.example", "b.example"})
        for n in range(more):
            await one.add(letter(f"a{n}", "x@a.example", at=NOW + 50 + n / 100), BODY)
        taken = [await one.claim(NOW + 60, 1, each=1, skip={"a.example", "b.example"}) for _ in range(2)]
        async with a_client(database()) as db, db.transaction():
            await db.execute("SELECT FROM postroad.ticket FOR UPDATE")
            taken += [await one.claim(NOW + 60, 1, each=1)]
        with patch.object(of_lanes, "_return", side_effect=NotImplementedError), pytest.raises(NotImplementedError):
            await one.claim(NOW + 60, 1, each=1)
        taken += [await one.claim(NOW + 60, 1, each=1) for _ in range(3)]
        return [[parcel.mail.id for parcel in some] for some in taken], await one.next_due() is None

    assert ([[], [], [], ["a"], ["b"], ["a0"]], more == 1) == run(story, "one")


@pytest.mark.parametrize("name", ["two", ""])
def test_what_waits_since_long_ago_is_seen_by_all(name):
    """Another node, or a tool, lets mail wait that a relay would have claimed before, had it been there."""

    async def story(one):
        other = await PostgresSpool.open(database(), node=name, accepted=UNSAFE)
        for spool in (one, other) if name else (one,):
            await spool.claim(NOW + 60, 1, each=1)
        await other.add(letter("m1"), BODY)
        found = await one.claim(NOW + 60, 1, each=1)
        await other.close()
        return len(found)

    assert 1 == run(story, "one")


def test_a_missing_ticket_is_drawn_again():
    """Within the hour, and at each start of a node: nothing waits for ever, nor for later mail of its destination."""

    async def story(one):
        await one.add(letter("m1", "x@a.example"), BODY)
        await one.add(letter("m2", "x@b.example"), BODY)
        async with a_client(database()) as db:
            await db.execute("DELETE FROM postroad.ticket")
            await one.add(letter("m3", "x@b.example", at=NOW + 60), BODY)
            lost = await one.claim(NOW, 9, each=9)
            for _ in range(2):  # the second time none is missing
                await one.clock_set_back(NOW, NOW + 60)
            drawn = await db.fetchval("SELECT count(*) FROM postroad.ticket")
        return lost, drawn, [parcel.mail.id for parcel in await one.claim(NOW, 9, each=9)]

    assert ((), 3, ["m1", "m2"]) == run(story, "one")


def test_mail_of_version_1_has_its_turn():
    """As soon as the first node of this version has brought the schema to it."""

    async def story(one):
        await one.add(letter("m1"), BODY)
        async with a_client(database()) as db:
            await db.execute("""
                DROP TABLE postroad.ticket, postroad.look; ALTER TABLE postroad.node DROP draws;
                UPDATE postroad.spool SET version = 1; INSERT INTO postroad.lane VALUES ('far.example', 0)
            """)
        new = await PostgresSpool.open(database(), node="two", accepted=UNSAFE)
        claimed = await new.claim(NOW, 1, each=1)
        await new.close()
        return [parcel.mail.id for parcel in claimed]

    assert ["m1"] == run(story, "one")


def test_nodes_of_version_1_go_on_beside_others():
    """What they let wait has a lane and no ticket: each renewal draws it. After the last of them lanes go."""

    async def story(one):
        renewed = []
        async with a_client(database()) as db:
            await db.execute(
                "INSERT INTO postroad.node (name, renewed_at, process) VALUES ('old', clock_timestamp(), 'x')"
            )
            for left in (1, 0):
                await one.add(letter(f"m{left}"), BODY)
                await db.execute("DELETE FROM postroad.ticket")  # as one of version 1 adds it
                await db.execute("INSERT INTO postroad.lane VALUES ('far.example', $1) ON CONFLICT DO NOTHING", NOW)
                waits = await one.claim(NOW, 1, each=1)
                await one.renew(NOW)
                renewed.append((waits, len(await one.claim(NOW, 1, each=1)), left))
                await db.execute("DELETE FROM postroad.node WHERE name = 'old'")
            return renewed, await db.fetchval("SELECT count(*) FROM postroad.lane")

    assert ([((), 1, 1), ((), 1, 0)], 0) == run(story, "one")


def test_a_damaged_row_is_held_and_blocks_nothing():
    """The others of its lane are claimed, and the queue says what is wrong with it."""

    async def story(one):
        for id_ in ("m1", "m2"):
            await one.add(letter(id_), BODY)
        async with a_client(database()) as db:
            await db.execute("UPDATE postroad.message SET about = '[1,' WHERE id = 'm1'")
        taken = [parcel.mail.id for parcel in await one.claim(NOW, 10, each=10)]
        return taken, [(listed.state.value, listed.said[:18]) for listed in await one.listed(EVERYTHING)]

    assert (["m2"], [("held", "what the spool has"), ("claimed", "")]) == run(story, "one")


def test_a_call_that_is_cancelled_gives_back_what_it_claimed():
    """Nobody would ever settle it."""

    async def story(one):
        await one.add(letter("m1"), BODY)
        calls = [asyncio.ensure_future(one.claim(NOW, 1, each=1)), one.add(letter("m2"), BODY, claim=True)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        while len(seen := await states(one)) < 2 or "claimed" in {
            state for _, state in seen
        }:  # asks the server each time
            pass
        return seen

    assert [("far.example", "waiting")] * 2 == run(story, "one")


def test_texts_that_the_database_does_not_take():
    """A NUL in what a host said, or in what was learned: it is kept as far as it can be shown, and mail goes on."""

    async def story(one):
        (parcel,) = await one.add(letter("m1"), BODY, claim=True)
        left = parcel.mail.envelope.recipients
        await one.settle([Settlement(parcel, left, NOW + 1, '{"a": "\\u0000\0"}', said="550 \0\udcff")], NOW)
        await one.learn([Lesson("k", "a\0b", "\0", 1, NOW)])
        return [listed.said for listed in await one.listed(EVERYTHING)], await one.recall("k", "a\0")

    assert (["550 \ufffd?"], (Lesson("k", "a\0b", "\0", 1, NOW),)) == run(story, "one")


def test_settings_of_the_database_change_no_statement():
    """Some set it up for an old program, in which a backslash escapes."""

    async def story(one):
        await one.learn([Lesson("kind", "key", "text", 1, NOW)])
        db = await asyncpg.connect(database(), server_settings={"standard_conforming_strings": "off"})
        found = [lesson.key for lesson in await lessons.recall(db, "kind", "k")]
        await db.close()
        return found

    assert ["key"] == run(story, "one")


def test_a_day_of_history_is_dropped_as_a_table():
    """Not while somebody reads it: nobody waits for that, and the next sweep does it."""

    async def story(one):
        (parcel,) = await one.add(letter("m1"), BODY, claim=True)
        await one.sweep(NOW)
        await one.settle([Settlement(parcel)], NOW)
        later, is_there = NOW + 3 * 86400, f"SELECT to_regclass('postroad.past_{NOW // 86400:.0f}') IS NOT NULL"
        async with a_client(database()) as db:
            async with db.transaction():
                await db.fetch("SELECT * FROM postroad.past")
                await one.sweep(later)
                busy = await db.fetchval(is_there), await one.story("m1")
            while await db.fetchval(is_there):  # the server ends a transaction a moment after it says so
                await one.sweep(later)
        return busy

    assert (True, None) == run(story, "one")


def test_a_newer_schema_that_serves_us_is_used():
    """A node of the next version has migrated: this one goes on, and may start; once it is not served, it says so."""

    async def story(one):
        async with a_client(database()) as db:
            await db.execute(
                "UPDATE postroad.spool SET version = 3, serves = 1; ALTER TABLE postroad.parcel ADD next int"
            )
            added = len(await one.add(letter("m1"), BODY)), len(await one.claim(NOW, 1, each=1)), await one.renew(NOW)
            await (await PostgresSpool.open(database(), node="two", accepted=UNSAFE)).close()
            await db.execute("UPDATE postroad.spool SET serves = 3; ALTER TABLE postroad.parcel DROP next")
        told = [
            await trouble_of(one.renew(NOW)),
            await trouble_of(one.add(letter("m2"), BODY)),
            await trouble_of(PostgresSpool.open(database(), node="two", accepted=UNSAFE)),
        ]
        return added, {kind for kind, _ in told}, "schema 3, this one knows 2" in told[0][1]

    assert ((1, 1, 0), {Trouble.NEWER}, True) == run(story, "one")


def test_nodes_that_start_together_make_the_spool_once():
    """The others wait for the first."""

    async def together():
        where = database("_together")
        spools = await asyncio.gather(*(PostgresSpool.open(where, node=f"n{n}", accepted=UNSAFE) for n in range(4)))
        await spools[0].add(letter(), BODY)
        seen = [(await spool.stats(NOW)).messages for spool in spools]
        for spool in spools:
            await spool.close()
        return seen

    assert [1, 1, 1, 1] == loop().run(together())


class Answers:
    """A server with these settings."""

    def __init__(self, **settings):
        self.row = {
            "version": 180000, "is_standby": False, "encoding": "UTF8", "fsync": "on", "waits_for": "on",
            "standbys": "", "read_only": "off", "replicas": 0, "clock": NOW, **settings,
        }  # fmt: skip

    async def fetchrow(self, _query):
        return self.row


@pytest.mark.parametrize(
    ("settings", "accepted", "words"),
    [
        ({}, AcceptedRisks(), ""),
        ({"version": 130011}, AcceptedRisks(), "PostgreSQL 13: 14 or newer"),
        ({"encoding": "SQL_ASCII"}, AcceptedRisks(unsafe=True), "create one with ENCODING 'UTF8'"),
        ({"fsync": "off"}, AcceptedRisks(), "set fsync = on"),
        ({"fsync": "off"}, AcceptedRisks(unsafe=True), ""),
        ({"waits_for": "off"}, AcceptedRisks(asynchronous=True), "set it to on"),
        ({"waits_for": "local"}, AcceptedRisks(), ""),
        ({"waits_for": "local", "standbys": "*", "replicas": 1}, AcceptedRisks(), "synchronous_commit is local"),
        ({"waits_for": "remote_write", "standbys": "*", "replicas": 1}, AcceptedRisks(), ""),
        ({"replicas": 1}, AcceptedRisks(), "a failover loses mail"),
        ({"replicas": 1}, AcceptedRisks(asynchronous=True), ""),
        ({"is_standby": True}, AcceptedRisks(unsafe=True), "name the primary"),
        ({"read_only": "on"}, AcceptedRisks(), "name the primary"),
    ],
)
def test_a_server_that_cannot_keep_the_promise_is_refused(settings, accepted, words):
    """With what to do about it."""

    async def story():
        try:
            return await check_promise(Answers(**settings), accepted)
        except SpoolError as trouble:
            return trouble.why

    answer = asyncio.run(story())
    assert answer == NOW if not words else words in answer


COPIES = {
    ("walreceiver", "physical"): True,
    ("standby_1", ""): True,
    ("pg_basebackup", ""): False,
    ("pg_receivewal", "physical"): False,
    ("barman_receive_wal", "physical"): False,
    ("a subscription", "logical"): False,
}


def test_who_copies_the_server_is_no_standby():
    """A backup does not stop the mail, for nobody fails over to it."""

    async def story():  # what a session has of its own hides what the server has under the same name
        db = await asyncpg.connect(database())
        await db.execute("CREATE TEMP TABLE pg_stat_replication AS SELECT 1 AS pid, ''::text AS application_name")
        await db.execute("CREATE TEMP TABLE pg_replication_slots AS SELECT 1 AS active_pid, ''::text AS slot_type")
        found = {}
        for name, slot in COPIES:
            await db.execute("UPDATE pg_stat_replication SET application_name = $1", name)
            await db.execute("UPDATE pg_replication_slots SET slot_type = $1", slot)
            found[name, slot] = any("standby" in why for why in await broken_promises(db, AcceptedRisks()))
        await db.close()
        return found

    assert COPIES == loop().run(story())


def test_a_clock_that_is_wrong_keeps_a_node_from_starting():
    """By more than five seconds, in words."""
    check_clock(NOW, NOW + 5)
    with pytest.raises(SpoolError, match="24 h ahead of the database's"):
        check_clock(NOW + 86400, NOW)

    async def story():
        return await trouble_of(PostgresSpool.open(database(), node="one", accepted=UNSAFE, clock=lambda: NOW))

    assert "behind the database's" in loop().run(story())[1]


def test_a_server_that_loses_its_promise_gets_no_new_mail():
    """Each sweep looks: what was accepted is settled, and mail is accepted again once it is well."""

    async def story(one):
        (parcel,) = await one.add(letter("m1"), BODY, claim=True)
        one._accepted = AcceptedRisks()  # the server of the tests has no fsync
        told = [await trouble_of(one.sweep(NOW)), await trouble_of(one.add(letter("m2"), BODY))]
        await one.settle([Settlement(parcel)], NOW)
        one._accepted = UNSAFE
        await one.sweep(NOW)
        await one.renew(NOW)
        await one.add(letter("m2"), BODY)
        return {kind for kind, _ in told}, (await one.stats(NOW)).finished

    assert ({Trouble.FAILING}, 1) == run(story, "one")


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://ann:{SECRET}@db.example:5433/mail", "postgresql://ann@db.example:5433/mail"),
        (f"postgres://db.example/mail?user=ann&password={SECRET}", "postgres://db.example/mail?user=ann"),
        ("postgresql:///mail?host=/run/pg", "postgresql:///mail?host=/run/pg"),
        (f"postgresql://ann:{SECRET}@[::1/mail", "postgresql://..."),
        (f"PostgreSQL://ann:{SECRET}/@db.example/mail", "postgresql://..."),
        (f"postgresql://ann:{SECRET}#@db.example/mail", "postgresql://..."),
        (f"postgresql://ann:x@{SECRET}?@db.example/mail", "postgresql://..."),
    ],
)
def test_a_password_is_in_no_message(url, shown):
    """Whatever form the URL has, and whatever is wrong with it."""
    assert (True, shown) == (is_url(url), without_password(url))

    async def story():
        where = url.replace("db.example:5433", "127.0.0.1:1").replace("db.example", "127.0.0.1:1")
        return await trouble_of(PostgresSpool.open(where, node="one"))

    if "/run/pg" not in url:
        kind, why = asyncio.run(story())
        assert (False, True) == (SECRET in why, kind in {Trouble.GONE, Trouble.MISSING})


def test_a_folder_is_no_url():
    """What begins otherwise is not taken for one; and no folder is made for what is the URL of something else."""
    assert [False] * 4 == [is_url(text) for text in ("/var/spool", "mysql://x/y", "postgresql:", "")]
    assert Path("a/b:c") == place_of("a/b:c")
    for url in (f"postgresq://ann:{SECRET}@db.example/mail", f"postgresql:/ann:{SECRET}@db.example/mail"):
        with pytest.raises(InputError, match="is not a spool: write a folder, or") as wrong:
            place_of(url)
        assert SECRET not in str(wrong.value)


def test_without_the_driver_the_fix_is_said(monkeypatch):
    """A folder needs none."""
    monkeypatch.setitem(__import__("sys").modules, "postroad.spool.postgres.spool", None)

    async def story():
        return await trouble_of(open_place("postgresql:///mail", node="one"))

    kind, why = asyncio.run(story())
    assert (Trouble.MISSING, True) == (kind, "pip install 'postroad[postgres]'" in why)


STATEMENTS = {
    of_lanes._TICKETS: ("float8, float8, bigint, text, bigint, int", "(0, 0, 0, '', 0, 8)"),
    of_lanes._MARK: ("float8, bigint, text, bigint, float8, text[]", "(0, 0, '', 0, 0, '{}')"),
    of_lanes._CLAIM: (
        "text[], float8[], bigint[], float8, bigint, bigint, bigint, bigint[]",
        "('{x}', '{0}', '{0}', 0, 10, 10, 1, '{}')",
    ),
    of_lanes._RETURN: (
        "text[], bigint[], float8[], float8[], bigint[], tid[]",
        "('{x}', '{0}', '{0}', '{0}', '{0}', '{}')",
    ),
    of_lanes._RELEASE: ("bigint[], bigint", "('{0}', 1)"),
    settling._SETTLE: ("bigint[], bigint[], bigint", "('{0}', '{0}', 1)"),
    settling._DEFER: (
        "bigint, bigint[], float8[], int[], bool[], bool[], text[], text[]",
        "(1, '{0}', '{0}', '{0}', '{0}', '{0}', '{x}', '{x}')",
    ),
}


def test_statements_follow_their_indexes_without_statistics():
    """However many parcels there are, and whatever is dead: none reads all, nor all that a node has ever claimed."""

    async def story(_one):
        plans = []
        async with a_client(database()) as db:
            await db.execute(BEGIN)
            for query, (types, values) in STATEMENTS.items():
                await db.execute(f"PREPARE it ({types}) AS {query}")
                plans += [row[0] for row in await db.fetch(f"EXPLAIN EXECUTE it {values}")]
                await db.execute("DEALLOCATE it")
            await db.execute("ROLLBACK")
        return plans

    plan = run(story, "one")
    assert {"ticket_pkey", "parcel_waiting", "parcel_pkey", "message_pkey"} == {
        line.partition(" using ")[2].split()[0] for line in plan if " using " in line
    }
    assert ["look"] == [line.partition("Seq Scan on ")[2].split()[0] for line in plan if "Seq Scan" in line]
