"""How we receive: where we listen, who may relay, and the limits on size and time."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from postroad.receive.auth import PasswordHash
from postroad.routing import Aliases
from postroad.words.names import Address

if TYPE_CHECKING:
    from postroad.rewrite import Rewriting
    from postroad.sign import SigningPolicy

MIB = 1024 * 1024
Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Tls(StrEnum):
    """The use of TLS on a port: none, STARTTLS (RFC 3207), or from the start (RFC 8314 section 3)."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """The settings of one port."""

    address: Address
    port: int = 25
    tls: Tls = Tls.NONE

    @property
    def place(self) -> tuple[Address, int]:
        """Where it is."""
        return self.address, self.port


@dataclass(frozen=True, slots=True)
class ReceiveTimeouts:
    """The time limits of a client, in seconds. A command counts when it is whole: single octets buy no time."""

    command_s: float = 300.0  # RFC 5321 section 4.5.3.2.7 asks for 5 minutes at least
    block_s: float = 180.0  # the longest silence within a message
    tls_s: float = 60.0
    session_s: float = 3600.0  # then 421; a message under way has block_s to end
    goodbye_s: float = 5.0  # for a client that is sent away to take the reply
    least_rate: float = 100.0  # octets a second within a message, after the first block_s; Postfix has 500


@dataclass(frozen=True, slots=True)
class ReceiveLimits:
    """The limits on what clients may do; 0 is no limit where it says so. A client is an IPv4 address or an IPv6 /64."""

    size: int = 50 * MIB  # octets of a message, as Exim; Postfix has 10 MB
    recipients: int = 1000  # of a message, as Postfix; RFC 5321 section 4.5.3.1.8 asks for 100 at least
    hops: int = 100  # Received fields, the least of RFC 5321 section 6.3; Postfix has 50, Exim 30
    connections: int = 1000  # in all; Postfix has 100 processes, Exim 20
    connections_each: int = 100  # for each client; Postfix has 50
    messages: int = 0  # for each connection; 0: any number. Postfix has no limit, Exim 1000
    rate: int = 0  # messages a minute for each client; 0: any number
    errors: int = 20  # refused commands for each connection, as Postfix's hard limit
    idle_commands: int = 100  # NOOP, RSET, EHLO and the like between two messages, as Postfix's junk limit
    auth_failures: int = 3  # for each connection
    auth_failures_rate: int = 20  # a minute for each client
    octets: int = 64 * MIB  # of unfinished messages held in memory, all connections together
    hold_s: int = 30 * 86400  # the longest that mail waits because its sender wants that; 0: it does not. mox: 60 days


@dataclass(frozen=True, slots=True)
class ReceiveSettings:
    """The settings that all server sessions share.

    `networks` may relay without AUTH; `users` after it. `tls` is the certificate of every port that does TLS.
    AUTH is offered under TLS only; with `auth_in_clear_on_loopback` also to clients of this machine in the clear.
    `completes`: Date and Message-ID are added where they are missing (RFC 6409 section 8).
    `aliases` say who gets mail for names of this machine.
    `signing`: how mail of those who may relay is signed, if it is.
    `rewriting`: what is changed in it before, and who of them may send as whom.
    """

    hostname: str
    networks: tuple[Network, ...] = LOOPBACK
    users: Mapping[str, PasswordHash] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    auth_in_clear_on_loopback: bool = False
    auth_delay_s: float = 1.0  # before the reply to a wrong password
    completes: bool = True
    limits: ReceiveLimits = field(default_factory=ReceiveLimits)
    timeouts: ReceiveTimeouts = field(default_factory=ReceiveTimeouts)
    aliases: Aliases = field(default_factory=Aliases)
    signing: SigningPolicy | None = None
    rewriting: Rewriting | None = None
