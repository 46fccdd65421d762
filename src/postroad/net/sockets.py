"""What needs no event loop: endpoints, the network error, and binding a port."""

from __future__ import annotations

import socket
from enum import StrEnum
from typing import NamedTuple

from postroad.words.names import Address


class NetErrorKind(StrEnum):
    """The kind of a network error, for programs: only `local` is this machine's own doing."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    TLS = "tls"
    LOCAL = "local"


class NetError(Exception):
    """The error that a connection cannot be made or used: why, in words for people, and the kind."""

    def __init__(self, why: str, kind: NetErrorKind) -> None:
        super().__init__(why)
        self.why = why
        self.kind = kind


class Endpoint(NamedTuple):
    """The address and port of one end of a connection."""

    address: Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}" if self.address.version == 4 else f"[{self.address}]:{self.port}"


def bind(address: Address, port: int) -> socket.socket:
    """A TCP socket that holds an address and port (0: the kernel picks one) and does not listen yet.

    Raises:
        NetError: local: the port is taken, or not ours to take.

    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    # asyncio turns TCP_NODELAY on only where the protocol is named
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)  # noqa: FBT003  # the name says it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((str(address), port))
    except OSError as problem:
        sock.close()
        raise NetError(
            f"cannot bind {Endpoint(address, port)}: {problem.strerror or problem}", NetErrorKind.LOCAL
        ) from problem
    return sock
