"""A network namespace of one's own (Linux): only loopback, every address of the lab at hand, its own resolv.conf.

It lives as long as the process that entered it, and so does all that was started there: that process is the first of a
process namespace, with which the kernel ends every other.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from postroad.words.inputs import NotNowError

NETWORK = IPv4Network("10.88.0.0/16")
NETWORK_6 = IPv6Network("fd88::/64")
OWN = "10.88.255.254"  # without an address beyond 127.0.0.0/8 the C library would not look for A and AAAA records
OWN_6 = "fd88::ffff:ffff:ffff:fffe"
RESOLVER = "127.0.0.1"
_FILES = {
    "/etc/resolv.conf": f"nameserver {RESOLVER}\noptions timeout:30 attempts:1\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",  # no resolver that is asked over a socket
}
_CHROOTED = "/var/spool/postfix/etc/resolv.conf"  # Postfix has a copy where its daemons are chrooted

# <sched.h>, <sys/mount.h>, <sys/prctl.h>
_NEW_NET, _NEW_MOUNTS, _NEW_USER, _NEW_PIDS = 0x40000000, 0x00020000, 0x10000000, 0x20000000
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_DEATH_SIGNAL = 1
# <linux/netlink.h>, <linux/rtnetlink.h>, <linux/if.h>, <bits/ioctls.h>
_NEW_ADDRESS, _NEW_ROUTE, _FLAGS = 20, 24, 0x1 | 0x4 | 0x200 | 0x400
_LOCAL_TABLE, _BY_BOOT, _HOST_SCOPE, _LOCAL_ROUTE = 255, 3, 254, 2
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1

_HOW = (
    "run it as root, or let users make namespaces: sysctl kernel.unprivileged_userns_clone=1 "
    "(Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0); a container wants --privileged"
)


def split_off() -> int | None:
    """Go on in a namespace: None there; outside, the exit status of what went on there, once it has ended.

    Raises:
        NotNowError: this machine does not allow it.

    """
    if not sys.platform.startswith("linux"):
        raise NotNowError("network namespaces are a thing of Linux: run this on a Linux machine")
    _unshare()
    child = os.fork()
    if child:
        return _wait(child)
    _libc().prctl(_DEATH_SIGNAL, signal.SIGKILL)  # if whoever waits is killed, all of this is
    try:
        _furnish()
    except OSError as problem:
        raise NotNowError(f"the network namespace cannot be set up: {problem.strerror or problem}; {_HOW}") from None
    return None


def _unshare() -> None:
    user, group = os.getuid(), os.getgid()
    spaces = _NEW_NET | _NEW_MOUNTS | _NEW_PIDS
    if user == 0 and _libc().unshare(spaces) == 0:
        return
    if _libc().unshare(spaces | _NEW_USER) != 0:
        why = os.strerror(ctypes.get_errno())
        raise NotNowError(f"no network namespace can be made here: {why}; {_HOW}")
    Path("/proc/self/setgroups").write_text("deny")  # user_namespaces(7): before gid_map
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _wait(child: int) -> int:
    """The exit status of the child; Ctrl-C reaches it by itself, other wishes to end are handed on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _furnish() -> None:
    _checked(_libc().mount(None, b"/", None, _RECURSIVE | _PRIVATE, None))
    for name, text in _FILES.items():
        _put_over(name, text)
    _put_over(_CHROOTED, _FILES["/etc/resolv.conf"])
    _libc().mount(b"proc", b"/proc", b"proc", 0, None)  # a container may forbid it: then /proc is that outside
    _bring_up()
    device = socket.if_nametoindex("lo")
    for family, own, network in ((socket.AF_INET, OWN, NETWORK), (socket.AF_INET6, OWN_6, NETWORK_6)):
        if family == socket.AF_INET6 and not has_ipv6():
            continue
        bits, packed = network.max_prefixlen, socket.inet_pton(family, own)
        _ask(_NEW_ADDRESS, struct.pack("=BBBBI", family, bits, 0, 0, device), {1: packed, 2: packed})
        route = struct.pack(
            "=BBBBBBBBI", family, network.prefixlen, 0, 0, _LOCAL_TABLE, _BY_BOOT, _HOST_SCOPE, _LOCAL_ROUTE, 0
        )
        _ask(_NEW_ROUTE, route, {1: network.network_address.packed, 4: struct.pack("=I", device)})


def has_ipv6() -> bool:
    """Whether addresses of IPv6 can be served here that no interface has."""
    try:
        Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")
    except OSError:
        return False
    return True


def _put_over(name: str, text: str) -> None:
    """Let a file have another text in here; one that is not there is not missed."""
    place = Path(name).resolve()
    if not place.is_file():
        return
    with _made(text) as made:
        _checked(_libc().mount(os.fsencode(made), os.fsencode(place), None, _BIND, None))


@contextmanager
def _made(text: str) -> Iterator[str]:
    """A file that is gone from its folder as soon as it is mounted elsewhere."""
    with tempfile.NamedTemporaryFile("w", prefix="postroad-lab-") as file:
        file.write(text)
        file.flush()
        os.chmod(file.name, 0o644)  # noqa: PTH101  # the daemons of a sender have users of their own
        yield file.name


def _bring_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = fcntl.ioctl(sock, _GET_FLAGS, struct.pack("16sH14x", b"lo", 0))
        (flags,) = struct.unpack("16xH14x", request)
        fcntl.ioctl(sock, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))


def _ask(kind: int, body: bytes, attributes: dict[int, bytes]) -> None:
    """One request of rtnetlink(7), acknowledged."""
    for number, value in attributes.items():
        size = 4 + len(value)
        body += struct.pack("=HH", size, number) + value + bytes(-size % 4)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.bind((0, 0))
        sock.send(struct.pack("=LHHLL", 16 + len(body), kind, _FLAGS, 1, 0) + body)
        (answer,) = struct.unpack_from("=i", sock.recv(4096), 16)
    if answer and -answer != errno.EEXIST:
        raise OSError(-answer, os.strerror(-answer))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
