"""Every attempt to connect, answered or not: the SYNs seen on loopback, in a network namespace of one's own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

from postroad.words.names import Address

Heard = Callable[[Address, int], None]

_ALL = 0x0003  # ETH_P_ALL of <linux/if_ether.h>
_OUTGOING = 4  # PACKET_OUTGOING of <linux/if_packet.h>: on loopback each packet passes twice
_TCP = 6
_SYN, _ACK = 0x02, 0x10
_ROOM = 8 * 1024 * 1024  # octets of packets that wait


class SynWatch:
    """Tells the address and port of every connection attempt once, however often its SYN is sent again."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._seen: set[bytes] = set()
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._sock.setblocking(False)  # noqa: FBT003  # the name says it
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self._sock.bind(("lo", _ALL))

    def start(self) -> None:
        """Watch."""
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._read)

    def stop(self) -> None:
        """Watch no more."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()

    def _read(self) -> None:
        while True:
            try:
                packet, (_device, _kind, way, *_rest) = self._sock.recvfrom(128)
            except (BlockingIOError, InterruptedError):
                return
            attempt = attempted(packet) if way == _OUTGOING else None
            if attempt and attempt[0] not in self._seen:
                self._seen.add(attempt[0])
                self._heard(*attempt[1:])


def attempted(packet: bytes) -> tuple[bytes, Address, int] | None:
    """What tells a connection attempt from others, and where it leads; None: the packet is none."""
    if packet[:1] and packet[0] >> 4 == 4 and packet[9:10] == bytes([_TCP]):
        head, target, start = packet[12:20], packet[16:20], (packet[0] & 15) * 4
    elif packet[:1] and packet[0] >> 4 == 6 and packet[6:7] == bytes([_TCP]):
        head, target, start = packet[8:40], packet[24:40], 40
    else:
        return None
    segment = packet[start:]
    if len(segment) < 14 or segment[13] & (_SYN | _ACK) != _SYN:
        return None
    return head + segment[:8], ip_address(target), int.from_bytes(segment[2:4])  # addresses, ports, first number
