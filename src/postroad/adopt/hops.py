"""A next hop as other systems write it: `[mail.example.com]:587`, `mail.example.com::465`, a service for its port."""

from __future__ import annotations

import re
from dataclasses import dataclass

SERVICES = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465, "ssmtp": 465}


@dataclass(frozen=True, slots=True)
class WrittenHop:
    """A host and its port. `by_mx`: mail goes to the exchangers of that name."""

    host: str
    port: int = 25
    by_mx: bool = False

    @property
    def endpoint(self) -> str:
        """As `next_hop` of a route has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def port_of(text: str) -> int | None:
    """A port by its number or the name of its service."""
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:  # 16 bits
        return int(text)
    return SERVICES.get(text.lower())


def postfix_hop(text: str) -> WrittenHop | None:
    """As in `relayhost` and transport(5): brackets turn MX off."""
    host, port = text.strip(), 25
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        tail, by_mx = rest.removeprefix(":"), False
        host = host.removeprefix("IPv6:").removeprefix("ipv6:")
    else:
        host, _, tail = host.partition(":")
        by_mx = True
    if tail:
        known = port_of(tail)
        if known is None:
            return None
        port = known
    return WrittenHop(host, port, by_mx) if host and " " not in host else None


def exim_hop(text: str) -> WrittenHop | None:
    """One of Debian's `dc_smarthost`, whose colons are no longer doubled: brackets are for an address with a port."""
    if text.startswith("["):
        host, _, tail = text[1:].partition("]")
        tail = tail.removeprefix(":")
    else:
        host, _, tail = text.partition(":") if text.count(":") < 2 else (text, "", "")  # IPv6
    port = port_of(tail or "25")
    return WrittenHop(host, port) if port and re.fullmatch(r"[\w.:-]+", host) else None
