"""A scenario three times: rehearsed by the pure walk, performed for real in the lab, and forecast. All must agree."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from postroad.build import (
    Chooser,
    Mailer,
    Routed,
    build_message,
    build_own,
    build_policy,
    opportunistic_tls,
    policies_of,
    resolver_at,
    zone_resolver,
)
from postroad.deliver import DeliverSettings
from postroad.gather import HTTPS_PORT
from postroad.lab import AUTHORITY, Lab, NoExchangerError, authority_file, lab_trust
from postroad.routing import RoutePolicy
from postroad.scenarios.folder import Scenario, story
from postroad.simulation.own import OwnSender
from postroad.smtp import Timeouts
from postroad.tls import judge
from postroad.words.inputs import InputError
from postroad.words.mail import Mailbox
from postroad.words.tls import IN_CLEAR
from postroad.words.trail import Attempt, Target

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
    async with _lab(scenario) as lab:
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


def _lab(scenario: Scenario) -> Lab:
    loaded, domain = zone_resolver([scenario.zone]), str(scenario.recipients[0].domain)
    try:
        return Lab(
            loaded.zone_data,
            faults=scenario.faults,
            tls=scenario.tls is not None and not scenario.certificates,
            certificates=scenario.certificates,
            policies={domain: scenario.policy} if scenario.policy else None,
        )
    except NoExchangerError as problem:
        raise InputError(f"{scenario.zone.with_name('faults')}: {problem}") from None


async def _followed(scenario: Scenario, mailer: Mailer, seed: int, act: Act) -> list[tuple[str, Attempt]]:
    """The attempt, and one more for each route that refused mail takes in turn, each with the name of its route."""
    named, to, attempts = "", scenario.recipients, list[tuple[str, Attempt]]()
    while to:
        routed = await mailer.route(to[0].domain, seed + len(attempts), named)
        done = await act(routed, to)
        attempts.append((named, done))
        rule = routed.by.on_reject if routed.by else None
        refused = rule.refused(done) if rule else frozenset()
        named, to = rule.route if rule else "", tuple(each for index, each in enumerate(to) if index in refused)
    return attempts


def _told(attempts: list[tuple[str, Attempt]]) -> str:
    return "; ".join(f"by {named}: {story(done)}" if named else story(done) for named, done in attempts)


def _own(scenario: Scenario, lab: Lab, policy: RoutePolicy, recipients: int) -> OwnSender:
    return OwnSender(
        {lab.moved.get(address, address): fault for address, fault in scenario.faults.items()},
        policy,
        scenario.walk,
        scenario.connect_timeout_s,
        tls=scenario.tls is not None,
        proves=lambda target: _proves(lab, target),
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
        trust=lab_trust(AUTHORITY),
    )
    resolver = resolver_at(*lab.resolver_address)
    return Mailer(
        resolver,
        build_policy(scenario.procedure, allow_loopback=True),
        build_own(scenario.own),
        settings,
        chooser=Chooser([route for route, _ in scenario.routes], resolver),
        override_of=scenario.override_of,
        policies=policies_of(resolver, authority_file(), port=lab.web.port or HTTPS_PORT, allow_loopback=True),
    )


def _proves(lab: Lab, target: Target) -> bool:
    """Whether what an exchanger would show in the handshake is what it has to be."""
    shown = lab.shown(target.address)
    proof = judge(shown, target.demand, target.exchange, lab_trust(AUTHORITY), time.time()) if shown else IN_CLEAR
    return proof.meets(target.demand)
