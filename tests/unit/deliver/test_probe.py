"""Probes: unhealthy hosts are asked by us, one at a time, so that no mail has to."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import uvloop
from tests.support.delivering import ZONE, Told
from tests.support.patience import PATIENCE_S

from postroad.deliver import DeliverSettings
from postroad.deliver import probe as module
from postroad.deliver.outages import Outages
from postroad.deliver.probe import Probes
from postroad.dns import parse_zones
from postroad.lab import Lab, parse_fault
from postroad.pace import Health, HealthPolicy
from postroad.smtp import Timeouts
from postroad.words.names import parse_address
from postroad.words.trace import Event
from postroad.words.trail import Target

HOST = parse_address("127.0.0.13")
OTHER = parse_address("127.0.0.14")
QUICK = HealthPolicy(first_penalty_s=0.01, longest_penalty_s=0.01)
SLOW = HealthPolicy(first_penalty_s=600.0)


class Ward:
    """Probes of a lab's hosts, and what they found."""

    def __init__(self, lab, told, policy):
        self.lab = lab
        self.told = told
        self.now = asyncio.get_running_loop().time
        self.health = Health(policy)
        self.settings = DeliverSettings(hostname="relay.example", port=lab.port, timeouts=Timeouts(connect_s=0.5))
        self.outages = Outages()
        self.probes = Probes(self.health, self.now, self._changed, self.outages.concerns)

    def _changed(self, address, *, is_healthy):
        self.told(Event("recovered" if is_healthy else "unhealthy", {"address": address}))

    @staticmethod
    def target(address=HOST):
        """A host."""
        return Target("mail.example.net", address, 10)

    def failed(self, address=HOST):
        """It did not answer a delivery."""
        self.probes.failed(self.target(address), self.settings)

    def asked(self, address=HOST):
        """How often it was connected to."""
        return self.lab.counts("connected")[address]


@asynccontextmanager
async def ward(fault="accept", policy=QUICK):
    """A lab whose example.net has a fault, and probes."""
    told = Told()
    faults = {"127.0.0.13": parse_fault(fault)}
    async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": ZONE}), faults=faults, listener=told) as lab:
        it = Ward(lab, told, policy)
        try:
            yield it
        finally:
            it.probes.close()


def tell(story, *arguments):
    """Run a story in a ward."""

    async def main():
        async with ward(*arguments) as it:
            return await story(it)

    return asyncio.run(main())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_probes_that_are_due_at_once_are_waited_for_once(loop):
    """On any loop: what is asked for again before the first has begun changes nothing."""

    async def story():
        async with ward("accept", HealthPolicy(first_penalty_s=1e-9, longest_penalty_s=1e-9)) as it:
            for _ in range(3):
                it.failed()
                it.probes.want((it.target(),), it.settings)
            await it.told.until("recovered")
            return it.asked()

    with asyncio.Runner(loop_factory=loop) as runner:
        assert 1 == runner.run(story())


def test_host_that_greets_is_well_again():
    """After its penalty one probe; it is polite: it waits for the greeting and says QUIT."""

    async def story(it):
        it.failed()
        found = await it.told.until("recovered")
        await it.told.until("lab.smtp.closed")
        return found["address"], it.asked(), len(it.health)

    assert (HOST, 1, 0) == tell(story)


def test_host_is_probed_until_it_is_well():
    """As long as mail waits for it, each penalty ends with another probe."""

    async def story(it):
        it.outages.begin("example.net", [HOST])
        it.failed()
        await it.told.until("lab.smtp.connected", 3)
        await it.lab.set_fault(HOST, parse_fault("accept"))
        return (await it.told.until("recovered"))["address"]

    assert HOST == tell(story, "g421")


def test_host_nobody_wants_is_probed_no_more():
    """One probe for the failure itself; if nothing waits for the host it is left alone."""

    async def story(it):
        it.failed()
        await it.told.until("lab.smtp.closed")
        await asyncio.gather(*it.probes._tasks)
        return it.probes._wanted

    assert {} == tell(story, "g421")


def test_shorter_penalty_is_not_kept_waiting_by_a_longer_one():
    """A host that became unhealthy later may be due earlier: the timer is set for the first of them."""

    async def story(it):
        it.failed(OTHER)
        it.health.policy = QUICK
        it.failed(HOST)
        return (await it.told.until("recovered"))["address"], it.asked(OTHER)

    assert (HOST, 0) == tell(story, "accept", SLOW)


def test_suspect_that_answers_was_only_slow():
    """It lost a race, but it greets: nothing is held against it."""

    async def story(it):
        it.probes.suspect(it.target(), it.settings)
        it.probes.suspect(it.target(), it.settings)
        await it.told.until("lab.smtp.closed")
        await asyncio.gather(*it.probes._tasks)
        return it.asked(), len(it.health), it.told.named("unhealthy")

    assert (1, 0, []) == tell(story)


def test_suspect_that_keeps_silent_is_ill(monkeypatch):
    """Within the short time it has."""
    monkeypatch.setattr(module, "SUSPECT_S", 0.02)

    async def story(it):
        it.probes.suspect(it.target(), it.settings)
        return (await it.told.until("unhealthy"))["address"], it.health.is_healthy(HOST, it.now())

    assert (HOST, False) == tell(story, "blackhole", SLOW)
