"""Order, counts and sentences, the same in every form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from postroad.rules import Checked, Finding, Place, Rule, Severity
from postroad.words.phrasebook import counted
from postroad.words.visible import defused

INCONCLUSIVE = "inconclusive"
RANKS = (Severity.ERROR, Severity.WARNING, Severity.NOTE, Severity.INFO)  # worst first

Rules = Mapping[str, Rule]


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings about one thing, worst first: the domain, a preference, an exchanger or an address.

    `is_ok`: it is an address, and nothing was found about it, under whatever name, nor about its exchanger.
    """

    place: Place
    findings: tuple[Finding, ...]
    is_ok: bool = False

    @property
    def depth(self) -> int:
        """How far in it lies: 0 the domain, 1 a preference, 2 an exchanger, 3 an address."""
        return sum(part is not None for part in (self.place.preference, self.place.exchange, self.place.address))

    @property
    def title(self) -> str:
        """What it is called, where those around it are named above."""
        place = self.place
        name = place.domain if self.depth == 0 else f"preference {place.preference}"
        return defused((name, name, place.exchange or ".", str(place.address))[self.depth])

    def beside(self, finding: Finding) -> str:
        """What of a finding's place the title does not tell."""
        return "" if where(finding.place) == where(self.place) else where(finding.place)


def word(finding: Finding) -> str:
    """How bad, in one word; `inconclusive` where nothing could be seen."""
    return INCONCLUSIVE if finding.inconclusive else finding.severity.value


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity, what is inconclusive last; among equals in the order found."""
    return tuple(sorted(findings, key=lambda each: (each.inconclusive, RANKS.index(each.severity))))


def counts(result: Checked) -> dict[str, int]:
    """How many findings there are of each word, worst first, and how many are accepted."""
    seen = Counter(word(finding) for finding in result.findings)
    return {each: seen[each] for each in (*RANKS, INCONCLUSIVE)} | {"accepted": len(result.accepted)}


def total(results: Iterable[Checked]) -> dict[str, int]:
    """The counts of all results together."""
    summed: Counter[str] = Counter()
    for result in results:
        summed.update(counts(result))
    return {each: summed[each] for each in (*RANKS, INCONCLUSIVE, "accepted")}


def tell(numbers: Mapping[str, int]) -> str:
    """Counts in words: "1 error, 2 warnings", or "nothing found"."""
    plain = {INCONCLUSIVE, "accepted", Severity.INFO}
    told = [
        f"{count} {name if name in plain or count == 1 else name + 's'}" for name, count in numbers.items() if count
    ]
    found = any(count for name, count in numbers.items() if name != "accepted")
    return ", ".join(told if found else ["nothing found", *told])


def summary(result: Checked) -> str:
    """The domain in one line."""
    return f"{defused(result.domain)}: {tell(counts(result))}; {shape_of(result)}"


def overall(results: Sequence[Checked]) -> str:
    """All domains in one line."""
    return f"{counted(len(results), 'domain')}: {tell(total(results))}"


def shape_of(result: Checked) -> str:
    """How the set of records is made up."""
    servers = [server for server in result.servers if server.exchange]
    if not servers:
        return "no mail" if result.servers else "no MX records"  # the null MX is a record without a name
    levels = len({server.preference for server in servers})
    addresses = {address for server in servers for address in server.addresses}
    return ", ".join(
        (
            counted(levels, "preference level"),
            counted(len({server.exchange for server in servers}), "exchanger"),
            counted(len(addresses), "address", "es"),
        )
    )


def groups(result: Checked) -> list[FindingGroup]:
    """The findings under what they are about, in the order of delivery; each server is there, with or without any."""
    about: dict[Place, list[Finding]] = {}
    for finding in result.findings:
        about.setdefault(_spot(result, finding.place), []).append(finding)
    spots = dict.fromkeys(spot for place in (*_places(result), *about) for spot in _path(place))
    rank = {spot: index for index, spot in enumerate(spots)}
    order = sorted(spots, key=lambda spot: (_level(spot), [rank[each] for each in _path(spot)]))
    troubled = {spot.address or spot.exchange for spot in about if spot.address or spot.exchange}

    def is_ok(spot: Place) -> bool:
        return spot.address is not None and troubled.isdisjoint({spot.address, spot.exchange})

    return [FindingGroup(spot, worst_first(about.get(spot, ())), is_ok(spot)) for spot in order]


def _places(result: Checked) -> list[Place]:
    """Each exchanger and address the records name."""
    servers = [Place(result.domain, server.preference, server.exchange) for server in result.servers]
    return [
        place
        for server, host in zip(result.servers, servers, strict=True)
        for place in (host, *(replace(host, address=address) for address in server.addresses))
    ]


def _path(place: Place) -> list[Place]:
    """The place, and all it lies within, outermost first."""
    path = [Place(place.domain)]
    if place.preference is not None:
        path.append(replace(path[0], preference=place.preference))
        if place.exchange is not None:
            path.append(replace(path[1], exchange=place.exchange))
            if place.address is not None:
                path.append(place)
    return path


def _level(place: Place) -> int:
    return -1 if place.preference is None else place.preference


def _spot(result: Checked, place: Place) -> Place:
    """Where a finding is shown: its place if all that lies around it is known, else the domain."""
    levels = [server.preference for server in result.servers if server.exchange == place.exchange]
    preference = place.preference if place.preference is not None or not levels else levels[0]
    if preference is None or (place.exchange is None and place.address is not None):
        return Place(result.domain)
    return Place(result.domain, preference, place.exchange, place.address)


def where(place: Place) -> str:
    """A place in one line."""
    parts = [place.exchange or ("." if place.exchange == "" else None), f"[{place.address}]" if place.address else None]
    named = " ".join(part for part in parts if part)
    return defused(named or (f"preference {place.preference}" if place.preference is not None else place.domain))


def sources(rule: Rule | None) -> str:
    """Where a rule comes from, in one line."""
    return "; ".join(map(str, rule.sources)) if rule else ""


def why(rule: Rule) -> str:
    """Why it matters, in one line."""
    return " ".join(rule.why.split())


def fixes(finding: Finding) -> list[str]:
    """The zone lines that fix it, harmless."""
    return [defused(line.expandtabs()) for line in finding.fix.splitlines() if line.strip()]


def time_of(epoch: float) -> str:
    """A moment as ISO 8601 has it, in UTC, without its zone."""
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%S")


def file_and_line(line: str) -> tuple[str, int] | None:
    """The two halves of `file:line`, if it is one."""
    file, _, number_ = line.rpartition(":")
    return (file, int(number_)) if file and number_.isdecimal() and int(number_) else None
