"""A port that swallows connection attempts: the SYN is never answered, as behind a dead host or a dropping firewall.

Without root this takes a listener nobody accepts from, its queue filled by connections of our own: Linux drops the
SYNs that find it full.
"""

from __future__ import annotations

import asyncio
import socket

from postroad.net import NetError, NetErrorKind

MAX_FILLERS = 16  # Linux takes one more than the backlog of 0; a system that takes this many rounds it up
PROBE_S = 0.02  # loopback connects within microseconds or not at all


class Blackhole:
    """A bound socket with a full queue, so that connections to it hang, until it is closed."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._fillers: list[socket.socket] = []

    async def open(self) -> None:
        """Fill the queue until a further connection hangs.

        Raises:
            NetError: local: this system answers however full the queue is.

        """
        try:
            hangs = await self._fill()
        except BaseException:
            self._close()
            raise
        if not hangs:
            self._close()
            raise NetError(
                "this system answers connections beyond a full queue: no blackhole without root", NetErrorKind.LOCAL
            )

    async def stop(self) -> None:
        """Free the port and the fillers; what hangs there is answered when it asks again."""
        self._close()

    def _close(self) -> None:
        for sock in (*self._fillers, self._sock):
            sock.close()
        self._fillers.clear()

    async def _fill(self) -> bool:
        self._sock.listen(0)
        for _ in range(MAX_FILLERS):
            if not await self._filled_one_more():
                return True
        return False

    async def _filled_one_more(self) -> bool:
        filler = socket.socket(self._sock.family, socket.SOCK_STREAM)
        filler.setblocking(False)  # noqa: FBT003  # the name says it
        try:
            async with asyncio.timeout(PROBE_S):
                await asyncio.get_running_loop().sock_connect(filler, self._sock.getsockname())
        except TimeoutError:
            pass
        except BaseException:
            filler.close()
            raise
        if not _is_connected(filler):  # asked of the kernel: a busy machine can time out on a connection it has
            filler.close()
            return False
        self._fillers.append(filler)
        return True


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
