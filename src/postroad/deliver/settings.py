"""How we deliver: how we talk to hosts, from where and to which port, and how far one attempt walks."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import lru_cache

from postroad.dialogue import ClientSettings
from postroad.routing import WalkPolicy
from postroad.words.names import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSettings(ClientSettings):
    """What every attempt has in common.

    `source` are addresses of this machine to connect from, one of each family; none: the system's choice.
    """

    port: int = 25
    source: tuple[Address, ...] = ()
    walk: WalkPolicy = field(default_factory=WalkPolicy)

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
