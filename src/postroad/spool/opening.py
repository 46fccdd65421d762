"""Opens a spool by its place: a folder, or the URL of a database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.postgres import is_url, without_password
from postroad.words.inputs import InputError

if TYPE_CHECKING:
    from postroad.spool.postgres import PostgresSpool
    from postroad.spool.sqlite import SqliteSpool

DAY_S = 86400.0

_ANY_URL = re.compile("[a-z][a-z0-9+.-]+:/", re.IGNORECASE)

# A database is loaded where one is named
Place = Path | str


def place_of(text: str) -> Place:
    """A folder, or the URL of a database, as somebody wrote it.

    Raises:
        InputError: the URL of something else: nobody has a folder of such a name.

    """
    if _ANY_URL.match(text) and not is_url(text):
        raise InputError(f'{shown_place(text)} is not a spool: write a folder, or "postgresql://user@host/database"')
    return text if is_url(text) else Path(text)


def shown_place(where: Place) -> str:
    """The place without a password."""
    return str(where) if isinstance(where, Path) else without_password(where)


@contextmanager
def driver_needed() -> Iterator[None]:
    """The room for PostgreSQL is loaded inside, or what is missing is said.

    Raises:
        SpoolError: missing.

    """
    try:
        yield
    except ModuleNotFoundError as problem:
        why = f"a spool on PostgreSQL needs {problem.name}: pip install 'postroad[postgres]'"
        raise SpoolError(Trouble.MISSING, why) from None


async def open_place(
    where: Path | str,
    *,
    node: str,
    history_s: float = DAY_S,
    reserve: int = 0,
    asynchronous: bool = False,
    clock: Callable[[], float] | None = None,
) -> SqliteSpool | PostgresSpool:
    """Open a spool; a node makes it if there is none, and takes back what it had claimed.

    Args:
        where: a folder, or the URL of a PostgreSQL database.
        node: the name of this process among those that share the spool; "" for a tool.
        history_s: how long finished messages and their records are kept; 0: not at all.
        reserve: octets of the disk that new mail does not get, in a folder.
        asynchronous: whether a standby of the database may lack the last commits.
        clock: of this machine, which the database's is compared with.

    Raises:
        SpoolError: it cannot be used.

    """
    # A database is loaded where one is opened
    if isinstance(where, Path):
        from postroad.spool.sqlite import SqliteSpool  # noqa: PLC0415  # as above

        return await SqliteSpool.open(where, node=node, history_s=history_s, reserve=reserve)
    with driver_needed():
        from postroad.spool.postgres import AcceptedRisks, PostgresSpool  # noqa: PLC0415  # as above
    accepted = AcceptedRisks(asynchronous=asynchronous)
    return await PostgresSpool.open(where, node=node, history_s=history_s, accepted=accepted, clock=clock)
