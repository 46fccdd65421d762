"""The queue as sendmail's command line has it: `-bp` (mailq) shows it, and `-q` has it retried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from postroad.build import open_queue
from postroad.cli.lines import document, remark
from postroad.cli.sendmail import NO_PERMISSION, OK, TEMPORARY, UNAVAILABLE
from postroad.spool import Selection, Spool, SpoolError, Trouble, retry_now
from postroad.words.inputs import readable
from postroad.words.mail import parse_mailbox
from postroad.words.names import parse_destination
from postroad.words.visible import visible

if TYPE_CHECKING:
    from postroad.config import Brief

MOST = 20_000  # parcels that are shown

_STATUSES = {Trouble.READ_ONLY: NO_PERMISSION, Trouble.MISSING: UNAVAILABLE}

T = TypeVar("T")


def show(config: Brief) -> int:
    """Show the queue; the exit status."""
    from postroad.views.text.mailq import mailq

    async def asked(queue: Spool) -> str:
        lines = mailq(await queue.listed(Selection(), MOST), await queue.stats(time.time()))
        return "".join(f"{visible(line)}\n" for line in lines)

    return _with_queue(config, asked, document)


def flush(config: Brief, which: str) -> int:
    """Retry waiting mail now: all, or what `which` says; the exit status.

    Raises:
        InputError: what it says cannot be read.

    """
    selection = _selection(which)

    async def asked(queue: Spool) -> int:
        return await retry_now(queue, selection, time.time())

    return _with_queue(config, asked, lambda _count: None)


def _selection(which: str) -> Selection:
    kind, rest = which[:1], which[1:]
    if kind == "R":
        return Selection(destination=str(readable(parse_destination(rest))))
    if kind == "S":
        return Selection(sender=rest if rest == "<>" else str(readable(parse_mailbox(rest))))
    return Selection(ids=(rest,)) if kind == "I" else Selection()


def _with_queue(config: Brief, ask: Callable[[Spool], Awaitable[T]], tell: Callable[[T], None]) -> int:
    async def asked() -> T:
        queue = await open_queue(config.spool)
        try:
            return await ask(queue)
        finally:
            await queue.close()

    try:
        answer = asyncio.run(asked())
    except SpoolError as trouble:
        remark(trouble.why, "sendmail")
        return _STATUSES.get(trouble.kind, TEMPORARY)
    tell(answer)
    return OK
