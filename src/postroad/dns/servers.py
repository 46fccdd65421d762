"""Name servers: as people write them, and those of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from postroad.words.names import Address, Unreadable, parse_address

DNS_PORT = 53
RESOLV_CONF = Path("/etc/resolv.conf")
_HOW = "write a name server as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address and port of a name server."""

    address: Address
    port: int = DNS_PORT

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, so that nobody is on the way to it."""
        return self.address.is_loopback

    def __str__(self) -> str:
        return f"{self.address}:{self.port}" if self.address.version == 4 else f"[{self.address}]:{self.port}"


def parse_server(text: str) -> ServerAddress | Unreadable:
    """Read ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    bare = text.strip()
    address = parse_address(bare)
    if address is not None:
        return ServerAddress(address)
    host, colon, port = bare.rpartition(":")
    if not colon or bare.endswith("]"):
        host, port = bare, str(DNS_PORT)
    bracketed = host.startswith("[") and host.endswith("]")
    address = parse_address(host[1:-1] if bracketed else host)
    if address is None or bracketed != (address.version == 6):
        return Unreadable(text, _HOW)
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 2**16):
        return Unreadable(text, f"{port!r} is not a port; {_HOW}")
    return ServerAddress(address, int(port))


def system_servers(file: Path = RESOLV_CONF) -> tuple[ServerAddress, ...]:
    """The name servers of this machine; the one on it if none is configured, as resolv.conf(5) has it."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        configured = _asked_of_the_system()
    else:
        named = (line.split() for line in lines)
        configured = [words[1] for words in named if words[:1] == ["nameserver"] and len(words) > 1]
    addresses = map(parse_address, configured or ["127.0.0.1"])
    return tuple(ServerAddress(address) for address in addresses if address is not None)


def _asked_of_the_system() -> list[str]:
    """Where that is no file but a registry; dnspython takes 10 ms to load."""
    import dns.exception  # noqa: PLC0415  # as it says
    import dns.resolver  # noqa: PLC0415  # the same

    try:
        return [str(server) for server in dns.resolver.Resolver().nameservers]
    except (dns.exception.DNSException, ValueError):
        return []
