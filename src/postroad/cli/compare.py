"""`postroad compare`: sets of records side by side, what a change means, a verdict for each goal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, sender_options
from postroad.cli.sender_options import AnswerForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroad.planning import Comparison, Conditions


def compare(
    sets: Annotated[
        list[str],
        typer.Argument(
            metavar="A B...",
            help="Zone files, domains, or reference set-ups, such as two-equal; ./two-equal is a file.",
        ),
    ],
    of: sender_options.Of = None,
    resolver: options.Resolvers = None,
    sender: sender_options.Senders = None,
    mix: sender_options.MixName = None,
    senders: sender_options.SendersFile = None,
    dns_order: sender_options.Order = "fixed",
    sts_policy: sender_options.StsPolicy = None,
    published: sender_options.Published = False,
    authorities: options.Authorities = None,
    https_port: options.HttpsPort = options.HTTPS_PORT,
    allow_loopback: options.AllowLoopback = False,
    form: sender_options.Format = AnswerForm.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what changes sender by sender.")] = False,
    json: options.Json = False,
) -> None:
    """Compare sets of MX records: which lines differ, what senders will notice, and which set is better at what.

    Each set is compared with the first. Goals: delivery, balance, fail-over, loss of a network, delay by a silent
    machine, DNS cost, simplicity. An MTA-STS policy applies to each set: one that does not list a new exchanger shows.

    Exit status: 0 every sender can deliver to what is compared with the first set, 1 at least one cannot, or a zone
    does not have the domain, 2 usage error, 3 DNS lookup failed, try again.
    """
    if len(sets) < 2:
        screen.fail("give two or more sets of records")

    from postroad.build import RecordTerms, view_of

    terms = RecordTerms(allow_loopback, sts_policy, published, authorities, https_port)
    is_mixed = not all(map(_is_zone, sets))  # zones alone publish nothing, and are told so
    records = [
        sender_options.records_of(
            each, of, (), resolver or (), terms.of_zone() if is_mixed and _is_zone(each) else terms
        )
        for each in sets
    ]
    with screen.input_errors():
        view = view_of(sender or (), mix, senders, dns_order, {})
    from postroad.planning import compare as compared
    from postroad.planning import measure

    form = AnswerForm.JSON if json else form
    names = sets if form is AnswerForm.JSON else _short(sets)
    with screen.working("forecasts") as heard:
        view = replace(view, heard=heard)
        comparison = compared([measure(name, each, view) for name, each in zip(names, records, strict=True)])
    _show(comparison, view, form, is_verbose=verbose)
    sender_options.end(*comparison.cards[1:])


def _is_zone(text: str) -> bool:
    from postroad.build import is_file
    from postroad.planning import setup_named

    return setup_named(text) is not None or is_file(text)


def _short(sets: Sequence[str]) -> Sequence[str]:
    """The names of files without their folders and endings, where these tell them apart."""
    short = [PurePath(each).stem if each.endswith(".zone") else each for each in sets]
    return short if len(set(short)) == len(short) else sets


def _show(comparison: Comparison, view: Conditions, form: AnswerForm, *, is_verbose: bool) -> None:
    if form is AnswerForm.JSON:
        from postroad.views.json import comparison_shape

        screen.print_json(comparison_shape(comparison))
        return
    from postroad.views.pictures import picture_of
    from postroad.views.text.comparison import TITLE, sections

    pictures = (picture_of(each.name, each, view) for each in comparison.cards if form is AnswerForm.HTML)
    sender_options.show(TITLE, sections(comparison, pictures, is_verbose=is_verbose), form)
