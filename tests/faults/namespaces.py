"""Two network namespaces joined by a cable; see `worlds`."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

NEAR, FAR = "postroad-faults-near", "postroad-faults-far"
NOBODY = "02:00:00:00:be:ef"  # a locally administered MAC that no interface has: what is sent to it vanishes
CLONE_NEWNET = 0x40000000  # <sched.h>
SYSCTLS = {  # whoever connects once a message must not run out of ports or of room in the backlog
    "net/ipv4/ip_local_port_range": "1024 65000",
    "net/ipv4/tcp_tw_reuse": "1",
    "net/core/somaxconn": "4096",
}


def lay():
    """Make both, and move this process, which has but one thread, to the far one."""
    clear()
    for name in (NEAR, FAR):
        _ip("netns", "add", name)
    _ip("link", "add", "near", "netns", NEAR, "type", "veth", "peer", "name", "far", "netns", FAR)
    _bring_up("near", NEAR, "10.81", "10.80")
    _bring_up("far", FAR, "10.80", "10.81")


def clear():
    """Remove what this run, or one that was killed, has left."""
    for name in (NEAR, FAR):
        if Path("/run/netns", name).exists():
            _ip("netns", "del", name)


def obstacle():
    """Why there can be no namespaces here; nothing if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"missing: {', '.join(missing)} (Debian packages iproute2, util-linux)"
    return ""


def cut(address):
    """From now on whatever the relay sends to an address vanishes, without a word back; open connections are dead."""
    _ip("-n", NEAR, "neigh", "replace", address, "lladdr", NOBODY, "dev", "near", "nud", "permanent")


def heal(address):
    """What is sent to an address arrives again."""
    _ip("-n", NEAR, "neigh", "del", address, "dev", "near", check=False)


def _bring_up(device, namespace, ours, theirs):
    """Every address of ours is local, so that a scenario can bind what it likes; theirs are at the other end."""
    with Path("/run/netns", namespace).open("rb") as handle:  # os.setns comes with Python 3.12
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    _ip("link", "set", "lo", "up")
    _ip("addr", "add", f"{ours}.255.254/16", "dev", device)
    _ip("link", "set", device, "up")
    _ip("route", "add", "local", f"{ours}.0.0/16", "dev", "lo")
    _ip("route", "add", f"{theirs}.0.0/16", "dev", device)
    for name, value in SYSCTLS.items():
        (Path("/proc/sys") / name).write_text(value)


def _ip(*arguments, check=True):
    subprocess.run(["ip", *arguments], check=check, capture_output=not check)
