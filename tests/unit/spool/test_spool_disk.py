"""What a spool does about its folder and its disk: closed to others, settings that keep promises, gone, full."""

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from letters import BODY, EVERYTHING, NOW, letter, octets, states

from postroad.receive.keeper import reply_to
from postroad.spool import PIECE, Settlement, SpoolError, Trouble
from postroad.spool.sqlite import SqliteSpool, file
from postroad.spool.sqlite.room import Room

MIB = 1 << 20
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="wants root: to be another user, or to mount a file system")


def run(story, folder, node="one", **settings):
    """Run a story about a spool on SQLite."""

    async def whole():
        spool = await SqliteSpool.open(folder, node=node, **settings)
        try:
            return await story(spool)
        finally:
            await spool.close()

    return asyncio.run(whole())


async def nothing(_spool):
    """Open and close."""


async def trouble_with(call):
    """The kind of trouble a call ends in."""
    with pytest.raises(SpoolError) as trouble:
        await call
    return trouble.value.kind


def mode(path):
    """Who may do what with it."""
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(bits):
    """As a service or a shell may have set it."""
    before = os.umask(bits)
    try:
        yield
    finally:
        os.umask(before)


def test_each_file_is_its_owners_alone(tmp_path):
    """Database, log, index, locks and reserve have mode 0600, whatever the umask; so has a lock of an older version."""
    folder = tmp_path / "spool"
    folder.mkdir(0o700)
    (folder / "one.lock").touch(0o644)
    (folder / "one.lock").chmod(0o644)

    async def story(spool):
        await spool.add(letter(), BODY)
        files = {path.name: mode(path) for path in folder.iterdir()}
        names = ("spool.db", "spool.db-wal", "spool.db-shm", "one.lock", "writers.lock", "reserve.bin")
        assert dict.fromkeys(names, 0o600) == files

    with umask(0):
        run(story, folder, reserve=4 * MIB)


@pytest.mark.parametrize("bits", [0o755, 0o750, 0o701, 0o777, 0o720])
def test_a_folder_open_to_others_is_closed_with_words(tmp_path, bits):
    """It is the node's own and holds a spool, or nothing yet: mode 0700, and a remark for the log."""
    folder = tmp_path / "spool"
    run(nothing, folder)
    folder.chmod(bits)

    async def remarks(spool):
        return spool.remarks

    (said,) = run(remarks, folder)
    assert (0o700, True, True) == (mode(folder), str(folder) in said, f"{bits:04o}" in said)
    assert () == run(remarks, folder)


def test_a_new_folder_is_on_the_disk_before_mail_is_in_it(tmp_path, monkeypatch):
    """A power cut must not lose the folder with the mail: the folder above it is synced."""
    synced = []
    monkeypatch.setattr("postroad.spool.sqlite.folder.os.fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    run(nothing, tmp_path / "spool")
    assert [tmp_path.stat().st_ino] == synced


def test_the_room_is_looked_at_once_a_second(tmp_path, monkeypatch):
    """Not for every message: what was found holds for a second, and no longer."""
    clock, free = [10.0], [8 * MIB]
    monkeypatch.setattr("postroad.spool.sqlite.room.free_in", lambda _folder: free[0])
    room = Room(tmp_path, 4 * MIB, lambda: clock[0])
    assert room.trouble() is None
    free[0], clock[0] = MIB, 10.9
    assert room.trouble() is None
    clock[0] = 11.0
    assert "1 MiB free, and 4 MiB are kept for settling" in room.trouble().why
    free[0], clock[0] = 4 * MIB, 12.0
    assert room.trouble() is None


def test_a_folder_that_holds_something_else_is_not_closed(tmp_path):
    """It may be /tmp or somebody's home: the node does not start, says why, and changes nothing."""
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "letters.txt").touch()
    with pytest.raises(SpoolError, match=r"letters\.txt.*name a folder of its own") as trouble:
        run(nothing, folder)
    assert (Trouble.READ_ONLY, 0o755, 1) == (trouble.value.kind, mode(folder), len(list(folder.iterdir())))


AS_ANOTHER = """
import asyncio, os, sys
from pathlib import Path
from postroad.spool import SpoolError
from postroad.spool.sqlite import SqliteSpool
os.setgid(65534)
os.setuid(65534)
try:
    asyncio.run(SqliteSpool.open(Path(sys.argv[1]), node=sys.argv[2]))
except SpoolError as trouble:
    print(trouble.kind, trouble.why)
else:
    os._exit(0)
"""


@pytest.mark.root
@ROOT_ONLY
def test_a_folder_of_another_user_that_is_open_is_refused(tmp_path):
    """What is not ours to close, its owner is asked to close."""
    for path in (tmp_path, *list(tmp_path.parents)[:2]):
        path.chmod(0o755)
    folder = tmp_path / "spool"
    folder.mkdir()
    folder.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", AS_ANOTHER, folder, "one"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("read-only users other than its owner may enter")
    assert f"chmod 0700 {folder}" in done.stdout


@pytest.mark.root
@ROOT_ONLY
def test_what_root_makes_belongs_to_the_owner_of_the_folder(tmp_path):
    """A relay run once by root leaves nothing that the user of the relay cannot open."""
    os.chown(tmp_path, 65534, 65534)
    run(nothing, tmp_path, reserve=4 * MIB)

    async def story(spool):
        await spool.add(letter(), BODY)
        assert {65534} == {path.stat().st_uid for path in tmp_path.iterdir()}

    run(story, tmp_path, reserve=4 * MIB)


IN_FORCE = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: a commit returns when its log is on the disk
    "fullfsync": 1,
    "checkpoint_fullfsync": 1,
    "wal_autocheckpoint": 4000,
    "journal_size_limit": 64 * MIB,
    "temp_store": 2,
    "secure_delete": 0,
    "cache_size": -8192,
}


def in_force(db):
    """The settings that a connection has."""
    return {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in IN_FORCE}


@pytest.mark.parametrize("node", ["one", ""])
def test_the_writer_and_the_readers_have_the_promised_settings(tmp_path, node):
    """Above all `synchronous=FULL`: without it a power cut takes mail that a client was told is kept."""
    run(nothing, tmp_path)

    async def story(spool):
        assert IN_FORCE == in_force(spool._writer._db)
        for _ in range(2):
            assert IN_FORCE == await spool._reader.ask(in_force)
            assert 1 == await spool._reader.ask(lambda db: db.execute("PRAGMA query_only").fetchone()[0])

    run(story, tmp_path, node)


def test_a_commit_is_on_the_disk_before_its_call_returns(tmp_path):
    """Seen from outside: by then the log has been synced by the kernel, once for each commit."""
    if not shutil.which("strace"):
        pytest.skip("wants strace")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=fdatasync,fsync,write", "-s", "9", "-o", trace]
    done = subprocess.run(
        [*command, sys.executable, "-c", SYNCED, tmp_path / "spool", str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr[-200:]}")
    lines = [line for line in trace.read_text().splitlines() if "spool.db-wal" in line or '"KEPT' in line]
    synced = ["KEPT" if '"KEPT' in line else "sync" for line in lines]
    assert ["sync", "KEPT"] * 5 == synced[-10:]


SYNCED = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from letters import BODY, letter
from postroad.spool.sqlite import SqliteSpool

async def main():
    spool = await SqliteSpool.open(Path(sys.argv[1]), node="one")
    for n in range(6):
        await spool.add(letter(f"m{n}"), BODY)
        os.write(1, b"KEPT\\n")
    os._exit(0)

asyncio.run(main())
"""


def test_a_file_system_without_a_log_is_refused(tmp_path, monkeypatch):
    """SQLite goes on without a log where it cannot have one, and says no more than the mode it has."""

    class Deaf(sqlite3.Connection):
        def execute(self, statement, *values):
            return super().execute("SELECT 'delete'" if "journal_mode" in statement else statement, *values)

    real = sqlite3.connect
    monkeypatch.setattr(file.sqlite3, "connect", lambda where, **options: real(where, factory=Deaf, **options))
    with pytest.raises(SpoolError, match=r"cannot hold a write-ahead log.*local disk") as trouble:
        run(nothing, tmp_path)
    assert Trouble.FAILING == trouble.value.kind


def removed(folder):
    """By somebody who cleans up."""
    shutil.rmtree(folder)


def unlinked(folder):
    """The file alone."""
    (folder / "spool.db").unlink()


def replaced(folder):
    """By a copy, as from a backup."""
    shutil.move(folder, folder.with_name("before"))
    shutil.copytree(folder.with_name("before"), folder)


def moved(folder):
    """To a larger disk, say."""
    shutil.move(folder, folder.with_name("elsewhere"))


@pytest.mark.parametrize("fate", [removed, unlinked, replaced, moved])
@pytest.mark.parametrize("reserve", [0, 4 * MIB])
def test_a_spool_that_is_gone_takes_no_mail_and_delivers_what_it_has(tmp_path, fate, reserve):
    """No 250 for mail nobody would find again: 451, whole or in pieces. Claims, bodies and settlements go on."""
    folder = tmp_path / "spool"

    async def story(spool):
        mails = [letter(f"m{n}") for n in range(3)]
        for mail in mails:
            await spool.add(mail, BODY)
        fate(folder)
        with pytest.raises(SpoolError) as refused:
            await spool.add(letter("late"), BODY)
        assert (Trouble.GONE, 451, True) == (
            refused.value.kind,
            reply_to(refused.value).code,
            str(folder) in refused.value.why,
        )
        assert Trouble.GONE == await trouble_with(spool.write("late", b"x"))
        assert Trouble.GONE == await trouble_with(spool.sweep(NOW))  # each 20 s: an error in the log
        assert 0 == await spool.renew(NOW)
        parcels = await spool.claim(NOW, 10, each=10)
        assert ["m0", "m1", "m2"] == [parcel.mail.id for parcel in parcels]
        assert BODY == await octets(spool, parcels[2].mail)
        await spool.settle([Settlement(parcel) for parcel in parcels], NOW)
        assert 0 == (await spool.stats(NOW)).messages

    run(story, folder, reserve=reserve)


def test_mail_and_the_others_of_a_group_part_when_the_spool_is_gone(tmp_path):
    """One group of calls: those that bring mail are refused, the others are done."""
    folder = tmp_path / "spool"

    async def story(spool):
        (parcel,) = await spool.add(letter("m1"), BODY, claim=True)
        removed(folder)
        calls = (spool.add(letter("m2"), BODY), spool.settle([Settlement(parcel)], NOW), spool.add(letter("m3"), BODY))
        first, second, third = await asyncio.gather(*calls, return_exceptions=True)
        assert (Trouble.GONE, None, Trouble.GONE) == (first.kind, second, third.kind)
        assert () == await spool.listed(EVERYTHING)

    run(story, folder)


def test_a_spool_that_comes_back_takes_mail_again(tmp_path):
    """The same file at the same path: nothing is wrong any more."""
    folder = tmp_path / "spool"

    async def story(spool):
        moved(folder)
        assert Trouble.GONE == await trouble_with(spool.add(letter("m1"), BODY))
        shutil.move(folder.with_name("elsewhere"), folder)
        await spool.add(letter("m1"), BODY)
        await spool.sweep(NOW)
        return await states(spool)

    assert [("far.example", "waiting")] == run(story, folder)


def test_a_spool_that_was_replaced_leaves_the_new_one_alone(tmp_path):
    """Two relays, the old one on the old file: neither takes the log or the mail of the other, whoever ends first."""
    folder = tmp_path / "spool"

    async def story(before):
        await before.add(letter("old"), BODY)
        removed(folder)
        after = await SqliteSpool.open(folder, node="one", reserve=4 * MIB)
        await after.add(letter("new"), BODY)
        assert Trouble.GONE == before._writer._disk.place.trouble().kind
        assert ["old"] == [one.parcel.mail.id for one in await before.listed(EVERYTHING)]
        await before.close()
        await after.add(letter("newer"), BODY)
        await after.close()

    async def look(spool):
        return [one.parcel.mail.id for one in await spool.listed(EVERYTHING)]

    run(story, folder, reserve=4 * MIB)
    assert ["new", "newer"] == run(look, folder)


def full(spool):
    """No page more for the database: SQLite says what it says of a full disk. Undone by the function returned."""
    db = spool._writer._db
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


@contextmanager
def small_disk(folder, size):
    """A file system of its own."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Another program writes until not an octet is free; how many it wrote."""
    with (folder / "other.log").open("ab", buffering=0) as log:
        try:
            while log.write(bytes(4096)):
                pass
        except OSError:
            return log.tell()


@pytest.mark.root
@ROOT_ONLY
@pytest.mark.parametrize("restarts", [False, True])
def test_what_was_accepted_leaves_a_disk_that_others_have_filled(tmp_path, restarts):
    """0 octets free, 100 messages wait: each is claimed once and settled, over a restart as well."""
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
