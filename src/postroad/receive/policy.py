"""Who may relay, and who may authenticate: pure decisions from what is known of a client."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from postroad.receive.settings import Network, ReceiveSettings
from postroad.words.names import Address
from postroad.words.reply import Reply

if TYPE_CHECKING:
    from postroad.rewrite import Rewriter, Rewriting

CLOSED = Reply(550, ("5.7.1 relaying denied",))
CLOSED_NO_AUTH = Reply(550, ("5.7.1 relaying denied: authenticate first",))


@dataclass(frozen=True, slots=True)
class Peer:
    """A connected client: its address, the party it is counted with, its TLS, and the user it has proved to be."""

    address: Address
    party: str
    is_tls: bool = False
    user: str | None = None


def newcomer(address: Address) -> Peer:
    """A client that has said nothing yet. IPv6 clients are counted by their /64: a single host may have all of it.

    On a socket of both families an IPv4 client has a mapped address (RFC 4291 section 2.5.5.2): it is IPv4 here.
    """
    plain = address if isinstance(address, IPv4Address) else address.ipv4_mapped or address
    return Peer(plain, str(plain) if isinstance(plain, IPv4Address) else f"{int(plain) >> 64:x}/64")


def relay_refusal(client: Peer, settings: ReceiveSettings) -> Reply | None:
    """The reply to RCPT of a client that may not relay; None for one that may. There are no local domains."""
    if client.user is not None or is_among(client.address, settings.networks):
        return None
    return CLOSED_NO_AUTH if settings.users else CLOSED


def rewriter_for(client: Peer, rewriting: Rewriting) -> Rewriter | None:
    """What is done to the mail of a client that may relay; None for nothing."""
    from postroad.rewrite import SenderIdentity  # noqa: PLC0415  # where something is rewritten

    return rewriting.of(SenderIdentity(client.address, client.user))


def may_authenticate(client: Peer, settings: ReceiveSettings) -> bool:
    """Whether AUTH is offered and taken: where there are users and nobody can listen (RFC 4954 section 4)."""
    if not settings.users or client.user is not None:
        return False
    return client.is_tls or (settings.auth_in_clear_on_loopback and client.address.is_loopback)


def is_among(address: Address, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    for network in networks:  # noqa: SIM110  # a generator costs as much as what it does
        if address in network:
            return True
    return False
