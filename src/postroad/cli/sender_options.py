"""What the commands of the simulation share: records from DNS, a zone file or a named set-up, and who is to send."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from postroad.build import RecordTerms
    from postroad.planning import Records, Scorecard
    from postroad.views.text.sections import AnswerSection

Subject = Annotated[
    str | None,
    typer.Argument(
        metavar="DOMAIN", help="A domain, a zone file, or a reference set-up, such as two-equal; ./two-equal is a file."
    ),
]
Of = options.Of
Senders = Annotated[
    list[str] | None,
    typer.Option("--sender", metavar="NAME|FILE.toml", help="Simulate this sender; may be repeated."),
]
MixName = Annotated[
    str | None,
    typer.Option("--mix", metavar="MIX", help="Simulate the senders of this mix; default: postroad and internet."),
]
SendersFile = Annotated[
    Path | None, typer.Option("--senders", metavar="FILE.toml", help="Senders and mixes of your own.")
]
Order = Annotated[
    str,
    typer.Option(
        "--dns-order", metavar="ORDER", help="Order of DNS answers: fixed, rotate, rotate-apart, random or cached."
    ),
]

StsPolicy = Annotated[
    Path | None,
    typer.Option("--sts-policy", metavar="FILE", help="The domain has this MTA-STS policy: some senders enforce it."),
]
Published = Annotated[
    bool,
    typer.Option("--published", help="Fetch the MTA-STS policy and the TLSA records that the domain publishes now."),
]


class AnswerForm(StrEnum):
    """The output formats of an answer in sections."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


Format = Annotated[AnswerForm, typer.Option("--format", help="text, markdown (for a pull request), json or html.")]


def show(title: str, told: Iterable[AnswerSection], form: AnswerForm) -> None:
    """An answer in sections: a text, a page or Markdown."""
    from postroad.views.text import sections

    if form is AnswerForm.HTML:
        from postroad.views.html.answer import page

        screen.document(page(title, told))
    elif form is AnswerForm.MARKDOWN:
        screen.document(f"{sections.markdown(told)}\n")
    else:
        screen.Screen().show(sections.text(told))


def records_of(
    what: str | None,
    domain: str | None,
    zones: Sequence[Path],
    resolvers: Sequence[str],
    terms: RecordTerms | None = None,
) -> Records:
    """The records asked for: a named set-up, a zone file, or a domain, from zone files or from DNS.

    What the domain asks of TLS comes with them. Ends the command with 2 where it is none of them, and with 3 where DNS
    cannot tell now.
    """
    from postroad import build

    with screen.input_errors():
        subject = build.subject_of(what, domain, zones)
    return screen.run(lambda: build.records_of(subject, resolvers, terms or build.RecordTerms()), options.DNS)


def status_of(records: Records) -> int:
    """The exit status where not all is well: 3, as of `route`, if only nobody can tell the addresses now."""
    return screen.TEMPORARY if records.unknown and not records.machines else screen.FINDINGS


def end(*cards: Scorecard) -> None:
    """The exit status of what was forecast: 0 only where each sender gets mail through to each of them.

    1 before 3: what fails for sure is not to be tried again.
    """
    from postroad.views.text.simulation import stopped_in

    if statuses := [status_of(card.records) for card in cards if stopped_in(card)]:
        raise typer.Exit(min(statuses))
