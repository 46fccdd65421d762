"""`postroad relay` with a clock that a file sets, and hosts that are left alone for less long.

The file has one double, the seconds by which the clock of this process is ahead. With a second argument that is the
first penalty of a host, in seconds: nothing else is different from the relay.
"""

import mmap
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path


def main(clock, penalty, arguments):
    """Bend the clock before anything reads it, then be the relay."""
    _bend(Path(clock))
    from postroad.cli import main as postroad
    from postroad.relay import service

    made = service.relay_settings
    if penalty:
        service.relay_settings = lambda config: _forgiving(made(config), float(penalty))
    sys.argv = ["postroad", *arguments]
    postroad()


def _bend(file):
    with file.open("rb") as opened:
        ahead = mmap.mmap(opened.fileno(), 8, prot=mmap.PROT_READ)
    real = time.time
    time.time = lambda: real() + struct.unpack("d", ahead)[0]


def _forgiving(settings, penalty_s):
    health = replace(settings.loop.health, first_penalty_s=penalty_s)
    return replace(settings, loop=replace(settings.loop, health=health))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
