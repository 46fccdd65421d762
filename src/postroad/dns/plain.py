"""The usual query, and the plain reply: the records asked for at the name asked, and nothing else.

Whatever is not plain is None or `StrangeError`, IndexError, struct.error, ValueError: let a more general reader look.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from postroad.dns.resolver import RecordType
from postroad.words.facts import Found, Mx, Tlsa

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, OPT, TLSA = 1, 2, 5, 6, 12, 15, 16, 28, 41, 52
IN = 1

HEADER = struct.Struct("!HHHHHH")
_KIND = struct.Struct("!HH")
_NUMBERS = {
    kind: _KIND.pack(number, IN)
    for kind, number in (
        (RecordType.A, A),
        (RecordType.AAAA, AAAA),
        (RecordType.MX, MX),
        (RecordType.NS, NS),
        (RecordType.PTR, PTR),
        (RecordType.SOA, SOA),
        (RecordType.TLSA, TLSA),
        (RecordType.TXT, TXT),
    )
}
RECORD = struct.Struct("!HHIH")
_TTL_AND_SIZE = struct.Struct("!IH")
_OPT_RECORD = struct.Struct("!BHHIH")
RCODE = 15
AD = 0x0020
RECURSION = 0x0100  # RD
_ASKED = 0x0120  # RD and AD: AD asks the server to say whether it validated, RFC 6840 section 5.7
TOLD = 0xFA00  # QR, OPCODE and TC: of these a reply to a query that is whole has QR alone
QR = 0x8000
_COUNTS = struct.pack("!HHHH", 1, 0, 0, 1)  # one question, and OPT
START = 12  # of the question section
POINTER = 192  # the first octet of one is no less, RFC 1035 section 4.1.4
_TO_QUESTION = b"\xc0\x0c"
_OWNED = 6  # octets of pointer, type and class
_BARE_OPT = 11  # octets of an OPT record without options
_OPT_BEGINS = b"\0\0\x29"

PLAIN_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\Z")
PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_LENGTHS = tuple(bytes((length,)) for length in range(64))
MAX_LABEL = 63
MAX_NAME = 253  # characters without the final dot: 255 octets
MAX_POINTERS = 10
MAX_TTL_S = 2**31 - 1  # RFC 2181 section 8


class StrangeError(Exception):
    """The error that a reply needs a more general reader."""


class Question(NamedTuple):  # made in half the time of a frozen dataclass
    """A DNS query but for its id, and what of it a reply repeats."""

    name: str
    octets: bytes
    section: bytes  # name, type and class
    owned: bytes  # how a record of the type asked for begins, where its owner is a pointer to the name asked


def question(name: str, kind: RecordType, payload: int, flags: int = _ASKED) -> Question | None:
    """A query as most are; None for other types, and names with any but host characters."""
    number = _NUMBERS.get(kind)
    if number is None or len(name) > MAX_NAME or not PLAIN_NAME.match(name):
        return None
    labels = b"".join([_LENGTHS[len(label)] + label for label in name.encode().split(b".")])
    section = labels + b"\0" + number
    octets = flags.to_bytes(2) + _COUNTS + section + _OPT_RECORD.pack(0, OPT, payload, 0, 0)
    return Question(name, octets, section, _TO_QUESTION + number)


def read_plain(octets: bytes, asked: Question) -> Found[Any] | None:
    """A reply as most are, read in one go: at the name asked what was asked for, and nothing else but OPT."""
    _, flags, questions, answers, authorities, additional = HEADER.unpack_from(octets)
    if flags & (TOLD | RCODE) != QR or questions != 1 or authorities or additional > 1 or not answers:
        return None
    if not octets.startswith(asked.section, START):
        return None  # in another case, or the reply to another question
    at = START + len(asked.section)
    end = len(octets) - (_BARE_OPT if additional else 0)
    if additional and not (octets.startswith(_OPT_BEGINS, end) and octets[end + 5 : end + 7] == octets[-2:] == b"\0\0"):
        return None
    shortest_s, take = MAX_TTL_S, _PLAIN_READERS.get(asked.owned)
    if take is None:
        return None
    records: dict[Any, None] = {}  # a record said twice is one, RFC 2181 section 5
    for _ in range(answers):
        ttl_s, size = _TTL_AND_SIZE.unpack_from(octets, at + _OWNED)
        if ttl_s > MAX_TTL_S or not octets.startswith(asked.owned, at):
            return None
        if ttl_s < shortest_s:  # noqa: PLR1730  # a call of min takes five times as long
            shortest_s = ttl_s
        begin = at + _OWNED + _TTL_AND_SIZE.size
        at = begin + size
        records[take(octets, begin, at, asked.name)] = None
    if at != end or (take is _plain_text and len(records) < answers):
        return None  # the same text cut into other strings is another record: dnspython counts them
    return Found(tuple(records), shortest_s, (), asked.name, bool(flags & AD))


def _plain_mx(octets: bytes, at: int, end: int, asked: str) -> Mx:
    exchange, ends_at = _plain_name(octets, at + 2, asked)
    if ends_at != end:
        raise StrangeError
    return Mx(octets[at] << 8 | octets[at + 1], exchange)


def _plain_name(octets: bytes, start: int, asked: str, hops: int = 0) -> tuple[str, int]:
    """A name, and where it ends. A pointer leads into the question, whose text is known, or to a name before it."""
    at, text, rest = start, b"", ""
    while size := octets[at]:
        at += 1
        if size >= POINTER:
            target = (size & 63) << 8 | octets[at]
            # A label of the question is as far in as in its text: a length takes the place of a dot.
            place = target - START
            if place < len(asked) and (place == 0 or (place > 0 and asked[place - 1] == ".")):
                rest = asked[place:]
            elif START + len(asked) < target < start and hops < MAX_POINTERS:
                rest, _ = _plain_name(octets, target, asked, hops + 1)  # somewhere before it, RFC 1035 section 4.1.4
            else:
                raise StrangeError
            break
        label = octets[at : at + size]
        if size > MAX_LABEL or not (label.isalnum() or not label.translate(None, PLAIN)):
            raise StrangeError
        text = text + b"." + label if text else label
        at += size
    name = text.decode().lower()
    name = f"{name}.{rest}" if name and rest else name or rest
    if len(name) > MAX_NAME:
        raise StrangeError
    return name, at + 1


def _plain_target(octets: bytes, at: int, end: int, asked: str) -> str:
    name, ends_at = _plain_name(octets, at, asked)
    if ends_at != end:
        raise StrangeError
    return name


def _plain_text(octets: bytes, at: int, end: int, _asked: str) -> str:
    return read_text(octets[at:end])


def _plain_tlsa(octets: bytes, at: int, end: int, _asked: str) -> Tlsa:
    return read_tlsa(octets[at:end])


def read_text(octets: bytes) -> str:
    """The strings of a TXT record joined (RFC 1035 section 3.3.14)."""
    joined, at = b"", 0
    while at < len(octets):
        joined += octets[at + 1 : at + 1 + octets[at]]
        at += 1 + octets[at]
    if at != len(octets) or not octets:
        raise StrangeError
    return joined.decode("utf-8", "replace")


def read_tlsa(octets: bytes) -> Tlsa:
    """An association (RFC 6698 section 2.1). One whose digest has the wrong length is there, and cannot be used."""
    usage, selector, matching = octets[:3]  # raises ValueError for fewer
    return Tlsa(usage, selector, matching, octets[3:])


def _plain_a(octets: bytes, at: int, end: int, _asked: str) -> IPv4Address:
    return IPv4Address(octets[at:end])  # raises ValueError for anything but four octets


def _plain_aaaa(octets: bytes, at: int, end: int, _asked: str) -> IPv6Address:
    return IPv6Address(octets[at:end])


_PLAIN_READERS: dict[bytes, Callable[[bytes, int, int, str], Any]] = {
    _TO_QUESTION + _NUMBERS[RecordType.MX]: _plain_mx,
    _TO_QUESTION + _NUMBERS[RecordType.A]: _plain_a,
    _TO_QUESTION + _NUMBERS[RecordType.AAAA]: _plain_aaaa,
    _TO_QUESTION + _NUMBERS[RecordType.NS]: _plain_target,
    _TO_QUESTION + _NUMBERS[RecordType.PTR]: _plain_target,
    _TO_QUESTION + _NUMBERS[RecordType.TLSA]: _plain_tlsa,
    _TO_QUESTION + _NUMBERS[RecordType.TXT]: _plain_text,
}


def ttls(octets: bytes, asked: Question) -> tuple[int, ...]:
    """The TTL of each record of the type asked for, in the answer of a reply that `read` has read."""
    found, at = [], START + len(asked.section)
    number = asked.owned[2:4]
    for _ in range(int.from_bytes(octets[6:8])):
        while 0 < octets[at] < POINTER:
            at += 1 + octets[at]
        at += 2 if octets[at] else 1
        if octets.startswith(number, at):
            found.append(int.from_bytes(octets[at + 4 : at + 8]))
        at += RECORD.size + int.from_bytes(octets[at + 8 : at + 10])
    return tuple(found)
