"""Ports that nobody has, nor is given while a server that is to have one starts."""

import contextlib
import itertools
import os
import socket
from pathlib import Path

LOWEST = 10_240
STRIDE = 61  # ports of a process before those of the next one
_calls = itertools.count()


def free_port(addresses):
    """A port that is free on all of them, and none of those that connections come from."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            port = _candidate()
            for address in addresses:
                sock = stack.enter_context(socket.socket())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, port))
                port = sock.getsockname()[1]
            return port


def _candidate():
    """Each process has its own; 0, any at all, where the kernel lets connections come from everywhere (ip(7))."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    room = first - LOWEST
    return LOWEST + (os.getpid() * STRIDE + next(_calls)) % room if room > STRIDE else 0
