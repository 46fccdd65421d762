"""What `route`, `lookup` and `send` are made of."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from postroad.build.chooser import Chooser, follow
from postroad.gather import Demands, Policies, gather, gather_demands, gather_demands_of_hosts, gather_more
from postroad.routing import (
    PROCEDURES,
    Dice,
    Odds,
    Own,
    Plan,
    Refusal,
    Route,
    RoutePolicy,
    StaticRoute,
    Status,
    draw,
    noted,
    odds,
)
from postroad.tls import AUTO, Override
from postroad.words.facts import NoData
from postroad.words.mail import Mailbox, Recipient, domain_of
from postroad.words.names import Destination
from postroad.words.outcome import Outcome, Result
from postroad.words.phrasebook import listing
from postroad.words.snapshot import Snapshot
from postroad.words.trace import Listener, nobody
from postroad.words.trail import Attempt

if TYPE_CHECKING:
    from postroad.deliver import DeliverSettings, Pool
    from postroad.dialogue import Message
    from postroad.dns import Resolver

NEVER = float("inf")
_NOT_ROUTED = "DNS did not say where mail goes before the time limit for the whole delivery was up"

_MOST_SHOWN = 10
"""Outcomes in a repr: it is a line of a log."""

_WORST_FIRST = (Result.FAILED, Result.DEFERRED, Result.DELIVERED)

SEED_BITS = 48  # long enough that no two messages share one, short enough to read out


@dataclass(frozen=True, slots=True)
class Routed:
    """The result of `route`: what DNS said, the route or refusal, exact odds, and one order drawn with `seed`.

    `by` is the route of the settings that was taken, if any. `demands` has what TLS has to prove, and why.
    """

    destination: Destination
    snapshot: Snapshot
    answer: Route | Refusal
    policy: RoutePolicy
    seed: int
    odds: Odds | None = None
    plan: Plan = field(default_factory=lambda: Plan(()))
    by: StaticRoute | None = None
    demands: Demands = field(default_factory=Demands)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result for the recipients of one destination: how it was routed, and the attempt."""

    recipients: tuple[Mailbox, ...]
    routed: Routed
    attempt: Attempt


@dataclass(frozen=True, slots=True, repr=False)
class Sent:
    """The result of `send`: one delivery for each destination. Its repr is a line for people."""

    deliveries: tuple[Delivery, ...]

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What became of the message for each recipient."""
        return {
            str(mailbox): outcome
            for delivery in self.deliveries
            for mailbox, outcome in zip(delivery.recipients, delivery.attempt.outcomes, strict=True)
        }

    def __repr__(self) -> str:
        """Who has it and who has not, and for what reason."""
        told = sorted((each for delivery in self.deliveries for each in _in_words(delivery)), key=_worst_first)
        shown = [f"{outcome.result} {listing(names, 3)}: {outcome.text}" for outcome, names in told[:_MOST_SHOWN]]
        shown += [f"and {len(told) - _MOST_SHOWN:,} more outcomes"] if len(told) > _MOST_SHOWN else []
        return f"<Sent: {'; '.join(shown)}>"

    @property
    def result(self) -> Result:
        """Failed if any recipient failed, else deferred if any is, else delivered."""
        results = {outcome.result for outcome in self.outcomes.values()}
        return next((worst for worst in _WORST_FIRST if worst in results), Result.DELIVERED)


@dataclass(frozen=True, slots=True)
class Mailer:
    """Everything needed to route, look up and deliver, built once. It keeps no state but its resolver's and its pool's.

    `override_of` is what we ask of TLS on a route of the settings, None for no route. `policies` knows those of
    MTA-STS; None: they are not asked for.
    """

    resolver: Resolver
    policy: RoutePolicy = PROCEDURES["rfc5321"]
    own: Own = field(default_factory=Own)
    deliver: DeliverSettings | None = None  # None: the usual ones
    listener: Listener = nobody
    chooser: Chooser | None = None  # None: no routes of settings
    override_of: Callable[[StaticRoute | None], Override] = lambda _route: AUTO
    policies: Policies | None = None
    pool: Pool | None = None  # of connections that rest between messages; None: each message has its own

    async def lookup(self, destination: Destination) -> Snapshot:
        """All that DNS says of a domain and its exchangers, with name servers and reverse names."""
        return await gather_more(await gather(destination, self.resolver), self.resolver)

    async def route(self, destination: Destination, seed: int | None = None, named: str = "") -> Routed:
        """Where mail for a destination goes, and one drawn order; `named` is the route of the settings to take."""
        seed = secrets.randbits(SEED_BITS) if seed is None else seed
        picked = (await self.chooser.choose(destination, named)).picked if self.chooser else None
        if isinstance(picked, Refusal):
            return Routed(destination, Snapshot(destination, NoData()), picked, self.policy, seed)
        by = picked.route if picked else None
        found = await follow(by, destination, self.resolver, self.policy, self.own, partial(self._demands, by))
        answer = noted(found.answer, picked.route, picked.why) if picked else found.answer
        routed = Routed(destination, found.snapshot, answer, self.policy, seed, by=by, demands=found.demands)
        if isinstance(answer, Refusal):
            return routed
        return replace(routed, odds=odds(answer, self.policy), plan=draw(answer, self.policy, Dice(seed)))

    async def _demands(self, by: StaticRoute | None, snapshot: Snapshot, named: Sequence[str]) -> Demands:
        """What a connection to each exchanger has to be, or to each of these hosts."""
        override = self.override_of(by)
        if named:
            return await gather_demands_of_hosts(named, snapshot.hosts, self.resolver, override, self.policies)
        return await gather_demands(snapshot, self.resolver, override, self.policies)

    async def send(
        self, message: Message, seed: int | None = None, *, timeout_s: float | None = None, at_once: int = 1
    ) -> Sent:
        """Deliver a message now, straight to the exchangers of each recipient's domain; nothing is queued.

        So many destinations are under way at once. What is not done within `timeout_s` seconds is deferred.
        """
        recipients = sorted(message.envelope.recipients, key=lambda recipient: domain_of(recipient.mailbox))
        parts = [tuple(group) for _, group in groupby(recipients, key=lambda recipient: domain_of(recipient.mailbox))]
        until = NEVER if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        places = asyncio.Semaphore(at_once)

        async def deliver(part: tuple[Recipient, ...]) -> Delivery:
            async with places:
                return await self._part(message, part, seed, until)

        return Sent(tuple(await asyncio.gather(*map(deliver, parts))))

    async def _part(self, message: Message, part: tuple[Recipient, ...], seed: int | None, until: float) -> Delivery:
        """Deliver it to the recipients of one destination."""
        destination = part[0].mailbox.domain
        try:
            async with asyncio.timeout_at(None if until == NEVER else until):
                routed = await self.route(destination, seed)
        except TimeoutError:
            answer = Refusal(destination, Status.TEMPORARY, Result.DEFERRED, "4.4.7", _NOT_ROUTED)
            routed = Routed(destination, Snapshot(destination, NoData()), answer, self.policy, seed or 0)
        done = await self.attempt(replace(message, envelope=replace(message.envelope, recipients=part)), routed, until)
        return Delivery(tuple(recipient.mailbox for recipient in part), routed, done)

    async def attempt(self, message: Message, routed: Routed, until: float = NEVER) -> Attempt:
        """Try to deliver once to recipients of one destination, as it was routed."""
        if isinstance(routed.answer, Refusal):
            return routed.answer.attempt(len(message.envelope.recipients))
        from postroad import deliver  # noqa: PLC0415  # 100 ms, for who only asks

        plan = deliver.plan_for(message.envelope, routed.plan)
        job = deliver.Job(message, routed.destination, plan, routed.seed, until)
        settings = self.deliver or deliver.DeliverSettings()
        if self.pool is None:
            return await deliver.attempt(job, settings, self.listener)
        return await deliver.attempt_again(job, settings, self.listener, self.pool)


def _in_words(delivery: Delivery) -> Iterable[tuple[Outcome, list[str]]]:
    """What became of the recipients of one destination: the outcomes that there are, and of whom."""
    told: dict[Outcome, list[str]] = {}
    for mailbox, outcome in zip(delivery.recipients, delivery.attempt.outcomes, strict=True):
        told.setdefault(outcome, []).append(str(mailbox))
    return told.items()


def _worst_first(told: tuple[Outcome, list[str]]) -> int:
    return _WORST_FIRST.index(told[0].result)
