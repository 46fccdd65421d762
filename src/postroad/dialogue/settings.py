"""How we talk to hosts: who we say we are, how long we wait, what we use of what is offered."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from postroad.smtp import Timeouts
from postroad.tls import NOBODY, Trust


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials for a host that asks for AUTH (RFC 4954)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """The settings that all client sessions share.

    `hostname` is what EHLO says; empty means the address literal of the connection (RFC 5321 section 4.1.4).
    `tls` is the context for STARTTLS, which believes any certificate; None to stay in the clear. What a host has to
    prove is said of each by its Demand, and judged after the handshake; `trust` are the authorities that count then.
    `implicit_tls`: the connection begins with the handshake (RFC 8314 section 3.3), and STARTTLS is not asked for.
    `login` is given to every host of the route: for a smarthost, never for other people's exchangers.
    `chunking` sends the message with BDAT (RFC 3030) where it is offered.
    `recipients` is the most that one transaction has; every host must take 100 (RFC 5321 section 4.5.3.1.8).
    """

    hostname: str = ""
    timeouts: Timeouts = field(default_factory=Timeouts)
    tls: ssl.SSLContext | None = None
    trust: Trust = NOBODY
    implicit_tls: bool = False
    login: Credentials | None = None
    chunking: bool = True
    recipients: int = 100
