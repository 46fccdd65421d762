"""Which names and addresses are our own: in a list of exchangers or in a route they would bring mail back to us."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network

from postroad.words.names import Address

SMTP_PORT = 25

_EMBEDDING = {  # how many bits stand behind the IPv4 address that an address of the network has in it
    ip_network("::/96"): 0,  # IPv4-compatible (RFC 4291 section 2.5.5.1); :: and ::1 are no such addresses
    ip_network("::ffff:0:0/96"): 0,  # IPv4-mapped (RFC 4291 section 2.5.5.2): the system connects by IPv4
    ip_network("64:ff9b::/96"): 0,  # NAT64 (RFC 6052 section 2.1)
    ip_network("2002::/16"): 80,  # 6to4 (RFC 3056 section 2)
}


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, where it has one in it; else the address itself."""
    if isinstance(address, IPv4Address) or int(address) in (0, 1):
        return address
    behind = next((bits for network, bits in _EMBEDDING.items() if address in network), None)
    return address if behind is None else IPv4Address(int(address) >> behind & 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Own:
    """The names and addresses of this machine: in a list of exchangers they mark where it ends (RFC 5321 section 5.1).

    `addresses` are ours because the settings say so, as that of a router that passes port 25 on to us. `interfaces` are
    those of this machine, `listens` where on it we take mail, and `port` is where exchangers do.
    """

    names: frozenset[str] = frozenset()
    addresses: frozenset[Address] = frozenset()
    interfaces: frozenset[Address] = frozenset()
    listens: frozenset[tuple[Address, int]] = frozenset()
    port: int = SMTP_PORT

    def is_exchanger(self, address: Address) -> bool:
        """Whether an exchanger with this address is us.

        At port 25 that is whoever has an address of this machine, listening or not: the RFC speaks of hosts. Any other
        port means a test (docs/decisions/0007), where other servers may well have the addresses next to ours.
        """
        plain = embedded(address)
        if not self.addresses.isdisjoint((address, plain)):
            return True
        if self.port == SMTP_PORT and plain in self.interfaces and not plain.is_loopback:
            return True
        return self.takes_mail_at(address, self.port)

    def takes_mail_at(self, address: Address, port: int) -> bool:
        """Whether what is sent to this address and port comes to a port of ours."""
        plain = embedded(address)
        return any(self._is_reached(plain, where) for where, number in self.listens if number == port)

    def _is_reached(self, address: Address, where: Address) -> bool:
        if address == where or (address in self.addresses and not where.is_loopback):
            return True
        is_here = address in self.interfaces or address.is_loopback or address.is_unspecified
        return where.is_unspecified and where.version == address.version and is_here
