"""Spools in folders, and disks to put them on."""

import asyncio
import os
import subprocess
from contextlib import contextmanager

import pytest

from postroad.spool import SpoolError
from postroad.spool.sqlite import SqliteSpool

MIB = 1 << 20
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="wants root: to be another user, or to mount a file system")


def run(story, folder, node="one", **settings):
    """Run a story about a spool on SQLite."""

    async def whole():
        spool = await SqliteSpool.open(folder, node=node, **settings)
        try:
            return await story(spool)
        finally:
            await spool.close()

    return asyncio.run(whole())


async def nothing(_spool):
    """Open and close."""


async def trouble_with(call):
    """The kind of trouble a call ends in."""
    with pytest.raises(SpoolError) as trouble:
        await call
    return trouble.value.kind


@contextmanager
def small_disk(folder, size):
    """A file system of its own."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Another program writes until not an octet is free; how many it wrote."""
    with (folder / "other.log").open("ab", buffering=0) as log:
        try:
            while log.write(bytes(MIB)):  # as much of it as there is room for
                pass
        except OSError:
            return log.tell()
