"""Opens the spool in a folder or in a database, for a relay or for a tool."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroad.spool import Lesson
    from postroad.spool.postgres import PostgresSpool
    from postroad.spool.sqlite import SqliteSpool


async def open_spool(
    where: Path | str, *, node: str, history_s: float, reserve: int, asynchronous: bool = False
) -> SqliteSpool | PostgresSpool:
    """Open a spool for a relay: as the node of this name, which makes it if there is none.

    Raises:
        SpoolError: it cannot be used. See SqliteSpool.open and PostgresSpool.open.

    """
    from postroad.spool import open_place  # noqa: PLC0415  # a database is loaded where one is opened

    return await open_place(
        where, node=node, history_s=history_s, reserve=reserve, asynchronous=asynchronous, clock=time.time
    )


async def open_queue(where: Path | str) -> SqliteSpool | PostgresSpool:
    """Open a spool for a tool: it lists and changes the queue, whether a relay runs or not.

    Raises:
        SpoolError: it cannot be used. See SqliteSpool.open and PostgresSpool.open.

    """
    from postroad.spool import open_place  # noqa: PLC0415  # as above

    # It claims nothing and accepts nothing, so it need not judge how the server keeps its commits
    return await open_place(where, node="", asynchronous=True)


async def lessons_in(where: Path | str, kind: str) -> tuple[Lesson, ...]:
    """What the relay of a spool has learned of a kind, whether it runs or not. Nothing is made or changed.

    Raises:
        SpoolError: missing, newer, corrupt, locked, not ours to read.

    """
    if isinstance(where, Path):
        from postroad.spool.sqlite import read_lessons  # noqa: PLC0415  # as above

        return read_lessons(where, kind)
    spool = await open_queue(where)
    try:
        return await spool.recall(kind)
    finally:
        await spool.close()
