"""Reads the usual reply, octets to words, at a tenth of the time of a general decoder.

What it reads means what dnspython and `answers` make of it. Whatever is out of the ordinary (odd octets in names, other
record types, trouble, an alias that leads out of the reply) is None: let dnspython look at it. No octets raise.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from postroad.dns.plain import (
    AAAA,
    AD,
    CNAME,
    HEADER,
    IN,
    MAX_LABEL,
    MAX_NAME,
    MAX_POINTERS,
    MAX_TTL_S,
    MX,
    NS,
    OPT,
    PLAIN,
    POINTER,
    PTR,
    QR,
    RCODE,
    RECORD,
    RECURSION,
    SOA,
    START,
    TLSA,
    TOLD,
    TXT,
    A,
    Question,
    StrangeError,
    question,
    read_plain,
    read_text,
    read_tlsa,
    ttls,
)
from postroad.dns.resolver import Soa
from postroad.words.facts import Found, Mx, NoData, NoName, Tlsa
from postroad.words.names import is_within

__all__ = ["RECURSION", "Question", "Reading", "question", "read", "ttls"]

Reading = Found[Any] | NoData | NoName

_KIND = struct.Struct("!HH")
_SOA_NUMBERS = struct.Struct("!IIIII")
_NXDOMAIN = 3
_MAX_ALIASES = 5  # longer chains, loops among them, are judged elsewhere


def read(octets: bytes, asked: Question) -> Reading | None:
    """What a reply to a query says; its id is not looked at. None: let dnspython look at it."""
    try:
        return read_plain(octets, asked) or _Reply(octets, asked).answer()
    except (StrangeError, IndexError, struct.error, ValueError):
        return None


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
        self._at = START
        self._names: dict[int, tuple[str, int]] = {}  # by where a name begins: the name and where it ends

    def answer(self) -> Reading | None:
        _, flags, questions, answers, authorities, additional = HEADER.unpack_from(self._octets)
        rcode = flags & RCODE
        if flags & TOLD != QR or rcode not in (0, _NXDOMAIN) or questions != 1:
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
        end = START + len(self._asked)
        # Servers give the name back as it was asked or in another case; no length or type is changed by lower().
        if self._octets[12:end].lower() != self._asked:
            raise StrangeError
        name = self._name()
        kind, _ = _KIND.unpack_from(self._octets, self._at)
        self._at = end
        return name, kind

    def _section(self, count: int, sets: dict[tuple[str, int], _Set], *, may_have_opt: bool = False) -> None:
        for _ in range(count):
            owner = self._name()
            kind, rdclass, ttl_s, size = RECORD.unpack_from(self._octets, self._at)
            self._at += RECORD.size
            if kind == OPT and may_have_opt:
                # An extended code, another version, options: not the usual (RFC 6891 section 6.1).
                if owner or ttl_s >> 16 or size or ("", OPT) in sets:
                    raise StrangeError
                sets["", OPT] = _Set(0)
                continue
            if rdclass != IN or ttl_s > MAX_TTL_S:
                raise StrangeError
            record = self._record(kind, size)
            known = sets.get((owner, kind))
            if known is None:
                known = sets[owner, kind] = _Set(ttl_s)
            if kind == TXT and record in known.records:
                raise StrangeError  # said twice, or cut into other strings
            known.ttl_s = min(known.ttl_s, ttl_s)
            known.records[record] = None

    def _record(self, kind: int, size: int) -> Any:  # noqa: ANN401  # as many types as there are kinds
        end = self._at + size
        if end > len(self._octets) or kind not in _READERS:
            raise StrangeError
        record = _READERS[kind](self, end)
        if self._at != end:
            raise StrangeError
        return record

    def _name(self) -> str:
        at = self._at
        if self._octets[at] >= POINTER:  # nothing but a pointer: the owner of nearly every record
            self._at = at + 2
            return self._pointed_to(at, at, 0)
        name, self._at = self._name_at(at, 0)
        return name

    def _name_at(self, start: int, hops: int) -> tuple[str, int]:
        octets, at = self._octets, start
        name = b""
        while size := octets[at]:
            if size >= POINTER:
                break
            at += 1
            label = octets[at : at + size]
            if size > MAX_LABEL or len(label) < size or label.translate(None, PLAIN):
                raise StrangeError
            name = name + b"." + label if name else label
            at += size
        text = name.decode().lower()
        if size:
            rest = self._pointed_to(at, start, hops)
            text = f"{text}.{rest}" if text and rest else text or rest
            at += 1
        if len(text) > MAX_NAME:
            raise StrangeError
        self._names[start] = text, at + 1
        return text, at + 1

    def _pointed_to(self, at: int, start: int, hops: int) -> str:
        """The rest of a name, somewhere before it as a whole (RFC 1035 section 4.1.4)."""
        target = (self._octets[at] & 63) << 8 | self._octets[at + 1]
        if not START <= target < start or hops == MAX_POINTERS:
            raise StrangeError
        rest, end = self._names.get(target) or self._name_at(target, hops + 1)
        if end > start:
            raise StrangeError
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

    def _text(self, end: int) -> str:
        return read_text(self._take(end))

    def _tlsa(self, end: int) -> Tlsa:
        return read_tlsa(self._take(end))

    def _soa(self, end: int) -> Soa:
        self._name(), self._name()  # the primary server, and whom to write to
        serial, *_times, minimum_s = _SOA_NUMBERS.unpack(self._take(end))
        return Soa(serial, minimum_s)


_READERS: dict[int, Callable[[_Reply, int], Any]] = {
    A: _Reply._a,  # noqa: SLF001  # the table of the class above
    AAAA: _Reply._aaaa,  # noqa: SLF001  # the table of this class
    MX: _Reply._mx,  # noqa: SLF001  # the table of this class
    CNAME: _Reply._target,  # noqa: SLF001  # the table of this class
    NS: _Reply._target,  # noqa: SLF001  # the table of this class
    PTR: _Reply._target,  # noqa: SLF001  # the table of this class
    TXT: _Reply._text,  # noqa: SLF001  # the table of this class
    TLSA: _Reply._tlsa,  # noqa: SLF001  # the table of this class
    SOA: _Reply._soa,  # noqa: SLF001  # the table of this class
}


def _has_soa(sets: dict[tuple[str, int], _Set]) -> bool:
    return any(kind == SOA for _, kind in sets)


@dataclass(slots=True)
class _Chain:
    """From the name asked, over aliases, to the records or their absence."""

    name: str
    kind: int
    flags: int

    @property
    def authentic(self) -> bool:
        """AD speaks for the whole of a reply (RFC 4035 section 3.2.3): for its aliases, and for what is not there."""
        return bool(self.flags & AD)

    def follow(self, found: dict[tuple[str, int], _Set], above: dict[tuple[str, int], _Set]) -> Reading | None:
        passed: list[str] = []
        ttl_s = MAX_TTL_S
        while (records := found.get((self.name, self.kind))) is None:
            alias = found.get((self.name, CNAME))
            if alias is None:
                return self._absent(above, ttl_s, tuple(passed))
            if len(alias.records) > 1 or len(passed) == _MAX_ALIASES:
                return None
            passed.append(self.name)
            ttl_s = min(ttl_s, alias.ttl_s)
            (self.name,) = alias.records
        if self.flags & RCODE or (self.kind == SOA and len(records.records) > 1):
            return None  # NXDOMAIN, and yet records; two starts of one zone
        return Found(tuple(records.records), min(ttl_s, records.ttl_s), tuple(passed), self.name, self.authentic)

    def _absent(self, above: dict[tuple[str, int], _Set], ttl_s: int, passed: tuple[str, ...]) -> Reading | None:
        negative_s = None
        for (owner, kind), soa in above.items():
            if kind == SOA and is_within(self.name, owner):
                if len(soa.records) > 1:
                    return None
                negative_s = min(soa.ttl_s, *(each.minimum_s for each in soa.records))  # RFC 2308 section 5
                break
        if self.flags & RCODE:
            return NoName(min(ttl_s, negative_s or 0), passed, self.authentic)
        if passed and negative_s is None:
            return None  # the alias leads out of the reply
        return NoData(min(ttl_s, negative_s or 0), passed, self.authentic)
