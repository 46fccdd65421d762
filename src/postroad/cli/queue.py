"""`postroad queue`: the mail that waits, whether the relay is running or not."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from postroad.cli import options, screen
from postroad.cli.opened import opened
from postroad.cli.tree import group

if TYPE_CHECKING:
    from postroad.spool import Selection, Spool, Story

app = group("Inspect and manage the queue: list, retry now, hold, release, delete.")

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Messages.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A message.")]
Destination = Annotated[str, typer.Option(metavar="DOMAIN", help="Only mail to this domain.")]
Sender = Annotated[str, typer.Option(metavar="MAILBOX", help="Only mail from this sender; '<>' for reports.")]
StateName = Annotated[
    str, typer.Option("--state", metavar="STATE", help="Only mail in this state: waiting, claimed or held.")
]
All = Annotated[bool, typer.Option("--all", help="All mail; required if nothing else selects it.")]

T = TypeVar("T")

EXAMPLES = "Example: postroad queue "


@dataclass(frozen=True, slots=True)
class QueueSelection:
    """The selection of mail on the command line, and the spool it is in."""

    ids: list[str] | None
    destination: str = ""
    sender: str = ""
    state: str = ""
    all: bool = True
    spool: str = ""
    config: Path | None = None

    def selection(self) -> Selection:
        """The same for the spool; what cannot be read ends the command."""
        from postroad.spool import Selection, State
        from postroad.words.inputs import readable
        from postroad.words.mail import parse_mailbox
        from postroad.words.names import parse_destination

        if self.state and self.state not in set(State):
            screen.fail(f"there is no state {self.state!r}; choose one of {', '.join(State)}")
        if not (self.ids or self.destination or self.sender or self.state or self.all):
            screen.fail("say which mail you mean: IDs, --destination, --sender, --state, or --all")
        with screen.input_errors():
            return Selection(
                tuple(self.ids or ()),
                str(readable(parse_destination(self.destination))) if self.destination else "",
                str(readable(parse_mailbox(self.sender))) if self.sender not in ("", "<>") else self.sender,
                State(self.state) if self.state else None,
            )


@app.command("list", epilog=f"{EXAMPLES}list --destination example.org --state waiting")
def list_(
    ids: Ids = None,
    destination: Destination = "",
    sender: Sender = "",
    state: StateName = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1_000_000, help="Show at most this many.")] = 100,
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """List queued mail, one line for each message and destination, oldest first.

    Exit status: 0 there is mail, 1 nothing matches, 2 usage error or no spool.
    """
    which = QueueSelection(ids, destination, sender, state, spool=spool, config=config)
    found = _ask(which, lambda queue: queue.listed(which.selection(), limit + 1))
    shown, more = found[:limit], len(found) > limit
    if json:
        from postroad.views.json import queue_shape

        screen.print_json(queue_shape(shown, more=more))
    elif shown:
        from postroad.views.text.queue import listed

        out = screen.Screen()
        out.show(listed(shown, time.time(), out.width if screen.is_terminal() else None))
        if more:
            screen.remark(f"and more: only the first {limit} are shown; --limit shows more")
    else:
        screen.say("nothing waits" if which == QueueSelection(None, spool=spool, config=config) else "nothing matches")
    _exit(len(shown))


@app.command(epilog=f"{EXAMPLES}show 1E2DAPNHV84C8G00")
def show(
    id_: Id, spool: options.SpoolPlace = "", config: options.ConfigFile = None, json: options.Json = False
) -> None:
    """Show one message: its envelope, the status of each recipient, the last reply and the next attempt.

    Exit status: 0 done, 1 no such message (any more), 2 usage error or no spool.
    """
    story = _story(id_, spool, config)
    if json:
        from postroad.views.json import story_shape

        screen.print_json(story_shape(story))
    else:
        from postroad.views.text.queue import told

        screen.Screen().lines(told(story, time.time()))


@app.command(epilog=f"{EXAMPLES}trace 1E2DAPNHV84C8G00")
def trace(
    id_: Id, spool: options.SpoolPlace = "", config: options.ConfigFile = None, json: options.Json = False
) -> None:
    """Show every delivery attempt of a message: each address contacted, how long it took, and its reply.

    Exit status: 0 done, 1 no such message (any more), 2 usage error or no spool.
    """
    story = _story(id_, spool, config)
    if json:
        from postroad.views.json import trace_shape

        screen.print_json(trace_shape(story))
    else:
        from postroad.views.text.queue import traced

        screen.Screen().lines(traced(story))


@app.command(epilog=f"{EXAMPLES}retry --destination example.org")
def retry(
    ids: Ids = None,
    destination: Destination = "",
    sender: Sender = "",
    all_: All = False,
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Retry waiting mail now. A running relay starts within a second or two, also at hosts that did not answer.

    Mail that its sender holds for a later time keeps waiting for it.

    Exit status: 0 done, 1 nothing matches, 2 usage error or no spool.
    """
    which = QueueSelection(ids, destination, sender, "", all_, spool, config)
    from postroad.spool import retry_now

    _change(which, "due now", lambda queue, selection: retry_now(queue, selection, time.time()), json=json)


@app.command(epilog=f"{EXAMPLES}hold --sender newsletter@example.net")
def hold(
    ids: Ids = None,
    destination: Destination = "",
    sender: Sender = "",
    all_: All = False,
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Hold waiting mail: it is neither retried nor returned until it is released.

    Exit status: 0 done, 1 nothing matches, 2 usage error or no spool.
    """
    which = QueueSelection(ids, destination, sender, "", all_, spool, config)
    _change(which, "held", lambda queue, selection: queue.hold(selection), json=json)


@app.command(epilog=f"{EXAMPLES}release --all")
def release(
    ids: Ids = None,
    destination: Destination = "",
    sender: Sender = "",
    all_: All = False,
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Release held mail: it is due as before.

    Exit status: 0 done, 1 nothing matches, 2 usage error or no spool.
    """
    which = QueueSelection(ids, destination, sender, "", all_, spool, config)
    _change(which, "released", lambda queue, selection: queue.unhold(selection), json=json)


@app.command(epilog=f"{EXAMPLES}delete 1E2DAPNHV84C8G00")
def delete(
    ids: Ids = None,
    destination: Destination = "",
    sender: Sender = "",
    state: StateName = "",
    all_: All = False,
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Delete waiting and held mail without notifying anyone, neither sender nor recipient.

    Exit status: 0 done, 1 nothing matches, 2 usage error or no spool.
    """
    which = QueueSelection(ids, destination, sender, state, all_, spool, config)
    _change(which, "deleted", lambda queue, selection: queue.delete(selection, time.time()), json=json)


@app.command(epilog=f"{EXAMPLES}stats --json")
def stats(spool: options.SpoolPlace = "", config: options.ConfigFile = None, json: options.Json = False) -> None:
    """Count queued mail, in total and by destination.

    Exit status: 0 done, 2 usage error or no spool.
    """
    now = time.time()
    numbers = _ask(QueueSelection(None, spool=spool, config=config), lambda queue: queue.stats(now))
    if json:
        from postroad.views.json import stats_shape

        screen.print_json(stats_shape(numbers))
    else:
        from postroad.views.text.queue import totals

        screen.Screen().lines(totals(numbers, now))


def _ask(which: QueueSelection, question: Callable[[Spool], Awaitable[T]]) -> T:
    async def asked() -> T:
        async with opened(which.spool, which.config) as queue:
            return await question(queue)

    return screen.run(asked)


def _story(id_: str, spool: str, config: Path | None) -> Story:
    story = _ask(QueueSelection([id_], spool=spool, config=config), lambda queue: queue.story(id_))
    if story is None:
        screen.fail(
            f"no message {id_}: it was never here, or it finished longer ago than [spool] history", screen.FINDINGS
        )
    return story


def _change(
    which: QueueSelection, word: str, change: Callable[[Spool, Selection], Awaitable[int]], *, json: bool
) -> None:
    from dataclasses import replace

    from postroad.spool import State

    selection = which.selection()

    async def changed(queue: Spool) -> tuple[int, int]:
        count = await change(queue, selection)
        under_way = await queue.listed(replace(selection, state=State.CLAIMED), 10_000)
        return count, 0 if selection.state else len(under_way)

    count, busy = _ask(which, changed)
    if json:
        from postroad.views.json import change_shape

        screen.print_json(change_shape(word, count, busy))
    else:
        screen.say(f"{count} {word}" + (f"; {busy} under way, left alone" if busy else ""))
    _exit(count)


def _exit(count: int) -> None:
    raise typer.Exit(screen.DONE if count else screen.FINDINGS)
