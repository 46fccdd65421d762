"""Opens the spool in a folder, for a relay or for a tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroad.spool import Lesson
    from postroad.spool.sqlite import SqliteSpool


async def open_spool(folder: Path, *, node: str, history_s: float, reserve: int) -> SqliteSpool:
    """Open the spool in a folder for a relay: as the node of this name, which makes it if there is none.

    Raises:
        SpoolError: locked, newer, corrupt, read-only, full. See SqliteSpool.open.

    """
    from postroad.spool.sqlite import SqliteSpool  # noqa: PLC0415  # a database is loaded where one is opened

    return await SqliteSpool.open(folder, node=node, history_s=history_s, reserve=reserve)


async def open_queue(folder: Path) -> SqliteSpool:
    """Open the spool in a folder for a tool: it lists and changes the queue, whether a relay runs or not.

    Raises:
        SpoolError: missing, newer, corrupt, read-only, full. See SqliteSpool.open.

    """
    from postroad.spool.sqlite import SqliteSpool  # noqa: PLC0415  # as above

    return await SqliteSpool.open(folder, node="")


def lessons_in(folder: Path, kind: str) -> tuple[Lesson, ...]:
    """What the relay of a spool has learned of a kind, whether it runs or not. Nothing is made or changed.

    Raises:
        SpoolError: missing, newer, corrupt, locked, not ours to read.

    """
    from postroad.spool.sqlite import read_lessons  # noqa: PLC0415  # as above

    return read_lessons(folder, kind)
