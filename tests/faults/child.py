"""`postroad relay` that ends with whoever began it, with a clock that a file sets, and another first penalty of a host.

The file has one double, the seconds by which the clock of this process is ahead; without one it is the machine's. With
a penalty, in seconds, hosts are left alone for so long at first. With a port, MTA-STS policies are looked for there,
and the authority of the lab is the only one. Constants, by their full names in JSON, have other values: a lease is as
short as a test. Nothing else is different from the relay.
"""

import ctypes
import json
import mmap
import os
import pkgutil
import signal
import struct
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_clock = []  # the file, in memory
_real = time.time
time.time = lambda: _real() + (struct.unpack("d", _clock[0])[0] if _clock else 0.0)  # before anybody keeps it


def main(parent, nice, clock, penalty, https, constants, arguments):  # noqa: PLR0913, PLR0917  # words of a command
    """Bend the clock, then be the relay."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it was to be told
        sys.exit(1)
    os.nice(nice)
    if clock:
        with Path(clock).open("rb") as opened:
            _clock.append(mmap.mmap(opened.fileno(), 8, prot=mmap.PROT_READ))
    from postroad.cli import main as postroad
    from postroad.relay import service

    made = service.relay_settings
    if penalty:
        service.relay_settings = lambda config: _forgiving(made(config), float(penalty))
    for constant, value in json.loads(constants).items():
        place, _, name = constant.rpartition(".")
        setattr(pkgutil.resolve_name(place), name, value)
    if https:
        _look_in_lab(int(https))
    sys.argv = ["postroad", *arguments]
    postroad()


def _look_in_lab(port):
    from postroad.lab import authority_file
    from postroad.relay import delivery

    os.environ["SSL_CERT_FILE"] = str(authority_file())
    delivery.policy_fetch = partial(delivery.policy_fetch, port=port)


def _forgiving(settings, penalty_s):
    health = replace(settings.loop.health, first_penalty_s=penalty_s)
    return replace(settings, loop=replace(settings.loop, health=health))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:7], sys.argv[7:])
