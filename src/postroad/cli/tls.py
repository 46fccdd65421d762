"""`postroad tls`: what protects mail on its way to a domain, and what its exchangers prove now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, sender_options
from postroad.cli.sender_options import AnswerForm

if TYPE_CHECKING:
    from postroad.build import Mailer, Subject
    from postroad.cli.mailers import MailerOptions
    from postroad.examine import LookSettings, Protection

SMTP_PORT = 25


def tls(  # options of a command
    domain: options.Domain = None,
    of: options.Of = None,
    zone: options.Zones = None,
    resolver: options.Resolvers = None,
    config: options.PoliciesOf = None,
    mode: options.Tls = None,
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
    own: options.OwnHosts = None,
    allow_loopback: options.AllowLoopback = False,
    port: options.Port = SMTP_PORT,
    https_port: options.HttpsPort = options.HTTPS_PORT,
    form: sender_options.Format = AnswerForm.TEXT,
    json: options.Json = False,
) -> None:
    """Show what protects mail to a domain: DNSSEC, DANE, MTA-STS, certificates, and what would happen to mail.

    It asks what a sender would ask, and opens one session with each address of an exchanger, up to STARTTLS; it sends
    no mail. In a zone file a zone with a DNSKEY record counts as signed.

    Exit status: 0 mail goes everywhere, 1 an exchanger would be passed over, or an MTA-STS policy cannot be used,
    2 usage error, 3 inconclusive, try again.
    """

    async def looked() -> Protection:
        from postroad.build import build_policy, subject_of
        from postroad.cli.mailers import MailerOptions
        from postroad.examine import look

        subject = subject_of(domain, of, zone or ())
        here = build_policy("rfc5321", allow_loopback=allow_loopback or port != SMTP_PORT)
        asked = MailerOptions(here, config, mode, resolver or (), own or (), authorities, https_port)
        connects = not subject.loaded if connect is None else connect
        mailer = await _mailer(subject, asked, policy, connects=connects)
        with screen.working(f"looking at {subject.destination}", "addresses") as tick:
            return await look(subject.destination, mailer, _settings(subject, asked, port, connects=connects), tick)

    seen = screen.run(looked)
    if json or form is AnswerForm.JSON:
        from postroad.views.json import protection_shape

        screen.print_json(protection_shape(seen))
    else:
        from postroad.views.text.protection import TITLE, sections
        from postroad.words.names import to_unicode

        sender_options.show(TITLE.format(to_unicode(str(seen.destination))), sections(seen), form)
    raise typer.Exit(_exit_code(seen))


async def _mailer(subject: Subject, asked: MailerOptions, policy: Path | None, *, connects: bool) -> Mailer:
    """What would route the mail. A zone file proves nothing, but shows what will be once its zones are signed.

    A relay goes by the policies it has kept; one that is given is tried out in their place.
    """
    from dataclasses import replace

    from postroad.build import policy_fetch, policy_in
    from postroad.cli.mailers import mailer_for
    from postroad.dns import ZoneResolver
    from postroad.gather import PublishedPolicies

    mailer = mailer_for(subject, asked)
    if subject.loaded:
        mailer = replace(mailer, resolver=ZoneResolver(subject.loaded.zone_data, validates=True))
    in_lab = asked.policy.allow_loopback
    live = policy_fetch(asked.authorities, port=asked.https_port, allow_loopback=in_lab) if connects else None
    if asked.config and not (policy or subject.loaded):
        from postroad.config import load
        from postroad.relay import policies_as_relay

        return replace(mailer, policies=await policies_as_relay(load(asked.config), mailer.resolver, live))
    fetch_by = policy_in(policy) if policy else live
    return replace(mailer, policies=PublishedPolicies(mailer.resolver, fetch_by))


def _settings(subject: Subject, asked: MailerOptions, port: int, *, connects: bool) -> LookSettings:
    from postroad.build import servers_of, trust_of
    from postroad.config import load
    from postroad.dns import WireSettings
    from postroad.examine import LookSettings
    from postroad.net import host_name

    servers, trust_ad = asked.servers, False
    if asked.config and not servers:
        there = load(asked.config).dns
        servers, trust_ad = there.resolvers, there.trust_ad
    name_servers = None if subject.loaded else WireSettings(servers_of(servers), trust_ad=trust_ad)
    return LookSettings(name_servers, connects, port, host_name(), trust_of(asked.authorities))


def _exit_code(seen: Protection) -> int:
    if seen.has_findings and not seen.kept_unknown:  # by the relay's own policy the answer may be another
        return screen.FINDINGS
    return screen.DONE if seen.is_conclusive else screen.TEMPORARY
