"""DNS mechanics: how long answers live, how large they are, and whether the name servers tell one story."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_network
from typing import TypeVar

from postroad.checks.lines import where, zone_line
from postroad.checks.nouns import Evidence, Finding, Need, Rule, Said, Severity, Source, Topic
from postroad.checks.places import addresses_of, exchangers, facts_of, is_own, unknown, whole
from postroad.checks.reverse import RULES as REVERSE
from postroad.words.facts import Answer, Bogus, Found, Mx, Temporary
from postroad.words.names import Address

T = TypeVar("T")

MIN_TTL_S = 60
MAX_TTL_S = 86_400
PLAIN_OCTETS = 512  # what a client without EDNS takes over UDP
SAFE_OCTETS = 1232  # what passes unfragmented everywhere, and most servers send at most
_NETWORKS = {4: 24, 6: 48}  # the smallest prefixes routed on their own

_PRACTICE = Source("practice")


def _ttl_s(evidence: Evidence, answer: Answer[T]) -> int | None:
    """The TTL the zone states. What a resolver gives counts down, so it tells only how long it is at least."""
    return answer.ttl_s if isinstance(answer, Found) and evidence.lines else None


def _mx_ttl_s(evidence: Evidence) -> int | None:
    stated = [said.mx.ttl_s for said in evidence.said or () if said.is_authoritative and isinstance(said.mx, Found)]
    return max(stated) if stated else _ttl_s(evidence, evidence.snapshot.mx)


def mx_ttl_low(evidence: Evidence) -> Iterator[Finding]:
    """The MX set lives so short that nearly every message asks for it again."""
    ttl_s = _mx_ttl_s(evidence)
    if ttl_s is not None and ttl_s < MIN_TTL_S:
        seen = f"the MX set lives {ttl_s} s: nearly every message asks for it again"
        yield Finding("mx-ttl-low", Severity.NOTE, whole(evidence), seen, *_mended(evidence))


def mx_ttl_high(evidence: Evidence) -> Iterator[Finding]:
    """The MX set lives longer than a day."""
    ttl_s = _mx_ttl_s(evidence)
    if ttl_s is None and isinstance(evidence.snapshot.mx, Found):
        ttl_s = evidence.snapshot.mx.ttl_s
    if ttl_s is not None and ttl_s > MAX_TTL_S:
        seen = f"the MX set lives {_days(ttl_s)}: an exchanger taken out or moved is asked for that long"
        yield Finding("mx-ttl-high", Severity.NOTE, whole(evidence), seen, *_mended(evidence))


def address_ttl_high(evidence: Evidence) -> Iterator[Finding]:
    """An address of an exchanger lives longer than a day."""
    for place in exchangers(evidence):
        facts = evidence.snapshot.hosts.get(str(place.exchange))
        for kind, answer in (("A", facts.a), ("AAAA", facts.aaaa)) if facts else ():
            if isinstance(answer, Found) and answer.ttl_s > MAX_TTL_S:
                seen = f"the {kind} records of {place.exchange} live {_days(answer.ttl_s)}"
                records = answer.records if is_own(evidence, place.exchange) else ()
                mend = "\n".join(_record(str(place.exchange), 3600, kind, str(each)) for each in records)
                line = where(evidence, str(place.exchange), kind)
                yield Finding("address-ttl-high", Severity.NOTE, place, seen, mend, line)


def ttl_mixed(evidence: Evidence) -> Iterator[Finding]:
    """Records of one set have different TTLs."""
    for (name, kind), ttls in sorted(_ttls(evidence).items()):
        if len(ttls) > 1:
            seen = f"the {kind} records of {name} have TTLs of {', '.join(str(ttl) for ttl in sorted(ttls))} s"
            mend = f"; give all {kind} records of {name} the same TTL, such as {max(ttls)}"
            yield Finding("ttl-mixed", Severity.WARNING, whole(evidence), seen, mend, where(evidence, name, kind))


def _ttls(evidence: Evidence) -> dict[tuple[str, str], set[int]]:
    """The TTLs of each set a sender needs. Of the MX lines of a zone file another rule speaks: mx-ttl-mixed."""
    names = {str(place.exchange) for place in exchangers(evidence)}
    sets: dict[tuple[str, str], set[int]] = defaultdict(set)
    for line in evidence.lines:
        if line.ttl_s is not None and line.kind in ("A", "AAAA") and line.owner.removesuffix(".") in names:
            sets[line.owner.removesuffix("."), line.kind].add(line.ttl_s)
    for wire in evidence.wire or ():
        sets[wire.name, wire.kind].update(wire.ttls)
    return sets


def answer_truncated(evidence: Evidence) -> Iterator[Finding]:
    """An answer does not fit into a datagram that passes everywhere."""
    for wire in evidence.wire or ():
        if wire.is_cut or wire.octets > SAFE_OCTETS:
            seen = f"the {wire.kind} answer for {wire.name} has {wire.octets} octets, over {SAFE_OCTETS}: it needs TCP"
            yield Finding("answer-truncated", Severity.WARNING, whole(evidence), seen)


def answer_over_512(evidence: Evidence) -> Iterator[Finding]:
    """An answer is cut for clients without EDNS."""
    for wire in evidence.wire or ():
        if not wire.is_cut and PLAIN_OCTETS < wire.octets <= SAFE_OCTETS:
            seen = f"the {wire.kind} answer for {wire.name} has {wire.octets} octets: without EDNS it needs TCP"
            yield Finding("answer-over-512", Severity.NOTE, whole(evidence), seen)


def ns_single(evidence: Evidence) -> Iterator[Finding]:
    """There is one name server."""
    servers = evidence.snapshot.servers
    if isinstance(servers, Found) and len(set(servers.records)) == 1:
        domain = evidence.snapshot.domain
        seen = f"{servers.records[0]} is the only name server of {domain}"
        mend = zone_line(str(domain), "NS", "<a second name server, in another network>.")
        yield Finding("ns-single", Severity.WARNING, whole(evidence), seen, mend, where(evidence, str(domain), "NS"))


def ns_one_network(evidence: Evidence) -> Iterator[Finding]:
    """All name servers stand in one network."""
    servers = _server_addresses(evidence)
    networks = {_network(address) for each in servers.values() for address in each}
    versions = {each.partition(":")[0] for each in networks}
    if len(servers) > 1 and all(servers.values()) and len(networks) == len(versions):
        where_all = " and ".join(sorted(each.partition(":")[2] for each in networks))
        seen = f"all name servers stand in {where_all}: one broken line, and nobody finds the exchangers"
        yield Finding("ns-one-network", Severity.NOTE, whole(evidence), seen)


def _server_addresses(evidence: Evidence) -> dict[str, frozenset[Address]]:
    """The addresses of each name server: those that were asked, else those that are known."""
    told: dict[str, frozenset[Address]] = defaultdict(frozenset)
    for said in evidence.said or ():
        told[said.server] |= {said.address}
    servers = evidence.snapshot.servers
    for name in servers.records if isinstance(servers, Found) and not told else ():
        facts = facts_of(evidence, name)
        told[name] = addresses_of(facts) if facts else frozenset()
    return told


def _network(address: Address) -> str:
    return f"{address.version}:{ip_network((address, _NETWORKS[address.version]), strict=False)}"


def ns_no_answer(evidence: Evidence) -> Iterator[Finding]:
    """A name server gave no answer."""
    asked = evidence.said or ()
    silent = [said for said in asked if _is_silent(said)]
    if silent and len(silent) == len(asked):
        yield unknown("ns-no-answer", whole(evidence), "no name server could be asked from here")
        return
    for said in silent:
        if said.address.version == 6 and "ipv6" not in evidence.known:
            yield unknown("ns-no-answer", whole(evidence), f"{_server(said)} was not asked: no IPv6 from here")
        else:
            seen = f"{_server(said)} gives no answer: {said.why or getattr(said.mx, 'why', '')}"
            yield Finding("ns-no-answer", Severity.WARNING, whole(evidence), seen)


def ns_lame(evidence: Evidence) -> Iterator[Finding]:
    """A name server is named that does not serve the domain."""
    for said in evidence.said or ():
        if not _is_silent(said) and not said.is_authoritative:
            seen = f"{_server(said)} is named as a name server, and answers without authority"
            yield Finding("ns-lame", Severity.WARNING, whole(evidence), seen)


def ns_mx_differ(evidence: Evidence) -> Iterator[Finding]:
    """Name servers give different MX sets."""
    stories: dict[str, list[str]] = defaultdict(list)
    for said in _authoritative(evidence):
        stories[_told(said)].append(said.server)
    if len(stories) > 1:
        seen = "; ".join(f"{', '.join(sorted(set(who)))}: {what}" for what, who in sorted(stories.items()))
        yield Finding("ns-mx-differ", Severity.WARNING, whole(evidence), f"the name servers disagree: {seen}")


def ns_serials_differ(evidence: Evidence) -> Iterator[Finding]:
    """Name servers hold different versions of the zone, with one and the same MX set in it."""
    serials: dict[int, list[str]] = defaultdict(list)
    for said in _authoritative(evidence):
        if said.serial is not None:
            serials[said.serial].append(said.server)
    if len(serials) > 1 and len({_told(said) for said in _authoritative(evidence)}) == 1:
        seen = "; ".join(f"{serial} at {', '.join(sorted(set(who)))}" for serial, who in sorted(serials.items()))
        yield Finding("ns-serials-differ", Severity.NOTE, whole(evidence), f"the zone has serials {seen}")


def _authoritative(evidence: Evidence) -> list[Said]:
    return [said for said in evidence.said or () if said.is_authoritative and not _is_silent(said)]


def _is_silent(said: Said) -> bool:
    return said.mx is None or isinstance(said.mx, Temporary | Bogus)


def _told(said: Said) -> str:
    """The MX set as one server has it, in words; in an order that does not turn with the answer."""
    if not isinstance(said.mx, Found):
        return "no MX"
    records = sorted(
        (each for each in said.mx.records if isinstance(each, Mx)), key=lambda mx: (mx.preference, mx.exchange)
    )
    return ", ".join(f"{mx.preference} {mx.exchange}." for mx in records)


def _server(said: Said) -> str:
    return f"{said.server} [{said.address}]"


def _mended(evidence: Evidence) -> tuple[str, str]:
    """The MX set with a TTL of an hour, and where it stands."""
    mx, domain = evidence.snapshot.mx, str(evidence.snapshot.domain)
    records = mx.records if isinstance(mx, Found) else ()
    mend = "\n".join(_record(domain, 3600, "MX", f"{each.preference} {each.exchange}.") for each in records)
    return mend, where(evidence, domain, "MX")


def _record(owner: str, ttl_s: int, kind: str, value: str) -> str:
    return f"{owner}. {ttl_s} IN {kind} {value}"


def _days(seconds: int) -> str:
    return f"{seconds / 86_400:.3g} days"


_WIRE = frozenset({Need.WIRE})
_DRIFT = frozenset({Need.DRIFT})

RULES: tuple[Rule, ...] = (
    Rule(
        "mx-ttl-low",
        Severity.NOTE,
        Topic.DNS,
        f"The MX set lives less than {MIN_TTL_S} seconds",
        "Every message then waits for DNS, and mail stops as soon as the name servers do. It gains little: senders go "
        "on to the next exchanger by themselves.",
        (_PRACTICE, Source("RFC 1035", "3.2.1", is_checked=False)),
        mx_ttl_low,
    ),
    Rule(
        "mx-ttl-high",
        Severity.NOTE,
        Topic.DNS,
        "The MX set lives longer than a day",
        "Senders ask an exchanger that is gone until the set expires from their caches. Mail is retried for days, but "
        "moving to other servers takes as long as this.",
        (_PRACTICE, Source("RFC 1912", "2.2", is_checked=False)),
        mx_ttl_high,
    ),
    Rule(
        "address-ttl-high",
        Severity.NOTE,
        Topic.DNS,
        "An address of an exchanger lives longer than a day",
        "To withdraw a dead server takes the longer of the two TTLs, that of the MX set and that of the address.",
        (_PRACTICE, Source("RFC 1912", "2.2", is_checked=False)),
        address_ttl_high,
    ),
    Rule(
        "ttl-mixed",
        Severity.WARNING,
        Topic.DNS,
        "Records of one set have different TTLs",
        "A cache that keeps part of a set shows senders an exchanger less. Resolvers take the lowest, so the others "
        "mean nothing.",
        (Source("RFC 2181", "5.2"),),
        ttl_mixed,
    ),
    Rule(
        "answer-truncated",
        Severity.WARNING,
        Topic.DNS,
        f"An answer does not fit into {SAFE_OCTETS} octets",
        "It is sent cut, and asked for again over TCP. Where a firewall stops DNS over TCP there is no exchanger.",
        (Source("RFC 9715"), Source("RFC 7766", "5", is_checked=False)),
        answer_truncated,
        _WIRE,
    ),
    Rule(
        "answer-over-512",
        Severity.NOTE,
        Topic.DNS,
        f"An answer does not fit into {PLAIN_OCTETS} octets",
        "Old resolvers without EDNS must ask again over TCP.",
        (Source("RFC 1035", "4.2.1", is_checked=False), Source("RFC 6891", "6.2.3", is_checked=False)),
        answer_over_512,
        _WIRE,
    ),
    Rule(
        "ns-single",
        Severity.WARNING,
        Topic.DNS,
        "The domain has one name server",
        "When it is away nobody finds the exchangers, however many there are.",
        (Source("RFC 1034", "4.1"),),
        ns_single,
        frozenset({Need.SERVERS}),
    ),
    Rule(
        "ns-one-network",
        Severity.NOTE,
        Topic.DNS,
        "All name servers stand in one network",
        "What cuts off one cuts off all. Servers reached by anycast are an exception that an address does not show.",
        (Source("RFC 2182", "3.1"),),
        ns_one_network,
        frozenset({Need.SERVERS}),
    ),
    Rule(
        "ns-no-answer",
        Severity.WARNING,
        Topic.DNS,
        "A name server gives no answer",
        "Each look-up that tries it first waits for seconds, and there is a server less than the zone says.",
        (Source("RFC 1034", "4.1"),),
        ns_no_answer,
        _DRIFT,
    ),
    Rule(
        "ns-lame",
        Severity.WARNING,
        Topic.DNS,
        "A name server does not serve the domain",
        "It is asked in vain, or gives an old answer out of its cache.",
        (Source("RFC 1912", "2.8", is_checked=False),),
        ns_lame,
        _DRIFT,
    ),
    Rule(
        "ns-mx-differ",
        Severity.WARNING,
        Topic.DNS,
        "The name servers give different MX sets",
        "Which exchangers a sender sees is chance. Part of the mail goes where it went before the last change.",
        (Source("RFC 1034", "4.3.5", is_checked=False), _PRACTICE),
        ns_mx_differ,
        _DRIFT,
    ),
    Rule(
        "ns-serials-differ",
        Severity.NOTE,
        Topic.DNS,
        "The name servers hold different versions of the zone",
        "For a few minutes after a change that is as it should be; later it means that zone transfers fail, and the "
        "next change of the MX set will not arrive.",
        (Source("RFC 1034", "4.3.5", is_checked=False),),
        ns_serials_differ,
        _DRIFT,
    ),
    *REVERSE,
)
