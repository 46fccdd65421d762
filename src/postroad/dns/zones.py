"""Answers from the records of master files, as an authoritative server would give them, with no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

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
_ADDRESSES = (dns.rdatatype.A, dns.rdatatype.AAAA)
_TARGET = {dns.rdatatype.MX: "exchange", dns.rdatatype.NS: "target"}

_Key = tuple[dns.name.Name, dns.rdatatype.RdataType]
Labels = tuple[bytes, ...]
"""A name as its labels in lower case, the root's last: to go up is to leave the first away, a tenth of a new name."""


@dataclass(frozen=True, slots=True)
class ZoneAnswer:
    """The first two sections of an authoritative reply. REFUSED: the name is in none of the zones.

    `is_signed`: all of it is from zones with a DNSKEY record.
    """

    rcode: dns.rcode.Rcode
    answer: tuple[dns.rrset.RRset, ...] = ()
    authority: tuple[dns.rrset.RRset, ...] = ()
    is_signed: bool = False


class ZoneLine(NamedTuple):
    """The place of a record in a zone file: the line it ends on.

    Names are canonical, those in `value` too: "10 mail.example.com".
    """

    owner: str
    kind: str
    value: str
    file: str
    number: int
    ttl_s: int


class Unmade(NamedTuple):
    """A record that is right, and not made yet: most are never asked for."""

    rdtype: dns.rdatatype.RdataType
    make: Callable[..., Any]
    fields: tuple[object, ...]

    def made(self) -> dns.rdata.Rdata:
        """As dnspython has it."""
        record: dns.rdata.Rdata = self.make(dns.rdataclass.IN, self.rdtype, *self.fields)
        return record


@dataclass(slots=True)
class ZoneSet:
    """The records of one owner and type, by how they are written."""

    name: dns.name.Name
    kind: dns.rdatatype.RdataType
    ttl_s: int
    records: dict[str, dns.rdata.Rdata | Unmade]

    def rrset(self) -> dns.rrset.RRset:
        """What dnspython takes for them."""
        records = [each.made() if isinstance(each, Unmade) else each for each in self.records.values()]
        return dns.rrset.from_rdata_list(self.name, self.ttl_s, records)


class ZoneSets(Mapping[_Key, dns.rrset.RRset]):
    """The records of zone files by owner and type. An RRset is made when it is asked for: most never are."""

    def __init__(self, sets: Mapping[tuple[str, dns.rdatatype.RdataType], ZoneSet]) -> None:
        self._sets = sets
        self._made: dict[tuple[str, dns.rdatatype.RdataType], dns.rrset.RRset] = {}

    def __getitem__(self, key: _Key) -> dns.rrset.RRset:
        """The RRset; KeyError if there is none."""
        place = (to_text(key[0]), key[1])
        if place not in self._made:
            self._made[place] = self._sets[place].rrset()
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
        self._tops = {labels_of(top) for top in self.tops}
        self._keys = {(labels_of(key[0]), key[1]): key for key in rrsets}
        self._names: set[Labels] = set()  # of all names that exist, be it with nothing but names below
        for owner in (*(labels for labels, _ in self._keys), *self._tops):
            self._learn(owner)

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
        return self._top(labels_of(dns.name.from_text(domain))) is not None

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
        return ZoneAnswer(rcode, (*chain, *step.answer), step.authority, is_signed)

    def _step(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> ZoneAnswer:
        """One name, no alias followed: its records of the type or its CNAME; else why there are none."""
        labels = labels_of(name)
        top = self._top(labels)
        if top is None:
            return ZoneAnswer(dns.rcode.REFUSED)
        is_signed = (top, dns.rdatatype.DNSKEY) in self._keys
        owner = self._owner(labels)
        found = owner and (self._set(owner, kind) or self._set(owner, dns.rdatatype.CNAME))
        if found:
            made = found if owner == labels else _owned_by(name, found)
            return ZoneAnswer(dns.rcode.NOERROR, (made,), is_signed=is_signed)
        cut = self._cut(labels, top)
        if cut:
            return ZoneAnswer(dns.rcode.NOERROR, authority=(cut,))
        soa = self._set(top, dns.rdatatype.SOA)
        rcode = dns.rcode.NOERROR if owner else dns.rcode.NXDOMAIN
        return ZoneAnswer(rcode, authority=(soa,) if soa else (), is_signed=is_signed)

    def _set(self, labels: Labels, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        key = self._keys.get((labels, kind))
        return self.rrsets[key] if key else None

    def _top(self, labels: Labels) -> Labels | None:
        return next((each for each in above(labels) if each in self._tops), None)

    def _owner(self, labels: Labels) -> Labels | None:
        """The name itself if it exists, be it with nothing but names below; else the wildcard that covers it."""
        closest = next(each for each in above(labels) if each in self._names)
        if closest == labels:
            return labels
        wildcard = (b"*", *closest)  # of the closest encloser and no other, RFC 4592 section 3.3.1
        return wildcard if wildcard in self._names else None

    def _cut(self, labels: Labels, top: Labels) -> dns.rrset.RRset | None:
        """The delegation a name is beyond, the highest if there are several."""
        below_top = (labels[place:] for place in reversed(range(len(labels) - len(top))))
        return next((cut for each in below_top if (cut := self._set(each, dns.rdatatype.NS))), None)

    def additional(self, reply: ZoneAnswer) -> tuple[dns.rrset.RRset, ...]:
        """The addresses known of exchangers and name servers named in a reply (RFC 1035 section 3.3.9)."""
        naming = [rrset for rrset in (*reply.answer, *reply.authority) if rrset.rdtype in _TARGET]
        targets = dict.fromkeys(getattr(record, _TARGET[rrset.rdtype]) for rrset in naming for record in rrset)
        keys = ((labels_of(target), kind) for target in targets for kind in _ADDRESSES)
        return tuple(found for key in keys if (found := self._set(*key)))


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
    """The RRset of a name that is made of a wildcard's (RFC 4592 section 3.3)."""
    made = dns.rrset.RRset(name, rrset.rdclass, rrset.rdtype)
    for record in rrset:
        made.add(record, rrset.ttl)
    return made


def labels_of(name: dns.name.Name) -> Labels:
    """A name as its labels, equal for equal names."""
    return tuple([label.lower() for label in name.labels])


def above(labels: Labels) -> Iterator[Labels]:
    """The name and all above it, the root last."""
    return (labels[place:] for place in range(len(labels)))
