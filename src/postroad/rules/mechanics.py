"""DNS mechanics: how long answers live, how large they are, and whether the name servers agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeVar

from postroad.rules import limits
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity, unknown
from postroad.rules.lines import remove, where, zone_line
from postroad.rules.places import addresses_of, exchangers, facts_of, is_own, site, whole
from postroad.rules.rule import Need, Topic, rule
from postroad.words.facts import Answer, Bogus, Found, Mx, Said, Temporary
from postroad.words.names import Address
from postroad.words.phrasebook import duration, listing

T = TypeVar("T")


def _ttl_s(evidence: Evidence, answer: Answer[T]) -> int | None:
    """The TTL the zone states. What a resolver gives counts down, so it tells only how long it is at least."""
    return answer.ttl_s if isinstance(answer, Found) and evidence.lines else None


def _mx_ttl_s(evidence: Evidence) -> int | None:
    stated = [said.mx.ttl_s for said in evidence.said or () if said.is_authoritative and isinstance(said.mx, Found)]
    return max(stated) if stated else _ttl_s(evidence, evidence.snapshot.mx)


@rule(
    "mx-ttl-low",
    Severity.NOTE,
    Topic.DNS,
    f"The TTL of the MX set is below {limits.MIN_TTL_S} seconds",
    why="Every message then waits for DNS, and mail stops as soon as the name servers do. Little is gained: senders "
    "move on to the next exchanger anyway.",
    source="practice; RFC 1035 3.2.1",
)
def mx_ttl_low(evidence: Evidence) -> Iterator[Seen]:
    ttl_s = _mx_ttl_s(evidence)
    if ttl_s is not None and ttl_s < limits.MIN_TTL_S:
        seen = f"the TTL of the MX set is {ttl_s} s: nearly every message looks it up again"
        yield Seen(whole(evidence), seen, *_fixed(evidence))


@rule(
    "mx-ttl-high",
    Severity.NOTE,
    Topic.DNS,
    "The TTL of the MX set is longer than a day",
    why="Senders keep contacting an exchanger that is gone until the set expires from their caches. Mail is retried "
    "for days, but a move to other servers takes as long as this TTL.",
    source="practice",
)
def mx_ttl_high(evidence: Evidence) -> Iterator[Seen]:
    ttl_s = _mx_ttl_s(evidence)
    if ttl_s is None and isinstance(evidence.snapshot.mx, Found):
        ttl_s = evidence.snapshot.mx.ttl_s
    if ttl_s is not None and ttl_s > limits.MAX_TTL_S:
        seen = f"the TTL of the MX set is {duration(ttl_s)}: senders keep using a removed exchanger for that long"
        yield Seen(whole(evidence), seen, *_fixed(evidence))


@rule(
    "address-ttl-high",
    Severity.NOTE,
    Topic.DNS,
    "The TTL of an exchanger's address is longer than a day",
    why="Withdrawing a dead server takes the longer of two TTLs: that of the MX set and that of the address.",
    source="practice",
)
def address_ttl_high(evidence: Evidence) -> Iterator[Seen]:
    for place in exchangers(evidence):
        facts = evidence.snapshot.hosts.get(str(place.exchange))
        for kind, answer in (("A", facts.a), ("AAAA", facts.aaaa)) if facts else ():
            if isinstance(answer, Found) and answer.ttl_s > limits.MAX_TTL_S:
                seen = f"the TTL of the {kind} records of {place.exchange} is {duration(answer.ttl_s)}"
                records = answer.records if is_own(evidence, place.exchange) else ()
                fix = "\n".join(_record(str(place.exchange), 3600, kind, str(each)) for each in records)
                line = where(evidence, str(place.exchange), kind)
                yield Seen(place, seen, fix, line)


@rule(
    "ttl-mixed",
    Severity.WARNING,
    Topic.DNS,
    "Records of one set have different TTLs",
    why="A cache that keeps only part of a set hides an exchanger from senders. Resolvers use the lowest TTL, so the "
    "others have no effect.",
    source="RFC 2181 5.2",
)
def ttl_mixed(evidence: Evidence) -> Iterator[Seen]:
    for (name, kind), ttls in sorted(_ttls(evidence).items()):
        if len(ttls) > 1:
            seen = f"the {kind} records of {name} have TTLs of {listing(map(str, sorted(ttls)))} s"
            values = [line.value for line in evidence.lines if (line.owner, line.kind) == (name, kind)]
            dot = "." if kind == "MX" else ""
            fix = "\n".join(_record(name, max(ttls), kind, f"{value}{dot}") for value in values)
            general = f"; give all {kind} records of {name} the same TTL, such as {max(ttls)}"
            yield Seen(whole(evidence), seen, fix or general, where(evidence, name, kind))


def _ttls(evidence: Evidence) -> dict[tuple[str, str], set[int]]:
    """The TTLs of each set a sender needs: as the lines of zone files state them, and as answers had them."""
    domain = str(evidence.snapshot.domain)
    wanted = {(str(place.exchange), kind) for place in exchangers(evidence) for kind in ("A", "AAAA")} | {
        (domain, "MX")
    }
    sets: dict[tuple[str, str], set[int]] = defaultdict(set)
    for line in evidence.lines:
        if line.ttl_s is not None and (line.owner, line.kind) in wanted:
            sets[line.owner, line.kind].add(line.ttl_s)
    for wire in evidence.wire or ():
        sets[wire.name, wire.kind].update(wire.ttls)
    return sets


@rule(
    "answer-truncated",
    Severity.WARNING,
    Topic.DNS,
    f"An answer does not fit into {limits.SAFE_OCTETS} octets",
    why="It is truncated and asked for again over TCP. Behind a firewall that blocks DNS over TCP, senders find no "
    "exchanger.",
    source="RFC 9715; RFC 7766 5",
    needs=(Need.WIRE,),
    no_fix="only the owner can choose which records to drop or which names to shorten",
)
def answer_truncated(evidence: Evidence) -> Iterator[Seen]:
    for wire in evidence.wire or ():
        if wire.is_cut or wire.octets > limits.SAFE_OCTETS:
            seen = f"the {wire.kind} answer for {wire.name} has {wire.octets} octets: it needs TCP"
            yield Seen(whole(evidence), seen)


@rule(
    "answer-over-512",
    Severity.NOTE,
    Topic.DNS,
    f"An answer does not fit into {limits.PLAIN_OCTETS} octets",
    why="Old resolvers without EDNS have to ask again over TCP.",
    source="RFC 1035 4.2.1; RFC 6891 6.2.3",
    needs=(Need.WIRE,),
    no_fix="only the owner can choose which records to drop or which names to shorten",
)
def answer_over_512(evidence: Evidence) -> Iterator[Seen]:
    for wire in evidence.wire or ():
        if not wire.is_cut and limits.PLAIN_OCTETS < wire.octets <= limits.SAFE_OCTETS:
            seen = f"the {wire.kind} answer for {wire.name} has {wire.octets} octets: without EDNS it needs TCP"
            yield Seen(whole(evidence), seen)


@rule(
    "ns-single",
    Severity.WARNING,
    Topic.DNS,
    "The domain has only one name server",
    why="When it is down nobody can find the exchangers, however many there are.",
    source="RFC 1034 4.1",
    needs=(Need.SERVERS,),
)
def ns_single(evidence: Evidence) -> Iterator[Seen]:
    servers = evidence.snapshot.servers
    if isinstance(servers, Found) and len(set(servers.records)) == 1:
        domain = evidence.snapshot.domain
        seen = f"{servers.records[0]} is the only name server of {domain}"
        fix = zone_line(str(domain), "NS", "<a second name server, in another network>.")
        yield Seen(whole(evidence), seen, fix, where(evidence, str(domain), "NS"))


@rule(
    "ns-one-network",
    Severity.NOTE,
    Topic.DNS,
    "All name servers are in one network",
    why="Whatever cuts off one cuts off all. Anycast servers are an exception that the addresses do not show.",
    source="RFC 2182 3.1",
    needs=(Need.SERVERS,),
    no_fix="a name server has to move to another network first",
)
def ns_one_network(evidence: Evidence) -> Iterator[Seen]:
    servers = _server_addresses(evidence)
    networks = {_network(address) for each in servers.values() for address in each}
    versions = {each.partition(":")[0] for each in networks}
    if len(servers) > 1 and all(servers.values()) and len(networks) == len(versions):
        where_all = " and ".join(sorted(each.partition(":")[2] for each in networks))
        seen = f"all name servers are in {where_all}: if one line breaks, nobody can find the exchangers"
        yield Seen(whole(evidence), seen)


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
    return f"{address.version}:{site(address)}"


@rule(
    "ns-no-answer",
    Severity.WARNING,
    Topic.DNS,
    "A name server does not answer",
    why="Look-ups that try it first are delayed by seconds, and the domain has one name server fewer than its zone "
    "says.",
    source="RFC 1034 4.1",
    needs=(Need.DRIFT,),
    no_fix="the name server has to be repaired",
)
def ns_no_answer(evidence: Evidence) -> Iterator[Seen]:
    asked = evidence.said or ()
    silent = [said for said in asked if _is_silent(said)]
    if silent and len(silent) == len(asked):
        yield unknown(whole(evidence), "no name server could be asked from here")
        return
    for said in silent:
        if said.address.version == 6 and not evidence.reach.ipv6:
            yield unknown(whole(evidence), f"{_server(said)} was not asked: no IPv6 from here")
        else:
            seen = f"{_server(said)} does not answer: {said.why or getattr(said.mx, 'why', '')}"
            yield Seen(whole(evidence), seen)


@rule(
    "ns-lame",
    Severity.WARNING,
    Topic.DNS,
    "A name server does not serve the domain",
    why="Asking it is useless, or returns an old answer from its cache.",
    source="RFC 1912 2.8",
    needs=(Need.DRIFT,),
)
def ns_lame(evidence: Evidence) -> Iterator[Seen]:
    for said in evidence.said or ():
        if not _is_silent(said) and not said.is_authoritative:
            seen = f"{_server(said)} is listed as a name server, but its answers are not authoritative"
            fix = remove(zone_line(str(evidence.snapshot.domain), "NS", f"{said.server}."))
            yield Seen(whole(evidence), seen, fix)


@rule(
    "ns-mx-differ",
    Severity.WARNING,
    Topic.DNS,
    "The name servers give different MX sets",
    why="Which exchangers a sender sees is a matter of luck: part of the mail still goes where it went before the "
    "last change.",
    source="RFC 1034 4.3.5; practice",
    needs=(Need.DRIFT,),
    no_fix="the zone has to be transferred to all its name servers",
)
def ns_mx_differ(evidence: Evidence) -> Iterator[Seen]:
    stories: dict[str, list[str]] = defaultdict(list)
    for said in _authoritative(evidence):
        stories[_told(said)].append(said.server)
    if len(stories) > 1:
        seen = "; ".join(f"{', '.join(sorted(set(who)))}: {what}" for what, who in sorted(stories.items()))
        yield Seen(whole(evidence), f"the name servers disagree: {seen}")


@rule(
    "ns-serials-differ",
    Severity.NOTE,
    Topic.DNS,
    "The name servers hold different versions of the zone",
    why="For a few minutes after a change that is normal; later it means that zone transfers fail and the next change "
    "of the MX set will not arrive.",
    source="RFC 1034 4.3.5",
    needs=(Need.DRIFT,),
    no_fix="the zone has to be transferred to all its name servers",
)
def ns_serials_differ(evidence: Evidence) -> Iterator[Seen]:
    serials: dict[int, list[str]] = defaultdict(list)
    for said in _authoritative(evidence):
        if said.serial is not None:
            serials[said.serial].append(said.server)
    if len(serials) > 1 and len({_told(said) for said in _authoritative(evidence)}) == 1:
        seen = "; ".join(f"{serial} at {', '.join(sorted(set(who)))}" for serial, who in sorted(serials.items()))
        yield Seen(whole(evidence), f"the zone has serials {seen}")


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


def _fixed(evidence: Evidence) -> tuple[str, str]:
    """The MX set with a TTL of an hour, and where it stands."""
    mx, domain = evidence.snapshot.mx, str(evidence.snapshot.domain)
    records = mx.records
    fix = "\n".join(_record(domain, 3600, "MX", f"{each.preference} {each.exchange}.") for each in records)
    return fix, where(evidence, domain, "MX")


def _record(owner: str, ttl_s: int, kind: str, value: str) -> str:
    return f"{owner}. {ttl_s} IN {kind} {value}"
