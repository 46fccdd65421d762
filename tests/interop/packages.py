"""Where `make peers` has put other people's mail servers, and how their programs are run from there."""

import os
import pwd
from pathlib import Path

import pytest

PEERS = Path(__file__).parents[2] / ".peers"
OTHERS = "mail"  # Debian's user and group of that name: neither root nor nobody, on every system


def want_packages():
    """Skip unless they are there."""
    if not (PEERS / "ready").exists():
        pytest.skip("other people's mail servers are not here: run `make peers` first")


def want_root():
    """Skip unless we are root: these servers start as root and change to users of their own."""
    if os.geteuid() != 0:
        pytest.skip("wants root: this server changes to users of its own")


def environment(**more):
    """For a program of the packages: its libraries and modules are there and nowhere else."""
    libraries = [
        PEERS / "usr/lib/postfix",
        PEERS / "usr/lib",
        *PEERS.glob("usr/lib/*-linux-gnu*"),
        *PEERS.glob("lib/*-linux-gnu*"),
    ]
    modules = [*PEERS.glob("usr/lib/*/perl5/*"), PEERS / "usr/share/perl5"]
    return os.environ | {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "PERL5LIB": ":".join(map(str, modules)),
        **{key: str(value) for key, value in more.items()},
    }


def other():
    """The servers' user."""
    return pwd.getpwnam(OTHERS)


def give_away(path):
    """Let the servers' user own a file or folder."""
    os.chown(path, other().pw_uid, other().pw_gid)
