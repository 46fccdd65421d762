"""What is done to a spool beside mail, by its place: a folder, or the URL of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.spool.moving import Moved, MoveEnd, MoveRole, move_all
from postroad.spool.opening import Place, driver_needed, shown_place

if TYPE_CHECKING:
    from postroad.spool.health import SpoolHealth
    from postroad.spool.schema import PendingMigration


async def check_place(
    where: Place, clock: Callable[[], float], tick: Callable[[], None] = lambda: None, *, asynchronous: bool = False
) -> SpoolHealth:
    """The health of a spool; nothing of it is changed, and nobody waits for it.

    Args:
        where: a folder, or the URL of a database.
        clock: of this machine.
        tick: called now and then, while a file is read.
        asynchronous: whether a standby of the database may lack the last commits.

    Raises:
        SpoolError: it cannot be read.

    """
    if isinstance(where, Path):
        from postroad.spool.sqlite import check_folder  # noqa: PLC0415  # as above

        return await asyncio.to_thread(check_folder, where, clock(), tick)
    with driver_needed():
        from postroad.spool.postgres import AcceptedRisks, check_database  # noqa: PLC0415  # as above
    return await check_database(where, clock, AcceptedRisks(asynchronous=asynchronous))


async def pending_migration(where: Place) -> PendingMigration:
    """The steps that bring a spool to this version.

    Raises:
        SpoolError: it cannot be read, or is newer.

    """
    if isinstance(where, Path):
        from postroad.spool.sqlite import pending_folder  # noqa: PLC0415  # as above

        return await asyncio.to_thread(pending_folder, where)
    with driver_needed():
        from postroad.spool.postgres import pending_database  # noqa: PLC0415  # as above
    return await pending_database(where)


async def migrate_place(where: Place) -> PendingMigration:
    """Bring a spool to this version: what was done.

    Raises:
        SpoolError: it cannot be written, or is newer; locked: nodes run that would not survive a step.

    """
    pending = await pending_migration(where)
    pending.check(shown_place(where))
    if not pending.steps:
        return pending
    if isinstance(where, Path):
        from postroad.spool.sqlite import migrate_folder  # noqa: PLC0415  # as above

        await asyncio.to_thread(migrate_folder, where)
    else:
        from postroad.spool.postgres import migrate_database  # noqa: PLC0415  # as above

        await migrate_database(where)
    return pending


async def move_place(
    source: Place,
    target: Place,
    *,
    clock: Callable[[], float],
    reserve: int = 0,
    asynchronous: bool = False,
    progress: Callable[[float], None] = lambda _part: None,
) -> Moved:
    """Move all from one spool to another, which is made if there is none.

    Args:
        source: a folder, or the URL of a database, on which no relay runs.
        target: the same, where one may run.
        clock: of this machine, which the database's is compared with.
        reserve: octets of the disk that are to stay free, of a folder.
        asynchronous: whether a standby of the database may lack the last commits.
        progress: told which part is done.

    Raises:
        SpoolError: one of them cannot be used; what is moved already stays moved, and the next call goes on.

    """
    out = await _end(source, MoveRole.OUT, clock, reserve=0, asynchronous=True)
    try:
        in_ = await _end(target, MoveRole.IN, clock, reserve=reserve, asynchronous=asynchronous)
        try:
            return await move_all(out, in_, progress)
        finally:
            await in_.close()
    finally:
        await out.close()


async def _end(where: Place, way: MoveRole, clock: Callable[[], float], *, reserve: int, asynchronous: bool) -> MoveEnd:
    if isinstance(where, Path):
        from postroad.spool.sqlite import SqliteMoveEnd  # noqa: PLC0415  # as above

        return await SqliteMoveEnd.open(where, way, reserve=reserve)
    with driver_needed():
        from postroad.spool.postgres import AcceptedRisks, PostgresMoveEnd  # noqa: PLC0415  # as above
    return await PostgresMoveEnd.open(where, way, accepted=AcceptedRisks(asynchronous=asynchronous), clock=clock)
