"""Writes the usual question and reads the usual reply, octets to words, at a tenth of the time of a general decoder.

What it reads means what dnspython and `answers` make of it. Whatever is out of the ordinary (odd octets in names, other
record types, trouble, an alias that leads out of the reply) is None: let dnspython look at it. No octets raise.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from postroad.dns.resolver import RecordType
from postroad.words.facts import Found, Mx, NoData, NoName
from postroad.words.names import is_within

Reading = Found[Any] | NoData | NoName

_A, _NS, _CNAME, _SOA, _MX, _AAAA, _OPT = 1, 2, 5, 6, 15, 28, 41
_IN = 1

_HEADER = struct.Struct("!HHHHHH")
_KIND = struct.Struct("!HH")
_NUMBERS = {
    kind: _KIND.pack(number, _IN)
    for kind, number in ((RecordType.A, _A), (RecordType.MX, _MX), (RecordType.AAAA, _AAAA))
}
_RECORD = struct.Struct("!HHIH")
_TTL_AND_SIZE = struct.Struct("!IH")
_OPT_RECORD = struct.Struct("!BHHIH")
_SOA_TIMES = struct.Struct("!IIIII")
_RCODE = 15
_NXDOMAIN = 3
_AD = 0x0020
_ASKED = 0x0120  # RD and AD: AD asks the server to say whether it validated, RFC 6840 section 5.7
_TOLD = 0xFA00  # QR, OPCODE and TC: of these a reply to a query that is whole has QR alone
_QR = 0x8000
_ASKING = _HEADER.pack(0, _ASKED, 1, 0, 0, 1)[2:]
_START = 12  # of the question section
_POINTER = 192  # the first octet of one is no less, RFC 1035 section 4.1.4
_TO_QUESTION = b"\xc0\x0c"
_OWNED = 6  # octets of pointer, type and class
_BARE_OPT = 11  # octets of an OPT record without options
_OPT_BEGINS = b"\0\0\x29"

_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\Z")
_PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_LENGTHS = tuple(bytes((length,)) for length in range(64))
_MAX_LABEL = 63
_MAX_NAME = 253  # characters without the final dot: 255 octets
_MAX_POINTERS = 10
_MAX_ALIASES = 5  # longer chains, loops among them, are judged elsewhere
_MAX_TTL_S = 2**31 - 1  # RFC 2181 section 8


class Question(NamedTuple):  # made in half the time of a frozen dataclass
    """A query but for its id, the two octets in front, and what of it a reply repeats."""

    name: str
    octets: bytes
    section: bytes  # name, type and class
    owned: bytes  # how a record of the type asked for begins, where its owner is a pointer to the name asked


def question(name: str, kind: RecordType, payload: int) -> Question | None:
    """A query as most are; None for other types, and names with any but host characters."""
    number = _NUMBERS.get(kind)
    if number is None or len(name) > _MAX_NAME or not _NAME.match(name):
        return None
    labels = b"".join([_LENGTHS[len(label)] + label for label in name.encode().split(b".")])
    section = labels + b"\0" + number
    octets = _ASKING + section + _OPT_RECORD.pack(0, _OPT, payload, 0, 0)
    return Question(name, octets, section, _TO_QUESTION + number)


def read(octets: bytes, asked: Question) -> Reading | None:
    """What a reply to a query says; its id is not looked at. None: let dnspython look at it."""
    try:
        return _plain(octets, asked) or _Reply(octets, asked).answer()
    except (_StrangeError, IndexError, struct.error, ValueError):
        return None


def _plain(octets: bytes, asked: Question) -> Found[Any] | None:
    """A reply as most are, read in one go: at the name asked what was asked for, and nothing else but OPT."""
    _, flags, questions, answers, authorities, additional = _HEADER.unpack_from(octets)
    if flags & (_TOLD | _RCODE) != _QR or questions != 1 or authorities or additional > 1 or not answers:
        return None
    if not octets.startswith(asked.section, _START):
        return None  # in another case, or the reply to another question
    at = _START + len(asked.section)
    end = len(octets) - (_BARE_OPT if additional else 0)
    if additional and not (octets.startswith(_OPT_BEGINS, end) and octets[end + 5 : end + 7] == octets[-2:] == b"\0\0"):
        return None
    shortest_s, take = _MAX_TTL_S, _PLAIN_READERS[asked.owned]
    records: dict[Any, None] = {}  # a record said twice is one, RFC 2181 section 5
    for _ in range(answers):
        ttl_s, size = _TTL_AND_SIZE.unpack_from(octets, at + _OWNED)
        if ttl_s > _MAX_TTL_S or not octets.startswith(asked.owned, at):
            return None
        if ttl_s < shortest_s:  # noqa: PLR1730  # a call of min takes five times as long
            shortest_s = ttl_s
        begin = at + _OWNED + _TTL_AND_SIZE.size
        at = begin + size
        records[take(octets, begin, at, asked.name)] = None
    return Found(tuple(records), shortest_s, (), asked.name, bool(flags & _AD)) if at == end else None


def _plain_mx(octets: bytes, at: int, end: int, asked: str) -> Mx:
    exchange, ends_at = _plain_name(octets, at + 2, asked)
    if ends_at != end:
        raise _StrangeError
    return Mx(octets[at] << 8 | octets[at + 1], exchange)


def _plain_name(octets: bytes, start: int, asked: str, hops: int = 0) -> tuple[str, int]:
    """A name, and where it ends. A pointer leads into the question, whose text is known, or to a name before it."""
    at, text, rest = start, b"", ""
    while size := octets[at]:
        at += 1
        if size >= _POINTER:
            target = (size & 63) << 8 | octets[at]
            # A label of the question is as far in as in its text: a length takes the place of a dot.
            place = target - _START
            if place < len(asked) and (place == 0 or (place > 0 and asked[place - 1] == ".")):
                rest = asked[place:]
            elif _START + len(asked) < target < start and hops < _MAX_POINTERS:
                rest, _ = _plain_name(octets, target, asked, hops + 1)  # somewhere before it, RFC 1035 section 4.1.4
            else:
                raise _StrangeError
            break
        label = octets[at : at + size]
        if size > _MAX_LABEL or not (label.isalnum() or not label.translate(None, _PLAIN)):
            raise _StrangeError
        text = text + b"." + label if text else label
        at += size
    name = text.decode().lower()
    name = f"{name}.{rest}" if name and rest else name or rest
    if len(name) > _MAX_NAME:
        raise _StrangeError
    return name, at + 1


def _plain_a(octets: bytes, at: int, end: int, _asked: str) -> IPv4Address:
    return IPv4Address(octets[at:end])  # raises ValueError for anything but four octets


def _plain_aaaa(octets: bytes, at: int, end: int, _asked: str) -> IPv6Address:
    return IPv6Address(octets[at:end])


_PLAIN_READERS: dict[bytes, Callable[[bytes, int, int, str], Any]] = {
    _TO_QUESTION + _NUMBERS[RecordType.MX]: _plain_mx,
    _TO_QUESTION + _NUMBERS[RecordType.A]: _plain_a,
    _TO_QUESTION + _NUMBERS[RecordType.AAAA]: _plain_aaaa,
}


class _StrangeError(Exception):
    """Something the general decoder should judge."""


@dataclass(slots=True)
class _Set:
    """The records of one owner and type: the shortest TTL counts, a record said twice is one (RFC 2181 section 5)."""

    ttl_s: int
    records: dict[Any, None] = field(default_factory=dict)


class _Reply:
    """One reply, read from front to back: all of it, because a message with a broken end is no message."""

    __slots__ = ("_asked", "_at", "_names", "_octets")

    def __init__(self, octets: bytes, asked: Question) -> None:
        self._octets = octets
        self._asked = asked.section
        self._at = _START
        self._names: dict[int, tuple[str, int]] = {}  # by where a name begins: the name and where it ends

    def answer(self) -> Reading | None:
        _, flags, questions, answers, authorities, additional = _HEADER.unpack_from(self._octets)
        rcode = flags & _RCODE
        if flags & _TOLD != _QR or rcode not in (0, _NXDOMAIN) or questions != 1:
            return None
        name, kind = self._question()
        found: dict[tuple[str, int], _Set] = {}
        above: dict[tuple[str, int], _Set] = {}
        self._section(answers, found)
        self._section(authorities, above)
        self._section(additional, {}, may_have_opt=True)
        if self._at != len(self._octets):
            return None
        if above and not (found or rcode or _has_soa(above)):
            return None  # it looks like a referral
        return _Chain(name, kind, flags).follow(found, above)

    def _question(self) -> tuple[str, int]:
        end = _START + len(self._asked)
        # Servers give the name back as it was asked or in another case; no length or type is changed by lower().
        if self._octets[12:end].lower() != self._asked:
            raise _StrangeError
        name = self._name()
        kind, _ = _KIND.unpack_from(self._octets, self._at)
        self._at = end
        return name, kind

    def _section(self, count: int, sets: dict[tuple[str, int], _Set], *, may_have_opt: bool = False) -> None:
        for _ in range(count):
            owner = self._name()
            kind, rdclass, ttl_s, size = _RECORD.unpack_from(self._octets, self._at)
            self._at += _RECORD.size
            if kind == _OPT and may_have_opt:
                # An extended code, another version, options: not the usual (RFC 6891 section 6.1).
                if owner or ttl_s >> 16 or size or ("", _OPT) in sets:
                    raise _StrangeError
                sets["", _OPT] = _Set(0)
                continue
            if rdclass != _IN or ttl_s > _MAX_TTL_S:
                raise _StrangeError
            record = self._record(kind, size)
            known = sets.get((owner, kind))
            if known is None:
                known = sets[owner, kind] = _Set(ttl_s)
            known.ttl_s = min(known.ttl_s, ttl_s)
            known.records[record] = None

    def _record(self, kind: int, size: int) -> Any:  # noqa: ANN401  # as many types as there are kinds
        end = self._at + size
        if end > len(self._octets) or kind not in _READERS:
            raise _StrangeError
        record = _READERS[kind](self, end)
        if self._at != end:
            raise _StrangeError
        return record

    def _name(self) -> str:
        at = self._at
        if self._octets[at] >= _POINTER:  # nothing but a pointer: the owner of nearly every record
            self._at = at + 2
            return self._pointed_to(at, at, 0)
        name, self._at = self._name_at(at, 0)
        return name

    def _name_at(self, start: int, hops: int) -> tuple[str, int]:
        octets, at = self._octets, start
        name = b""
        while size := octets[at]:
            if size >= _POINTER:
                break
            at += 1
            label = octets[at : at + size]
            if size > _MAX_LABEL or len(label) < size or label.translate(None, _PLAIN):
                raise _StrangeError
            name = name + b"." + label if name else label
            at += size
        text = name.decode().lower()
        if size:
            rest = self._pointed_to(at, start, hops)
            text = f"{text}.{rest}" if text and rest else text or rest
            at += 1
        if len(text) > _MAX_NAME:
            raise _StrangeError
        self._names[start] = text, at + 1
        return text, at + 1

    def _pointed_to(self, at: int, start: int, hops: int) -> str:
        """The rest of a name, somewhere before it as a whole (RFC 1035 section 4.1.4)."""
        target = (self._octets[at] & 63) << 8 | self._octets[at + 1]
        if not _START <= target < start or hops == _MAX_POINTERS:
            raise _StrangeError
        rest, end = self._names.get(target) or self._name_at(target, hops + 1)
        if end > start:
            raise _StrangeError
        return rest

    def _take(self, end: int) -> bytes:
        octets, self._at = self._octets[self._at : end], end
        return octets

    def _a(self, end: int) -> IPv4Address:
        return IPv4Address(self._take(end))  # raises ValueError for anything but four octets

    def _aaaa(self, end: int) -> IPv6Address:
        return IPv6Address(self._take(end))

    def _mx(self, _end: int) -> Mx:
        preference = self._octets[self._at] << 8 | self._octets[self._at + 1]
        self._at += 2
        return Mx(preference, self._name())

    def _target(self, _end: int) -> str:
        return self._name()

    def _soa(self, end: int) -> int:
        """Its minimum."""
        self._name()
        self._name()
        return int(_SOA_TIMES.unpack(self._take(end))[4])


_READERS: dict[int, Callable[[_Reply, int], Any]] = {
    _A: _Reply._a,  # noqa: SLF001  # the table of the class above
    _AAAA: _Reply._aaaa,  # noqa: SLF001  # the table of this class
    _MX: _Reply._mx,  # noqa: SLF001  # the table of this class
    _CNAME: _Reply._target,  # noqa: SLF001  # the table of this class
    _NS: _Reply._target,  # noqa: SLF001  # the table of this class
    _SOA: _Reply._soa,  # noqa: SLF001  # the table of this class
}


def _has_soa(sets: dict[tuple[str, int], _Set]) -> bool:
    return any(kind == _SOA for _, kind in sets)


@dataclass(slots=True)
class _Chain:
    """From the name asked, over aliases, to the records or their absence."""

    name: str
    kind: int
    flags: int

    def follow(self, found: dict[tuple[str, int], _Set], above: dict[tuple[str, int], _Set]) -> Reading | None:
        passed: list[str] = []
        ttl_s = _MAX_TTL_S
        while (records := found.get((self.name, self.kind))) is None:
            alias = found.get((self.name, _CNAME))
            if alias is None:
                return self._absent(above, ttl_s, tuple(passed))
            if len(alias.records) > 1 or len(passed) == _MAX_ALIASES:
                return None
            passed.append(self.name)
            ttl_s = min(ttl_s, alias.ttl_s)
            (self.name,) = alias.records
        if self.flags & _RCODE:  # NXDOMAIN, and yet records
            return None
        authentic = bool(self.flags & _AD)
        return Found(tuple(records.records), min(ttl_s, records.ttl_s), tuple(passed), self.name, authentic)

    def _absent(self, above: dict[tuple[str, int], _Set], ttl_s: int, passed: tuple[str, ...]) -> Reading | None:
        negative_s = None
        for (owner, kind), soa in above.items():
            if kind == _SOA and is_within(self.name, owner):
                if len(soa.records) > 1:
                    return None
                negative_s = min(soa.ttl_s, *soa.records)  # RFC 2308 section 5
                break
        if self.flags & _RCODE:
            return NoName(min(ttl_s, negative_s or 0), passed)
        if passed and negative_s is None:
            return None  # the alias leads out of the reply
        return NoData(min(ttl_s, negative_s or 0), passed)
