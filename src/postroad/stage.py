"""A scenario twice: rehearsed by the pure walk, performed for real against the lab. The two must agree."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from postroad.app import InputError, Road, Routed, build_message, build_policy
from postroad.deliver import DeliverSettings, opportunistic_tls
from postroad.dns import Server, WireResolver, WireSettings, ZoneProblem, load_zones
from postroad.lab import Lab
from postroad.lab.rehearsal import Rehearsal
from postroad.lab.scenario import Scenario, story
from postroad.routing import Refusal
from postroad.smtp import Timeouts
from postroad.words.outcome import Outcome, Scope
from postroad.words.trail import Attempt

CONTENT = b"From: sender@lab.invalid\r\nSubject: a scenario\r\n\r\nWhat happens to this?\r\n"


@dataclass(frozen=True, slots=True)
class Take:
    """One seed of a scenario: what must be seen, what the rehearsal says, and what happened."""

    seed: int
    expected: str
    rehearsed: str
    performed: str
    attempt: Attempt

    @property
    def agrees(self) -> bool:
        """Whether all three are the same."""
        return self.expected == self.rehearsed == self.performed


async def stage(scenario: Scenario) -> tuple[Take, ...]:
    """Every seed of a scenario, rehearsed and performed.

    Raises:
        InputError: the zone cannot be read.

    """
    return tuple([await _take(scenario, seed) for seed in scenario.seeds])


async def _take(scenario: Scenario, seed: int) -> Take:
    """A lab of its own for each take: what an exchanger remembers must not matter."""
    loaded = load_zones([scenario.zone])
    if isinstance(loaded, ZoneProblem):
        raise InputError(str(loaded))
    async with Lab(loaded.zone_data, faults=scenario.faults, tls=scenario.tls) as lab:
        road = _road(scenario, lab)
        message = build_message(CONTENT, str(scenario.sender), [str(mailbox) for mailbox in scenario.recipients])
        routed = await road.route(scenario.recipients[0].domain, seed)
        rehearsed = _rehearse(scenario, routed, lab)
        attempt = (await road.send(message, seed)).deliveries[0].attempt
    return Take(seed, scenario.expected.get(seed, "nothing is expected"), story(rehearsed), story(attempt), attempt)


def _rehearse(scenario: Scenario, routed: Routed, lab: Lab) -> Attempt:
    if isinstance(routed.answer, Refusal):
        outcome = Outcome(routed.answer.result, Scope.DOMAIN, routed.answer.text, routed.answer.enhanced)
        return Attempt(routed.destination, (outcome,) * len(scenario.recipients), (), None, 0.0)
    faults = {lab.moved.get(address, address): fault for address, fault in scenario.faults.items()}
    rehearsal = Rehearsal(faults, scenario.walk, connect_timeout_s=scenario.connect_timeout_s, tls=scenario.tls)
    return rehearsal.attempt(routed.destination, routed.plan, len(scenario.recipients), routed.seed)


def _road(scenario: Scenario, lab: Lab) -> Road:
    host, port = lab.resolver_address
    settings = DeliverSettings(
        hostname="stage.lab.invalid",
        port=lab.port,
        timeouts=Timeouts(connect_s=scenario.connect_timeout_s),
        walk=scenario.walk,
        tls=opportunistic_tls() if scenario.tls else None,
    )
    resolver = WireResolver(WireSettings((Server(ip_address(host), port),)))
    return Road(resolver, build_policy(scenario.procedure, allow_loopback=True), deliver=settings)
