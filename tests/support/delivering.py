"""A loop between a spool in memory and a lab: mail put in, what became of it, and events to wait for."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from random import Random

from tests.support.patience import PATIENCE_S

from postroad.deliver import Bounces, DeliverSettings, DeliveryRoute, Loop, LoopSettings, World
from postroad.dns import ServerAddress, WireResolver, WireSettings, parse_zones
from postroad.gather import gather
from postroad.lab import Lab, parse_fault
from postroad.pace import HealthPolicy
from postroad.routing import PROCEDURES, Own, WalkPolicy, decide
from postroad.spool import NODE, Selection, State, StoredMail
from postroad.spool.memory import MemorySpool
from postroad.words.mail import Envelope, Recipient, parse_mailbox
from postroad.words.names import parse_destination
from postroad.words.outcome import Result
from postroad.words.tls import OPPORTUNISTIC

NOON = 1_700_000_000.0
POLICY = replace(PROCEDURES["rfc5321"], allow_loopback=True)
PATIENT = WalkPolicy(stagger_s=PATIENCE_S)  # however slow this machine is, it asks no second host because of that
USUAL = LoopSettings()
QUICK_PROBES = replace(USUAL, health=HealthPolicy(first_penalty_s=0.02, longest_penalty_s=0.02))
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
$ORIGIN example.org.
@ MX 10 mail
mail A 127.0.0.14
"""
CONTENT = b"Message-ID: <1@example.net>\r\nSubject: hello\r\n\r\nHello.\r\n"


def recipients(*addresses, **wishes):
    """Recipients, with what RFC 3461 lets a sender wish."""
    return tuple(Recipient(parse_mailbox(address), **wishes) for address in addresses)


class FixedIds:
    """Ids in order, seeds in order."""

    def __init__(self):
        self._numbers = itertools.count(1)

    def id(self):
        """The next id."""
        return f"B{next(self._numbers):06}"

    def seed(self):
        """The next seed."""
        return next(self._numbers)


class Told:
    """A listener that remembers, and can be waited for."""

    def __init__(self):
        self.events = []
        self._news = asyncio.Event()

    def __call__(self, event):
        self.events.append(event)
        self._news.set()

    def named(self, name):
        """The fields of all events of a name."""
        return [event.fields for event in self.events if event.name == name]

    async def another(self):
        """Wait for one more event, whichever."""
        self._news.clear()
        await self._news.wait()

    async def until(self, name, count=1):
        """Wait for so many events of a name; the fields of the last."""
        while len(self.named(name)) < count:
            self._news.clear()
            await self._news.wait()
        return self.named(name)[count - 1]


class WatchedSpool(MemorySpool):
    """One whose changes can be waited for."""

    def __init__(self):
        super().__init__()
        self._news = asyncio.Event()

    async def settle(self, settlements, now):
        """As ever."""
        await super().settle(settlements, now)
        self._news.set()

    async def release(self, parcels):
        """As ever."""
        await super().release(parcels)
        self._news.set()

    async def until_none_due(self, count):
        """Wait until so many parcels wait, none of which is due."""
        while (stats := await self.stats(NOON)).waiting != count or stats.due:
            self._news.clear()
            await self._news.wait()

    async def until_waiting(self, count):
        """Wait until so many parcels are nobody's; those parcels."""
        while len(waiting := await self.listed(Selection(state=State.WAITING), 1000)) != count:
            self._news.clear()
            await self._news.wait()
        return [each.parcel for each in waiting]


class Office:
    """All of it. `now` is the wall time, which moves only by hand."""

    def __init__(self, lab, spool, settings, deliver, told, node=NODE):
        self.lab = lab
        self.postmaster = ()
        self.spool = spool
        self.deliver = deliver
        self.told = told
        self.now = NOON
        self.demand = OPPORTUNISTIC
        self.ids = FixedIds()
        self.asked = []
        host, port = lab.resolver_address
        self._resolver = WireResolver(WireSettings((ServerAddress(ip_address(host), port),)))
        world = World(lambda: self.now, Random(1), self.told, node)
        self.loop = Loop(spool, self.find, self.reporter(settings), settings, world)

    def reporter(self, settings):
        """Reports on behalf of this office."""
        postmaster = tuple(map(parse_mailbox, self.postmaster))
        return Bounces(self.spool, "relay.example", settings.schedule.expiry_s, self.ids, postmaster)

    async def find(self, destination):
        """The way by the lab's DNS."""
        self.asked.append(destination)
        name = parse_destination(destination)
        snapshot = await gather(name, self._resolver)
        answer = decide(snapshot, POLICY, Own(), dict.fromkeys(snapshot.hosts, self.demand))
        return DeliveryRoute.of(answer, POLICY, self.deliver, 60.0)

    async def post(self, *to, sender="me@example.net", content=CONTENT, at=NOON, claim=True, envelope=None, **wishes):
        """Accept a message as the listener does; its id. `envelope` has what is asked of the transport."""
        path = parse_mailbox(sender) if sender else None
        who = to if isinstance(to[0], Recipient) else recipients(*to, **wishes)
        mail = StoredMail(self.ids.id(), Envelope(path, who, **envelope or {}), at, self.ids.seed(), len(content))
        parcels = await self.spool.add(mail, content, claim=claim)
        if claim:
            self.loop.take(parcels)
        else:
            self.loop.look()
        return mail.id

    async def done(self, count=1):
        """Wait until so many attempts are settled; the verdict of the last."""
        return (await self.told.until("deliver.parcel.complete", count))["verdict"]

    @property
    def results(self):
        """The results of all attempts settled, in order."""
        return [fields["verdict"].result for fields in self.told.named("deliver.parcel.complete")]

    def contacts(self, since=0):
        """The addresses contacted in each attempt settled."""
        attempts = [fields["attempt"] for fields in self.told.named("deliver.parcel.complete")]
        return [[str(contact.target.address) for contact in attempt.contacts] for attempt in attempts[since:]]

    async def probed(self):
        """Wait until the probes under way have ended."""
        await asyncio.gather(*self.loop.hosts.probes._tasks)


@asynccontextmanager
async def office(faults=None, *, settings=USUAL, deliver=None, spool=None, zone=ZONE, find=None):
    """An office at work; drained in the end."""
    faults = {address: parse_fault(fault) for address, fault in (faults or {}).items()}
    told = Told()
    async with asyncio.timeout(PATIENCE_S), Lab(parse_zones({"zone": zone}), faults=faults, listener=told) as lab:
        deliver = replace(deliver or DeliverSettings(hostname="relay.example", walk=PATIENT), port=lab.port)
        it = Office(lab, spool or WatchedSpool(), settings, deliver, told)
        if find:
            it.loop.reload(settings, partial(find, it), it.reporter(settings))
        running = asyncio.create_task(it.loop.run())
        try:
            yield it
        finally:
            await it.loop.drain(0)
            await running


def counts(it):
    """How many messages each exchanger took, by the end of its address."""
    return {str(address).rpartition(".")[2]: count for address, count in it.lab.counts().items() if count}


DELIVERED, DEFERRED, FAILED = Result.DELIVERED, Result.DEFERRED, Result.FAILED
