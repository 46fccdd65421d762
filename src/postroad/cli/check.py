"""`postroad check`: what will fail about a domain's mail, before it fails."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from postroad.words.names import Address


class CheckForm(StrEnum):
    """The output formats of `check`, as the reports have them; repeated here so that --help stays fast."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"
    SARIF = "sarif"
    JUNIT = "junit"
    NAGIOS = "nagios"


class LowestSeverity(StrEnum):
    """The lowest severity that makes `check` exit with status 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    INFO = "info"
    NEVER = "never"


HERE = Path("postroad.toml")
AT_ONCE = 64

Domains = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DOMAIN...", help="Domains, zone files or reference set-ups; default: those in --zone or --snapshot."
    ),
]
File = Annotated[
    str | None, typer.Option("--file", "-f", metavar="FILE", help="Domains from this file, one a line; - is stdin.")
]
Snapshots = Annotated[
    list[Path] | None,
    typer.Option("--snapshot", metavar="FILE", help="What `postroad lookup --json` saved; may be repeated."),
]
Smtp = Annotated[
    bool, typer.Option("--smtp", help="Talk to each address: one connection, EHLO, STARTTLS, certificate, QUIT.")
]
Deep = Annotated[
    bool,
    typer.Option(
        "--deep", help="Also test RCPT for the postmaster, an unknown user and a foreign domain; no message is sent."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Confirm --deep: you may test these exchangers this way.")]
Controls = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS", help="With --smtp: an address known to answer, which shows whether outbound port 25 is open."
    ),
]
Port = Annotated[int, typer.Option(metavar="N", help="The exchangers' port; any other than 25 is for tests.")]
DnsPort = Annotated[int, typer.Option(metavar="N", help="The authoritative servers' port; for tests.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="MX, addresses and reverse names only: no policies, no authoritative servers.")
]
FailOn = Annotated[
    LowestSeverity | None, typer.Option(help="Lowest severity that makes the exit status 1.", show_default="error")
]
Ignore = Annotated[list[str] | None, typer.Option(metavar="RULE", help="Skip this rule; may be repeated.")]
Settings = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings with [check]; default: ./postroad.toml, then the usual file."
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append results as NDJSON to this file; skip the domains already in it."),
]
AtOnce = Annotated[int, typer.Option(metavar="N", min=1, help="Domains to check at the same time.")]
Rate = Annotated[float, typer.Option(metavar="N", min=0, help="Maximum DNS queries a second; 0: no limit.")]


def check(
    domain: Domains = None,
    file: File = None,
    zone: options.Zones = None,
    snapshot: Snapshots = None,
    resolver: options.Resolvers = None,
    smtp: Smtp = False,
    deep: Deep = False,
    yes: Yes = False,
    control: Controls = None,
    port: Port = 25,
    dns_port: DnsPort = 53,
    quick: Quick = False,
    allow_loopback: options.AllowLoopback = False,
    form: Annotated[CheckForm, typer.Option("--format", help="The form of the report.")] = CheckForm.TEXT,
    json: options.Json = False,
    fail_on: FailOn = None,
    ignore: Ignore = None,
    config: Settings = None,
    resume: Resume = None,
    at_once: AtOnce = AT_ONCE,
    rate: Rate = 0.0,
) -> None:
    """Find problems that lose or delay mail: each with its reason, its source, and the zone lines that fix it.

    Only DNS is asked, unless --smtp is given. Findings accepted in [check] of postroad.toml are shown but not counted.

    A bad line in --file is reported, and the other domains are checked.

    Exit status: 0 no finding at or above --fail-on, 1 findings or the zone does not have the domain, 2 usage error,
    3 inconclusive. With --format nagios: 0 OK, 1 warning, 2 critical, 3 unknown.
    """
    from postroad.cli.check_run import ReportOptions, run_checks, settings_for, terms_of, wanted_of
    from postroad.examine import SourceOptions

    if deep and not yes:
        screen.fail("--deep tests recipients at these exchangers; add --yes if you may do that")
    with screen.input_errors():
        settings = settings_for(config, HERE)
        controls = _addresses(control or []) or settings.check.controls
        choice = SourceOptions(
            None, tuple(snapshot or ()), tuple(resolver or ()), smtp, deep, port, dns_port, controls, rate,
            quick, allow_loopback,
        )  # fmt: skip
        wanted = wanted_of(domain or [], file, zone or [], choice)
        terms = terms_of(settings.check, fail_on.value if fail_on else None, ignore or [])
    raise typer.Exit(run_checks(wanted, ReportOptions(terms, CheckForm.JSON if json else form, resume, at_once)))


def _addresses(texts: list[str]) -> tuple[Address, ...]:
    from postroad.words.inputs import InputError
    from postroad.words.names import parse_address

    found = {text: parse_address(text) for text in texts}
    wrong = [text for text, address in found.items() if address is None]
    if wrong:
        raise InputError(f"--control {wrong[0]}: write an IP address")
    return tuple(address for address in found.values() if address)
