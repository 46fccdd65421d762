"""`postroad tls`: what protects mail on its way to a domain, and what its exchangers prove now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, sender_options
from postroad.cli.sender_options import AnswerForm

if TYPE_CHECKING:
    from postroad.build import Subject
    from postroad.examine import LookSettings, Protection

SMTP_PORT, HTTPS_PORT = 25, 443


def tls(  # options of a command
    domain: options.Domain = None,
    of: options.Of = None,
    zone: options.Zones = None,
    resolver: options.Resolvers = None,
    mode: options.Tls = "auto",
    connect: Annotated[
        bool | None,
        typer.Option(
            "--connect/--no-connect",
            help="Show what each exchanger proves now, and fetch the MTA-STS policy; default: unless there is --zone.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="Use this MTA-STS policy instead of the one published."),
    ] = None,
    authorities: options.Authorities = None,
    port: options.Port = SMTP_PORT,
    https_port: options.HttpsPort = HTTPS_PORT,
    form: sender_options.Format = AnswerForm.TEXT,
    json: options.Json = False,
) -> None:
    """Show what protects mail to a domain: DNSSEC, DANE, MTA-STS, certificates, and what would happen to mail.

    Asks what a sender asks, and opens one session with each address of an exchanger, up to STARTTLS; no mail is sent.
    In a zone file a zone with a DNSKEY record counts as signed.

    Exit status: 0 mail goes everywhere, 1 an exchanger would be passed over, or an MTA-STS policy cannot be used,
    2 usage error, 3 not all of it could be seen, try again.
    """

    async def looked() -> Protection:
        from postroad.build import subject_of
        from postroad.dns import ZoneResolver
        from postroad.examine import look

        subject = subject_of(domain, of, zone or ())
        chosen = _settings(subject, resolver or [], mode, policy, authorities, port, https_port, connect=connect)
        # A file proves nothing, but shows what it will be like once its zones are signed
        asked = ZoneResolver(subject.loaded.zone_data, validates=True) if subject.loaded else None
        return await look(subject.destination, asked or subject.resolver(resolver or ()), chosen)

    seen = screen.run(looked)
    if json or form is AnswerForm.JSON:
        from postroad.views.json import protection_shape

        screen.print_json(protection_shape(seen))
    else:
        from postroad.views.text.protection import TITLE, sections
        from postroad.words.names import to_unicode

        sender_options.show(TITLE.format(to_unicode(str(seen.destination))), sections(seen), form)
    raise typer.Exit(_exit_code(seen))


def _settings(
    subject: Subject,
    resolvers: list[str],
    mode: str,
    policy: Path | None,
    authorities: Path | None,
    port: int,
    https_port: int,
    *,
    connect: bool | None,
) -> LookSettings:
    from postroad.build import build_override, build_policy, policy_fetch, policy_in, servers_of, trust_of
    from postroad.dns import WireSettings
    from postroad.examine import LookSettings
    from postroad.net import host_name

    in_lab = port != SMTP_PORT
    connects = not subject.loaded if connect is None else connect
    fetch_by = policy_fetch(authorities, port=https_port, allow_loopback=in_lab) if connects else None
    return LookSettings(
        build_policy("rfc5321", allow_loopback=in_lab),
        build_override(mode),
        None if subject.loaded else WireSettings(servers_of(resolvers)),
        policy_in(policy) if policy else fetch_by,
        connects,
        port,
        host_name(),
        trust_of(authorities),
    )


def _exit_code(seen: Protection) -> int:
    if seen.has_findings:
        return screen.FINDINGS
    return screen.DONE if seen.is_conclusive else screen.TEMPORARY
