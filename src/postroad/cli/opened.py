"""How commands find the spool of a relay, running or not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.cli import screen

if TYPE_CHECKING:
    from postroad.spool import Spool


@asynccontextmanager
async def opened(place: str, config: Path | None) -> AsyncIterator[Spool]:
    """The spool in a folder or a database, or that of the settings.

    Trouble with it ends the command: 2 if there is none, else 3.

    Raises:
        InputError: the settings are wrong.

    """
    from postroad.build import open_queue
    from postroad.spool import SpoolError, Trouble, place_of

    none = (Trouble.MISSING, Trouble.READ_ONLY, Trouble.NEWER)
    where = place_of(place) if place else _of_settings(config)
    try:
        spool = await open_queue(where)
        try:
            yield spool
        finally:
            await spool.close()
    except SpoolError as trouble:
        screen.fail(trouble.why, screen.USAGE if trouble.kind in none else screen.TEMPORARY)


def _of_settings(config: Path | None) -> Path | str:
    from postroad.config import load

    return load(config).spool.place
