"""What a spool does about its folder and its disk: closed to others, settings that keep promises, gone, full."""

import asyncio
import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.forks import said_by
from tests.support.grounds import MIB, ROOT_ONLY, nothing, run, trouble_with
from tests.support.letters import BODY, EVERYTHING, NOW, letter, octets, states

from postroad.receive.keeper import reply_to
from postroad.spool import Settlement, SpoolError, Trouble
from postroad.spool.sqlite import SqliteSpool, file
from postroad.spool.sqlite.deposit import keep_one
from postroad.spool.sqlite.trouble import troubles


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


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, Trouble.FULL), (errno.EDQUOT, Trouble.FULL), (errno.EROFS, Trouble.READ_ONLY)],
)
def test_files_that_cannot_be_made_say_why(tmp_path, monkeypatch, code, kind):
    """No room and no permission are fixed in different ways."""

    def refuse(*_arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("postroad.spool.sqlite.folder.open_private", refuse)
    with pytest.raises(SpoolError) as trouble:
        run(nothing, tmp_path)
    assert (kind, True) == (trouble.value.kind, str(tmp_path) in trouble.value.why)


@pytest.mark.parametrize("problem", [KeyError("a bug"), SpoolError(Trouble.MISSING, "no body")])
def test_what_is_no_trouble_of_sqlite_comes_out_as_it_was(tmp_path, problem):
    """A bug keeps its traceback, and what is said already is not said twice."""
    with pytest.raises(type(problem)) as caught, troubles(tmp_path):
        raise problem
    assert (problem, None) == (caught.value, caught.value.__cause__)


@pytest.mark.parametrize("count", [1, 1000])
def test_one_message_has_the_room_of_all_its_recipients(tmp_path, monkeypatch, count):
    """A kilobyte for each but the first: with room for one of them, a thousand are refused."""
    run(nothing, tmp_path)
    monkeypatch.setattr("postroad.spool.sqlite.room.free_in", lambda _folder: 5 * MIB)
    mail = letter("m1", *(f"u{n}@far.example" for n in range(count)))
    if count == 1:
        keep_one(tmp_path, mail, BODY, reserve=4 * MIB)
        return
    with pytest.raises(SpoolError) as trouble:
        keep_one(tmp_path, mail, BODY, reserve=4 * MIB)
    assert Trouble.FULL == trouble.value.kind


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


def test_a_folder_that_holds_something_else_is_not_closed(tmp_path):
    """It may be /tmp or somebody's home: the node does not start, says why, and changes nothing."""
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "letters.txt").touch()
    with pytest.raises(SpoolError, match=r"letters\.txt.*set spool.path to a folder of its own") as trouble:
        run(nothing, folder)
    assert (Trouble.READ_ONLY, 0o755, 1) == (trouble.value.kind, mode(folder), len(list(folder.iterdir())))


@pytest.mark.root
@ROOT_ONLY
def test_a_folder_of_another_user_that_is_open_is_refused(tmp_path):
    """What is not ours to close, its owner is asked to close."""
    above = Path(tempfile.gettempdir())
    for path in (tmp_path, *(each for each in tmp_path.parents if above in each.parents)):
        path.chmod(0o755)
    folder = tmp_path / "spool"
    folder.mkdir()
    folder.chmod(0o777)

    def as_another(say):
        os.setgid(65534)
        os.setuid(65534)
        with pytest.raises(SpoolError) as trouble:
            run(nothing, folder)
        say(f"{trouble.value.kind} {trouble.value.why}")

    said = said_by(as_another)
    assert said.startswith("read-only users other than its owner may enter")
    assert f"chmod 0700 {folder}" in said


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
        assert IN_FORCE == in_force(spool._writer._commits._db)
        for _ in range(2):
            assert IN_FORCE == await spool._reader.ask(in_force)
            assert 1 == await spool._reader.ask(lambda db: db.execute("PRAGMA query_only").fetchone()[0])

    run(story, tmp_path, node)


def test_a_commit_is_on_the_disk_before_its_call_returns(tmp_path):
    """Seen from outside: by then the log has been synced by the kernel, once for each commit."""
    if not shutil.which("strace"):
        pytest.skip("wants strace")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "--seccomp-bpf", "-y", "-e", "trace=fdatasync,fsync,write", "-s", "9", "-o", trace]
    done = subprocess.run(
        [*command, sys.executable, "-c", SYNCED, tmp_path / "spool", str(Path(__file__).parents[3])],
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
from tests.support.letters import BODY, letter
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


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
@pytest.mark.parametrize("replaced_by", [None, b""])
def test_a_log_that_is_removed_under_the_relay_takes_no_mail(tmp_path, ending, replaced_by):
    """No 250 into a log nobody would find; what was accepted is settled, and an orderly stop keeps the rest."""
    folder = tmp_path / "spool"

    async def story(spool):
        for n in range(3):
            await spool.add(letter(f"m{n}"), BODY)
        log = folder / f"spool.db{ending}"
        log.unlink()
        if replaced_by is not None:
            log.write_bytes(replaced_by)
        with pytest.raises(SpoolError) as refused:
            await spool.add(letter("late"), BODY)
        assert (Trouble.GONE, 451, True) == (
            refused.value.kind,
            reply_to(refused.value).code,
            str(log) in refused.value.why,
        )
        assert Trouble.GONE == await trouble_with(spool.sweep(NOW))
        (first, *rest) = await spool.claim(NOW, 10, each=10)
        await spool.settle([Settlement(first)], NOW)
        await spool.release(rest)

    async def look(spool):
        await spool.add(letter("new"), BODY)
        return [one.parcel.mail.id for one in await spool.listed(EVERYTHING)]

    run(story, folder)
    assert ["m1", "m2", "new"] == run(look, folder)


def test_the_log_that_a_tool_shares_stays_when_the_tool_ends(tmp_path):
    """SQLite removes a log with its last connection alone: the relay goes on taking mail."""

    async def story(spool):
        for n in range(3):
            tool = await SqliteSpool.open(tmp_path, node="")
            await tool.add(letter(f"t{n}"), BODY)
            await tool.close()
            await spool.add(letter(f"m{n}"), BODY)

    run(story, tmp_path)


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


def exchanged(folder):
    """By another file of the same name, put in its place in one step."""
    shutil.copy(folder / "spool.db", folder / "copy")
    (folder / "copy").replace(folder / "spool.db")


def logless(folder):
    """The log alone."""
    (folder / "spool.db-wal").unlink()


@pytest.mark.parametrize("fate", [removed, unlinked, replaced, moved, exchanged, logless])
@pytest.mark.parametrize("age_s", [0, 2, -3600])
def test_a_spool_that_goes_is_missed_at_once(tmp_path, fate, age_s):
    """However long its folder has not changed, and whatever was done to the clock."""
    folder = tmp_path / "spool"

    async def story(spool):
        changed_ns = time.time_ns() - age_s * 10**9
        os.utime(folder, ns=(changed_ns, changed_ns))
        place = spool._writer._commits._disk.place
        before = [place.trouble() for _ in range(3)]
        fate(folder)
        assert ([None] * 3, Trouble.GONE) == (before, place.trouble().kind)

    run(story, folder)


@pytest.mark.parametrize("fate", [unlinked, exchanged, logless])
def test_a_spool_that_is_gone_stays_gone_however_old_that_is(tmp_path, fate):
    """A folder in which nothing changes any more is no folder in which all is well."""
    folder = tmp_path / "spool"

    async def story(spool):
        place = spool._writer._commits._disk.place
        fate(folder)
        os.utime(folder, (1, 1))
        assert [Trouble.GONE] * 3 == [getattr(place.trouble(), "kind", None) for _ in range(3)]

    run(story, folder)


@pytest.mark.parametrize("fate", [unlinked, exchanged, logless])
def test_a_change_within_one_tick_of_the_clock_is_missed_by_none(tmp_path, fate):
    """A file system tells times by ticks: the folder may say the same before and after."""
    folder = tmp_path / "spool"

    async def story(spool):
        os.utime(folder)
        changed_ns = folder.stat().st_mtime_ns
        place = spool._writer._commits._disk.place
        before = place.trouble()
        fate(folder)
        os.utime(folder, ns=(changed_ns, changed_ns))
        assert (None, Trouble.GONE) == (before, place.trouble().kind)

    run(story, folder)


def test_a_folder_that_has_not_changed_for_long_is_looked_at_once(tmp_path, monkeypatch):
    """Each look of the loop's thread is a moment at which another thread may take the interpreter."""
    folder, looks = tmp_path / "spool", []

    async def story(spool):
        os.utime(folder, (1, 1))
        place = spool._writer._commits._disk.place
        place.trouble()
        look = os.stat
        monkeypatch.setattr(os, "stat", lambda *what, **how: looks.append(what[0]) or look(*what, **how))
        place.trouble()
        monkeypatch.undo()

    run(story, folder)
    assert [str(folder)] == looks


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
        assert Trouble.GONE == before._writer._commits._disk.place.trouble().kind
        assert ["old"] == [one.parcel.mail.id for one in await before.listed(EVERYTHING)]
        await before.close()
        await after.add(letter("newer"), BODY)
        await after.close()

    async def look(spool):
        return [one.parcel.mail.id for one in await spool.listed(EVERYTHING)]

    run(story, folder, reserve=4 * MIB)
    assert ["new", "newer"] == run(look, folder)
