"""A whole relay in front of a lab: its ports on loopback, its events to wait for."""

import asyncio
import smtplib
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from tests.support.patience import PATIENCE_S

from postroad.config import read
from postroad.dns import ServerAddress, WireResolver, WireSettings, parse_zones
from postroad.lab import Lab, parse_fault
from postroad.receive import ListenSettings
from postroad.relay import Relay, relay_settings
from postroad.spool.memory import MemorySpool

ZONE = """
$TTL 60
$ORIGIN example.com.
@ MX 10 mail1
@ MX 10 mail2
mail1 A 127.0.0.11
mail2 A 127.0.0.12
$ORIGIN example.net.
@ MX 10 mail
mail A 127.0.0.13
"""
MESSAGE = b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@here>\r\nSubject: hello\r\n\r\nHello.\r\n"


class Told:
    """A listener that remembers, and can be waited for."""

    def __init__(self):
        self.events = []
        self.others = []
        self._news = asyncio.Event()

    def __call__(self, event):
        self.events.append(event)
        for other in self.others:
            other(event)
        self._news.set()

    def named(self, name):
        """The fields of all events of a name."""
        return [event.fields for event in self.events if event.name == name]

    async def until_true(self, asked):
        """Ask after each event, until the answer is yes."""
        self._news.clear()
        while not await asked():
            await self._news.wait()
            self._news.clear()

    async def until(self, name, count=1):
        """Wait for so many events of a name; the fields of the last."""
        while len(self.named(name)) < count:
            self._news.clear()
            await self._news.wait()
        return self.named(name)[count - 1]


class House:
    """A lab, a relay in front of it, and what both told."""

    def __init__(self, lab, relay, told):
        self.lab = lab
        self.relay = relay
        self.told = told

    @property
    def port(self):
        """Where it takes mail."""
        return self.told.named("relay.port.open")[0]["where"].port

    async def submit(self, *to, content=MESSAGE, sender="me@example.net", times=1):
        """Hand a message over, by Python's own client."""

        def session():
            with smtplib.SMTP("127.0.0.1", self.port, "client.example") as client:
                for _ in range(times):
                    client.sendmail(sender, to, content)

        await asyncio.to_thread(session)

    async def verdict(self, count=1):
        """Wait until so many attempts are settled; the verdict of the last."""
        return (await self.told.until("deliver.parcel.complete", count))["verdict"]

    def taken(self):
        """How many messages each exchanger took, by the end of its address."""
        return {str(address).rpartition(".")[2]: count for address, count in self.lab.counts().items() if count}


def settings_of(text, lab):
    """The settings of a file, for this lab: its port is the exchangers', ours is any."""
    config = read(f"hostname = 'relay.example.org'\n{text}\n", Path("relay.toml"))
    port = config.deliver.port if "port" in config.deliver.model_fields_set else lab.port
    config = config.model_copy(
        update={"deliver": config.deliver.model_copy(update={"port": port, "allow_loopback": True})}
    )
    return replace(relay_settings(config), listen=(ListenSettings(ip_address("127.0.0.1"), 0),))


def resolver_of(lab):
    """Asks the lab's nameserver."""
    host, port = lab.resolver_address
    return WireResolver(WireSettings((ServerAddress(ip_address(host), port),)))


@asynccontextmanager
async def house(text="", *, faults=None, spool=None, zone=ZONE, tls=False):
    """A lab and an open relay; both closed at the end. `text` is its settings file, which may name `{port}`."""
    told = Told()
    faults = {address: parse_fault(fault) for address, fault in (faults or {}).items()}
    async with (
        asyncio.timeout(PATIENCE_S),
        Lab(parse_zones({"zone": zone}), faults=faults, tls=tls, listener=told) as lab,
    ):
        settings = settings_of(text.replace("{port}", str(lab.port)), lab)
        relay = Relay(settings, spool or MemorySpool(), resolver_of(lab), told)
        await relay.open()
        try:
            yield House(lab, relay, told)
        finally:
            await relay.close()
