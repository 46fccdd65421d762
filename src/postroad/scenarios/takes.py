"""A scenario three times: rehearsed by the pure walk, performed for real in the lab, and forecast. All must agree."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.build import Mailer, build_message, build_policy, opportunistic_tls, resolver_at, zone_resolver
from postroad.deliver import DeliverSettings
from postroad.lab import Lab, NoExchangerError
from postroad.routing import RoutePolicy
from postroad.scenarios.folder import Scenario, story
from postroad.simulation.own import OwnSender
from postroad.smtp import Timeouts
from postroad.words.inputs import InputError
from postroad.words.trail import Attempt

CONTENT = b"From: sender@lab.invalid\r\nSubject: a scenario\r\n\r\nWhat happens to this?\r\n"


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
        message = build_message(CONTENT, str(scenario.sender), [str(mailbox) for mailbox in scenario.recipients])
        routed = await mailer.route(scenario.recipients[0].domain, seed)
        own = _own(scenario, lab, mailer.policy)
        rehearsed, forecast = own.rehearse(routed.answer, routed.plan), own.foretell(routed.answer, routed.plan)
        attempt = (await mailer.send(message, seed)).deliveries[0].attempt
    expected = scenario.expected.get(seed, "nothing is expected")
    return ScenarioRun(seed, expected, story(rehearsed), story(attempt), story(forecast), attempt)


def _own(scenario: Scenario, lab: Lab, policy: RoutePolicy) -> OwnSender:
    return OwnSender(
        {lab.moved.get(address, address): fault for address, fault in scenario.faults.items()},
        policy,
        scenario.walk,
        scenario.connect_timeout_s,
        tls=scenario.tls,
        turns=False,  # one message, from a mailer that is new
        recipients=len(scenario.recipients),
    )


def _mailer(scenario: Scenario, lab: Lab) -> Mailer:
    settings = DeliverSettings(
        hostname="stage.lab.invalid",
        port=lab.port,
        timeouts=Timeouts(connect_s=scenario.connect_timeout_s),
        walk=scenario.walk,
        tls=opportunistic_tls() if scenario.tls else None,
    )
    return Mailer(
        resolver_at(*lab.resolver_address), build_policy(scenario.procedure, allow_loopback=True), deliver=settings
    )
