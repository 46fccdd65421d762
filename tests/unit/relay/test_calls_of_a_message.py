"""What a relayed message costs in calls of Python: exact where time is not, and the same on any machine."""

import asyncio
import sys
import threading
from collections import Counter
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.support.examples import stride
from tests.support.relaying import settings_of

import postroad
from postroad.dns import load_zones
from postroad.net import bind
from postroad.relay import Relay
from postroad.relay.event_bus import EventBus
from postroad.relay.journal import Journal, Style
from postroad.spool.sqlite import SqliteSpool

OURS = str(Path(postroad.__file__).parent)
MOST = 340  # 293 to 318 where little else runs, 327 beside twenty processes: by how the commits fall
"""For each message. What a commit costs is shared by as many as are ready on this machine, and left out."""

CLIENTS, EACH = 20, 6 // stride(2)  # and one before, with which sessions begin: nobody counts it
ZONE = "$TTL 3600\n$ORIGIN example.com.\n@ MX 10 mail\nmail A 127.0.0.11\n"
LETTER = b"Subject: the usual\r\n\r\n" + b"As any other line of it, and none that is odd.\r\n" * 80
FLIGHTS = (b"MAIL FROM:<me@example.net>\r\n", b"RCPT TO:<you@example.com>\r\n", b"DATA\r\n", LETTER + b".\r\n")


class Calls:
    """Counts the calls of Python functions of ours, in all threads that are begun within, while it is asked to."""

    def __init__(self):
        self._of = Counter()
        self.counts = False

    @property
    def of(self):
        """How many of each name."""
        names = Counter()
        for code, count in self._of.items():
            names[f"{Path(code.co_filename).name} {code.co_qualname}"] += count
        return names

    def __enter__(self):
        threading.setprofile(self._hear)
        sys.setprofile(self._hear)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        threading.setprofile(None)

    def _hear(self, frame, event, _argument):
        code = frame.f_code
        if self.counts and event == "call" and (code.co_filename.startswith(OURS) or code.co_filename == "<string>"):
            self._of[code] += 1


class Exchanger(asyncio.Protocol):
    """Takes every message, and says so in as few calls as may be: they are not ours."""

    def connection_made(self, transport):
        """Greet."""
        self._transport, self._is_body = transport, False
        transport.write(b"220 mx.example ESMTP\r\n")

    def data_received(self, data):
        """Answer each command of a flight, or the end of a message."""
        if self._is_body:
            answers = [b"250 2.0.0 taken\r\n"] * data.endswith(b"\r\n.\r\n")
            self._is_body = not answers
        else:
            answers = [self._answer(line) for line in data.splitlines()]
        self._transport.write(b"".join(answers))

    def _answer(self, line):
        self._is_body = line == b"DATA"
        if line.startswith(b"EHLO"):
            return b"250-mx.example\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"
        return b"354 go ahead\r\n" if self._is_body else b"250 2.1.0 fine\r\n"


async def greeted(port):
    """A connection to hand messages over by."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b"HELO client.example\r\n")
    await reader.readline()
    return reader, writer


async def relayed(reader, writer, times, delivered):
    """Hand over messages by one connection, each once another of all that are under way is settled."""
    for _ in range(times):
        for flight in FLIGHTS:
            writer.write(flight)
            assert (await reader.readline())[:1] in b"23"
        await delivered.get()


async def story(folder, calls, text):
    """A relay as it runs, with its spool and its log in a file; the calls of the counted messages."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Exchanger, sock=bind(ip_address("127.0.0.11"), 0))
    settings = settings_of(f"[deliver]\nport = {server.sockets[0].getsockname()[1]}\n{text}", None)
    (folder / "zone").write_text(ZONE)
    delivered, bus, ports = asyncio.Queue(), EventBus(), []
    bus.subscribe("log", Journal(len, Style("json")))

    def listen(event):
        bus(event)
        if event.name == "deliver.parcel.complete":
            delivered.put_nowait(event)
        elif event.name == "relay.port.open":
            ports.append(event.fields["where"].port)

    spool = await SqliteSpool.open(folder / "spool", node="relay")
    relay = Relay(settings, spool, load_zones([folder / "zone"]), listen)
    await relay.open()
    clients = [await greeted(ports[0]) for _ in range(CLIENTS)]
    for calls.counts, times in ((False, 1), (True, EACH)):
        await asyncio.gather(*(relayed(*client, times, delivered) for client in clients))
    calls.counts = False
    for _, writer in clients:
        writer.close()
    await relay.close()
    bus.close()
    server.close()


@pytest.mark.parametrize("text", ["", "[tls_report]\nenabled = true"])
def test_a_relayed_message_costs_few_calls(tmp_path, text):
    """The usual message, from the port to the exchanger, with its record, its log and its commits.

    Of three messages of each client; of six in a whole run.

    That sessions are counted for TLS reports costs nothing where nobody asks for any.
    """
    with Calls() as calls:
        asyncio.run(story(tmp_path, calls, text))
    messages = CLIENTS * EACH
    each = {name: count / messages for name, count in calls.of.most_common() if count > messages / 2}
    assert sum(each.values()) <= MOST, each
