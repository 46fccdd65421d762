"""What a domain's records mean for mail: Snapshot -> Route or Refusal, one small function for each rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain, groupby, zip_longest

from postroad.routing.own import Own, embedded
from postroad.routing.policy import PROCEDURES, RoutePolicy
from postroad.words.facts import Answer, Bogus, Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.names import Address, AddressLiteral, Destination, is_address_like, to_unicode
from postroad.words.outcome import Outcome, Result, Scope
from postroad.words.snapshot import Snapshot
from postroad.words.tls import OPPORTUNISTIC, Demand
from postroad.words.trail import Attempt


class Status(StrEnum):
    """Whether there is a way, and if not, why not."""

    OK = "ok"
    NULL_MX = "null-mx"
    NO_SUCH_DOMAIN = "no-such-domain"
    NO_ADDRESS = "no-address"
    TEMPORARY = "temporary"
    LOOP = "loop"


class Source(StrEnum):
    """The source of a list of exchangers."""

    MX = "mx"
    IMPLICIT = "implicit"  # no MX: the domain's own address, preference 0 (RFC 5321 section 5.1)
    LITERAL = "literal"
    STATIC = "static"  # named in our own settings


class DropReason(StrEnum):
    """The reason why an exchanger or one of its addresses is not used."""

    NULL_MX = "null-mx"
    IP_LITERAL = "ip-literal"
    DUPLICATE_NAME = "duplicate-name"
    DUPLICATE_ADDRESS = "duplicate-address"
    OWN_HOST = "own-host"
    NOT_BETTER_THAN_OWN = "not-better-than-own"
    NO_SUCH_NAME = "no-such-name"
    NO_ADDRESS = "no-address"
    TEMPORARY = "temporary"
    NOT_LOOKED_UP = "not-looked-up"
    LOOPBACK = "loopback"
    UNSPECIFIED = "unspecified"
    LINK_LOCAL = "link-local"
    NOT_UNICAST = "not-unicast"
    FAMILY = "family"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Dropped:
    """An exchanger (address None), or one address of it, that is not used, and why."""

    exchange: str
    address: Address | None
    preference: int
    reason: DropReason
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on something that is used all the same: an alias, a family that did not answer."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Exchanger:
    """A host that takes mail for a domain, with its usable addresses in the order they are tried.

    `weight` is its part among its equals, 1 for everything DNS names; `port` is another than the usual one. Only
    static routes set them. `demand` is what a connection to it has to be.
    """

    name: str
    addresses: tuple[Address, ...]
    weight: int = 1
    port: int | None = None
    demand: Demand = OPPORTUNISTIC


@dataclass(frozen=True, slots=True)
class Level:
    """The usable exchangers of one preference, in the order DNS gave them."""

    preference: int
    exchangers: tuple[Exchanger, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Levels of usable exchangers by ascending preference, with what was left out and why."""

    destination: Destination
    source: Source
    levels: tuple[Level, ...]
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[Note, ...] = ()

    status = Status.OK


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why there is no route, and whether mail is deferred or failed, with its enhanced status (RFC 3463).

    `for_sender` as in Outcome.
    """

    destination: Destination
    status: Status
    result: Result
    enhanced: str
    text: str
    source: Source | None = None
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[Note, ...] = ()
    for_sender: str = ""

    def attempt(self, recipients: int) -> Attempt:
        """The attempt that this ends without any contact, for so many recipients."""
        outcome = Outcome(self.result, Scope.DOMAIN, self.text, self.enhanced, for_sender=self.for_sender)
        return Attempt(self.destination, (outcome,) * recipients, (), None, 0.0)


@dataclass
class _Draft:
    """A list of exchangers in the making: each rule takes from `mx` or `hosts` and says so in `dropped` or `notes`."""

    snapshot: Snapshot
    policy: RoutePolicy
    own: Own
    source: Source
    mx: list[Mx]
    demands: Mapping[str, Demand]
    hosts: list[tuple[Mx, tuple[Address, ...]]] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def drop(self, record: Mx, reason: DropReason, text: str, address: Address | None = None) -> None:
        """Leave an exchanger or one address out, with the reason."""
        self.dropped.append(Dropped(record.exchange, address, record.preference, reason, text))

    def demand(self, record: Mx) -> Demand:
        """What a connection to an exchanger has to be."""
        return self.demands.get(record.exchange, OPPORTUNISTIC)


NO_DEMANDS: Mapping[str, Demand] = {}


def decide(
    snapshot: Snapshot,
    policy: RoutePolicy = PROCEDURES["rfc5321"],
    own: Own = Own(),  # noqa: B008  # frozen
    demands: Mapping[str, Demand] = NO_DEMANDS,
) -> Route | Refusal:
    """The route to a domain by RFC 5321 section 5.1, or a typed refusal. Never raises for what DNS said.

    `demands` has what a connection has to be, by the name of the exchanger, where that is anything but the usual.
    Nobody is left out or moved for it: who cannot meet it is refused in its turn, behind the cut of our own host.
    """
    if isinstance(snapshot.domain, AddressLiteral):
        return _literal(
            _Draft(snapshot, policy, own, Source.LITERAL, [Mx(0, str(snapshot.domain))], demands), snapshot.domain
        )
    match snapshot.mx:
        case Temporary(why) | Bogus(why):
            # "If a temporary error is returned, the message MUST be queued and retried later", RFC 5321 section 5.1
            text = f"the mail exchangers of {snapshot.domain} cannot be looked up now: {why}"
            return Refusal(snapshot.domain, Status.TEMPORARY, Result.DEFERRED, "4.4.3", text)
        case Found(records=records) if records:
            ranked = sorted(records, key=lambda record: record.preference)
            return _explicit(_Draft(snapshot, policy, own, Source.MX, ranked, demands), snapshot)
        case _:
            draft = _Draft(snapshot, policy, own, Source.IMPLICIT, [Mx(0, snapshot.domain)], demands)
            return _implicit(draft, snapshot, snapshot.domain)


def _explicit(draft: _Draft, snapshot: Snapshot) -> Route | Refusal:
    _note_alias(
        draft, snapshot.mx, "alias-owner", str(snapshot.domain), "its MX records are used (RFC 5321 section 5.1)"
    )
    if all(record.exchange == "" for record in draft.mx):
        # RFC 7505 section 4.1: the null MX says the domain takes no mail, and the status for it is 5.1.10
        text = f"{snapshot.domain} accepts no mail: its only MX is the null MX (RFC 7505)"
        return Refusal(
            snapshot.domain, Status.NULL_MX, Result.FAILED, "5.1.10", text, Source.MX, (), tuple(draft.notes)
        )
    _drop_null(draft)
    _drop_literals(draft)
    _drop_duplicate_names(draft)
    return _finish(draft)


def _implicit(draft: _Draft, snapshot: Snapshot, domain: str) -> Route | Refusal:
    facts = snapshot.hosts.get(domain)
    if isinstance(snapshot.mx, NoName) and facts and isinstance(facts.a, NoName) and isinstance(facts.aaaa, NoName):
        text = f"the domain {to_unicode(domain)} does not exist (NXDOMAIN)"
        return Refusal(domain, Status.NO_SUCH_DOMAIN, Result.FAILED, "5.1.2", text)
    why = "it has no MX record, so its own address is the exchanger, with preference 0 (RFC 5321 section 5.1)"
    draft.notes.append(Note("implicit-mx", f"{domain}: {why}"))
    if isinstance(snapshot.mx, NoName):
        # Some name servers answer NXDOMAIN for types they do not know; an address that exists speaks for itself.
        draft.notes.append(Note("nxdomain-ignored", f"{domain}: NXDOMAIN for MX is believed only if A and AAAA say so"))
    return _finish(draft)


def _literal(draft: _Draft, literal: AddressLiteral) -> Route | Refusal:
    draft.hosts = [(draft.mx[0], (literal.address,))]
    return _settle(draft)


def _finish(draft: _Draft) -> Route | Refusal:
    _cut_own_names(draft)
    _find_addresses(draft)
    return _settle(draft)


def _settle(draft: _Draft) -> Route | Refusal:
    _cut_own_addresses(draft)
    _drop_unusable(draft)
    _drop_duplicate_addresses(draft)
    return _route(draft) if draft.hosts else _refuse(draft)


def _drop_null(draft: _Draft) -> None:
    # RFC 7505 section 3: a null MX must stand alone. Beside others it is a slip of the zone; the others are meant.
    for record in [record for record in draft.mx if record.exchange == ""]:
        draft.mx.remove(record)
        draft.drop(record, DropReason.NULL_MX, "a null MX next to other MX records is ignored (RFC 7505 section 3)")


def _drop_literals(draft: _Draft) -> None:
    for record in [record for record in draft.mx if is_address_like(record.exchange)]:
        draft.mx.remove(record)
        text = "an MX must name a host, not an IP address (RFC 5321 section 5.1); give the address a name"
        draft.drop(record, DropReason.IP_LITERAL, text)


def _drop_duplicate_names(draft: _Draft) -> None:
    first: dict[str, Mx] = {}
    for record in draft.mx:
        if first.setdefault(record.exchange, record) is not record:
            text = f"already listed with preference {first[record.exchange].preference}"
            draft.drop(record, DropReason.DUPLICATE_NAME, text)
    draft.mx = list(first.values())


def _cut_own_names(draft: _Draft) -> None:
    mine = [record for record in draft.mx if not draft.own.names.isdisjoint(_names(draft, record))]
    if mine:
        _cut(draft, min(record.preference for record in mine), {record.exchange for record in mine})


def _names(draft: _Draft, record: Mx) -> Iterator[str]:
    """All names of an exchanger: as listed, the aliases it goes by, and the canonical one at their end."""
    yield record.exchange
    facts = draft.snapshot.hosts.get(record.exchange)
    for answer in (facts.a, facts.aaaa) if facts else ():
        if isinstance(answer, Found | NoData | NoName):
            yield from answer.aliases
        if isinstance(answer, Found):
            yield answer.name


def _cut_own_addresses(draft: _Draft) -> None:
    mine = [record for record, addresses in draft.hosts if any(map(draft.own.is_exchanger, addresses))]
    if mine:
        _cut(draft, min(record.preference for record in mine), {record.exchange for record in mine})


def _cut(draft: _Draft, preference: int, own_names: set[str]) -> None:
    # RFC 5321 section 5.1: "all records at that preference level and higher-numbered ones MUST be discarded"
    for record in [record for record in draft.mx if record.preference >= preference]:
        draft.mx.remove(record)
        if record.exchange in own_names:
            draft.drop(record, DropReason.OWN_HOST, "this is our own host (RFC 5321 section 5.1)")
        else:
            text = (
                f"not better than our own host at {preference}: mail sent there could come back (RFC 5321 section 5.1)"
            )
            draft.drop(record, DropReason.NOT_BETTER_THAN_OWN, text)
    draft.hosts = [(record, addresses) for record, addresses in draft.hosts if record.preference < preference]


def _find_addresses(draft: _Draft) -> None:
    for record in draft.mx:
        facts = draft.snapshot.hosts.get(record.exchange)
        if facts is None:
            draft.drop(record, DropReason.NOT_LOOKED_UP, "not looked up: the domain has more exchangers than the limit")
            continue
        addresses = _addresses(draft, record, facts)
        if addresses:
            _note_host(draft, record, facts)
            draft.hosts.append((record, addresses))
        elif not any(drop.exchange == record.exchange and drop.address for drop in draft.dropped):
            draft.drop(record, *why_no_address(facts))


def _addresses(draft: _Draft, record: Mx, facts: HostFacts) -> tuple[Address, ...]:
    """The addresses in the order they are tried, those of a family that is disabled said to be so."""
    by_version: Mapping[int, Sequence[Address]] = {4: facts.a.records, 6: facts.aaaa.records}
    for version, addresses in by_version.items():
        if version not in draft.policy.families:
            for address in addresses:
                draft.drop(record, DropReason.FAMILY, f"IPv{version} is disabled", address)
    return in_turn(facts, draft.policy.families)


def in_turn(facts: HostFacts, families: tuple[int, ...]) -> tuple[Address, ...]:
    """The addresses of a host: families in turn, the preferred one first (RFC 8305 section 4)."""
    by_version: Mapping[int, Sequence[Address]] = {4: facts.a.records, 6: facts.aaaa.records}
    rows = zip_longest(*(by_version[version] for version in families))
    return tuple(dict.fromkeys(address for address in chain.from_iterable(rows) if address is not None))


def why_no_address(facts: HostFacts) -> tuple[DropReason, str]:
    """Why a host has no address that can be used, for programs and for people."""
    for answer in (facts.a, facts.aaaa):
        if isinstance(answer, Temporary | Bogus):
            return DropReason.TEMPORARY, f"its addresses cannot be looked up now: {answer.why}"
    if isinstance(facts.a, NoName) and isinstance(facts.aaaa, NoName):
        return DropReason.NO_SUCH_NAME, "the name does not exist (NXDOMAIN)"
    # "that domain name, when queried, MUST return at least one address record", RFC 5321 section 5.1
    return DropReason.NO_ADDRESS, "the name has no address (RFC 5321 section 5.1)"


def _note_host(draft: _Draft, record: Mx, facts: HostFacts) -> None:
    for family, answer in (("A", facts.a), ("AAAA", facts.aaaa)):
        if isinstance(answer, Temporary | Bogus):
            text = f"{record.exchange}: {family} cannot be looked up now ({answer.why}); the other family answers"
            draft.notes.append(Note("family-temporary", text))
    answered = facts.a if isinstance(facts.a, Found) else facts.aaaa
    kind = "alias-owner" if draft.source is Source.IMPLICIT else "alias-target"
    _note_alias(
        draft, answered, kind, record.exchange, "followed, though an MX must not name one (RFC 2181 section 10.3)"
    )


def _note_alias(draft: _Draft, answer: Answer[object], kind: str, name: str, remark: str) -> None:
    if isinstance(answer, Found) and answer.aliases:
        if kind == "alias-owner":
            remark = "the records of the name it stands for are used (RFC 5321 section 5.1)"
        draft.notes.append(Note(kind, f"{name} is an alias of {answer.name}: {remark}"))


def _drop_unusable(draft: _Draft) -> None:
    kept = []
    for record, addresses in draft.hosts:
        usable = []
        for address in addresses:
            fault = target_fault(address, allow_loopback=draft.policy.allow_loopback or draft.snapshot.in_lab)
            if fault:
                draft.drop(record, *fault, address)
            else:
                usable.append(address)
        if usable:
            kept.append((record, tuple(usable)))
    draft.hosts = kept


def target_fault(address: Address, *, allow_loopback: bool) -> tuple[DropReason, str] | None:
    """Why an address is no place to connect to. Haraka was sent in circles by such records (its issue 2809)."""
    plain = embedded(address)
    if plain.is_unspecified or (plain.version == 4 and plain.packed[0] == 0):
        return DropReason.UNSPECIFIED, "the unspecified address reaches only this machine"
    if plain.is_loopback and not allow_loopback:
        return DropReason.LOOPBACK, "a loopback address reaches only this machine"
    if plain.is_link_local:  # 169.254.169.254 is where clouds keep the secrets of a machine
        return DropReason.LINK_LOCAL, "a link-local address reaches only the network this machine is in"
    if plain.is_multicast or (plain.version == 4 and plain.packed[0] >= 240):
        return DropReason.NOT_UNICAST, "not the address of one host that can be reached from elsewhere"
    return None


def _drop_duplicate_addresses(draft: _Draft) -> None:
    """Leave out addresses that a better preference has already: tried there, they are not tried again.

    Under another name what they have to prove may be another: then it is another try.
    """
    seen: dict[tuple[Address, Demand], Mx] = {}
    kept = []
    for _preference, group in groupby(draft.hosts, key=lambda host: host[0].preference):
        level = list(group)
        for record, addresses in level:
            demand = draft.demand(record)
            fresh = tuple(address for address in addresses if (address, demand) not in seen)
            for address in addresses:
                if first := seen.get((address, demand)):
                    text = f"the same address as {first.exchange} with preference {first.preference}"
                    draft.drop(record, DropReason.DUPLICATE_ADDRESS, text, address)
            if fresh:
                kept.append((record, fresh))
        for record, addresses in level:
            for address in addresses:
                seen.setdefault((address, draft.demand(record)), record)
    draft.hosts = kept


def _route(draft: _Draft) -> Route:
    levels = tuple(
        Level(preference, tuple(_exchanger(draft, record, addresses) for record, addresses in group))
        for preference, group in groupby(draft.hosts, key=lambda host: host[0].preference)
    )
    return Route(draft.snapshot.domain, draft.source, levels, tuple(draft.dropped), tuple(draft.notes))


def _exchanger(draft: _Draft, record: Mx, addresses: tuple[Address, ...]) -> Exchanger:
    return Exchanger(record.exchange, addresses, demand=draft.demand(record))


def _refuse(draft: _Draft) -> Refusal:
    domain = draft.snapshot.domain
    refusal = Refusal(
        domain,
        Status.NO_ADDRESS,
        Result.FAILED,
        # "If MX records are present, but none of them are usable [...] this situation MUST be reported as an error"
        "5.4.4",
        f"{domain} has no usable mail exchanger: {_summary(draft.dropped)}",
        draft.source,
        tuple(draft.dropped),
        tuple(draft.notes),
    )
    own = [drop.preference for drop in draft.dropped if drop.reason is DropReason.OWN_HOST]
    unknown = [drop.preference for drop in draft.dropped if drop.reason is DropReason.TEMPORARY]
    if unknown and (not own or min(unknown) < min(own)):
        text = f"no mail exchanger of {domain} can be found now: {_summary(draft.dropped)}"
        return replace(refusal, status=Status.TEMPORARY, result=Result.DEFERRED, enhanced="4.4.3", text=text)
    if own:
        text = f"mail for {domain} loops back to this host: it is the best exchanger listed (RFC 5321 section 5.1)"
        return replace(refusal, status=Status.LOOP, enhanced="5.4.6", text=text)
    return refusal


def _summary(dropped: Iterable[Dropped]) -> str:
    parts = [f"{drop.exchange}{f' [{drop.address}]' if drop.address else ''}: {drop.text}" for drop in dropped]
    return "; ".join(parts[:3]) + (f"; and {len(parts) - 3} more" if len(parts) > 3 else "")
