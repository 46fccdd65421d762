"""What a spool does as its disk fills: mail is refused in time, what was accepted leaves, room comes back."""

import asyncio
import os
import shutil

import pytest
from tests.support.examples import some
from tests.support.grounds import MIB, ROOT_ONLY, fill, nothing, run, small_disk, trouble_with
from tests.support.letters import BODY, EVERYTHING, NOW, letter, states

from postroad.spool import PIECE, Settlement, SpoolError, Trouble
from postroad.spool.sqlite.room import FreeSpace, Room


def full(spool):
    """No page more for the database: SQLite says what it says of a full disk. Undone by the function returned."""
    db = spool._writer._commits._db
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    return lambda: db.execute("PRAGMA max_page_count = 1000000").fetchone()


def test_on_a_full_disk_mail_is_refused_and_the_rest_of_its_group_is_done(tmp_path):
    """A settlement that shares a group with a message does not fail with it."""

    async def story(spool):
        (parcel,) = await spool.add(letter("m1"), BODY, claim=True)
        full(spool)
        calls = (spool.add(letter("m2", size=PIECE), bytes(PIECE)), spool.settle([Settlement(parcel)], NOW))
        refused, settled = await asyncio.gather(*calls, return_exceptions=True)
        assert (Trouble.FULL, None) == (refused.kind, settled)

    run(story, tmp_path)


def test_the_reserve_is_given_up_for_what_leaves_alone(tmp_path, monkeypatch):
    """New mail does not get it; a settlement does, once, and is done; the sweep makes it again."""
    reserve = tmp_path / "reserve.bin"

    async def story(spool):
        (parcel,) = await spool.add(letter("m1"), BODY, claim=True)
        report = letter("r1", sender="", size=PIECE)
        settlement = Settlement(parcel, reports=((report, bytes(PIECE)),))
        assert 2 * MIB == reserve.stat().st_size
        make_room = full(spool)
        assert Trouble.FULL == await trouble_with(spool.add(letter("m2", size=PIECE), bytes(PIECE)))
        assert reserve.exists()
        give_up = spool._room.give_up_reserve
        monkeypatch.setattr(spool._room, "give_up_reserve", lambda: bool(make_room()) * give_up())
        await spool.settle([settlement], NOW)
        assert (False, ["r1"]) == (reserve.exists(), [one.parcel.mail.id for one in await spool.listed(EVERYTHING)])
        assert (tmp_path / "spool.db-wal").stat().st_size > MIB
        await spool.sweep(NOW)
        assert 2 * MIB == reserve.stat().st_size

    run(story, tmp_path, reserve=4 * MIB)


def test_without_a_reserve_a_full_disk_is_told(tmp_path):
    """Nothing to give up: the settlement fails, is not lost, and holds when it is tried again with room."""

    async def story(spool):
        (parcel,) = await spool.add(letter("m1"), BODY, claim=True)
        make_room = full(spool)
        settlement = Settlement(parcel, reports=((letter("r1", sender="", size=PIECE), bytes(PIECE)),))
        assert Trouble.FULL == await trouble_with(spool.settle([settlement], NOW))
        assert [("far.example", "claimed")] == await states(spool)
        make_room()
        await spool.settle([settlement], NOW)
        return [path.name for path in tmp_path.iterdir()]

    assert "reserve.bin" not in run(story, tmp_path)


def test_a_reserve_no_longer_wanted_is_removed(tmp_path):
    """`spool.reserve` was set to 0, or to another size."""
    sizes = []
    for wanted in (4 * MIB, 8 * MIB, 0):
        run(nothing, tmp_path, reserve=wanted)
        sizes.append((tmp_path / "reserve.bin").stat().st_size if (tmp_path / "reserve.bin").exists() else None)
    assert [2 * MIB, 4 * MIB, None] == sizes


@pytest.mark.root
@ROOT_ONLY
@pytest.mark.parametrize("restarts", some([False, True], 2, first=1))
def test_what_was_accepted_leaves_a_disk_that_others_have_filled(tmp_path, restarts):
    """0 octets free, 100 messages wait: each is claimed once and settled, over a restart.

    In a whole run also without one.
    """
    folder = tmp_path / "disk"
    settings = {"reserve": 8 * MIB}
    served = []

    async def accept(spool):
        for n in range(100):
            await spool.add(letter(f"m{n:02}", f"bob@far{n}.example", size=3000), b"x" * 3000)
        if restarts:
            os.link(folder / "spool.db", folder / "spare")  # the last to close removes the log: as after a crash
        else:
            await deliver(spool)

    async def deliver(spool):
        fill(folder)
        assert 0 == os.statvfs(folder).f_bavail
        assert Trouble.FULL == await trouble_with(spool.add(letter("late"), BODY))
        while parcels := await spool.claim(NOW, 7, each=1):
            fill(folder)  # the other program takes whatever becomes free
            for parcel in parcels:
                served.append(parcel.mail.id)
                await spool.settle([Settlement(parcel, record="{}" * 200)], NOW)
        assert 0 == (await spool.stats(NOW)).messages
        (folder / "other.log").unlink()
        await spool.sweep(NOW)
        assert (folder / "reserve.bin").exists()

    with small_disk(folder, 32 * MIB):
        run(accept, folder, **settings)
        if restarts:
            fill(folder)
            run(deliver, folder, **settings)
    assert [f"m{n:02}" for n in range(100)] == sorted(served)


def free(folder):
    """Octets free for users there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


async def arrive(spool, id_, pieces):
    """A message comes in pieces, as from a client; whether there was room for it."""
    mail = letter(id_, size=pieces * PIECE)
    try:
        for _ in range(pieces - 1):
            await spool.write(id_, bytes(PIECE))
        await spool.add(mail, bytes(PIECE), claim=True)
    except SpoolError as trouble:
        if trouble.kind is not Trouble.FULL:
            raise
        await spool.discard(id_)
        return False
    return True


async def leave(spool):
    """All of it is delivered, and forgotten by the sweep."""
    await spool.claim(NOW, 1000, each=1000)  # what a restart has set free
    parcels = [one.parcel for one in await spool.listed(EVERYTHING)]
    await spool.settle([Settlement(parcel) for parcel in parcels], NOW)
    await spool.sweep(NOW + 1)


@pytest.mark.root
@ROOT_ONLY
@pytest.mark.parametrize("restarts", some([False, True], 2))
def test_an_empty_spool_takes_mail_however_large_it_has_grown(tmp_path, restarts):
    """The pages that delivered mail has left in the database are room: as much is taken as the first time.

    In a whole run also over a restart.
    """
    folder = tmp_path / "disk"
    taken = []

    async def fill_up(spool):
        batch = [arrive(spool, f"{len(taken)}-{n}", 20) for n in range(8)]
        taken.append(sum(await asyncio.gather(*batch)))
        one_by_one = 0
        while await arrive(spool, f"{len(taken)}-more{one_by_one}", 4):
            one_by_one += 1
        taken.append(one_by_one)
        assert free(folder) > 4 * MIB
        await leave(spool)
        assert 0 == (await spool.stats(NOW)).messages

    async def whole(spool):
        for _ in range(2):
            await fill_up(spool)

    with small_disk(folder, 32 * MIB):
        if restarts:
            for _ in range(2):
                run(fill_up, folder, reserve=8 * MIB, history_s=0)
        else:
            run(whole, folder, reserve=8 * MIB, history_s=0)
    rounds = [5 * whole + small for whole, small in zip(taken[::2], taken[1::2], strict=True)]
    assert all(octets >= 15 for octets in rounds), taken


@pytest.mark.root
@ROOT_ONLY
def test_pieces_that_come_at_once_leave_the_room_to_settle(tmp_path):
    """However fast clients send, refused messages fill no log: what was accepted leaves, and the next start works."""
    folder = tmp_path / "disk"

    async def story(spool):
        parcels = [(await spool.add(letter(f"m{n}"), BODY, claim=True))[0] for n in range(20)]
        for attempt in range(3):
            assert [False] * 4 == await asyncio.gather(*[arrive(spool, f"big{attempt}{n}", 48) for n in range(4)])
            assert free(folder) >= MIB // 2
        for parcel in parcels:
            await spool.settle([Settlement(parcel)], NOW)
        await spool.sweep(NOW)
        assert await arrive(spool, "next", 4)
        os.link(folder / "spool.db", folder / "spare")  # the last to close removes the log: as after a crash

    async def again(spool):
        await leave(spool)
        assert await arrive(spool, "last", 4)

    with small_disk(folder, 12 * MIB):
        run(story, folder, reserve=2 * MIB, history_s=0)
        run(again, folder, reserve=2 * MIB, history_s=0)


@pytest.mark.root
@ROOT_ONLY
def test_a_start_on_a_full_disk_puts_the_log_back(tmp_path):
    """There is no room for the log's index and no reserve: the log that a crash has left makes room itself."""
    disk = tmp_path / "disk"
    crashed = disk / "crashed"

    async def story(spool):
        assert await arrive(spool, "large", 8)
        await leave(spool)
        spool._writer._commits._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for n in range(9):
            await spool.add(letter(f"m{n}", size=30000), bytes(30000))
        crashed.mkdir(0o700)
        for name in ("spool.db", "spool.db-wal"):
            shutil.copy(disk / "spool" / name, crashed)

    async def look(spool):
        return [one.parcel.mail.id for one in await spool.listed(EVERYTHING)]

    with small_disk(disk, 16 * MIB):
        run(story, disk / "spool", history_s=0)
        fill(disk)
        assert 0 == free(disk)
        assert [f"m{n}" for n in range(9)] == run(look, crashed, history_s=0)


def test_pages_go_back_to_the_disk_when_the_log_has_no_room(tmp_path, monkeypatch):
    """An empty spool on a disk too short for its log is made small, and takes mail."""
    spare = [100 * MIB]

    def left(folder):
        return spare[0] - sum(path.stat().st_size for path in folder.iterdir())

    monkeypatch.setattr("postroad.spool.sqlite.room.free_in", left)

    async def story(spool):
        assert await arrive(spool, "large", 50)
        await leave(spool)
        spool._writer._commits._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert (tmp_path / "spool.db").stat().st_size > 12 * MIB
        spare[0] -= left(tmp_path) - MIB
        assert await arrive(spool, "next", 4)
        assert (tmp_path / "spool.db").stat().st_size < 2 * MIB
        return [one.parcel.mail.id for one in await spool.listed(EVERYTHING)]

    assert ["next"] == run(story, tmp_path, reserve=8 * MIB, history_s=0)


def test_the_log_gives_its_room_back_before_the_database_is_written_anew(tmp_path, monkeypatch):
    """Mail has passed through twice: what the log still holds is enough for more, and emptying it is quick."""
    size = [1 << 40]
    log = tmp_path / "spool.db-wal"

    def left(folder):
        return size[0] - sum(path.stat().st_size for path in folder.iterdir())

    monkeypatch.setattr("postroad.spool.sqlite.room.free_in", left)

    async def story(spool):
        for turn in range(2):
            spool._writer._commits._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            assert await arrive(spool, f"large{turn}", 40)
            await leave(spool)
        assert log.stat().st_size > 9 * MIB
        size[0] -= left(tmp_path) - MIB
        assert await arrive(spool, "next", 4)
        assert (tmp_path / "spool.db").stat().st_size > 9 * MIB
        assert log.stat().st_size < 2 * MIB

    run(story, tmp_path, reserve=4 * MIB, history_s=0)


@pytest.mark.parametrize("is_in_file", [True, False])
def test_room_is_what_the_disk_and_the_database_have_together(tmp_path, monkeypatch, is_in_file):
    """To the octet; what the database still grows by when the log goes back into it is no room. It is said in MiB."""
    reserve, octets = 8 * MIB, MIB
    left = [1 << 40]
    monkeypatch.setattr("postroad.spool.sqlite.room.free_in", lambda _folder: left[0])

    async def story(spool):
        db = spool._writer._commits._db
        assert await arrive(spool, "large", 20)
        await leave(spool)
        if is_in_file:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        count, unused = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        grows = count * 4096 - (tmp_path / "spool.db").stat().st_size
        assert (is_in_file, True) == (grows == 0, unused * 4096 > 5 * MIB)
        enough = reserve + 2 * octets - unused * 4096 + grows
        for left[0], trouble in ((enough, None), (enough - 1, Trouble.FULL)):
            found = spool._room.trouble(db, octets)
            assert trouble == (found and found.kind)
        kept = (count - unused) * 4096
        for left[0], is_worth_it in (
            (2 * kept + grows, True),
            (2 * kept + grows - 2, False),
        ):  # it is copied to the log
            assert is_worth_it == Room(tmp_path, MIB).is_in_pages(db, octets)
        disk = (enough - 1 - grows) >> 20
        assert f"{tmp_path} has {disk} MiB free, its database 5 MiB, and 8 MiB are kept for settling: make room" == (
            found.why
        )

    run(story, tmp_path, reserve=reserve, history_s=0)


@pytest.mark.parametrize(("less", "is_made"), [(0, True), (1, False)])
def test_a_reserve_that_would_be_all_there_is_is_not_made(tmp_path, monkeypatch, less, is_made):
    """The file is half of what is reserved: with it, there must be a reserve left."""
    monkeypatch.setattr("postroad.spool.sqlite.room.free_in", lambda _folder: 6 * MIB - less)
    run(nothing, tmp_path, reserve=4 * MIB)
    assert is_made == (tmp_path / "reserve.bin").exists()


@pytest.mark.parametrize(
    ("left", "pages", "octets", "is_taken"),
    [
        (65, 0, 0, True),
        (66, 0, 1, True),
        (65, 0, 1, False),  # to the log, and behind the last page
        (26, 227, 1, True),
        (26, 227, 11, False),  # the log would have less than a quarter of the reserve
        (16, 900, 1, False),
        (60, 5, 1, False),
        (70, 0, 3, True),
        (69, 0, 3, False),
    ],
)
def test_free_pages_are_room_but_not_for_the_log(left, pages, octets, is_taken):
    """MiB left on the disk and in pages, what comes, and whether it leaves a reserve of 64 MiB."""
    assert is_taken == FreeSpace(left * MIB, pages * MIB, 0, 0).fits(octets * MIB, 64 * MIB)
