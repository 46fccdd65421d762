"""Several relays on one spool: they count each other, and share what hosts and clients must not have twice."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

from tests.support.patience import PATIENCE_S
from tests.support.relaying import ZONE, House, Told, resolver_of, settings_of

from postroad.deliver import talk
from postroad.dns import parse_zones
from postroad.lab import Lab, parse_fault
from postroad.relay import Relay
from postroad.spool.sqlite import SqliteSpool

HOST = "127.0.0.13"


@asynccontextmanager
async def houses(folder, *names, faults=None):
    """Relays on one folder, before one lab; each has counted the others."""
    faults = {address: parse_fault(fault) for address, fault in (faults or {}).items()}
    async with AsyncExitStack() as ends:
        await ends.enter_async_context(asyncio.timeout(PATIENCE_S))
        arrived = Told()
        lab = await ends.enter_async_context(Lab(parse_zones({"zone": ZONE}), faults=faults, listener=arrived))
        every = []
        for name in names:
            told, spool = Told(), await SqliteSpool.open(folder, node=name)
            relay = Relay(replace(settings_of("drain = '100ms'", lab), node=name), spool, resolver_of(lab), told)
            await relay.open()
            ends.push_async_callback(relay.close)
            every.append(House(lab, relay, told))
            await spool.renew(time.time())
        for it in every:
            await it.relay._count_nodes()
        every[0].arrived = arrived
        yield every


def windows(it):
    """How many deliveries at once a host is given, at first and at most."""
    window = it.relay.delivery.loop.queue.limits.window
    return window.initial, window.most


def test_relays_on_one_spool_divide_what_a_host_is_given(tmp_path):
    """And say so once in the log; when one is gone for a lease, the others have its part."""

    async def story():
        async with houses(tmp_path / "spool", "one", "two") as (one, two):
            shared = [windows(it) for it in (one, two)]
            told = [it.told.named("relay.nodes.changed") for it in (one, two)]
            one.relay.spool.nodes = alone
            await one.relay._count_nodes()
            return shared, told, windows(one), one.relay.nodes

    async def alone(_now):
        return ()

    both = [{"nodes": ["one", "two"]}]
    assert ([(2, 10), (2, 10)], [both, both], (5, 20), 1) == asyncio.run(story())


def test_what_burdens_a_spool_is_said_once(tmp_path):
    """And again if it comes back; who looks says it in a sentence, which stays the same as long as it is the same."""

    async def story():
        async with houses(tmp_path / "spool", "one") as (it,):
            for found in (("a dump",), ("a dump",), ("a dump", "a slot"), (), ("a dump",)):
                it.relay.spool.concerns = partial(asyncio.sleep, 0, found)
                await it.relay._look_around()
            return [told["why"] for told in it.told.named("relay.spool.burdened")]

    assert ["a dump", "a slot", "a dump"] == asyncio.run(story())


def test_what_one_relay_finds_dead_another_leaves_alone_until_it_is_back(tmp_path, monkeypatch):
    """Through the spool, each from its own port: no contact, and both messages arrive when the host answers again."""
    monkeypatch.setattr(talk, "EXCHANGE_S", 0.05)

    async def story():
        async with houses(tmp_path / "spool", "one", "two", faults={HOST: "refuse"}) as (one, two):
            await one.submit("ann@example.net")
            await two.told.until("deliver.hearsay.failed")
            await two.submit("bob@example.net")
            await two.told.until("deliver.queue.aside")
            contacted = [len(each["attempt"].contacts) for each in two.told.named("deliver.parcel.complete")]
            await one.lab.set_fault(HOST, parse_fault("accept"))
            loop = asyncio.get_running_loop()
            for penalty in one.relay.delivery.loop.hosts.health._unhealthy.values():
                penalty.until = loop.time()
            one.relay.delivery.loop.hosts.probes.look()
            await two.told.until("deliver.hearsay.recovered")
            await one.arrived.until("lab.smtp.received", 2)
            return contacted

    assert [] == asyncio.run(story())


def test_a_guess_at_one_port_counts_at_the_other(tmp_path, monkeypatch):
    """While both live; a relay alone keeps no account for others."""
    monkeypatch.setattr(talk, "EXCHANGE_S", 0.05)

    async def story():
        async with houses(tmp_path / "spool", "one", "two") as (one, two):
            rates = [it.relay.receiver.auth_failures for it in (one, two)]
            two.relay.receiver.settings = replace(two.relay.receiver.settings, users={"ann": None})
            charged = asyncio.Event()
            rates[1].charge = lambda party, count, *_: (party, count) == ("192.0.2.7", 2) and charged.set()
            for _ in range(2):
                rates[0].failed("192.0.2.7")
            await charged.wait()
            one.relay._guesses.share(1)
            rates[0].failed("192.0.2.7")
            return rates[0].cut()

    assert {} == asyncio.run(story())
