"""PostgreSQL or the way to it fails, at every step: what was promised is kept, and nothing is done twice."""

import asyncio
import os
import random
from unittest.mock import patch

import asyncpg
import pytest
from tests.support import moves
from tests.support.examples import examples, some, stride
from tests.support.letters import BODY, EVERYTHING, NOW, letter, octets, states
from tests.support.memory import fast_folder
from tests.support.postgres import Kept, Server, database, loop, nodes, shared, wipe

from postroad.spool import Settlement, SpoolError, Trouble
from postroad.spool.postgres import PostgresSpool, connections
from postroad.spool.postgres.commits import BEGIN
from postroad.spool.postgres.trouble import is_worth_another_try, trouble_with, wrong_url


class Breaking:
    """A connection that is lost at one statement of all that are sent, before it arrives or before its answer does."""

    def __init__(self, db, fate):
        self.db = db
        self.fate = fate
        self.is_odd = False

    def __getattr__(self, name):
        found = getattr(self.db, name)
        return self.through(found) if name in {"execute", "fetch", "fetchrow", "fetchval"} else found

    def through(self, call):
        """Send a statement, if it is not the one."""

        async def send(query, *args, **kwargs):
            if self.is_odd:
                self.lose()
            now = self.fate.strikes(query)
            if now and self.fate.before:
                self.lose()
            result = await call(query, *args, **kwargs)
            if now:
                self.lose()
            return result

        return send

    def lose(self):
        """As a cable cut, or as a pooler that hangs up while the driver speaks: that is of no use any more."""
        if self.fate.is_odd:
            self.is_odd = True
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
        self.db.terminate()
        raise asyncpg.exceptions.ConnectionDoesNotExistError("connection was closed in the middle of operation")


class Fate:
    """Which statement it is, of all or only of some; `down`: there is no server any more from then on."""

    def __init__(self, *, before=False, only="", goes_down=False, is_odd=False):
        self.at = 0  # none, until it is said
        self.seen = 0
        self.before = before
        self.is_odd = is_odd
        self.only = only
        self.goes_down = goes_down
        self.down = False

    def strikes(self, query):
        """Whether this is the one."""
        self.seen += bool(self.at) and (not self.only or query == self.only)
        is_it = self.seen == self.at > 0 and (not self.only or query == self.only)
        self.down |= is_it and self.goes_down
        return is_it

    def __enter__(self):
        def wrap(db):
            if not self.down:
                return Breaking(db, self)
            db.terminate()
            raise ConnectionRefusedError(111, "Connection refused")

        self.patch = patch.object(Kept, "wrap", staticmethod(wrap))
        self.patch.start()
        return self

    def __exit__(self, *_):
        self.patch.stop()


async def day(fate, at):
    """Mail comes, waits, is claimed and settled; what is to be seen in the end."""
    with fate:
        async with nodes("one") as (spool,):
            fate.at = at
            (parcel,) = await spool.add(letter("m1"), BODY, claim=True)
            await spool.add(letter("m2", "a@one.example", "b@two.example"), BODY)
            one, two = await spool.claim(NOW, 2, each=1)
            report = letter("r1", "ann@home.example", sender="", size=3)
            await spool.settle([Settlement(parcel, record="{}", reports=((report, b"dsn"),))], NOW)
            left = two.mail.envelope.recipients
            await spool.settle([Settlement(one, record="{}"), Settlement(two, left, NOW + 5, "{}", said="no")], NOW)
            await spool.release([parcel for (parcel,) in [await spool.add(letter("m3"), BODY, claim=True)]])
            body = await octets(spool, letter("m3"))
            fate.at = 0
            stats = await spool.stats(NOW)
            told = [await spool.story(id_) for id_ in ("m1", "m2", "m3", "r1")]
            seen = [(len(each.parcels), len(each.records), each.finished_at) for each in told]
            again = sorted(parcel.mail.id for parcel in await spool.claim(NOW + 9, 9, each=9))
        return body, stats, seen, again


def end_of_day(at, *, only="", **how):
    """What is seen if the connection is lost at that statement: before a COMMIT arrives, or before an answer does."""
    fate = Fate(before=only == "COMMIT", only=only, **how)
    with patch.object(connections, "_PAUSES_S", (0.0,)):
        return loop().run(day(fate, at)), fate.seen


@pytest.mark.parametrize(
    ("how", "share"),
    [({}, 14), ({"only": "COMMIT"}, 4), ({"only": BEGIN, "is_odd": True}, 4)],
    ids=["answers", "commits", "out of step"],
)
def test_the_connection_is_lost_at_any_statement(how, share):
    """Each call comes out as if nothing had happened: done once. All of them in `make thorough`."""
    expected, statements = end_of_day(10**6, **how)
    assert ([(0, 1, NOW), (1, 2, None), (1, 0, None), (1, 0, None)], ["m2", "m3", "r1"]) == expected[2:]
    assert statements > share
    for at in random.Random(share).sample(
        range(1, statements + 1), max(1, min(examples(share) // stride(2), statements))
    ):
        assert expected == end_of_day(at, **how)[0], at


def test_a_commit_that_nobody_can_be_asked_about():
    """The client is told to come again; once there is a server, what was claimed in vain waits, and is delivered."""

    async def story():
        fate = Fate(only="COMMIT", goes_down=True)
        with fate:
            async with nodes("one") as (spool,):
                fate.at = 1
                with patch.object(connections, "PATIENCE_S", -1.0):
                    with pytest.raises(SpoolError) as trouble:
                        await spool.add(letter("m1"), BODY, claim=True)
                    with pytest.raises(SpoolError):
                        await spool.add(letter("m2"), BODY, claim=True)
                fate.down, fate.at = False, 0
                await spool.add(letter("m2"), BODY, claim=True)
                while ("far.example", "waiting") not in await states(spool):  # asks the server each time
                    pass
                seen = await states(spool)
        return trouble.value.kind, seen

    assert (Trouble.GONE, [("far.example", "waiting"), ("far.example", "claimed")]) == loop().run(story())


def test_a_server_that_crashes_and_comes_back():
    """With fsync: what was accepted is there; who was under way is served when it is back; without it they are told.

    And where somebody tells it not to wait for its standby, nobody is told that their mail is safe, until it is.
    """
    server = Server(fast_folder() / f"postroad-crash-{os.getpid()}")
    server.make_like(shared())
    server.start()
    try:
        accepted, told, waiting = asyncio.run(crash(server))
        answers = asyncio.run(cancel(server))
    finally:
        server.stop()
        server.remove()
    assert ({f"m{n}" for n in range(60)}, (Trouble.GONE, Trouble.GONE)) == (accepted, told)
    assert sorted([*accepted, "late"]) == waiting
    assert (["waits", "waits", "waits", "kept", "waits", "waits", Trouble.GONE], 64) == answers


async def crash(server):
    """Two crashes: one in the middle of sixty messages, one for so long that clients are sent away."""
    spool = await PostgresSpool.open(server.url(), node="one")
    accepted = set()

    async def client(n):
        for each in range(n, n + 6):
            await spool.add(letter(f"m{each}"), BODY)
            accepted.add(f"m{each}")
            if len(accepted) == 20:
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)

    await asyncio.gather(*(client(n) for n in range(0, 60, 6)))
    await asyncio.to_thread(server.stop)
    with patch.object(connections, "PATIENCE_S", -1.0):
        told = await trouble_of(spool.add(letter("late"), BODY)), await trouble_of(spool.stats(NOW))
    await asyncio.to_thread(server.start)
    await spool.add(letter("late"), BODY)
    waiting = sorted(one.parcel.mail.id for one in await spool.listed(EVERYTHING, 100))
    await spool.close()
    return accepted, told, waiting


WAIT = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"
STANDBY = "ALTER SYSTEM SET synchronous_standby_names = '{}'"


async def cancel(server):
    """The standby does not answer, and each COMMIT that waits for it is cancelled or its session ended."""
    spool = await PostgresSpool.open(server.url(), node="one")
    db = await asyncpg.connect(server.url())

    async def standby(name):
        await db.execute(STANDBY.format(name))
        await db.execute("SELECT pg_reload_conf()")
        while name != await db.fetchval("SHOW synchronous_standby_names"):
            pass

    async def waiting():
        return {row["pid"] for row in await db.fetch(WAIT)}

    async def meet(adding, how):
        while not (pids := await waiting()):
            assert not adding.done()
        await db.execute(f"SELECT {how}({min(pids)})")
        while pids & await waiting():  # the signal may come after the answer
            pass
        return "waits"

    cancelled = "pg_cancel_backend"
    await standby("nobody")
    adding = spool.add(letter("s1"), BODY)
    answers = [await meet(adding, how) for how in (cancelled, "pg_terminate_backend", cancelled)]
    await standby("")
    answers.append(await adding and "kept")
    await standby("nobody")
    with patch.object(connections, "PATIENCE_S", -1.0):
        adding = spool.add(letter("s2"), BODY, claim=True)
        answers += [await meet(adding, cancelled), await meet(adding, cancelled), await trouble_of(adding)]
    await standby("")
    await spool.add(letter("s3"), BODY)
    while ("far.example", "claimed") in (left := await states(spool)):  # what was claimed in vain waits again
        pass
    await spool.close()
    await db.close()
    return answers, len(left)


async def trouble_of(call):
    """The kind of trouble that a call ends in."""
    with pytest.raises(SpoolError) as trouble:
        await call
    return trouble.value.kind


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (asyncpg.DiskFullError("no space"), Trouble.FULL),
        (asyncpg.ReadOnlySQLTransactionError("read only"), Trouble.READ_ONLY),
        (asyncpg.InsufficientPrivilegeError("denied"), Trouble.READ_ONLY),
        (asyncpg.InvalidPasswordError("no"), Trouble.READ_ONLY),
        (asyncpg.InvalidCatalogNameError("no such database"), Trouble.MISSING),
        (asyncpg.LockNotAvailableError("lock timeout"), Trouble.LOCKED),
        (asyncpg.DeadlockDetectedError("deadlock"), Trouble.LOCKED),
        (asyncpg.TooManyConnectionsError("sorry"), Trouble.FAILING),
        (asyncpg.AdminShutdownError("terminating"), Trouble.GONE),
        (asyncpg.CannotConnectNowError("starting"), Trouble.GONE),
        (asyncpg.UndefinedTableError("gone"), Trouble.GONE),
        (asyncpg.DataCorruptedError("bad page"), Trouble.CORRUPT),
        (asyncpg.InterfaceError("connection is closed"), Trouble.GONE),
        (ConnectionRefusedError(111, "Connection refused"), Trouble.GONE),
        (TimeoutError(), Trouble.GONE),
        (asyncpg.ObjectNotInPrerequisiteStateError("not currently accepting connections"), Trouble.FAILING),
        (asyncpg.DataError("not an integer"), None),
        (ValueError("a fault"), None),
    ],
)
def test_each_complaint_is_a_trouble_of_a_kind(problem, kind):
    """In one sentence that says where; a fault of the program is none."""
    trouble = trouble_with("postgresql://db.example/mail", problem)
    assert kind == (trouble and trouble.kind)
    assert trouble is None or "postgresql://db.example/mail" in trouble.why


@pytest.mark.parametrize(
    ("problem", "fix"),
    [
        (asyncpg.InvalidPasswordError("no"), "correct the name, the password (~/.pgpass"),
        (asyncpg.TooManyConnectionsError("sorry"), "raise max_connections"),
        (asyncpg.QueryCanceledError("statement timeout"), "statement_timeout = 0"),
        (asyncpg.InsufficientPrivilegeError("denied"), "a user who may create"),
        (asyncpg.ReadOnlySQLTransactionError("read only"), "name the primary server"),
        (FileNotFoundError(2, "No such file or directory", "/ca.pem"), "No such file or directory: /ca.pem"),
        (asyncpg.exceptions.TargetServerAttributeNotMatched("<Enum 1>"), "none of its servers is as target_session"),
        (wrong_url(ValueError("invalid literal for int(): 'hunter2'")), "percent-encoded"),
        (
            wrong_url(asyncpg.UndefinedObjectError('unrecognized parameter "sslmod"')),
            '(unrecognized parameter "sslmod")',
        ),
        (
            wrong_url(asyncpg.exceptions.ClientConfigurationError("is one of <object at 0x7f>, got 'read-wrote'")),
            "prefer-standby, not 'read-wrote')",
        ),
    ],
)
def test_each_complaint_says_what_to_fix(problem, fix):
    """Not only its kind's own words."""
    trouble = trouble_with("postgresql://db.example/mail", problem)
    assert fix in trouble.why
    assert "hunter2" not in trouble.why


def test_a_transaction_that_met_another_is_tried_again():
    """What it met is over the next time; what is wrong with the server, or with us, is not."""
    met = asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError
    migrated = asyncpg.exceptions.InvalidCachedStatementError, asyncpg.exceptions.OutdatedSchemaCacheError
    others = asyncpg.DiskFullError, asyncpg.InsufficientPrivilegeError, asyncpg.InterfaceError, ValueError
    expected = [True] * len(met + migrated) + [False] * len(others)
    assert expected == [is_worth_another_try(problem("")) for problem in (*met, *migrated, *others)]


def test_no_server_at_the_start():
    """The relay is told where none is."""

    async def story():
        return await trouble_of(PostgresSpool.open("postgresql://127.0.0.1:1/mail", node="one"))

    assert Trouble.GONE == asyncio.run(story())


MOVED = [(2, 30, b"", "waits"), (1, 9, b"front", "defers"), (1, 40, b"", "finishes"), (1, 40, b"", "holds")]


async def moved(source, target, fate, at):
    """Move all, with the connection lost at that statement; what is at TO then, and how many statements there were."""
    await wipe(database("moves"))
    await moves.filled(source, MOVED)
    expected = await moves.seen(source, without_nul=True)
    with fate:
        fate.at = at
        done = await moves.move(source, target)
        fate.at = 0
    assert (expected, True) == (await moves.seen(target, without_nul=True), done.is_complete)
    return fate.seen


@pytest.mark.parametrize(
    ("to", "lost"),
    some([(to, lost) for to in ("database", "folder") for lost in ("answers", "commits")], 3),
)
def test_a_move_whose_connection_is_lost_at_any_statement(tmp_path, to, lost):
    """It goes on by itself, even where nobody heard of a COMMIT: each of its transactions may be repeated.

    Every third of the pairs: each end, and each loss, is in one of them.
    """

    def story(at):
        folder = tmp_path / str(at)
        places = (folder, moves.DATABASE) if to == "database" else (moves.DATABASE, folder)
        with patch.object(connections, "_PAUSES_S", (0.0,)), patch("postroad.spool.moving.AT_ONCE", 2):
            return loop().run(moved(*places, Fate(only="COMMIT" if lost == "commits" else ""), at))

    statements = story(10**6)
    assert statements > 10
    for at in random.Random(statements).sample(range(1, statements + 1), min(examples(10), statements)):
        assert at <= story(at)
