"""A scenario three times: rehearsed by the pure walk, performed for real in the lab, and forecast. All must agree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from postroad.build import (
    Chooser,
    Mailer,
    Routed,
    build_message,
    build_policy,
    opportunistic_tls,
    resolver_at,
    zone_resolver,
)
from postroad.deliver import DeliverSettings
from postroad.gather import gather_demands
from postroad.lab import Lab, NoExchangerError, lab_trust
from postroad.routing import Dice, Refusal, Route, RoutePolicy, decide, draw
from postroad.scenarios.folder import Scenario, story
from postroad.simulation.own import OwnSender
from postroad.smtp import Timeouts
from postroad.words.inputs import InputError
from postroad.words.mail import Mailbox
from postroad.words.policies import StsKnown, StsPolicy
from postroad.words.trail import Attempt

CONTENT = b"From: sender@lab.invalid\r\nSubject: a scenario\r\n\r\nWhat happens to this?\r\n"


Mailboxes = tuple[Mailbox, ...]

Act = Callable[[Routed, Mailboxes], Awaitable[Attempt]]
"""A way to come to the attempt that a route means: worked out, made, or foretold."""


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """One seed of a scenario: what is expected, rehearsed, performed and forecast.

    `forecast` is the way that the seed's draw takes through the graph of the simulation.
    """

    seed: int
    expected: str
    rehearsed: str
    performed: str
    forecast: str
    attempt: Attempt

    @property
    def agrees(self) -> bool:
        """Whether all are the same."""
        return self.expected == self.rehearsed == self.performed == self.forecast


async def stage(scenario: Scenario) -> tuple[ScenarioRun, ...]:
    """Every seed of a scenario, rehearsed, performed and forecast.

    Raises:
        InputError: the zone cannot be read, or a fault is of an address that it does not name.

    """
    return tuple([await _take(scenario, seed) for seed in scenario.seeds])


async def _take(scenario: Scenario, seed: int) -> ScenarioRun:
    """A lab of its own for each take: what an exchanger remembers must not matter."""
    loaded = zone_resolver([scenario.zone])
    try:
        made = Lab(loaded.zone_data, faults=scenario.faults, tls=scenario.tls)
    except NoExchangerError as problem:
        raise InputError(f"{scenario.zone.with_name('faults')}: {problem}") from None
    async with made as lab:
        mailer = _mailer(scenario, lab)

        async def rehearse(routed: Routed, to: Mailboxes) -> Attempt:
            return _own(scenario, lab, mailer.policy, len(to)).rehearse(routed.answer, routed.plan)

        async def perform(routed: Routed, to: Mailboxes) -> Attempt:
            message = build_message(CONTENT, str(scenario.sender), [str(mailbox) for mailbox in to])
            return await mailer.attempt(message, routed)

        async def foretell(routed: Routed, to: Mailboxes) -> Attempt:
            return _own(scenario, lab, mailer.policy, len(to)).foretell(routed.answer, routed.plan)

        rehearsed, performed, forecast = [
            await _followed(scenario, mailer, seed, act) for act in (rehearse, perform, foretell)
        ]
    expected = scenario.expected.get(seed, "nothing is expected")
    return ScenarioRun(seed, expected, _told(rehearsed), _told(performed), _told(forecast), performed[0][1])


async def _followed(scenario: Scenario, mailer: Mailer, seed: int, act: Act) -> list[tuple[str, Attempt]]:
    """The attempt, and one more for each route that refused mail takes in turn, each with the name of its route."""
    named, to, attempts = "", scenario.recipients, list[tuple[str, Attempt]]()
    while to:
        routed = await _demanding(scenario, mailer, await mailer.route(to[0].domain, seed + len(attempts), named))
        done = await act(routed, to)
        attempts.append((named, done))
        rule = routed.by.on_reject if routed.by else None
        refused = rule.refused(done) if rule else frozenset()
        named, to = rule.route if rule else "", tuple(each for index, each in enumerate(to) if index in refused)
    return attempts


@dataclass(frozen=True, slots=True)
class _Knows:
    """Who knows the policy of the scenario's domain."""

    policy: StsPolicy

    async def known(self, _domain: str) -> StsKnown:
        return StsKnown(self.policy)


async def _demanding(scenario: Scenario, mailer: Mailer, routed: Routed) -> Routed:
    """What is routed, under the policy of the scenario: that is for exchangers of DNS, not for our own hosts."""
    if scenario.sts is None or routed.by or isinstance(routed.answer, Refusal):
        return routed
    demands = await gather_demands(routed.snapshot, mailer.resolver, policies=_Knows(scenario.sts))
    answer = decide(routed.snapshot, mailer.policy, demands=demands.by_exchanger)
    assert isinstance(answer, Route)  # noqa: S101  # a demand takes no exchanger out of a route
    return replace(routed, answer=answer, plan=draw(answer, mailer.policy, Dice(routed.seed)))


def _told(attempts: list[tuple[str, Attempt]]) -> str:
    return "; ".join(f"by {named}: {story(done)}" if named else story(done) for named, done in attempts)


def _own(scenario: Scenario, lab: Lab, policy: RoutePolicy, recipients: int) -> OwnSender:
    return OwnSender(
        {lab.moved.get(address, address): fault for address, fault in scenario.faults.items()},
        policy,
        scenario.walk,
        scenario.connect_timeout_s,
        tls=scenario.tls,
        turns=False,  # one message, from a mailer that is new
        recipients=recipients,
    )


def _mailer(scenario: Scenario, lab: Lab) -> Mailer:
    settings = DeliverSettings(
        hostname="stage.lab.invalid",
        port=lab.port,
        timeouts=Timeouts(connect_s=scenario.connect_timeout_s),
        walk=scenario.walk,
        tls=opportunistic_tls() if scenario.tls else None,
        trust=lab_trust(),
    )
    resolver = resolver_at(*lab.resolver_address)
    policy = build_policy(scenario.procedure, allow_loopback=True)
    return Mailer(resolver, policy, deliver=settings, chooser=Chooser(scenario.routes, resolver))
