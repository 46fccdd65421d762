"""Who hears what a process of a relay tells: its log, and whoever subscribes; and how such a process is tuned."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from postroad.relay.event_bus import EventBus, Subscription
from postroad.relay.journal import Journal, Style, stderr_piece, write_stderr
from postroad.words.trace import Event

Write = Callable[[bytes], int]


@dataclass(frozen=True, slots=True)
class RelayListeners:
    """The listeners of a relay, the log among them."""

    tell: EventBus
    journal: Journal
    log: Subscription

    @property
    def lost_lines(self) -> int:
        """Lines that did not get into the log."""
        return self.journal.lost + self.log.lost


@asynccontextmanager
async def open_listeners(style: Style, write: Write = write_stderr) -> AsyncIterator[RelayListeners]:
    """The log, and whoever subscribes besides; at the end they have a moment for what is still to be said."""
    tell = EventBus()
    journal = Journal(write, style, stderr_piece())
    listeners = RelayListeners(tell, journal, tell.subscribe("log", journal))
    hooks = sys.unraisablehook, threading.excepthook
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, about: tell(caught(str(about["message"]), about.get("exception")))
    )
    sys.unraisablehook = lambda about: tell(caught(f"Exception ignored in {about.object!r}", about.exc_value))
    threading.excepthook = lambda about: tell(caught("a thread has ended", about.exc_value))
    try:
        yield listeners
    finally:
        sys.unraisablehook, threading.excepthook = hooks
        asyncio.get_running_loop().set_exception_handler(None)
        await asyncio.to_thread(tell.close)


def caught(what: str, bug: BaseException | None) -> Event:
    """A bug of ours, for the log: nothing of a relay writes to stderr but the log, for stderr may stall."""
    trace = "".join(traceback.format_exception(bug)[-5:]) if bug else None
    return Event("relay.bug.caught", {"what": what, "error": repr(bug), "trace": trace})


def tune() -> None:
    """Collect garbage less often: thousands of parcels in memory are none, and looking at them costs a tenth.

    And let the spool's thread have its turn sooner than after 5 ms: everyone who waits for a commit waits for that.
    """
    gc.freeze()  # not collected before: a start leaves fifty objects, and to find them took a seventh of it
    gc.set_threshold(20_000, 50, 100)
    sys.setswitchinterval(0.001)
