"""Answers from RFC 1035 master files, as an authoritative server would give them, with no network.

People paste a few lines: a file needs no SOA, no NS and no $TTL, and several files count as one set of data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import dns.exception
import dns.name
import dns.node
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tokenizer
import dns.zonefile

from postroad.dns.answers import MAX_ALIASES, Reply, is_referral, resolve_with, to_text
from postroad.dns.resolver import RecordType
from postroad.files import read_text
from postroad.words.facts import Answer, Temporary
from postroad.words.names import Unreadable

DEFAULT_TTL_S = 3600  # where neither the record, nor $TTL, nor a record before says one
MOST_GENERATED = 65_536  # records that $GENERATE lines make of one set of files: a /16, and some seconds
_DIRECTIVES = ("$ORIGIN", "$TTL", "$GENERATE")  # no $INCLUDE: a pasted zone reads no other file
_NOWHERE = dns.name.Name((b"\x00no origin\x00", b""))  # the origin until $ORIGIN names one: no real name is below it
_WILD = dns.name.Name((b"*",))
_TARGET = {dns.rdatatype.MX: "exchange", dns.rdatatype.NS: "target"}

_Key = tuple[dns.name.Name, dns.rdatatype.RdataType]


@dataclass(frozen=True, slots=True)
class ZoneProblem:
    """Why a master file cannot be used, and where; line 0 means the file as a whole."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}" if self.line else f"{self.file}: {self.why}"


@dataclass(frozen=True, slots=True)
class ZoneAnswer:
    """The sections of an authoritative reply. REFUSED: the name is in none of the zones."""

    rcode: dns.rcode.Rcode
    answer: tuple[dns.rrset.RRset, ...] = ()
    authority: tuple[dns.rrset.RRset, ...] = ()
    additional: tuple[dns.rrset.RRset, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneLine:
    """Where a record stands: the line it ends on. Names are canonical, those in `value` too: "10 mail.example.com"."""

    owner: str
    kind: str
    value: str
    file: str
    number: int
    ttl_s: int


class Zones:
    """The records of some master files, in the order written, and the lookup of RFC 1034 section 4.3.2 over them.

    The top of a zone is its SOA; without one each $ORIGIN of the file, and every owner that is below no other.
    """

    def __init__(
        self,
        rrsets: Mapping[_Key, dns.rrset.RRset],
        tops: Iterable[dns.name.Name],
        lines: Iterable[ZoneLine] = (),
    ) -> None:
        self.rrsets = rrsets
        self.tops = frozenset(tops)
        self.lines = tuple(lines)  # where each record stands, in the order written
        owners = {name for name, _ in rrsets}
        self._names = {above for name in owners | self.tops for above in _up(name)}

    def lookup(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> ZoneAnswer:
        """What an authoritative server for all the zones says: aliases followed from zone to zone."""
        chain: list[dns.rrset.RRset] = []
        step = self._step(name, kind)
        while step.answer and step.answer[0].rdtype != kind and len(chain) <= MAX_ALIASES:
            chain.append(step.answer[0])
            step = self._step(chain[-1][0].target, kind)
        # A chain that leaves the zones, or loops, is an answer as far as it goes.
        rcode = dns.rcode.NOERROR if chain and step.rcode == dns.rcode.REFUSED else step.rcode
        return ZoneAnswer(
            rcode, (*chain, *step.answer), step.authority, self._additional(step.answer or step.authority)
        )

    def _step(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> ZoneAnswer:
        """One name, no alias followed: its records of the type or its CNAME; else why there are none."""
        top = self._top(name)
        if top is None:
            return ZoneAnswer(dns.rcode.REFUSED)
        owner = self._owner(name)
        found = owner and (self.rrsets.get((owner, kind)) or self.rrsets.get((owner, dns.rdatatype.CNAME)))
        if found:
            return ZoneAnswer(dns.rcode.NOERROR, (_owned_by(name, found),))
        cut = self._cut(name, top)
        if cut:
            return ZoneAnswer(dns.rcode.NOERROR, authority=(cut,))
        soa = self.rrsets.get((top, dns.rdatatype.SOA))
        return ZoneAnswer(dns.rcode.NOERROR if owner else dns.rcode.NXDOMAIN, authority=(soa,) if soa else ())

    def _top(self, name: dns.name.Name) -> dns.name.Name | None:
        return next((above for above in _up(name) if above in self.tops), None)

    def _owner(self, name: dns.name.Name) -> dns.name.Name | None:
        """The name itself if it exists, be it with nothing but names below; else the wildcard that covers it."""
        if name in self._names:
            return name
        closest = next(above for above in _up(name) if above in self._names)
        wildcard = _WILD.concatenate(closest)  # of the closest encloser and no other, RFC 4592 section 3.3.1
        return wildcard if wildcard in self._names else None

    def _cut(self, name: dns.name.Name, top: dns.name.Name) -> dns.rrset.RRset | None:
        """The delegation a name is beyond, the highest if there are several."""
        below_top = takewhile(lambda above: above != top, _up(name))
        cuts = [self.rrsets[above, dns.rdatatype.NS] for above in below_top if (above, dns.rdatatype.NS) in self.rrsets]
        return cuts[-1] if cuts else None

    def _additional(self, answer: Iterable[dns.rrset.RRset]) -> tuple[dns.rrset.RRset, ...]:
        """The addresses known of exchangers and name servers named in an answer (RFC 1035 section 3.3.9)."""
        targets = dict.fromkeys(
            getattr(record, _TARGET[rrset.rdtype]) for rrset in answer if rrset.rdtype in _TARGET for record in rrset
        )
        keys = ((target, kind) for target in targets for kind in (dns.rdatatype.A, dns.rdatatype.AAAA))
        return tuple(self.rrsets[key] for key in keys if key in self.rrsets)


class ZoneResolver:
    """Resolves from zones alone. Records come in the order of the file, every time."""

    def __init__(self, zone_data: Zones) -> None:
        self.zone_data = zone_data

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """The answer of the zones; Temporary for a name none of them knows: offline nobody can say."""
        return await resolve_with(self._ask, name, kind)

    async def _ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Reply | Temporary:
        found = self.zone_data.lookup(name, kind)
        reply = Reply(found.rcode, found.answer, found.authority)
        if found.rcode == dns.rcode.REFUSED:
            return Temporary(f"no zone file given knows {to_text(name) or 'the root'}")
        if is_referral(reply):
            cut = to_text(found.authority[0].name)
            return Temporary(f"no zone file given knows {to_text(name)}: {cut} is delegated to other name servers")
        return reply


def load_zones(paths: Iterable[Path | str]) -> ZoneResolver | ZoneProblem:
    """Read master files from disk."""
    texts = {}
    for path in paths:
        text = read_text(path)
        if isinstance(text, Unreadable):
            return ZoneProblem(str(path), 0, text.why)
        texts[str(path)] = text
    zones = parse_zones(texts)
    return zones if isinstance(zones, ZoneProblem) else ZoneResolver(zones)


def parse_zones(texts: Mapping[str, str]) -> Zones | ZoneProblem:
    """Read master files given as texts, each under the label its problems are reported by."""
    collected = _Collected()
    tops: set[dns.name.Name] = set()
    for label, text in texts.items():
        origins = _read(label, text, collected)
        if isinstance(origins, ZoneProblem):
            return origins
        tops |= origins
    owners = {name for name, _ in collected.rrsets}
    # Shortest first, so that what is pasted without an SOA has its top at the highest owner of each branch.
    for owner in sorted(owners, key=len):
        if not any(above in tops for above in _up(owner)):
            tops.add(owner)
    return Zones(collected.rrsets, tops, collected.lines)


def _read(label: str, text: str, collected: _Collected) -> set[dns.name.Name] | ZoneProblem:
    """Add the records of one file; the tops of the zones it declares."""
    tokens = _Tokenizer(text, label, dns.name.IDNA_2008_UTS_46)
    collected.begin(tokens)
    reader = dns.zonefile.Reader(tokens, dns.rdataclass.IN, collected, allow_directives=_DIRECTIVES)  # type: ignore[arg-type]  # duck: see _Collected
    reader.current_origin, reader.last_name = _NOWHERE, None
    # RFC 1035 section 5.1: a TTL left out is the last one stated; here one is stated before the first line.
    reader.last_ttl, reader.last_ttl_known = DEFAULT_TTL_S, True
    try:
        reader.read()
    except (dns.exception.DNSException, _ZoneError, ValueError) as problem:
        line = tokens.where()[1]
        why = str(problem).removeprefix(f"{label}:{line}: ")
        written = "".join(text.splitlines()[line - 1 : line]).strip()
        return ZoneProblem(label, line, f"{why} in {written[:80]!r}" if why.startswith("Text input") else why)
    return collected.soas or collected.origins


class _ZoneError(Exception):
    """A record that stands in no master file."""


class _Tokenizer(dns.tokenizer.Tokenizer):
    """Tells the line a token begins on; the parent is one line further once it has read the end of a record."""

    _line = 1

    def get(self, want_leading: bool = False, want_comment: bool = False) -> dns.tokenizer.Token:  # noqa: FBT001, FBT002  # as the class it stands in for
        if self.ungotten_token is None:
            self._line = self.line_number - (self.ungotten_char == "\n")
        return super().get(want_leading, want_comment)

    def where(self) -> tuple[str, int]:
        return self.filename, self._line


class _Collected:
    """What dnspython's reader fills: it asks for a Transaction, of which it needs only these methods.

    dnspython's own copies an RRset for each record added, which takes minutes for one of ten thousand.
    """

    def __init__(self) -> None:
        self.rrsets: dict[_Key, dns.rrset.RRset] = {}
        self.manager = self
        self.lines: list[ZoneLine] = []
        self._kinds: dict[dns.name.Name, dns.node.NodeKind] = {}
        self._generated = 0

    def begin(self, tokens: _Tokenizer) -> None:
        """A new file."""
        self._tokens = tokens
        self._last = ("", 0)
        self.soas: set[dns.name.Name] = set()
        self.origins: set[dns.name.Name] = set()

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        """Names are kept absolute, and those of any zone are taken."""
        return dns.name.root, False, dns.name.root

    def check_put_rdataset(self, _check: object) -> None:
        """Not called back: `add` checks for itself."""

    def add(self, name: dns.name.Name, ttl_s: int, record: dns.rdata.Rdata) -> None:
        """Take a record; signatures are left out, nothing here validates."""
        self._count_generated()
        if record.covers():
            return
        for used in (name, *_names_in(record)):
            _require_origin(used)
        self._refuse_alias_with_company(name, record)
        key = (name, record.rdtype)
        rrset = self.rrsets.setdefault(key, dns.rrset.RRset(name, dns.rdataclass.IN, record.rdtype))
        rrset.add(record, ttl_s)
        kind, value = dns.rdatatype.to_text(record.rdtype), _in_text(record)
        self.lines.append(ZoneLine(to_text(name), kind, value, *self._tokens.where(), ttl_s))
        if record.rdtype == dns.rdatatype.SOA:
            self.soas.add(name)

    def _count_generated(self) -> None:
        """A line has one record, or it is a $GENERATE, whose ends anyone may write far apart."""
        place = self._tokens.where()
        self._generated += place == self._last
        self._last = place
        if self._generated >= MOST_GENERATED:
            raise _ZoneError(f"$GENERATE makes more than {MOST_GENERATED} records here; say less, or write records out")

    def _set_origin(self, origin: dns.name.Name) -> None:
        _require_origin(origin)
        if origin != dns.name.root:
            self.origins.add(origin)

    def _refuse_alias_with_company(self, name: dns.name.Name, record: dns.rdata.Rdata) -> None:
        """RFC 1034 section 3.6.2, RFC 2181 section 10.1: name servers do not load such a zone."""
        kind = dns.node.NodeKind.classify(record.rdtype, record.covers())
        if kind is dns.node.NodeKind.NEUTRAL:
            return
        if self._kinds.setdefault(name, kind) is not kind:
            raise _ZoneError(f"{to_text(name)} has a CNAME and other records: name servers refuse that")
        known = self.rrsets.get((name, dns.rdatatype.CNAME))
        if record.rdtype == dns.rdatatype.CNAME and known and record not in known:
            raise _ZoneError(f"{to_text(name)} has two CNAMEs: name servers refuse that")


def _in_text(record: dns.rdata.Rdata) -> str:
    """A record as it is written, its names in canonical form; the root stays a dot."""
    words = record.to_text().split(" ")
    names = {name.to_text(): to_text(name) or "." for name in _names_in(record)}
    return " ".join(names.get(word, word) for word in words)


def _require_origin(name: dns.name.Name) -> None:
    if name.is_subdomain(_NOWHERE):
        written = to_text(name.relativize(_NOWHERE))
        raise _ZoneError(
            f"{written!r} is a relative name and the file does not say to what; "
            'add a line like "$ORIGIN example.com." on top, or end the name with a dot'
        )


def _names_in(record: dns.rdata.Rdata) -> Iterable[dns.name.Name]:
    slots = (slot for part in type(record).__mro__ for slot in getattr(part, "__slots__", ()))
    values = (getattr(record, slot, None) for slot in slots)
    return (value for value in values if isinstance(value, dns.name.Name))


def _owned_by(name: dns.name.Name, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
    """The RRset, or for a wildcard the one made of it for the name (RFC 4592 section 3.3)."""
    if rrset.name == name:
        return rrset
    made = dns.rrset.RRset(name, rrset.rdclass, rrset.rdtype)
    for record in rrset:
        made.add(record, rrset.ttl)
    return made


def _up(name: dns.name.Name) -> Iterable[dns.name.Name]:
    """The name and all above it, the root last."""
    yield name
    while name != dns.name.root:
        name = name.parent()
        yield name
