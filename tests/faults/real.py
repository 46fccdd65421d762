"""Exchangers and clients of Postfix (`make peers`): smtp-sink, which writes messages into files, and smtp-source."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import tempfile
from asyncio.subprocess import DEVNULL
from ipaddress import ip_address
from pathlib import Path

from tests.faults import namespaces
from tests.faults.books import until
from tests.faults.ports import free_port

PEERS = Path(__file__).parents[2] / ".peers" / "usr"
SINK, SOURCE = PEERS / "sbin" / "smtp-sink", PEERS / "sbin" / "smtp-source"
ENVIRONMENT = os.environ | {"LD_LIBRARY_PATH": str(PEERS / "lib" / "postfix")}
BACKLOG = 1000
LOOK_S = 0.002  # between two looks into the folder of a sink
LATE_S = 0.2  # how much later everything comes from a sink that is held
_RCPT = re.compile(rb"^X-Rcpt-Args: <([^>]*)>", re.MULTILINE)
_MAIL = re.compile(rb"^X-Mail-Args: <([^>]*)>", re.MULTILINE)


class RealSink:
    """One smtp-sink; what `Sink` is to scenarios that need no moods. Held, it answers everything `LATE_S` later."""

    def __init__(self, address, ledger, _rng):
        self.address = ip_address(address)
        self.ledger = ledger
        self.taken = 0
        self._folder = Path(tempfile.mkdtemp(prefix="postroad-sink-"))
        self._folder.chmod(0o1777)  # smtp-sink gives up being root
        self._process = None
        self._door = None
        self._port = 0
        self._reading = None

    async def open(self, port):
        """Take mail on a port."""
        self._port = port
        await self._spawn(port)
        self._reading = self._reading or asyncio.create_task(self._read())

    async def close(self):
        """Drop all connections; from now on they are refused."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None
        if self._door:
            self._door.close()
            self._door = None

    async def end(self):
        """Close it for good."""
        await self.close()
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._collect()
        shutil.rmtree(self._folder)

    async def hold(self):
        """Come back, with everything it says later by `LATE_S`."""
        await self.close()
        behind = free_port([str(self.address)])
        await self._spawn(behind)
        self._door = await asyncio.start_server(
            lambda reader, writer: _delay(reader, writer, (str(self.address), behind)),
            str(self.address), self._port, backlog=BACKLOG,
        )  # fmt: skip

    async def release(self):
        """Come back as before."""
        await self.close()
        await self.open(self._port)

    async def freeze(self):
        """Die as a machine without power does: nothing is refused, nothing answered."""
        namespaces.cut(str(self.address))

    async def thaw(self):
        """Start again, with all that was open forgotten."""
        await self.close()
        namespaces.heal(str(self.address))
        await self.open(self._port)

    async def _spawn(self, port):
        where = (str(self.address), port)
        command = ["-u", "nobody", "-m", str(BACKLOG), "-d", f"{self._folder}/m.", f"{where[0]}:{port}", str(BACKLOG)]
        self._process = await asyncio.create_subprocess_exec(
            SINK, *command, env=ENVIRONMENT, stdout=DEVNULL, stderr=DEVNULL
        )
        await until(lambda: _listens(where))

    async def _read(self):
        while True:
            self._collect()
            await asyncio.sleep(LOOK_S)

    def _collect(self):
        """Take the messages that are whole; a file is there before its message is, and goes if that is broken off."""
        for file in os.scandir(self._folder):
            with contextlib.suppress(FileNotFoundError):
                dumped = Path(file.path).read_bytes()
                head, _, text = dumped.removesuffix(b"\n").replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
                sender = _MAIL.search(head)
                if self.ledger.is_whole(octets := head + b"\r\n\r\n" + text) or (sender and not sender[1]):
                    Path(file.path).unlink()
                    self.taken += 1
                    self.ledger.take(sender[1], [name.decode() for name in _RCPT.findall(head)], octets)


async def _delay(reader, writer, behind):
    """Carry octets to a sink and back, those that come back late."""
    loop = asyncio.get_running_loop()
    replies, commands = await asyncio.open_connection(*behind)
    forward = asyncio.create_task(_carry(reader, commands.write))
    try:
        await _carry(replies, lambda octets: loop.call_later(LATE_S, writer.write, octets))
    finally:
        forward.cancel()
        commands.transport.abort()
        loop.call_later(LATE_S, writer.close)


async def _carry(reader, write):
    with contextlib.suppress(ConnectionError):
        while octets := await reader.read(65536):
            write(octets)


def _listens(where):
    with socket.socket() as sock:
        return sock.connect_ex(where) == 0


def obstacle():
    """Why there are none here; nothing if there are."""
    return "" if SINK.exists() and SOURCE.exists() else "smtp-sink and smtp-source are missing: run `make peers` first"


async def send(place, count, connections, letter):
    """So many messages by an smtp-source, to 1m@..., 2m@... of one.example; whether all were accepted."""
    command = [SOURCE, "-N", "-d", "-s", str(connections), "-m", str(count), "-F", letter]
    command += ["-f", "sender@home.example", "-t", "m@one.example", f"{place[0]}:{place[1]}"]
    process = await asyncio.create_subprocess_exec(*map(str, command), env=ENVIRONMENT)
    return await process.wait() == 0
