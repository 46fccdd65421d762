"""`postroad queue`: the mail that waits, whether the relay is running or not."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from postroad.cli import options, screen
from postroad.cli.door import send
from postroad.cli.lines import document
from postroad.cli.opened import opened
from postroad.cli.tree import group

if TYPE_CHECKING:
    from postroad.spool import Parcel, Selection, Spool, Story

app = group("Inspect and manage the queue: list, retry now, hold, release, move to another route, return, delete.")

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Only these messages.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id of the message, as `queue list` shows it.")]
Destination = Annotated[str, typer.Option(metavar="DOMAIN", help="Only mail to this domain.")]
Sender = Annotated[str, typer.Option(metavar="MAILBOX", help="Only mail from this sender; '<>' for reports.")]
StateName = Annotated[
    str, typer.Option("--state", metavar="STATE", help="Only mail in this state: waiting, claimed or held.")
]
All = Annotated[bool, typer.Option("--all", help="All mail; required if nothing else selects it.")]

T = TypeVar("T")

MOST = 100_000  # parcels given up or moved at once
SMTP_PORT, SMTPS_PORT = 25, 465

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
            screen.fail("say which mail you mean: give IDs, --destination, --sender, or --all")
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
    id_: Id,
    content: Annotated[
        bool,
        typer.Option("--content", help="Also print the message itself, as queued; control characters are escaped."),
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print only the message, byte for byte, to a file or a pipe.")
    ] = False,
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Show one message: its envelope, the status of each recipient, the last reply and the next attempt.

    Exit status: 0 done, 1 no such message (any more), 2 usage error or no spool.
    """
    if content or raw:
        _show_content(id_, QueueSelection([id_], spool=spool, config=config), raw=raw, json=json)
        return
    story = _story(id_, spool, config)
    if json:
        from postroad.views.json import story_shape

        screen.print_json(story_shape(story))
    else:
        from postroad.views.text.queue import told

        screen.Screen().table(told(story, time.time()))


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
    """Retry waiting mail now. A running relay starts within a second or two, even at hosts that did not answer.

    Mail whose sender asked for a later delivery still waits for that time.

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


@app.command(epilog=f"{EXAMPLES}bounce 1E2DAPNHV84C8G00")
def bounce(
    ids: Ids = None,
    destination: Destination = "",
    sender: Sender = "",
    state: StateName = "",
    all_: All = False,
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Give up on waiting and held mail now, and send its senders the failure report they would get at expiry.

    Mail from the null sender, and recipients with NOTIFY=NEVER, get no report.

    Exit status: 0 done, 1 nothing matches, 2 usage error or no spool.
    """
    which = QueueSelection(ids, destination, sender, state, all_, spool, config)
    selection = which.selection()

    async def given_up(queue: Spool) -> tuple[int, int, int]:
        from postroad.config import load
        from postroad.relay import give_up

        settings = load(config)
        parcels, busy = await _at_rest(queue, selection)
        done = await give_up(settings, queue, parcels, time.time())
        return done.parcels, done.reports, busy + len(parcels) - done.parcels

    count, reports, busy = _ask(which, given_up)
    if json:
        from postroad.views.json import bounce_shape

        screen.print_json(bounce_shape(count, reports, busy))
    else:
        from postroad.words.phrasebook import counted

        screen.say(f"{count} given up, {counted(reports, 'report')} queued" + _left_alone(busy))
    _exit(count)


@app.command(epilog=f"{EXAMPLES}move --destination example.org --route smtp.example.net:2525")
def move(
    ids: Ids = None,
    destination: Destination = "",
    sender: Sender = "",
    state: StateName = "",
    all_: All = False,
    route: Annotated[
        str,
        typer.Option("--route", metavar="HOST[:PORT]", help="Deliver it to this host; the port is 25 unless given."),
    ] = "",
    to_route: Annotated[
        str, typer.Option("--to-route", metavar="NAME", help="Deliver it by this [[route]] of the settings.")
    ] = "",
    usual: Annotated[
        bool, typer.Option("--usual", help="Undo an earlier move: deliver it by the routes of the settings, or by DNS.")
    ] = False,
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Move waiting and held mail to another route, and retry it now. New mail is routed as before.

    Exit status: 0 done, 1 nothing matches, 2 usage error, no such route or no spool.
    """
    which = QueueSelection(ids, destination, sender, state, all_, spool, config)
    if (bool(route) + bool(to_route) + usual) != 1:
        screen.fail("say where the mail should go: give one of --route HOST[:PORT], --to-route NAME and --usual")
    selection = which.selection()
    with screen.input_errors():
        way = "" if usual else _place(route) if route else _named(to_route, config)

    async def moved(queue: Spool) -> tuple[int, int]:
        from postroad.relay import move as move_

        parcels, busy = await _at_rest(queue, selection)
        count = await move_(queue, parcels, way, time.time())
        return count, busy + len(parcels) - count

    _tell(f"moved to {f'the route {way}' if way else 'the usual route'}", *_ask(which, moved), json=json)


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
        _unknown(id_)
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

    _tell(word, *_ask(which, changed), json=json)


async def _at_rest(queue: Spool, selection: Selection) -> tuple[list[Parcel], int]:
    """The selected parcels that no relay has in its hands, and how many it has."""
    from postroad.spool import State

    found = await queue.listed(selection, MOST + 1)
    if len(found) > MOST:
        screen.remark(f"that is more than {MOST:,}; run this again for the rest")
    resting = [each.parcel for each in found[:MOST] if each.state is not State.CLAIMED]
    readable = [parcel for parcel in resting if parcel.mail.envelope.recipients]
    if len(readable) < len(resting):
        screen.remark(f"{len(resting) - len(readable)} cannot be read, and are left alone; `queue delete` deletes them")
    return readable, len(found[:MOST]) - len(resting)


def _place(text: str) -> str:
    """A host and port as one text, by which a relay knows it for one."""
    from postroad.config import read_place, write_place
    from postroad.words.inputs import InputError

    try:
        host, port = read_place(text)
    except ValueError as problem:
        raise InputError(f"--route: {problem}") from None
    if port == SMTPS_PORT:
        raise InputError(f"--route: port {port} starts TLS at once; write a [[route]] for it, and use --to-route")
    return write_place((host, port or SMTP_PORT))


def _named(name: str, config: Path | None) -> str:
    from postroad.config import load
    from postroad.words.inputs import InputError, quoted

    names = [each.name for each in load(config).route if each.name]
    if name not in names:
        known = f"it has {', '.join(names)}" if names else "no route has a name"
        raise InputError(f"--to-route: the settings have no [[route]] with the name {quoted(name)}: {known}")
    return name


def _show_content(id_: str, which: QueueSelection, *, raw: bool, json: bool) -> None:
    if raw and screen.is_terminal():
        screen.fail("--raw writes whatever is in the message: redirect it into a file or a pipe, or leave it out")
    if raw and json:
        screen.fail("--raw and --json cannot be combined: leave one out")

    async def shown(queue: Spool) -> None:
        story = await queue.story(id_)
        if story is None:
            _unknown(id_)
        if story.finished_at is not None:
            screen.fail(f"message {id_} is finished: its content was deleted then", screen.FINDINGS)
        pieces = aiter(queue.body(story.mail))
        if json:
            from postroad.views.json import content_shape

            screen.print_json(content_shape(story, b"".join([piece async for piece in pieces])))
        elif raw:
            async for piece in pieces:
                send(piece)
        else:
            from postroad.views.text.queue import content, told

            out = screen.Screen()
            out.table(told(story, time.time()))
            document("\n")
            async for line in content(pieces):
                document(f"{line}\n")

    _ask(which, shown)


def _tell(word: str, count: int, busy: int, *, json: bool) -> None:
    if json:
        from postroad.views.json import change_shape

        screen.print_json(change_shape(word, count, busy))
    else:
        screen.say(f"{count} {word}" + _left_alone(busy))
    _exit(count)


def _left_alone(busy: int) -> str:
    return f"; {busy} under way, left alone" if busy else ""


def _unknown(id_: str) -> NoReturn:
    screen.fail(
        f"there is no message {id_}: it was never queued here, or it finished longer ago than [spool] history",
        screen.FINDINGS,
    )


def _exit(count: int) -> None:
    raise typer.Exit(screen.DONE if count else screen.FINDINGS)
