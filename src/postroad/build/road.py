"""What `route`, `lookup` and `send` are made of."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from postroad.gather import gather, gather_more
from postroad.net import host_name
from postroad.routing import PROCEDURES, Dice, Odds, Own, Plan, Refusal, Route, RoutePolicy, decide, draw, odds
from postroad.words.facts import Snapshot
from postroad.words.inputs import InputError, readable
from postroad.words.mail import Envelope, Mailbox, Recipient, domain_of, parse_mailbox
from postroad.words.names import Destination, parse_address, parse_domain
from postroad.words.outcome import Outcome, Result
from postroad.words.trace import Listener, nobody
from postroad.words.trail import Attempt

if TYPE_CHECKING:
    from email.message import EmailMessage

    from postroad.deliver import DeliverSettings
    from postroad.dialogue import Message
    from postroad.dns import Resolver

T = TypeVar("T")

SEED_BITS = 48  # long enough that no two messages share one, short enough to read out


@dataclass(frozen=True, slots=True)
class Routed:
    """The answer to `route`: what DNS said, the route or refusal, exact odds, and one order drawn with `seed`."""

    destination: Destination
    snapshot: Snapshot
    answer: Route | Refusal
    policy: RoutePolicy
    seed: int
    odds: Odds | None = None
    plan: Plan = field(default_factory=lambda: Plan(()))


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was done for the recipients of one destination: how it was routed, and the attempt."""

    recipients: tuple[Mailbox, ...]
    routed: Routed
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer to `send`: one delivery for each destination."""

    deliveries: tuple[Delivery, ...]

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What became of the message for each recipient."""
        return {
            str(mailbox): outcome
            for delivery in self.deliveries
            for mailbox, outcome in zip(delivery.recipients, delivery.attempt.outcomes, strict=True)
        }

    @property
    def result(self) -> Result:
        """Failed if any recipient failed, else deferred if any is, else delivered."""
        results = {outcome.result for outcome in self.outcomes.values()}
        return next((worst for worst in (Result.FAILED, Result.DEFERRED) if worst in results), Result.DELIVERED)


@dataclass(frozen=True, slots=True)
class Road:
    """Everything built: ask it for routes, look-ups and deliveries. It keeps no state but its resolver's cache."""

    resolver: Resolver
    policy: RoutePolicy = PROCEDURES["rfc5321"]
    own: Own = field(default_factory=Own)
    deliver: DeliverSettings | None = None  # None: the usual ones
    listener: Listener = nobody

    async def lookup(self, destination: Destination) -> Snapshot:
        """All that DNS says of a domain and its exchangers, with name servers and reverse names."""
        return await gather_more(await gather(destination, self.resolver), self.resolver)

    async def route(self, destination: Destination, seed: int | None = None) -> Routed:
        """Where mail for a destination goes, and one drawn order."""
        seed = secrets.randbits(SEED_BITS) if seed is None else seed
        snapshot = await gather(destination, self.resolver)
        answer = decide(snapshot, self.policy, self.own)
        routed = Routed(destination, snapshot, answer, self.policy, seed)
        if isinstance(answer, Refusal):
            return routed
        return replace(routed, odds=odds(answer, self.policy), plan=draw(answer, self.policy, Dice(seed)))

    async def send(self, message: Message, seed: int | None = None) -> Sent:
        """Deliver a message now, straight to the exchangers of each recipient's domain; nothing is queued."""
        recipients = sorted(message.envelope.recipients, key=lambda recipient: domain_of(recipient.mailbox))
        deliveries = []
        for _domain, group in groupby(recipients, key=lambda recipient: domain_of(recipient.mailbox)):
            part = tuple(group)
            routed = await self.route(part[0].mailbox.domain, seed)
            done = await self._attempt(replace(message, envelope=replace(message.envelope, recipients=part)), routed)
            deliveries.append(Delivery(tuple(recipient.mailbox for recipient in part), routed, done))
        return Sent(tuple(deliveries))

    async def _attempt(self, message: Message, routed: Routed) -> Attempt:
        if isinstance(routed.answer, Refusal):
            return routed.answer.attempt(len(message.envelope.recipients))
        from postroad.deliver import DeliverSettings, Job, attempt  # noqa: PLC0415  # 100 ms, for who only asks

        job = Job(message, routed.destination, routed.plan, routed.seed)
        return await attempt(job, self.deliver or DeliverSettings(), self.listener)


def build_resolver(zones: Sequence[str | Path] = (), servers: Sequence[str] = ()) -> Resolver:
    """Zone files answer without any network; else the servers given as ADDRESS[:PORT]; else the system's.

    Raises:
        InputError: a zone file or a server address cannot be read.

    """
    from postroad import dns  # noqa: PLC0415  # what is not asked need not be loaded

    if zones:
        loaded = dns.load_zones([Path(zone) for zone in zones])
        if isinstance(loaded, dns.ZoneProblem):
            raise InputError(str(loaded))
        return loaded
    chosen = tuple(readable(dns.parse_server(text)) for text in servers) or dns.system_servers()
    if not chosen:
        raise InputError("no name server is configured on this machine; name one with --resolver ADDRESS:PORT")
    return dns.CachingResolver(dns.WireResolver(dns.WireSettings(chosen)), time.monotonic)


def build_own(items: Iterable[str] = ()) -> Own:
    """Who we are: the names and addresses given, and this machine's full name.

    Raises:
        InputError: an item is neither a domain name nor an IP address.

    """
    names, addresses = {host_name()} - {""}, set()
    for item in items:
        address = parse_address(item)
        if address:
            addresses.add(address)
        else:
            names.add(readable(parse_domain(item)))
    return Own(frozenset(names), frozenset(addresses))


def build_policy(procedure: str, *, allow_loopback: bool = False) -> RoutePolicy:
    """One of the four procedures by name.

    Raises:
        InputError: there is no such procedure.

    """
    if procedure not in PROCEDURES:
        raise InputError(f"no procedure {procedure!r}; there are {', '.join(PROCEDURES)}")
    return replace(PROCEDURES[procedure], allow_loopback=allow_loopback)


def build_message(content: bytes | str | EmailMessage, sender: str | None, recipients: Iterable[str]) -> Message:
    """A message with its envelope. Bare line ends become CRLF, NULs go: SMTP takes neither.

    Raises:
        InputError: an address cannot be read, or there is no recipient.

    """
    reverse_path = readable(parse_mailbox(sender)) if sender else None
    mailboxes = [readable(parse_mailbox(recipient)) for recipient in recipients]
    if not mailboxes:
        raise InputError("no recipient is given")
    from postroad.dialogue import Message  # noqa: PLC0415  # as above
    from postroad.smtp import canonical  # noqa: PLC0415  # as above

    octets = canonical(_octets(content))
    needs_utf8 = any(box.needs_smtputf8 for box in (*mailboxes, reverse_path) if box)
    unique = tuple(Recipient(mailbox) for mailbox in dict.fromkeys(mailboxes))
    envelope = Envelope(reverse_path, unique, smtputf8=needs_utf8, eight_bit=not octets.isascii())
    return Message(envelope, octets)


def _octets(content: bytes | str | EmailMessage) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    from email.policy import SMTP  # noqa: PLC0415  # as above

    return content.as_bytes(policy=SMTP)
