"""Sessions are counted beside the delivery of mail: for whom, where they are kept, and what trouble costs."""

import asyncio
from ipaddress import ip_address

import pytest
from tests.support.letters import letter
from tests.support.relaying import Told

from postroad.dns import ZoneResolver, parse_zones
from postroad.relay.tls_reports import ReportStore, SessionWatch, watching
from postroad.spool import Parcel, SpoolError, Trouble
from postroad.spool.memory import MemorySpool
from postroad.tls import PolicyType, ReportedPolicy, Watch
from postroad.words.names import Address
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.tls import Proof, TlsLevel
from postroad.words.trail import Attempt, Contact, Target

NOON = 1_795_348_800.0
ZONE = """
$TTL 60
$ORIGIN test.
_smtp._tls.asks TXT "v=TLSRPTv1; rua=mailto:tls@asks.test"
_smtp._tls.mx.asks TXT "v=TLSRPTv1; rua=mailto:tls@asks.test"
_smtp._tls.mx.provider TXT "v=TLSRPTv1; rua=mailto:tls@provider.test"
"""
FINE = Outcome(Result.DELIVERED, Scope.MESSAGE, "taken", "2.0.0", Phase.DOT)


class Slow:
    """A resolver that answers once it may."""

    def __init__(self):
        self.may = asyncio.Event()
        self.asked = []
        self._zone = ZoneResolver(parse_zones({"zone": ZONE}))

    async def resolve(self, name, kind):
        """As the zone has it."""
        self.asked.append(name)
        await self.may.wait()
        return await self._zone.resolve(name, kind)


class Stage:
    """A watch, with all it needs."""

    def __init__(self):
        self.spool, self.names, self.told = MemorySpool(), Slow(), Told()
        self.now = NOON
        self.watch = SessionWatch(ReportStore(self.spool), self.names, lambda: self.now, self.told)

    def know(self, domain, base):
        """Mail for a domain goes to a host with TLSA records."""
        readers = (domain,) if base == domain else (domain, base)
        self.watch.know(domain, {base: Watch(readers, ReportedPolicy(PolicyType.TLSA, base))})

    def send(self, domain, base, *, origin="a client", address="192.0.2.1", level=TlsLevel.PROVEN):
        """One message, on a connection of its own."""
        mail = letter("m1", f"ann@{domain}")
        mail = type(mail)(mail.id, mail.envelope, mail.received_at, 7, mail.size, origin)
        target = Target(base, ip_address(address), 10)
        one = Contact(target, 0.0, 1.0, Phase.DOT, None, {0: FINE}, proof=Proof(level))
        watches = self.watch.by_way.get(domain)
        if watches:
            self.watch.count(Parcel(1, domain, mail, 0.0), Attempt(domain, (FINE,), (one,), 1, 1.0), watches)

    async def kept(self):
        """What the store has: how many sessions each reader hears of, by day."""
        await self.watch.flush()
        store = ReportStore(self.spool)
        return {each.key: sum([count for _, count in await store.rows(each)]) for each in await store.due()}


def play(story):
    """Run a story on a stage."""

    async def whole():
        return await story(Stage())

    return asyncio.run(whole())


async def settled():
    """All that can be done now is done."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("domain", "base", "readers"),
    [
        ("asks.test", "asks.test", ["asks.test"]),
        ("asks.test", "mx.asks.test", ["asks.test"]),  # both have them sent to one place
        ("asks.test", "mx.provider.test", ["asks.test", "mx.provider.test"]),
        ("silent.test", "mx.provider.test", ["mx.provider.test"]),
        ("silent.test", "mx.silent.test", []),
    ],
)
def test_whoever_asks_hears_of_it_once(domain, base, readers):
    """The domain that mail is for, and that of the TLSA records; not twice at the same place, and nobody else."""

    async def story(it):
        it.names.may.set()
        it.know(domain, base)
        await settled()
        it.send(domain, base)
        assert {f"2026-11-22 {reader}": 1 for reader in readers} == await it.kept()

    play(story)


def test_sessions_count_until_it_is_known_that_nobody_asks():
    """Mail does not wait for the answer; the end of the day decides about what was counted."""

    async def story(it):
        it.know("silent.test", "silent.test")
        it.send("silent.test", "silent.test")
        it.names.may.set()
        await settled()
        it.send("silent.test", "silent.test")
        assert {"2026-11-22 silent.test": 1} == await it.kept()
        assert {} == dict(it.watch.by_way)
        await it.watch.close()

    play(story)


def test_a_domain_is_asked_once_an_hour_at_most_and_few_at_once():
    """A route is found anew every few minutes, and strangers choose the domains."""

    async def story(it):
        for _ in range(3):
            it.know("asks.test", "asks.test")
        for number in range(300):
            it.know(f"{number}.test", f"{number}.test")
        await settled()
        assert (100, 1) == (len(it.names.asked), it.names.asked.count("_smtp._tls.asks.test"))
        it.names.may.set()
        await settled()
        it.know("asks.test", "asks.test")
        await settled()
        assert 1 == it.names.asked.count("_smtp._tls.asks.test")
        await it.watch.close()

    play(story)


def test_sessions_that_carry_reports_do_not_count():
    """RFC 8460 section 3: else each report would be the cause of another."""

    async def story(it):
        it.know("asks.test", "asks.test")
        it.send("asks.test", "asks.test", origin="TLS report to asks.test")
        assert {} == await it.kept()

    play(story)


def test_counts_are_of_the_day_that_it_is_in_utc():
    """One second before midnight, and midnight."""

    async def story(it):
        it.know("asks.test", "asks.test")
        for it.now in (NOON + 43_199.0, NOON + 43_200.0, NOON + 43_201.0):
            it.send("asks.test", "asks.test")
        assert {"2026-11-22 asks.test": 1, "2026-11-23 asks.test": 2} == await it.kept()

    play(story)


def test_trouble_with_the_spool_loses_nothing_and_is_told_once(monkeypatch):
    """What cannot be kept now is kept later."""
    learn = MemorySpool.learn

    async def refused(_spool, _lessons):
        raise SpoolError(Trouble.FULL, "the disk is full")

    async def story(it):
        it.know("asks.test", "asks.test")
        monkeypatch.setattr(MemorySpool, "learn", refused)
        for _ in range(3):
            it.send("asks.test", "asks.test")
            assert {} == await it.kept()
        monkeypatch.setattr(MemorySpool, "learn", learn)
        it.send("asks.test", "asks.test")
        assert {"2026-11-22 asks.test": 4} == await it.kept()
        assert ["relay.sessions.failed"] == [event.name for event in it.told.events]

    play(story)


def test_counts_reach_the_store_soon_and_at_the_end(monkeypatch):
    """By themselves after a while; what came since then, when the relay ends."""
    monkeypatch.setattr(watching, "FLUSH_S", 0.0)

    async def story(it):
        it.know("asks.test", "asks.test")
        it.send("asks.test", "asks.test")
        await settled()
        store = ReportStore(it.spool)
        assert 1 == len(await store.due())
        it.send("asks.test", "asks.test")
        await it.watch.close()
        assert {"2026-11-22 asks.test": 2} == await it.kept()

    play(story)


@pytest.mark.parametrize(
    ("sources", "seen"), [((), "127.0.0.1"), ((ip_address("192.0.2.7"), ip_address("2001:db8::7")), "192.0.2.7")]
)
def test_a_failure_has_our_address(sources: tuple[Address, ...], seen):
    """As the settings have it, else as the system would choose it: nothing is sent to find that out."""

    async def story(it):
        it.watch.reload(it.names, sources)
        it.know("asks.test", "asks.test")
        it.send("asks.test", "asks.test", address="127.0.0.99", level=TlsLevel.CLEAR)
        await it.watch.flush()
        store = ReportStore(it.spool)
        ((row, _),) = await store.rows((await store.due())[0])
        assert (seen, "127.0.0.99") == (row.sender, row.receiver)

    play(story)
