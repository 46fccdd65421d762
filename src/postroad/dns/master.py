"""Reads master files into zones; reports all faults at once, each with its line and a sentence.

People paste a few lines: a file needs no SOA, no NS and no $TTL, and several files count as one set of data.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.tokenizer
import dns.zonefile
from dns.node import NodeKind
from dns.rdatatype import RdataType
from dns.rdatatype import to_text as to_type

from postroad.dns.answers import to_text
from postroad.dns.entries import Entry, Owner, Plain, PlainLines, entries
from postroad.dns.zones import Unmade, ZoneLine, ZoneResolver, Zones, ZoneSet, ZoneSets, labels_of
from postroad.files import MOST, plain_octets, read_octets
from postroad.words.names import Unreadable

DEFAULT_TTL_S = 3600  # where neither the record, nor $TTL, nor a record before says one
MOST_GENERATED = 65_536  # records that $GENERATE lines make of one set of files: a /16, and some seconds
MOST_FAULTS = 100  # that are told: of a file that is no zone each line is wrong
MOST_INCLUDED = 1000  # files that one set of files includes
DEEPEST = 16  # files that include each other; one that includes itself has no end
_DIRECTIVES = ("$ORIGIN", "$TTL", "$GENERATE")  # $INCLUDE is ours: dnspython would open any file
_NOWHERE = dns.name.Name((b"\x00no origin\x00", b""))  # the origin until $ORIGIN names one: no real name is below it
_INCLUDE = re.compile(
    r'\$INCLUDE[ \t]+("?)(?P<file>[^\s";]+)\1(?:[ \t]+(?P<origin>[^\s;]+))?[ \t]*(?:;.*)?\Z', re.IGNORECASE
)
_ORIGIN = re.compile(r"\$ORIGIN[ \t]+((?:[A-Z0-9_-]+\.)+)[ \t]*(?:;.*)?", re.IGNORECASE | re.ASCII)
_CAUGHT = re.compile(r"caught exception <class '[^']*'>: ")
_FORMS = {
    "A": "an IPv4 address, as in `mail A 192.0.2.1`",
    "AAAA": "an IPv6 address, as in `mail AAAA 2001:db8::1`",
    "MX": "a preference from 0 to 65535 and a host name, as in `@ MX 10 mail`",
    "NS": "a host name, as in `@ NS ns1`",
    "CNAME": "a name, as in `www CNAME mail`",
    "PTR": "a name, as in `1 PTR mail.example.com.`",
    "TXT": 'text in quotes, as in `@ TXT "v=spf1 mx -all"`',
    "SOA": "two names and five numbers, as in `@ SOA ns1 hostmaster 1 7200 900 604800 300`",
    "TLSA": "three numbers and hexadecimal digits, as in `_25._tcp.mail TLSA 3 1 1 0a1b2c...`",
    "DS": "three numbers and hexadecimal digits, as in `sub DS 12345 13 2 0a1b2c...`",
    "DNSKEY": "three numbers and a key in base64, as in `@ DNSKEY 257 3 13 AAAA`",
    "SRV": "three numbers and a host name, as in `_imaps._tcp SRV 0 1 993 mail`",
    "CAA": 'a number, a word and a text in quotes, as in `@ CAA 0 issue "ca.example.net"`',
}
_IS_TYPED = re.compile(rf"(?:\S+)?\s+(?:\S+\s+){{0,2}}?(?P<kind>{'|'.join(_FORMS)})\b", re.IGNORECASE)

_TTL = "a TTL is 4294967295 seconds at most"
_HUGE_TTL = re.compile(r"\S*\s+(IN\s+)?[0-9]{10,}\s", re.IGNORECASE)
_GENERATE = "write $GENERATE 1-5 m$ A 192.0.2.$: a name, a type and a value of one word; write out all other records"
_SENTENCES = {
    "TTL should be": _TTL,
    "unknown rdatatype": "there is no such record type",
    "label is empty": "a name has two dots in a row, or a dot in front",
    "> 63 octets": "a part of a name is longer than 63 characters",
    "> 255 octets": "a name is longer than 255 octets",
    "last used name": "the first record begins with a blank, and so has no name; write one, or @ for the zone's own",
    "not zone's class": "only records of the class IN are read",
    "directive": "there is no such directive; those read are $ORIGIN, $TTL, $INCLUDE and $GENERATE",
    "DNS TTL": "this is not a TTL; write seconds, or a time such as 1h",
    "$GENERATE makes": "{}",
}
_STRAY = re.compile(r"[\udc80-\udcff]")  # octets that were no UTF-8

Include = Callable[[str, str], tuple[str, str] | Unreadable]
"""The label and the text of a file that another one, named first, includes; or why it is not read."""


@dataclass(frozen=True, slots=True)
class ZoneFault:
    """A fault of a zone file: where, and why; line 0 means the file as a whole."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}" if self.line else f"{self.file}: {self.why}"


@dataclass(frozen=True, slots=True)
class ZoneProblem:
    """All faults of the zone files, a line each."""

    faults: tuple[ZoneFault, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


def load_zones(paths: Iterable[Path | str]) -> ZoneResolver | ZoneProblem:
    """Read master files from disk, with what they include from their own folders."""
    texts, faults, folders = {}, [], {}
    for path in paths:
        octets = read_octets(path)
        if isinstance(octets, Unreadable):
            how = "give the path of a zone file that this user may read"
            faults.append(ZoneFault(str(path), 0, f"{octets.why}; {how}"))
        elif b"\0" in octets:  # of which each line would be wrong
            faults.append(
                ZoneFault(str(path), 0, "this is not a zone file: it is binary, or not UTF-8; save it as UTF-8")
            )
        else:
            texts[str(path)] = _decoded(octets)
            folders[str(path)] = Path(path).absolute().parent
    zones = _read_all(texts, _Included(folders).read)
    if isinstance(zones, ZoneProblem) or faults:
        return ZoneProblem((*faults, *(zones.faults if isinstance(zones, ZoneProblem) else ())))
    return ZoneResolver(zones)


def parse_zones(texts: Mapping[str, str]) -> Zones | ZoneProblem:
    """Read master files given as texts, each under the label its problems are reported by; they include nothing."""
    return _read_all(texts, lambda _label, _name: Unreadable("", "only a zone that is a file includes others"))


def _read_all(texts: Mapping[str, str], include: Include) -> Zones | ZoneProblem:
    with _uncollected():
        return _read_each(texts, include)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage is looked for meanwhile: there is none, and to look through a million records costs as much."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read_each(texts: Mapping[str, str], include: Include) -> Zones | ZoneProblem:
    records = _Records()
    tops: set[dns.name.Name] = set()
    for label, text in texts.items():
        records.begin()
        try:
            _File(records, include, label).read(text)
        except _TooManyError:
            why = f"more than {MOST_FAULTS} lines are wrong; what comes after was not read"
            return ZoneProblem((*records.faults, ZoneFault(label, 0, why)))
        tops |= records.soas or records.origins
    if records.faults:
        return ZoneProblem(tuple(records.faults))
    owners = {owner: found.name for (owner, _kind), found in records.sets.items()}
    return Zones(ZoneSets(records.sets), tops | _highest(owners.values(), tops), records.lines)


def _highest(owners: Iterable[dns.name.Name], tops: Iterable[dns.name.Name]) -> set[dns.name.Name]:
    """The owners that are below no top and no other owner: what is pasted without an SOA has its tops there."""
    known = {labels_of(top) for top in tops}
    found = set()
    for owner in sorted(owners, key=len):
        labels = labels_of(owner)
        if not any(labels[start:] in known for start in range(len(labels))):
            known.add(labels)
            found.add(owner)
    return found


def _decoded(octets: bytes) -> str:
    """Text as most editors save it. Octets that are no UTF-8 stay recognisable: in a comment they harm nobody."""
    return octets.decode("utf-8-sig", "surrogateescape")


class _Included:
    """Reads what zones include: files below the folder of the zone, and no others."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._roots = {label: folder.resolve() for label, folder in folders.items()}
        self._folders = dict(folders)
        self._count = self._octets = 0

    def read(self, label: str, name: str) -> tuple[str, str] | Unreadable:
        root = self._roots[label]
        beside = (self._folders[label] / name, root / name)
        path = next((each for each in beside if each.exists()), beside[0])
        if not path.resolve().is_relative_to(root):
            return Unreadable(
                name, f"it is outside of {root}, the folder of the zone; only files below it are included"
            )
        octets = plain_octets(path, MOST - self._octets)
        if isinstance(octets, Unreadable):
            return octets
        self._count, self._octets = self._count + 1, self._octets + len(octets)
        if self._count > MOST_INCLUDED:
            return Unreadable(name, f"more than {MOST_INCLUDED} files are included")
        self._roots[str(path)], self._folders[str(path)] = root, path.absolute().parent
        return str(path), _decoded(octets)


class _ZoneError(Exception):
    """A record that stands in no master file."""


class _RelativeError(_ZoneError):
    """A relative name, where nobody says to what: one $ORIGIN makes them all good."""


class _TooManyError(Exception):
    """So much is wrong that it is no zone."""


class _Tokenizer(dns.tokenizer.Tokenizer):
    """Tells the line a token begins on; the parent is one line further once it has read the end of a record."""

    def __init__(self, entry: Entry, label: str) -> None:
        super().__init__(entry.text, label, dns.name.IDNA_2008_UTS_46)
        self.line_number = self._line = entry.number

    def get(self, want_leading: bool = False, want_comment: bool = False) -> dns.tokenizer.Token:  # noqa: FBT001, FBT002  # as the class it stands in for
        if self.ungotten_token is None:
            self._line = self.line_number - (self.ungotten_char == "\n")
        return super().get(want_leading, want_comment)

    def where(self) -> tuple[str, int]:
        return self.filename, self._line


class _File:
    """One master file on its way into the records: its origin, and what a line takes from those before."""

    def __init__(self, records: _Records, include: Include, label: str, parent: _File | None = None) -> None:
        self._records = records
        self._include = include
        self._label = label
        self.depth: int = parent.depth + 1 if parent else 0
        self._has_relative_fault = False
        self._tokens = _Tokenizer(Entry(1, ""), label)
        reader = dns.zonefile.Reader(self._tokens, dns.rdataclass.IN, records, allow_directives=_DIRECTIVES)  # type: ignore[arg-type]  # duck: see _Records
        self.reader = reader
        reader.current_origin, reader.last_name = _NOWHERE, None
        # RFC 1035 section 5.1: a TTL left out is the last one stated; here one is stated before the first line.
        reader.last_ttl, reader.last_ttl_known = DEFAULT_TTL_S, True
        if parent:
            for field in ("current_origin", "last_ttl", "default_ttl", "default_ttl_known", "default_ttl_from_soa"):
                setattr(reader, field, getattr(parent.reader, field))
        self._plain = self._plain_lines()

    def read(self, text: str, origin: dns.name.Name | None = None) -> None:
        """Add the records of a text, or what is wrong with its lines."""
        if origin is not None:
            self.reader.current_origin, self._plain = origin, PlainLines(origin, is_known=True)
        for entry in entries(text):
            if entry.text[0] == "$" and self._takes_origin(entry.text):
                continue
            plain = self._plain.read(entry.text)
            owner = (plain.owner or self._last_owner) if plain else None
            if plain is None or owner is None:
                self._read_at_length(entry)
            else:
                self._take(entry, owner, plain)

    def _takes_origin(self, line: str) -> bool:
        """Whether a line is a plain $ORIGIN, as nearly all are: it is taken then."""
        found = _ORIGIN.fullmatch(line)
        try:
            origin = self._plain.name(found[1]).name if found else None
        except dns.exception.DNSException:  # whoever reads it at length finds the words
            return False
        if origin is None:
            return False
        self.reader.current_origin = origin
        self._records._set_origin(origin)  # noqa: SLF001  # as dnspython's reader does
        self._plain = self._plain_lines()
        return True

    def _plain_lines(self) -> PlainLines:
        origin = self.reader.current_origin or _NOWHERE
        return PlainLines(origin, is_known=origin != _NOWHERE)

    @property
    def _last_owner(self) -> Owner | None:
        """The owner of the line before, where this one has none."""
        name = self.reader.last_name
        return Owner(name, to_text(name)) if name is not None and not name.is_subdomain(_NOWHERE) else None

    def _take(self, entry: Entry, owner: Owner, plain: Plain) -> None:
        reader = self.reader
        reader.last_name = owner.name
        if plain.ttl_s is not None:
            reader.last_ttl, reader.last_ttl_known = plain.ttl_s, True
        ttl_s = plain.ttl_s if plain.ttl_s is not None else reader._implicit_ttl()  # noqa: SLF001  # as its own lines do
        assert ttl_s is not None  # noqa: S101  # one was stated before the first line
        try:
            self._records.take(owner, ttl_s, plain, (self._label, entry.number))
        except _ZoneError as problem:
            self._fault(entry.number, str(problem))

    def _read_at_length(self, entry: Entry) -> None:
        """Read what is not plain by dnspython, or say what is wrong with it."""
        if not entry.closed:
            self._fault(entry.number, "the parenthesis that is opened here is never closed")
            return
        if entry.text[:8].upper() == "$INCLUDE":
            self._include_file(entry)
            return
        self._tokens = self.reader.tok = self._records.tokens = _Tokenizer(entry, self._label)
        before = self.reader.current_origin
        try:
            self.reader.read()
        except _RelativeError as problem:
            if not self._has_relative_fault:  # the first speaks for them all
                self._has_relative_fault = True
                self._fault(self._tokens.where()[1], str(problem))
        except (dns.exception.DNSException, _ZoneError, ValueError) as problem:
            line = self._tokens.where()[1]
            self._fault(line, _sentence(str(problem).removeprefix(f"{self._label}:{line}: "), entry))
        if self.reader.current_origin != before:
            self._plain = self._plain_lines()

    def _include_file(self, entry: Entry) -> None:
        found = _INCLUDE.match(entry.text)
        if not found:
            self._fault(entry.number, "write $INCLUDE FILE, or $INCLUDE FILE ORIGIN")
            return
        got = self._include(self._label, found["file"])
        if isinstance(got, Unreadable):
            self._fault(entry.number, f"$INCLUDE {found['file']}: {got.why}")
        elif self.depth >= DEEPEST:
            self._fault(entry.number, f"$INCLUDE {found['file']}: files include each other more than {DEEPEST} deep")
        else:
            try:
                origin = self._origin_of(found["origin"])
            except (dns.exception.DNSException, ValueError) as problem:
                self._fault(entry.number, f"$INCLUDE: {found['origin']!r} is not an origin: {problem}")
                return
            # RFC 1035 section 5.1: the origin of the including file is that from before, whatever the other one says
            _File(self._records, self._include, got[0], self).read(got[1], origin)

    def _origin_of(self, text: str | None) -> dns.name.Name | None:
        return dns.name.from_text(text, self.reader.current_origin, dns.name.IDNA_2008_UTS_46) if text else None

    def _fault(self, line: int, why: str) -> None:
        if len(self._records.faults) >= MOST_FAULTS:
            raise _TooManyError
        self._records.faults.append(ZoneFault(self._label, line, why))


def _sentence(why: str, entry: Entry) -> str:
    """What is wrong with an entry, with what was written, and what could be."""
    written = entry.text.partition("\n")[0].strip()
    shown = ascii(written[:80]) if _STRAY.search(written) else repr(written[:80])
    if _STRAY.search(written.partition(";")[0]):
        return f"{shown} is not UTF-8; save the file as UTF-8"
    bare = _CAUGHT.sub("", why).rstrip(".")
    if written.upper().startswith("$GENERATE") and not bare.startswith("$GENERATE makes"):
        return f"{shown}: {_GENERATE}"
    if "unknown rdatatype" in bare and _HUGE_TTL.match(written):
        return f"{shown}: {_TTL}"
    known = next((sentence for sign, sentence in _SENTENCES.items() if sign in bare), "")
    if known:
        return f"{shown}: {known.format(bare)}"
    kind = _IS_TYPED.match(entry.text)
    if kind is None or bare.endswith("refuse that"):
        unsaid = not bare or bare.startswith("Text input")
        form = "write a name, a type and a value, as in `mail A 192.0.2.1`"
        return bare if bare.endswith("refuse that") else f"{shown} is not a record: {form if unsaid else bare}"
    name = kind["kind"].upper()
    return f"{shown} is not a valid {name} record; write {_FORMS[name]}"


class _Records:
    """What is filled: by plain lines, and by dnspython's reader, which asks for a Transaction: these methods of it.

    dnspython's own copies an RRset for each record added, which takes minutes for one of ten thousand. A record is the
    same as another if it is written the same in canonical form: to compare the octets costs as much as all else.
    """

    def __init__(self) -> None:
        self.sets: dict[tuple[str, RdataType], ZoneSet] = {}
        self.lines: list[ZoneLine] = []
        self.faults: list[ZoneFault] = []
        self.manager = self
        self.tokens = _Tokenizer(Entry(1, ""), "")
        self._kinds: dict[str, NodeKind] = {}
        self._generated = 0
        self.begin()

    def begin(self) -> None:
        """A new file."""
        self._last = ("", 0)
        self.soas: set[dns.name.Name] = set()
        self.origins: set[dns.name.Name] = set()

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        """Names are kept absolute, and those of any zone are taken."""
        return dns.name.root, False, dns.name.root

    def check_put_rdataset(self, _check: object) -> None:
        """Not called back: `add` checks for itself."""

    def take(self, owner: Owner, ttl_s: int, plain: Plain, place: tuple[str, int]) -> None:
        """Take the record of a plain line."""
        self._add(owner, ttl_s, plain.record, plain.value, place)

    def add(self, name: dns.name.Name, ttl_s: int, record: dns.rdata.Rdata) -> None:
        """Take a record; signatures are left out, nothing here validates."""
        self._count_generated()
        if record.covers():
            return
        for used in (name, *_names_in(record)):
            _require_origin(used)
        self._add(Owner(name, to_text(name)), ttl_s, record, _in_text(record), self.tokens.where())
        if record.rdtype == RdataType.SOA:
            self.soas.add(name)

    def _add(
        self, owner: Owner, ttl_s: int, record: dns.rdata.Rdata | Unmade, value: str, place: tuple[str, int]
    ) -> None:
        kind = record.rdtype
        known = self.sets.get((owner.text, kind))
        self._refuse_alias_with_company(owner.text, kind, value, known)
        if known is None:
            known = self.sets[owner.text, kind] = ZoneSet(owner.name, kind, ttl_s, {})
        known.ttl_s = min(known.ttl_s, ttl_s)  # RFC 2181 section 5: the TTLs of a set are one
        known.records.setdefault(value, record)
        self.lines.append(ZoneLine(owner.text, _type_name(kind), value, *place, ttl_s))

    def _count_generated(self) -> None:
        """A line has one record, or it is a $GENERATE, whose ends anyone may write far apart."""
        place = self.tokens.where()
        is_generated, self._last = place == self._last, place
        self._generated += is_generated
        if is_generated and self._generated >= MOST_GENERATED:
            raise _ZoneError(
                f"$GENERATE makes more than {MOST_GENERATED} records here; use a smaller range, or write the records "
                "out"
            )

    def _set_origin(self, origin: dns.name.Name) -> None:
        _require_origin(origin)
        if origin != dns.name.root:
            self.origins.add(origin)

    def _refuse_alias_with_company(self, owner: str, kind: RdataType, value: str, known: ZoneSet | None) -> None:
        """RFC 1034 section 3.6.2, RFC 2181 section 10.1: name servers do not load such a zone."""
        company = _company(kind)
        if company is NodeKind.NEUTRAL:
            return
        if self._kinds.setdefault(owner, company) is not company:
            raise _ZoneError(f"{owner} has a CNAME and other records: name servers refuse that")
        if company is NodeKind.CNAME and known and value not in known.records:
            raise _ZoneError(f"{owner} has two CNAMEs: name servers refuse that")


@cache
def _company(kind: RdataType) -> NodeKind:
    return NodeKind.classify(kind, RdataType.NONE)


@cache
def _type_name(kind: RdataType) -> str:
    return kind.name if kind in RdataType else to_type(kind)


def _in_text(record: dns.rdata.Rdata) -> str:
    """A record as it is written, its names in canonical form; the root stays a dot."""
    words = record.to_text().split(" ")
    names = {name.to_text(): to_text(name) or "." for name in _names_in(record)}
    return " ".join(names.get(word, word) for word in words)


def _require_origin(name: dns.name.Name) -> None:
    if name.is_subdomain(_NOWHERE):
        written = to_text(name.relativize(_NOWHERE))
        raise _RelativeError(
            f"{written!r} is a relative name and the file does not say to what; "
            'add a line like "$ORIGIN example.com." on top, or end the name with a dot'
        )


def _names_in(record: dns.rdata.Rdata) -> Iterable[dns.name.Name]:
    slots = (slot for part in type(record).__mro__ for slot in getattr(part, "__slots__", ()))
    values = (getattr(record, slot, None) for slot in slots)
    return (value for value in values if isinstance(value, dns.name.Name))
