"""Answers from the records of master files, as an authoritative server would give them, with no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from postroad.dns.answers import MAX_ALIASES, DnsReply, is_referral, resolve_with, to_text
from postroad.dns.resolver import RecordType
from postroad.words.facts import Answer, Temporary

_REVERSE = dns.name.from_text("arpa.")
_WILD = dns.name.Name((b"*",))
_TARGET = {dns.rdatatype.MX: "exchange", dns.rdatatype.NS: "target"}

_Key = tuple[dns.name.Name, dns.rdatatype.RdataType]
Labels = tuple[bytes, ...]
"""A name as its labels in lower case, the root's last: to go up is to leave the first away, a tenth of a new name."""


@dataclass(frozen=True, slots=True)
class ZoneAnswer:
    """The sections of an authoritative reply. REFUSED: the name is in none of the zones.

    `is_signed`: all of it is from zones with a DNSKEY record.
    """

    rcode: dns.rcode.Rcode
    answer: tuple[dns.rrset.RRset, ...] = ()
    authority: tuple[dns.rrset.RRset, ...] = ()
    additional: tuple[dns.rrset.RRset, ...] = ()
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class ZoneLine:
    """The place of a record in a zone file: the line it ends on.

    Names are canonical, those in `value` too: "10 mail.example.com".
    """

    owner: str
    kind: str
    value: str
    file: str
    number: int
    ttl_s: int


@dataclass(slots=True)
class ZoneSet:
    """The records of one owner and type, by how they are written."""

    name: dns.name.Name
    kind: dns.rdatatype.RdataType
    ttl_s: int
    records: dict[str, dns.rdata.Rdata]


class ZoneSets(Mapping[_Key, dns.rrset.RRset]):
    """The records of zone files by owner and type. An RRset is made when it is asked for: most never are."""

    def __init__(self, sets: Mapping[tuple[str, dns.rdatatype.RdataType], ZoneSet]) -> None:
        self._sets = sets
        self._made: dict[tuple[str, dns.rdatatype.RdataType], dns.rrset.RRset] = {}

    def __getitem__(self, key: _Key) -> dns.rrset.RRset:
        """The RRset; KeyError if there is none."""
        place = (to_text(key[0]), key[1])
        if place not in self._made:
            found = self._sets[place]
            self._made[place] = dns.rrset.from_rdata_list(found.name, found.ttl_s, found.records.values())
        return self._made[place]

    def __iter__(self) -> Iterator[_Key]:
        """The owners and types, in the order written."""
        return ((each.name, each.kind) for each in self._sets.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._sets)


class Zones:
    """The records of zone files, in the order written, with the lookup of RFC 1034 section 4.3.2.

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
        self._names: set[Labels] = set()  # of all names that exist, be it with nothing but names below
        for owner in (*(name for name, _ in rrsets), *self.tops):
            self._learn(labels_of(owner))

    def _learn(self, labels: Labels) -> None:
        """A name exists, and so do all above it: as far up as is not known yet."""
        while labels not in self._names:
            self._names.add(labels)
            labels = labels[1:] or labels

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that mail goes to: those with MX records; where none has any, all tops (RFC 5321 section 5.1)."""
        kinds = (name for name, kind in self.rrsets if kind == dns.rdatatype.MX)
        found = [to_text(name) for name in kinds if not name.is_wild()]
        tops = sorted(to_text(name) for name in self.tops if not (name.is_wild() or name.is_subdomain(_REVERSE)))
        return tuple(dict.fromkeys(found or tops))

    @property
    def is_any_signed(self) -> bool:
        """Whether one of the zones has a DNSKEY record."""
        return any(kind == dns.rdatatype.DNSKEY for _, kind in self.rrsets)

    def covers(self, domain: str) -> bool:
        """Whether a domain is in one of the zones, be it only as a name that could be there."""
        return self._top(dns.name.from_text(domain)) is not None

    def has(self, name: str) -> bool:
        """Whether a name exists of itself, be it with nothing but names below: a wildcard makes none exist."""
        return labels_of(dns.name.from_text(name)) in self._names

    def lookup(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> ZoneAnswer:
        """What an authoritative server for all the zones says: aliases followed from zone to zone."""
        chain: list[dns.rrset.RRset] = []
        step = self._step(name, kind)
        is_signed = step.is_signed
        while step.answer and step.answer[0].rdtype != kind and len(chain) <= MAX_ALIASES:
            chain.append(step.answer[0])
            step = self._step(chain[-1][0].target, kind)
            is_signed = is_signed and step.is_signed
        # A chain that leaves the zones, or loops, is an answer as far as it goes.
        rcode = dns.rcode.NOERROR if chain and step.rcode == dns.rcode.REFUSED else step.rcode
        additional = self._additional(step.answer or step.authority)
        return ZoneAnswer(rcode, (*chain, *step.answer), step.authority, additional, is_signed)

    def _step(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> ZoneAnswer:
        """One name, no alias followed: its records of the type or its CNAME; else why there are none."""
        top = self._top(name)
        if top is None:
            return ZoneAnswer(dns.rcode.REFUSED)
        is_signed = (top, dns.rdatatype.DNSKEY) in self.rrsets
        owner = self._owner(name)
        found = owner and (self.rrsets.get((owner, kind)) or self.rrsets.get((owner, dns.rdatatype.CNAME)))
        if found:
            return ZoneAnswer(dns.rcode.NOERROR, (_owned_by(name, found),), is_signed=is_signed)
        cut = self._cut(name, top)
        if cut:
            return ZoneAnswer(dns.rcode.NOERROR, authority=(cut,))
        soa = self.rrsets.get((top, dns.rdatatype.SOA))
        rcode = dns.rcode.NOERROR if owner else dns.rcode.NXDOMAIN
        return ZoneAnswer(rcode, authority=(soa,) if soa else (), is_signed=is_signed)

    def _top(self, name: dns.name.Name) -> dns.name.Name | None:
        return next((each for each in above(name) if each in self.tops), None)

    def _owner(self, name: dns.name.Name) -> dns.name.Name | None:
        """The name itself if it exists, be it with nothing but names below; else the wildcard that covers it."""
        if labels_of(name) in self._names:
            return name
        closest = next(each for each in above(name) if labels_of(each) in self._names)
        wildcard = _WILD.concatenate(closest)  # of the closest encloser and no other, RFC 4592 section 3.3.1
        return wildcard if labels_of(wildcard) in self._names else None

    def _cut(self, name: dns.name.Name, top: dns.name.Name) -> dns.rrset.RRset | None:
        """The delegation a name is beyond, the highest if there are several."""
        below_top = takewhile(lambda each: each != top, above(name))
        cuts = [self.rrsets[each, dns.rdatatype.NS] for each in below_top if (each, dns.rdatatype.NS) in self.rrsets]
        return cuts[-1] if cuts else None

    def _additional(self, answer: Iterable[dns.rrset.RRset]) -> tuple[dns.rrset.RRset, ...]:
        """The addresses known of exchangers and name servers named in an answer (RFC 1035 section 3.3.9)."""
        targets = dict.fromkeys(
            getattr(record, _TARGET[rrset.rdtype]) for rrset in answer if rrset.rdtype in _TARGET for record in rrset
        )
        keys = ((target, kind) for target in targets for kind in (dns.rdatatype.A, dns.rdatatype.AAAA))
        return tuple(self.rrsets[key] for key in keys if key in self.rrsets)


class ZoneResolver:
    """A resolver that answers from zones alone. Records come in the order of the file, every time.

    With `validates` it answers as a validating resolver would if each zone with a DNSKEY record were signed: for tests.
    Without it DNSSEC vouches for nothing, because a file proves nothing.
    """

    def __init__(self, zone_data: Zones, *, validates: bool = False) -> None:
        self.zone_data = zone_data
        self._validates = validates

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """The answer of the zones; Temporary for a name none of them knows: offline nobody can say."""
        return await resolve_with(self._ask, name, kind)

    async def _ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> DnsReply | Temporary:
        found = self.zone_data.lookup(name, kind)
        reply = DnsReply(found.rcode, found.answer, found.authority, self._validates and found.is_signed)
        if found.rcode == dns.rcode.REFUSED:
            return Temporary(f"no zone file has {to_text(name) or 'the root'}")
        if is_referral(reply):
            cut = to_text(found.authority[0].name)
            return Temporary(f"no zone file has {to_text(name)}: {cut} is delegated to other name servers")
        return reply


def _owned_by(name: dns.name.Name, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
    """The RRset, or for a wildcard the one made of it for the name (RFC 4592 section 3.3)."""
    if rrset.name == name:
        return rrset
    made = dns.rrset.RRset(name, rrset.rdclass, rrset.rdtype)
    for record in rrset:
        made.add(record, rrset.ttl)
    return made


def labels_of(name: dns.name.Name) -> Labels:
    """A name as its labels, equal for equal names."""
    return tuple(label.lower() for label in name.labels)


def above(name: dns.name.Name) -> Iterable[dns.name.Name]:
    """The name and all above it, the root last."""
    yield name
    while name != dns.name.root:
        name = name.parent()
        yield name
