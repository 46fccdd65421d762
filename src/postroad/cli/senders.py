"""`postroad senders`: which senders can be simulated, what each does with MX records, and the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen
from postroad.views.text.blocks import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from postroad.models import Sender

HEADS = {
    "ours": "This program",
    "procedure": "Procedures of the RFCs",
    "measured": "Mail servers and libraries, measured by counting every connection",
    "assumed": "Habits that are assumed, not measured",
}


def senders(
    sender: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE.toml", help="One sender; without it, all are listed.")
    ] = None,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the sender's file, to edit and pass to --sender.")
    ] = False,
    json: options.Json = False,
) -> None:
    """List the mail servers that can be simulated, or show one: how it chooses, when it moves on, and the sources.

    To describe your own mail server, print the file of a similar one with --toml, edit it, and pass it to
    `postroad simulate --sender FILE.toml`.

    Exit status: 0 done, 2 no such sender, or the file cannot be used.
    """
    from postroad.models import SENDERS

    if sender is None:
        if toml:
            screen.fail("give the sender whose file to print; `postroad senders` lists them")
        _list(SENDERS, json=json)
        return
    from postroad.build import sender_named

    with screen.input_errors():
        found = sender_named(sender, SENDERS)
    if toml:
        _print_file(found, None if sender in SENDERS else sender)
    elif json:
        from postroad.views.json import sender_shape

        screen.print_json(sender_shape(found))
    else:
        _show(screen.Screen(), found)


def _list(known: Mapping[str, Sender], *, json: bool) -> None:
    if json:
        from postroad.views.json import senders_shape

        screen.print_json(senders_shape(known.values()))
        return
    out = screen.Screen()
    out.line(f"{len(known)} senders; postroad senders NAME shows one", style="bold")
    width = max(map(len, known))
    for kind, head in HEADS.items():
        out.line()
        out.line(head, style="bold")
        for each in (each for each in known.values() if each.kind == kind):
            out.line(f"  {each.name:<{width}}  {each.title}", (f" ({each.version})" if each.version else "", "dim"))


def _print_file(found: Sender, own: str | None) -> None:
    from postroad.files import read_text
    from postroad.models import file_of

    text = read_text(own) if own else file_of(found.name)
    if not isinstance(text, str):
        screen.fail(f"{found.name} has no file: it is simulated by running Postroad itself")
    screen.document(text)


def _show(out: screen.Screen, found: Sender) -> None:
    from postroad.views.text.senders import described, reactions

    out.line(f"{found.name}: {found.title}", style="bold")
    rows = [((f"  {label}", "dim"), text) for label, text in described(found)]
    out.table(Table((), rows))
    after = [((f"  {met}", "dim"), then) for met, then in reactions(found)]
    if after:
        out.line()
        out.line("After a contact", style="bold")
        out.table(Table((), after))
