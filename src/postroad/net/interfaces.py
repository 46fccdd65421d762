"""The name and the addresses of this machine, as the system has them now."""

from __future__ import annotations

import array
import socket
import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from postroad.words.names import Address, parse_address, parse_domain

MOST = 4096  # IPv4 addresses asked for
_SIOCGIFCONF = 0x8912  # netdevice(7)
_IFREQ = 40 if struct.calcsize("P") == 8 else 32  # octets; the address stands behind the name, the family and the port
_IN_IFREQ = 20
_IF_INET6 = Path("/proc/net/if_inet6")


def host_name() -> str:
    """This machine's full domain name; empty if it has none, as RFC 5321 section 4.1.4 foresees."""
    name = parse_domain(socket.gethostname())
    return name if isinstance(name, str) and "." in name else ""


def interface_addresses() -> frozenset[Address]:
    """All addresses of this machine's interfaces; Linux only. What the system does not say is left out.

    By an ioctl and by /proc/net, and not by netlink, which hardened services may not use (RestrictAddressFamilies=).
    """
    if sys.platform != "linux":
        return frozenset()
    try:
        v6 = _IF_INET6.read_text()
    except OSError:  # IPv6 is disabled
        v6 = ""
    return frozenset((*parse_ifreqs(_ifreqs()), *parse_if_inet6(v6)))


def source_towards(address: Address) -> Address | None:
    """The address that the system gives connections to another one; None if it knows no way there. Sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((str(address), 9))
        except OSError:
            return None
        return parse_address(sock.getsockname()[0])


def parse_ifreqs(octets: bytes) -> Iterator[Address]:
    """The IPv4 addresses in an array of struct ifreq."""
    for start in range(0, len(octets), _IFREQ):
        yield IPv4Address(octets[start + _IN_IFREQ : start + _IN_IFREQ + 4])


def parse_if_inet6(text: str) -> Iterator[Address]:
    """The IPv6 addresses in the text of /proc/net/if_inet6: 32 hexadecimal digits begin each line."""
    for line in text.splitlines():
        yield IPv6Address(int(line[:32], 16))


def _ifreqs() -> bytes:
    import fcntl  # noqa: PLC0415  # there is none on Windows

    room = array.array("B", bytes(MOST * _IFREQ))
    place, size = room.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, _SIOCGIFCONF, struct.pack("iP", size, place))
        except OSError:
            return b""
    return room.tobytes()[: struct.unpack("iP", answer)[0]]
