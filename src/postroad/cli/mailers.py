"""What `route` and `tls` ask with: as a relay with some settings, or with none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroad.build import Mailer, Subject
    from postroad.routing import RoutePolicy

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class MailerOptions:
    """What the options say: the settings file, what a connection has to be, the name servers, and who we are."""

    policy: RoutePolicy
    config: Path | None = None
    tls: str | None = None
    servers: Sequence[str] = ()
    own: Sequence[str] = ()
    authorities: Path | None = None
    https_port: int = HTTPS_PORT


def mailer_for(subject: Subject, asked: MailerOptions) -> Mailer:
    """What routes mail for a subject; the DNS of a settings file counts, unless the command names another.

    Raises:
        InputError: the settings, a server, a name of ours or the mode of TLS cannot be used.

    """
    from postroad.build import build_override

    mailer = _as_relay(asked.config, subject, asked) if asked.config else _plain(subject, asked)
    if asked.tls is not None:
        override = build_override(asked.tls)
        mailer = replace(mailer, override_of=lambda _route: override)
    if subject.loaded:  # zone files publish no policies: nothing of HTTPS is loaded
        return mailer
    from postroad.build import policies_of

    in_lab = asked.policy.allow_loopback
    policies = policies_of(mailer.resolver, asked.authorities, port=asked.https_port, allow_loopback=in_lab)
    return replace(mailer, policies=policies)


def _plain(subject: Subject, asked: MailerOptions) -> Mailer:
    from postroad.build import Mailer, build_own

    return Mailer(subject.resolver(asked.servers), asked.policy, build_own(asked.own))


def _as_relay(file: Path, subject: Subject, asked: MailerOptions) -> Mailer:
    from postroad.config import load
    from postroad.relay import mailer_as_relay, resolver_of

    settings = load(file)
    resolver = subject.resolver(asked.servers) if subject.loaded or asked.servers else resolver_of(settings)
    return mailer_as_relay(settings, resolver, asked.policy, asked.own)
