"""`postroad tls-report`: what was counted for the TLS reports of a day, and what would be sent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen
from postroad.cli.opened import opened

if TYPE_CHECKING:
    from postroad.tls import TlsReport


def tls_report(
    domain: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="Only the report to this domain.", show_default=False)
    ] = "",
    day: Annotated[
        str, typer.Option(metavar="DATE", help="The UTC day, such as 2026-11-22; default: today, so far.")
    ] = "",
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Show the TLS reports (RFC 8460) of a day that are not sent yet, as they would be sent.

    The relay counts sessions while [tls_report] is enabled; they show here within ten seconds. A report is sent within
    four hours of the end of its day, if the domain still asks for reports, and then deleted here.

    Exit status: 0 there are reports, 1 there are none, 2 usage error or no spool.
    """
    from postroad.tls import day_begins, day_of
    from postroad.words.inputs import readable
    from postroad.words.names import parse_domain

    day = day or day_of(time.time())
    with screen.input_errors():
        reader = readable(parse_domain(domain)) if domain else ""
    try:
        day_begins(day)
    except ValueError:
        screen.fail(f"{day!r} is not a date; write one such as 2026-11-22")
    found = screen.run(lambda: _found(day, reader, spool, config))
    if json:
        from postroad.views.json import tls_reports_shape

        screen.print_json(tls_reports_shape(day, found))
    elif found:
        from postroad.views.text.tls_reports import shown

        screen.Screen().lines(shown(found))
    else:
        screen.say(f"nothing is counted for {reader or 'any domain'} on {day} (UTC)")
    raise typer.Exit(screen.DONE if found else screen.FINDINGS)


async def _found(day: str, reader: str, spool: str, config: Path | None) -> list[TlsReport]:
    from postroad.config import load
    from postroad.relay import ReportStore, submitter_of
    from postroad.tls import TlsReport, facts_of

    submitter = submitter_of(load(config))
    async with opened(spool, config) as queue:
        store = ReportStore(queue)
        due = [each for each in await store.due(day) if reader in ("", each.reader)]
        counted = [(each, await store.rows(each)) for each in due]
    return [
        TlsReport(each.reader, day, submitter, facts_of(each.reader, day, submitter, rows)) for each, rows in counted
    ]
