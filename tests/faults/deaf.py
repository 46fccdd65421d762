"""Sockets that hear nothing any more, as those of a host without power; no root is needed."""

import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>
_DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF_RET: keep no octet, bpf(4)
_PROGRAM = struct.pack("HP", 1, ctypes.addressof(_DROP_ALL))  # struct sock_fprog of <linux/filter.h>


def deafen(sock):
    """Whatever comes for this socket is dropped before TCP sees it: nothing is acknowledged, no SYN answered."""
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _PROGRAM)
