"""What protects mail on its way to a domain: what DANE and MTA-STS demand, and what its exchangers prove now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from postroad.build import Mailer, Routed, opportunistic_tls, system_trust
from postroad.dialogue import ClientSettings, HostError, Session
from postroad.dns import Resolver, WireSettings, ZoneResolver
from postroad.examine.certificate import read_certificate
from postroad.gather import Policies, PublishedPolicies, RefreshedPolicies, RelayPolicies, why_dane_is_off
from postroad.net import NetError, connect
from postroad.routing import Exchanger, Refusal, Route
from postroad.smtp import Timeouts
from postroad.tls import END_ENTITY, Override, StsKept, Trust, matches, tlsa_faults, usable, why_untrusted
from postroad.words.facts import Bogus, Found, HostFacts, Temporary, Tlsa, is_authentic
from postroad.words.names import Address, Destination
from postroad.words.outcome import Phase, Result
from postroad.words.policies import DaneFacts, StsKnown, StsPolicy, StsPublished
from postroad.words.sessions import Certificate
from postroad.words.tls import OPPORTUNISTIC, Demand, Proof, TlsLevel

SMTP_PORT = 25
AT_ONCE = 16  # sessions
MOST_ADDRESSES = 100  # that are contacted for one domain
CONNECT_S, REPLY_S, GREETING_S = 10.0, 20.0, 30.0  # as a visit of `check` has them


class TlsResult(StrEnum):
    """What would happen to mail at an address."""

    PROVEN = "proven"  # it goes, and the host has shown who it is
    ENCRYPTED = "encrypted"  # it goes, to whoever is there
    CLEAR = "clear"  # it goes, for everybody to read
    PASSED_OVER = "passed-over"  # it does not go there: what is demanded is not met
    UNKNOWN = "unknown"  # it cannot be said: the host does not answer, or takes no mail now
    NOT_ASKED = "not-asked"  # it was not contacted


GOES = (TlsResult.PROVEN, TlsResult.ENCRYPTED, TlsResult.CLEAR)


class TlsVerdict(StrEnum):
    """What would happen to mail for a domain."""

    GOES = "goes"
    GOES_ELSEWHERE = "goes-elsewhere"  # some exchangers are passed over
    WAITS = "waits"  # all are passed over
    NO_ROUTE = "no-route"
    UNKNOWN = "unknown"
    NOT_ASKED = "not-asked"


@dataclass(frozen=True, slots=True)
class AddressSeen:
    """What an address of an exchanger showed, and what would happen to mail there.

    `is_secure`: DNSSEC vouches for it. `shown` are its certificates in DER, `certificate` what the first one says.
    """

    address: Address
    is_secure: bool
    result: TlsResult
    why: str
    tls: str | None = None
    proof: Proof | None = None
    shown: tuple[bytes, ...] = ()
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class TlsaSeen:
    """A TLSA record: why it does not count, if it does not; addresses whose certificate it matches, and others."""

    record: Tlsa
    why_not: str = ""
    matches: tuple[Address, ...] = ()
    differs: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class ExchangerSeen:
    """An exchanger: what a connection to it has to be, on which grounds, and what its addresses showed.

    `refreshed` is what a connection will have to be once the relay has refreshed its policy, if that is something else.
    """

    preference: int
    name: str
    demand: Demand
    dane: DaneFacts
    addresses: tuple[AddressSeen, ...]
    tlsa: tuple[TlsaSeen, ...] = ()
    refreshed: Demand | None = None

    @property
    def result(self) -> TlsResult:
        """The best that may happen at one of its addresses: all of them are tried."""
        return min((each.result for each in self.addresses), key=list(TlsResult).index)


@dataclass(frozen=True, slots=True)
class PolicySeen:
    """What a policy domain has of MTA-STS: the policy that counts, and what is published, if we looked for that.

    `kept` is what the relay has in its spool, `refreshed` the policy that its next refresh will put in its place;
    `unheard` says why nothing is known of the policy that is published.
    """

    domain: str
    known: StsKnown
    published: StsPublished | Temporary | Bogus | None = None
    kept: StsKept | None = None
    refreshed: StsPolicy | None = None
    unheard: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether what the domain announces does not work: nobody who looks today has its policy."""
        faults = self.published.record_faults if isinstance(self.published, StsPublished) else ()
        return bool(self.known.failure) or any(fault.is_fatal for fault in faults)


@dataclass(frozen=True, slots=True)
class Protection:
    """What protects mail to a domain, as it was at a time.

    `dane_off` is a sentence, if DANE is off here; so is `kept_unknown`, if nobody can say what the relay has kept.
    """

    destination: Destination
    routed: Routed
    override: Override
    exchangers: tuple[ExchangerSeen, ...]
    policies: tuple[PolicySeen, ...]
    dane_off: str
    at: float
    kept_unknown: str = ""

    @property
    def answer(self) -> Route | Refusal:
        """Where mail goes."""
        return self.routed.answer

    @property
    def is_mx_secure(self) -> bool:
        """Whether DNSSEC vouches for the MX records, or that there are none."""
        return is_authentic(self.routed.snapshot.mx)

    @property
    def verdict(self) -> TlsVerdict:
        """What would happen to mail."""
        results = [each.result for each in self.exchangers]
        if not results:
            return TlsVerdict.NO_ROUTE
        if any(result in GOES for result in results):
            return TlsVerdict.GOES_ELSEWHERE if TlsResult.PASSED_OVER in results else TlsVerdict.GOES
        if TlsResult.UNKNOWN in results:
            return TlsVerdict.UNKNOWN
        return TlsVerdict.NOT_ASKED if TlsResult.NOT_ASKED in results else TlsVerdict.WAITS

    @property
    def has_findings(self) -> bool:
        """Whether mail is kept from an exchanger, or the protection that the domain announces does not work."""
        results = [each.result for exchanger in self.exchangers for each in exchanger.addresses]
        is_undeliverable = isinstance(self.answer, Refusal) and self.answer.result is Result.FAILED
        return is_undeliverable or TlsResult.PASSED_OVER in results or any(each.is_broken for each in self.policies)

    @property
    def is_conclusive(self) -> bool:
        """Whether all that matters could be seen."""
        is_unknown = any(
            each.result is TlsResult.UNKNOWN for exchanger in self.exchangers for each in exchanger.addresses
        )
        is_deferred = isinstance(self.answer, Refusal) and self.answer.result is Result.DEFERRED
        is_policy_unknown = any(isinstance(each.published, Temporary | Bogus) for each in self.policies)
        return not (is_unknown or is_deferred or is_policy_unknown or self.kept_unknown)


@dataclass(frozen=True, slots=True)
class LookSettings:
    """The terms of a look: whether to connect, as whom, and whom to trust. `asked` are the name servers, if any."""

    asked: WireSettings | None = None
    connects: bool = True
    port: int = SMTP_PORT
    hostname: str = ""
    trust: Trust = field(default_factory=system_trust)


async def look(
    destination: Destination, mailer: Mailer, settings: LookSettings, seen_one: Callable[[], None] = lambda: None
) -> Protection:
    """Ask for all of it, and show in one session for each address what it proves. No mail is sent.

    `seen_one` is called after each address.
    """
    routed, dane_off = await asyncio.gather(mailer.route(destination), _why_dane_is_off(mailer.resolver, settings))
    answer = routed.answer
    seen = await _look_at_all(answer, routed, settings, seen_one) if isinstance(answer, Route) else ()
    after, why_not = await _after_refresh(mailer, routed), ""
    seen = tuple(replace(each, refreshed=after.get(each.name)) for each in seen)
    if isinstance(mailer.policies, RelayPolicies):
        why_not = mailer.policies.why_not
    policies = tuple(_policy_seen(str(domain), known, mailer.policies) for domain, known in routed.demands.sts.items())
    override = mailer.override_of(routed.by)
    return Protection(destination, routed, override, seen, policies, dane_off, time.time(), why_not)


def _policy_seen(domain: str, known: StsKnown, policies: Policies | None) -> PolicySeen:
    if isinstance(policies, PublishedPolicies):
        return PolicySeen(domain, known, policies.seen.get(domain))
    if not isinstance(policies, RelayPolicies):
        return PolicySeen(domain, known)
    seen, kept = policies.published.seen.get(domain), policies.kept.get(domain)
    refreshed, unheard = policies.refreshed.get(domain, StsKnown()).policy, policies.unheard.get(domain, "")
    return PolicySeen(domain, known, seen, kept, refreshed, unheard)


async def _after_refresh(mailer: Mailer, routed: Routed) -> Mapping[str, Demand]:
    """What connections will have to be once the relay has refreshed its policies, where that is something else."""
    if not isinstance(mailer.policies, RelayPolicies) or not mailer.policies.refreshed:
        return {}
    after = replace(mailer, policies=RefreshedPolicies(routed.demands.sts, mailer.policies.refreshed))
    demands, now = (await after.route(routed.destination)).demands.by_exchanger, routed.demands.by_exchanger
    return {name: demand for name, demand in demands.items() if demand != now.get(name)}


async def _why_dane_is_off(resolver: Resolver, settings: LookSettings) -> str:
    if isinstance(resolver, ZoneResolver):
        unsigned = "DANE is off: none of these zones has a DNSKEY record, so they count as unsigned"
        return "" if resolver.zone_data.is_any_signed else unsigned
    return (await why_dane_is_off(resolver, settings.asked) or "") if settings.asked else ""


async def _look_at_all(
    route: Route, routed: Routed, settings: LookSettings, seen_one: Callable[[], None]
) -> tuple[ExchangerSeen, ...]:
    room, look_at = asyncio.Semaphore(AT_ONCE), _Look(settings)
    places = [(level.preference, each) for level in route.levels for each in level.exchangers]
    addresses = [(each, address) for _, each in places for address in each.addresses]

    async def seen(exchanger: Exchanger, address: Address) -> AddressSeen:
        async with room:
            is_secure = _is_secure(routed.snapshot.hosts.get(exchanger.name), address)
            found = await look_at(exchanger, address, is_secure=is_secure)
        seen_one()
        return found

    few = addresses[:MOST_ADDRESSES]
    found = await asyncio.gather(*(seen(*each) for each in few))
    by_place = dict(zip(((each.name, address) for each, address in few), found, strict=True))
    return tuple(
        _exchanger_seen(preference, each, routed.demands.dane.get(each.name, DaneFacts()), by_place)
        for preference, each in places
        if any((each.name, address) in by_place for address in each.addresses)
    )


def _exchanger_seen(
    preference: int, exchanger: Exchanger, dane: DaneFacts, found: Mapping[tuple[str, Address], AddressSeen]
) -> ExchangerSeen:
    addresses = tuple(
        found[exchanger.name, address] for address in exchanger.addresses if (exchanger.name, address) in found
    )
    return ExchangerSeen(preference, exchanger.name, exchanger.demand, dane, addresses, _tlsa_seen(dane, addresses))


def _tlsa_seen(dane: DaneFacts, addresses: tuple[AddressSeen, ...]) -> tuple[TlsaSeen, ...]:
    """Each record: whether it counts, and what it matches."""
    if not isinstance(dane.tlsa, Found):
        return ()
    counting = usable(dane.tlsa.records)
    told = []
    for record in dane.tlsa.records:
        fault = next(tlsa_faults(record), "")
        why_not = f"it {fault}" if fault else "" if record in counting else "a stronger digest is there"
        of = {each.address: _matches(record, each.shown) for each in addresses if each.shown}
        same, other = (tuple(address for address, is_same in of.items() if is_same is want) for want in (True, False))
        told.append(TlsaSeen(record, why_not, same, other))
    return tuple(told)


def _matches(record: Tlsa, shown: tuple[bytes, ...]) -> bool:
    """Whether it is the certificate itself, or under usage 2 one that it is signed by (RFC 7671 section 5)."""
    return any(matches(record, each) for each in (shown[:1] if record.usage == END_ENTITY else shown))


def _is_secure(facts: HostFacts | None, address: Address) -> bool:
    return facts is not None and is_authentic(facts.a if address.version == 4 else facts.aaaa)


class _Look:
    """One session with an address, up to where the first recipient would be named."""

    def __init__(self, settings: LookSettings) -> None:
        self._settings = settings
        self._client = ClientSettings(
            hostname=settings.hostname,
            tls=opportunistic_tls(),
            trust=settings.trust,
            timeouts=Timeouts(greeting_s=GREETING_S, ehlo_s=REPLY_S, starttls_s=REPLY_S, quit_s=1.0),
        )

    async def __call__(self, exchanger: Exchanger, address: Address, *, is_secure: bool) -> AddressSeen:
        demand = exchanger.demand
        if not self._settings.connects:
            result = TlsResult.PASSED_OVER if demand.missed else TlsResult.NOT_ASKED
            return AddressSeen(
                address, is_secure, result, demand.missed.why if demand.missed else "it was not contacted"
            )
        try:
            stream = await connect(address, exchanger.port or self._settings.port, timeout_s=CONNECT_S)
        except NetError as problem:
            return AddressSeen(address, is_secure, *_unheard(demand, problem.why))
        # What cannot be met is not asked for: the certificate is of interest all the same
        session = Session(stream, self._client, exchanger.name, OPPORTUNISTIC if demand.missed else demand)
        lost: HostError | None = None
        try:
            await session.greet()
            await session.hello()
        except HostError as problem:
            lost = problem
        shown = session.certificates
        await session.quit()
        result, why = _result(demand, session, lost)
        certificate = self._read(shown) if shown else None
        return AddressSeen(address, is_secure, result, why, session.tls, session.proof, shown, certificate)

    def _read(self, shown: tuple[bytes, ...]) -> Certificate:
        return read_certificate(shown[0], why_untrusted(shown, self._settings.trust, time.time()))


def _unheard(demand: Demand, why: str) -> tuple[TlsResult, str]:
    return (TlsResult.PASSED_OVER, demand.missed.why) if demand.missed else (TlsResult.UNKNOWN, why)


def _result(demand: Demand, session: Session, lost: HostError | None) -> tuple[TlsResult, str]:
    """What would happen to mail, and why."""
    if demand.missed:
        return TlsResult.PASSED_OVER, demand.missed.why
    if lost and lost.phase is Phase.STARTTLS:
        why = lost.outcome.text
        return (TlsResult.CLEAR, f"TLS fails ({why})") if demand.allows_clear else (TlsResult.PASSED_OVER, why)
    if lost:
        return TlsResult.UNKNOWN, f"at {lost.phase}: {lost.outcome.text}"
    if session.tls is None:
        return TlsResult.CLEAR, "the settings leave TLS alone" if not demand.uses_tls else "the host does not start TLS"
    proof = session.proof
    return (TlsResult.PROVEN if proof.level is TlsLevel.PROVEN else TlsResult.ENCRYPTED), proof.how
