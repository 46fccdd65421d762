"""What a DNS reply means: plain records, aliases followed, absence distinguished from errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import dns.exception
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from postroad.dns.plain import PLAIN, PLAIN_NAME
from postroad.dns.resolver import RecordType, Soa
from postroad.words.facts import Answer, Bogus, Found, Mx, NoData, NoName, Temporary, Tlsa

MAX_ALIASES = 10  # BIND stops at 16, Unbound at 11; honest chains have two or three
_FOREVER_S = 2**31 - 1  # the longest TTL there is, RFC 2181 section 8


@dataclass(frozen=True, slots=True)
class DnsReply:
    """A DNS reply reduced to what matters here, from the wire or from a zone: NOERROR or NXDOMAIN."""

    rcode: dns.rcode.Rcode
    answer: Sequence[dns.rrset.RRset]
    authority: Sequence[dns.rrset.RRset] = ()
    authentic: bool = False


Ask = Callable[[dns.name.Name, dns.rdatatype.RdataType], Awaitable[DnsReply | Temporary | Bogus]]
"""One question, asked once."""


async def resolve_with(ask: Ask, name: str, kind: RecordType, first: DnsReply | None = None) -> Answer[Any]:
    """Ask, and go on asking where an alias leads out of the reply, until there is an answer.

    `first` is the reply to the question itself, where it is there already.
    """
    try:
        start = _read_name(name)
    except (dns.exception.DNSException, UnicodeError) as problem:
        return Bogus(f"{name[:80]!r} is not a domain name: {problem}")
    chain = _Chain(start, dns.rdatatype.from_text(kind))
    while True:
        reply = first or await ask(chain.name, chain.kind)
        first = None
        if isinstance(reply, Temporary | Bogus):
            return chain.end(reply)
        answer = chain.follow(reply)
        if answer is not None:
            return chain.end(answer) if isinstance(answer, Bogus) else answer


def _read_name(text: str) -> dns.name.Name:
    """A name as people write it; what is plain in a third of the time."""
    return dns.name.Name((*text.encode().split(b"."), b"")) if PLAIN_NAME.match(text) else dns.name.from_text(text)


def is_referral(reply: DnsReply) -> bool:
    """Whether the server only names others to ask (RFC 2308 section 2.2): it does not resolve for us."""
    kinds = {rrset.rdtype for rrset in reply.authority}
    empty = not reply.answer and reply.rcode == dns.rcode.NOERROR
    return empty and dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds


def to_text(name: dns.name.Name) -> str:
    """A name in canonical form; octets that are no letters, digits or hyphens as master files write them."""
    labels = name.labels
    if labels and not labels[-1] and not b"".join(labels).translate(None, PLAIN):  # nothing to be escaped
        return b".".join(labels[:-1]).lower().decode("ascii")
    return name.to_text(omit_final_dot=True).lower()


@dataclass(slots=True)
class _Chain:
    """A question on its way through aliases: where it stands, and what it passed."""

    name: dns.name.Name
    kind: dns.rdatatype.RdataType
    passed: list[dns.name.Name] = field(default_factory=list)
    ttl_s: int = _FOREVER_S
    authentic: bool = True

    def end(self, trouble: Temporary | Bogus) -> Temporary | Bogus:
        """Trouble, and the aliases that led to it."""
        return replace(trouble, aliases=self.aliases(), name=to_text(self.name)) if self.passed else trouble

    def follow(self, reply: DnsReply) -> Answer[Any] | None:
        """Go as far as the reply leads. None: it stops at an alias whose target must be asked for."""
        # One insecure alias makes all behind it insecure, RFC 7672 section 2.1.3
        self.authentic = self.authentic and reply.authentic
        asked = self.name
        # Records of other owners are not looked at: a reply speaks for the name asked and what it is an alias of.
        found = {(rrset.name, rrset.rdtype): rrset for rrset in reply.answer if rrset.rdclass == dns.rdataclass.IN}
        while (self.name, self.kind) not in found:
            alias = found.get((self.name, dns.rdatatype.CNAME))
            if alias is None:
                return self._absent(reply, asked)
            trouble = self._pass(alias)
            if trouble:
                return trouble
        if reply.rcode == dns.rcode.NXDOMAIN:
            return Bogus(f"{to_text(self.name)}: the reply says NXDOMAIN but has records")
        return self._found(found[self.name, self.kind])

    def _pass(self, alias: dns.rrset.RRset) -> Bogus | None:
        self.passed.append(self.name)
        self.name = alias[0].target
        self.ttl_s = min(self.ttl_s, alias.ttl)
        if self.name in self.passed:
            return Bogus(f"alias loop: {' -> '.join(map(to_text, [*self.passed, self.name]))}")
        if len(self.passed) > MAX_ALIASES:
            return Bogus(f"{to_text(self.passed[0])}: more than {MAX_ALIASES} aliases in a row")
        return None

    def _found(self, rrset: dns.rrset.RRset) -> Found[Any]:
        records = tuple(_in_words(rrset))
        return Found(records, min(self.ttl_s, rrset.ttl), self.aliases(), to_text(self.name), self.authentic)

    def _absent(self, reply: DnsReply, asked: dns.name.Name) -> NoData | NoName | None:
        negative_s = _negative_ttl(reply, self.name)
        # Without an SOA a negative answer is not to be kept, RFC 2308 section 5.
        ttl_s = min(self.ttl_s, negative_s or 0)
        if reply.rcode == dns.rcode.NXDOMAIN:  # of the end of the chain, RFC 6604 section 3
            return NoName(ttl_s, self.aliases(), self.authentic)
        if self.name != asked and negative_s is None:
            return None
        return NoData(ttl_s, self.aliases(), self.authentic)

    def aliases(self) -> tuple[str, ...]:
        return tuple(map(to_text, self.passed))


def _negative_ttl(reply: DnsReply, name: dns.name.Name) -> int | None:
    for rrset in reply.authority:
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return int(min(rrset.ttl, rrset[0].minimum))  # RFC 2308 section 5
    return None


def _in_words(rrset: dns.rrset.RRset) -> Iterable[object]:
    return map(_WORDS[RecordType(dns.rdatatype.to_text(rrset.rdtype))], rrset)


def _soa(record: Any) -> Soa:  # noqa: ANN401  # dnspython's rdata classes are made at run time
    return Soa(record.serial, record.minimum)


_WORDS: dict[RecordType, Callable[[Any], object]] = {
    RecordType.MX: lambda record: Mx(record.preference, to_text(record.exchange)),
    RecordType.A: lambda record: IPv4Address(record.address),
    RecordType.AAAA: lambda record: IPv6Address(record.address),
    RecordType.PTR: lambda record: to_text(record.target),
    RecordType.NS: lambda record: to_text(record.target),
    RecordType.CNAME: lambda record: to_text(record.target),
    RecordType.TXT: lambda record: b"".join(record.strings).decode("utf-8", "replace"),
    RecordType.SOA: _soa,
    RecordType.TLSA: lambda record: Tlsa(record.usage, record.selector, record.mtype, record.cert),
}
