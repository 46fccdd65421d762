"""Signs messages: who signs, one message while it streams past, and a message that is there whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroad.sign.author import author_domain
from postroad.sign.canonical import BodyHash, Form
from postroad.sign.fields import Fields, fields_of
from postroad.sign.keys import KeyState, SigningKey
from postroad.sign.signature import Covered, covered, signature_field
from postroad.words.names import Unreadable

HEADER = 256 * 1024
"""Octets of the longest header that is signed: it is held in memory."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """The reason why a message gets no signature. `is_odd`: the message is not in order, whoever has a key."""

    why: str
    is_odd: bool = True


class MessageSigner:
    """The signatures of one message, whose octets stream past."""

    __slots__ = ("_body", "_covered", "_keys", "_skip", "_valid_s", "domain")

    def __init__(self, keys: tuple[SigningKey, ...], what: Covered, body: Form, skip: int, valid_s: int) -> None:
        self.domain = keys[0].domain
        self._keys = keys
        self._covered = what
        self._body = BodyHash(body)
        self._skip = skip  # octets of the header that have not passed yet
        self._valid_s = valid_s

    def feed(self, octets: bytes) -> None:
        """Some more of the message, from its first octet on."""
        if self._skip >= len(octets):
            self._skip -= len(octets)
            return
        self._body.update(octets[self._skip :] if self._skip else octets)
        self._skip = 0

    def fields(self, now: float) -> bytes:
        """The message has passed: the fields that go in front of it, one of each key."""
        digest = self._body.digest()
        return b"".join([signature_field(key, self._covered, digest, int(now), self._valid_s) for key in self._keys])


@dataclass(frozen=True, slots=True)
class SigningPolicy:
    """Our keys, by their domains, and how we sign with them.

    `subdomains`: the key of a domain signs for the domains below it that have none. `valid_s`: how long a signature is
    good, 0 for ever.
    """

    keys: Mapping[str, tuple[SigningKey, ...]] = field(default_factory=dict)
    subdomains: bool = False
    header: Form = Form.RELAXED
    body: Form = Form.RELAXED
    valid_s: int = 0

    def begin(self, message: bytes, now: float) -> MessageSigner | Unsigned:
        """Who signs a message, whose header is at the beginning of these octets; or why nobody does."""
        read = _read(message)
        if isinstance(read, Unsigned):
            return read
        fields, length, domain = read
        keys = self._active(domain, now)
        if not keys:
            return Unsigned(f"there is no key of {domain}", is_odd=False)
        return MessageSigner(keys, covered(fields, self.header, self.body), self.body, length, self.valid_s)

    def signed(self, message: bytes, now: float) -> bytes:
        """A whole message with its signatures in front, if there are any."""
        signer = self.begin(message, now)
        if isinstance(signer, Unsigned):
            return message
        message = whole_lines(message)
        signer.feed(message)
        return signer.fields(now) + message

    def _active(self, domain: str, now: float) -> tuple[SigningKey, ...]:
        """The keys that sign for a domain now: RSA first, as some hosts look at the first signature only."""
        while domain:
            keys = [key for key in self.keys.get(domain, ()) if key.state(now) is KeyState.ACTIVE]
            if keys:
                return tuple(keys) if len(keys) == 1 else tuple(sorted(keys, key=lambda key: not key.bits))
            domain = domain.partition(".")[2] if self.subdomains else ""
        return ()


def whole_lines(message: bytes) -> bytes:
    """What ends a message, with its last line ended.

    By BDAT it need not be (RFC 6376 section 3.4.4), and verifiers disagree on the blanks at the end of such a line.
    """
    return message if message.endswith(b"\n") else message + b"\r\n"


def author_of(message: bytes) -> str | Unsigned:
    """The domain that signs a message, if there is a key of it; or why none can."""
    read = _read(message)
    return read if isinstance(read, Unsigned) else read[2]


def _read(message: bytes) -> tuple[Fields, int, str] | Unsigned:
    """The fields of a message, how many octets stand in front of its body, and the domain of its author."""
    end = message.find(b"\r\n\r\n", 0, HEADER)
    if end < 0 and len(message) > HEADER:
        return Unsigned("its header is longer than 256 KiB")
    header = message[: end + 2] if end >= 0 else message if message.endswith(b"\r\n") else message + b"\r\n"
    fields = fields_of(header)
    if fields is None:
        return Unsigned("its header has a line that is not a header field")
    domain = author_domain(fields)
    if isinstance(domain, Unreadable):
        return Unsigned(str(domain))
    return fields, end + 4 if end >= 0 else len(message), domain
