"""No room for the spool: a full file system, one that others fill, and a quota."""

import asyncio
import contextlib
import os
import resource
import subprocess

from tests.faults.books import until
from tests.faults.load import Letters
from tests.faults.sinks import Mood
from tests.faults.stage import Stage

MIB = 2**20
ROOM = 16 * MIB
BALLAST = 14 * MIB
KILLS_TO_A_FILLING = 5


async def disk(scale):
    """A file system runs full: clients hear 452, nothing accepted is lost, and with room again it goes on."""
    return await _on_small_disk(_fill_disk, Stage("disk", 16, scale, settings={"spool": {"reserve": 0}}))


async def split(scale):
    """The same where one process receives and another one delivers."""
    stage = Stage("disk-split", 38, scale, settings={"spool": {"reserve": 0}}, workers=2)
    return await _on_small_disk(_fill_disk, stage)


async def handover(scale):
    """The disk runs full, and who delivers is killed: what was on its way there is not lost, no other comes twice."""
    return await _on_small_disk(
        _fill_and_kill, Stage("handover", 39, scale, settings={"spool": {"reserve": 2 * MIB}}, workers=2)
    )


async def filled(scale):
    """Another program takes the last octet while mail waits: all of it arrives, though nobody makes room."""
    return await _on_small_disk(_starve, Stage("filled", 28, scale, settings={"spool": {"reserve": 2 * MIB}}))


async def _on_small_disk(story, stage):
    async with stage:
        stage.spool.mkdir()
        problem = _mount(stage.spool)
        if problem:
            stage.figures.skipped = f"a file system of its own wants root: {problem}"
            return stage.figures
        try:
            return await story(stage)
        finally:
            await stage.relay.kill()
            _run("umount", stage.spool)


async def _fill_disk(stage):
    ballast = stage.spool / "ballast"
    ballast.write_bytes(bytes(BALLAST))
    return await _fill(stage, ballast.unlink)


async def _fill_and_kill(stage):
    """Mail flows all the time. While the disk is full the one that delivers is killed, and the next one with it."""
    stage.letters = Letters(stage.rng, big=0)
    replies, ballast = stage.ledger.replies, stage.spool / "other.log"
    await stage.relay.start()
    async with stage.load(connections=stage.scale.senders):
        for _ in range(max(1, stage.scale.kills // KILLS_TO_A_FILLING)):
            await asyncio.gather(*(sink.hold() for sink in stage.sinks))  # what is on its way stays so
            await stage.accepted(100)
            _write_until_full(ballast)
            for _ in range(2):
                await _refused(stage, 20)
                await stage.kill_deliverer()
            await asyncio.gather(*(sink.release() for sink in stage.sinks))
            await _refused(stage, 20)
            ballast.unlink()
    stage.figures.must(set(replies) <= {452}, f"clients were told {dict(replies)}")
    await stage.drain()
    return stage.close()


async def _refused(stage, more):
    """Wait until clients were refused so many times more."""
    replies = stage.ledger.replies
    wanted = replies[452] + stage.part_of(more)
    is_full = await until(lambda: replies[452] >= wanted, lambda: (len(stage.ledger.accepted), replies[452]))
    stage.figures.must(is_full, f"clients were not told of the want of room: {dict(replies)}")


async def _starve(stage):
    stage.letters = Letters(stage.rng, big=0)
    stage.be(Mood.DEFER)
    await stage.relay.start()
    async with stage.load(connections=5):
        await stage.accepted(100)
    ballast = stage.spool / "other.log"
    _write_until_full(ballast)
    deferred = sum(sink.deferred for sink in stage.sinks)
    enough = deferred + stage.part_of(200)
    await until(lambda: sum(sink.deferred for sink in stage.sinks) > enough)  # each is settled on the full disk
    stage.be(Mood.TAKE)
    await stage.drain()
    stage.figures.notes["free_at_the_end"] = os.statvfs(stage.spool).f_bavail
    return stage.close()


def _write_until_full(path):
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


async def quota(scale):
    """No file may grow beyond a size, as under a quota: the same."""
    async with Stage("quota", 17, scale) as stage:
        stage.relay.limits = {resource.RLIMIT_FSIZE: (2 * MIB, resource.RLIM_INFINITY)}
        free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        return await _fill(stage, lambda: resource.prlimit(stage.relay.pid, resource.RLIMIT_FSIZE, free))


def _mount(folder):
    """Mount a small file system there; what stands in the way."""
    return _run("mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "tmpfs", folder)


def _run(*command):
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError as problem:
        return str(problem)
    return done.stderr.strip() if done.returncode else ""


async def _fill(stage, make_room):
    """Exchangers put all mail off until the spool is full; then there is room, and after a crash it all arrives."""
    stage.letters = Letters(stage.rng, big=20, lines=100)
    stage.be(Mood.DEFER)
    replies = stage.ledger.replies
    await stage.relay.start()
    async with stage.load(connections=5):
        await until(lambda: replies[452] >= 20, lambda: (len(stage.ledger.accepted), replies[452]))
        stage.figures.notes["accepted_when_full"] = len(stage.ledger.accepted)
        stage.letters.big = 0
        make_room()
        await stage.accepted(20)
    stage.figures.must(replies[452] >= 20, f"clients were not told of the want of room: {dict(replies)}")
    stage.figures.must(set(replies) <= {452}, f"clients were told {dict(replies)}")
    await stage.kill()
    stage.relay.limits = {}
    stage.be(Mood.TAKE)
    await stage.relay.start()
    await stage.drain()
    return stage.close()
