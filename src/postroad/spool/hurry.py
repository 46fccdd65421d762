"""What a person asks of the relays on a spool, who has only the spool to say so: to retry mail now."""

from __future__ import annotations

from postroad.spool.base import Lesson, Selection, Spool

RETRY = "retry"  # of the one lesson: when somebody last asked


async def retry_now(spool: Spool, selection: Selection, now: float) -> int:
    """Have mail retried now, whatever is known of its hosts; how many parcels are due by that.

    Raises:
        SpoolError: the spool cannot be written.

    """
    await spool.learn([Lesson(RETRY, "", at=now)])  # first: a relay looks for it as soon as it has the mail
    return await spool.retry(selection, now)
