"""How we deliver: who we say we are, how long we wait, what we use of what is offered."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import lru_cache

from postroad.routing import WalkPolicy
from postroad.words.names import Address


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits of a session in seconds, at the least that RFC 5321 section 4.5.3.2 asks where it asks."""

    connect_s: float = 30.0  # no RFC names it; Postfix and Haraka wait this long
    greeting_s: float = 300.0
    ehlo_s: float = 300.0
    starttls_s: float = 120.0
    mail_s: float = 300.0
    rcpt_s: float = 300.0
    # On a connection that rested: a host that vanished meanwhile says nothing for ever, and no content is sent yet.
    resting_s: float = 3.0
    data_s: float = 120.0
    block_s: float = 180.0  # for each piece of the message
    dot_s: float = 600.0  # long on purpose: giving up early makes duplicates (RFC 1047)
    quit_s: float = 2.0  # all is settled by then; the reply to QUIT changes nothing


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a host that asks (RFC 4954)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeliverSettings:
    """What every attempt has in common.

    `hostname` is what EHLO says; empty means the address literal of the connection (RFC 5321 section 4.1.4).
    `source` are addresses of this machine to connect from, one of each family; none: the system's choice.
    `tls` is the context for STARTTLS, None to stay in the clear; `tls_required`: no mail in the clear;
    `implicit_tls`: the connection begins with the handshake (RFC 8314 section 3.3), and STARTTLS is not asked for.
    `login` is given to every host of the route: for a smarthost, never for other people's exchangers.
    `chunking` sends the message with BDAT (RFC 3030) where it is offered.
    """

    hostname: str = ""
    port: int = 25
    source: tuple[Address, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    walk: WalkPolicy = field(default_factory=WalkPolicy)
    tls: ssl.SSLContext | None = None
    tls_required: bool = False
    implicit_tls: bool = False
    login: Login | None = None
    chunking: bool = True

    def source_for(self, target: Address) -> Address | None:
        """The address to connect from, of the target's family."""
        return next((address for address in self.source if address.version == target.version), None)


@lru_cache(maxsize=1)
def opportunistic_tls() -> ssl.SSLContext:
    """Encryption without proof of who is there (RFC 7435): it defeats listeners, and costs no mail."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=1)
def verified_tls() -> ssl.SSLContext:
    """Encryption to the host that was named, proven by a certificate this machine trusts (RFC 6125 section 6)."""
    return ssl.create_default_context()
