"""What is fuzzed, and what must hold: nothing raises, whole = byte by byte, what is read can be written."""

import tomllib
from functools import cache
from itertools import zip_longest
from pathlib import Path

from tests.fuzz import journeys
from tests.support.dialogues import line_of
from tests.support.lean_and_slow import both

from postroad.adopt import SYSTEMS, sift
from postroad.config import refused
from postroad.dns import RecordType, parse_zones
from postroad.smtp import (
    BadSyntax,
    BodyComplete,
    BodyPiece,
    ClientEnd,
    Closed,
    Server,
    ServerConfig,
    StartTls,
    format_reply,
    parse_command,
)
from postroad.smtp.grammar import Ehlo
from postroad.smtp.offer import OUT_OF_STEP
from postroad.words.mail import parse_mailbox
from postroad.words.names import Unreadable, parse_domain
from postroad.words.reply import Reply

CORPUS = Path(__file__).parent / "corpus"
CONFIG = ServerConfig("mx.example", size=2000, max_recipients=3, auth=("PLAIN", "LOGIN"))
CONFIG_KEPT = ServerConfig("mx.example", size=2000, refuse_unsafe=False)
NO_TLS = Reply(454, ("no",))


def _served(octets, config, size):
    """Everything a server says and takes, fed in pieces of a size."""
    server, said, content = Server(config), [], b""
    server.greet()
    for start in range(0, len(octets), size):
        event = server.receive(octets[start : start + size])
        while event and not isinstance(event, Closed):
            content += getattr(event, "data", b"")
            if not isinstance(event, BodyPiece):
                said += [content] if isinstance(event, BodyComplete) else []
                content = b""
                said.append(server.reply(NO_TLS) if isinstance(event, StartTls) else server.agree())
            event = server.receive()
    return said


def server(octets):
    """A server hears the same in any pieces as byte by byte, up to where the client does not wait as it must."""
    for config in (CONFIG, CONFIG_KEPT):
        single = _served(octets, config, 1)
        for size in (2, 7, 50, max(len(octets), 1)):
            said = _served(octets, config, size)
            if said[-1:] == [format_reply(OUT_OF_STEP)]:
                assert said[:-1] == single[: len(said) - 1]
            else:
                assert said == single


def client(octets):
    """A client hears the same whole or byte by byte, with a command waiting."""
    whole, single = _waiting(), _waiting()
    expected = whole.receive(octets) if octets else []
    assert expected == [event for octet in octets for event in single.receive(bytes([octet]))]


def _waiting():
    waiting = ClientEnd()
    waiting.receive(b"220 hi\r\n")
    waiting.send(Ehlo("me.example"))
    return waiting


def command(octets):
    """A line is a command or bad syntax, and a command written is the command read."""
    for line in octets.split(b"\r\n"):
        parsed = parse_command(line)
        if not isinstance(parsed, BadSyntax):
            written = line_of(parsed)
            assert b"\n" not in written[:-2]
            assert parsed == parse_command(written[:-2])


def zone(octets):
    """Any text is zones or a problem with its place; names and mailboxes in it are read or unreadable."""
    text = octets.decode("utf-8", "replace")
    parse_zones({"fuzz": text})
    for word in text.split()[:50]:
        name = parse_domain(word)
        assert isinstance(name, Unreadable) or name == parse_domain(name)
        parse_mailbox(word)


def lean(octets):
    """What the lean decoder reads in a reply, dnspython reads too."""
    for kind in ("MX", "A", "AAAA"):
        fast, slow = both(octets, "example.com", RecordType(kind))
        assert fast is None or fast == slow


def adoption(octets):
    """What is written is TOML, and what a relay would refuse is left out of it; a zero octet parts the files."""
    system, *parts = octets.decode(errors="surrogateescape").split("\0")
    files = dict(zip_longest(parts[::2], parts[1::2], fillvalue=""))
    draft = SYSTEMS.get(system, SYSTEMS["postfix"]).adopt(files.get, "/etc/postroad")
    sift(draft, refused)
    tables = tomllib.loads(draft.toml(system).encode().decode())
    named = [each for each in draft.left if each.where == "postroad.toml"]
    assert len(named) == len(refused(tables)), draft.left


TARGETS = {
    "adoption": adoption,
    "server": server,
    "client": client,
    "transaction": journeys.transaction,
    "content": journeys.content,
    "draft": journeys.draft,
    "command": command,
    "zone": zone,
    "lean": lean,
}

TOKENS = [b"\r\n", b"\r", b"\n", b".", b"\r\n.\r\n", b"\x00", b"<>", b"\xff", b"250-", b"BDAT 3\r\n", b"a" * 5000]
TOKENS += [
    b"250 ok\r\n",
    b"354 go\r\n",
    b"421 bye\r\n",
    b"452 4.5.3 many\r\n",
    b"550 no\r\n",
    b"Bcc: x@y\r",
    b" \t",
    b"(",
]


@cache
def corpus(name):
    """The inputs to begin from, as committed."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def mutated(rng, octets):
    """A few random changes: cut, doubled, replaced, and pieces that matter to SMTP put in."""
    data = bytearray(octets)
    for _ in range(rng.randrange(1, 6)):
        at, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        change = rng.randrange(4)
        if change == 0:
            del data[at : min(end, at + 20)]
        elif change == 1:
            data[at:at] = data[at : min(end, at + 40)]
        elif change == 2 and at < len(data):
            data[at] = rng.randrange(256)
        else:
            data[at:at] = rng.choice(TOKENS)
    return bytes(data)
