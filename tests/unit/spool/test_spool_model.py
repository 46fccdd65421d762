"""Whatever is done to them in whatever order, the spool on disk and the one in memory cannot be told apart."""

import asyncio
import shutil
import socket
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.examples import examples, stride
from tests.support.letters import EVERYTHING, NOW, letter, octets
from tests.support.postgres import loop, nodes

from postroad.spool import Claims, Reroute, Selection, Settlement, State
from postroad.spool.memory import MemorySpool
from postroad.spool.remote import Handover, RemoteSpool
from postroad.spool.sqlite import SqliteSpool
from postroad.spool.wire import Link

LANES = ["a.example", "b.example", "c.example"]
HISTORY_S = 100.0
lanes = st.sampled_from(LANES)
times = st.integers(0, 50).map(float)
selections = st.builds(
    Selection,
    ids=st.just(()) | st.tuples(st.integers(0, 9).map("m{}".format)),
    destination=st.just("") | lanes,
    sender=st.sampled_from(["", "", "<>", "ann@home.example"]),
    state=st.none() | st.sampled_from(State),
    due_before=st.none() | times.map(lambda after: NOW + after),
    due_after=st.none() | times.map(lambda after: NOW + after),
)


def plain(parcel):
    """A parcel without its number, which is each spool's own."""
    return parcel.mail, parcel.destination, parcel.due_at, parcel.attempts, parcel.warned, parcel.routes


async def outcome(call):
    """Of a call, be it a coroutine or a future."""
    return await call


class TwoSpools(RuleBasedStateMachine):
    """Each rule asks both spools, and compares."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.memory = MemorySpool("one", history_s=HISTORY_S)
        self.disk = self.run(self.other())
        self.now = NOW
        self.count = 0
        self.claimed = []  # pairs of the same parcel

    def other(self):
        """The spool on disk."""
        return SqliteSpool.open(self.folder, node="one", history_s=HISTORY_S)

    def teardown(self):
        self.run(self.disk.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def run(self, call):
        return self.runner.run(outcome(call))

    def both(self, method, *args, **kwargs):
        results = self.run(self.asked(method, *args, **kwargs))
        assert results[0] == results[1]
        return results[0]

    async def asked(self, method, *args, **kwargs):
        """What each of the two answers."""
        return [await getattr(spool, method)(*args, **kwargs) for spool in (self.memory, self.disk)]

    async def looked(self):
        """All that can be asked of them at any time."""
        mails = [one.parcel.mail for one in await self.memory.listed(EVERYTHING, 3)]
        bodies = [[await octets(spool, mail) for spool in (self.memory, self.disk)] for mail in mails]
        return [await self.asked("stats", self.now), await self.asked("next_due"), *bodies]

    def parcels(self, method, *args, **kwargs):
        pairs = self.run(self.asked(method, *args, **kwargs))
        assert list(map(plain, pairs[0])) == list(map(plain, pairs[1]))
        return list(zip(*pairs, strict=True))

    def fresh(self, to, sender, size):
        self.count += 1
        return letter(f"m{self.count}", *to, sender=sender, at=self.now, size=size)

    @rule(after=times)
    def time_passes(self, after):
        self.now += after

    @rule(
        to=st.lists(lanes, min_size=1, max_size=4),
        sender=st.sampled_from(["ann@home.example", ""]),
        written=st.lists(st.binary(max_size=5), max_size=2),
        rest=st.binary(max_size=5),
        front=st.binary(max_size=5),
        claim=st.booleans(),
    )
    def add(self, to, sender, written, rest, front, claim):
        mail = self.fresh([f"u{n}@{lane}" for n, lane in enumerate(to)], sender, sum(map(len, [front, *written, rest])))
        for piece in written:
            self.both("write", mail.id, piece)
        pairs = self.parcels("add", mail, rest, claim=claim, front=front)
        self.claimed += pairs if claim else []

    @rule(to=st.lists(lanes, min_size=4, max_size=9))
    def backlog(self, to):
        for lane in to:
            self.parcels("add", self.fresh([f"x@{lane}"], "ann@home.example", 3), b"abc")

    @rule(most=st.integers(0, 6), each=st.integers(1, 3), skip=st.sets(lanes, max_size=2))
    def claim(self, most, each, skip):
        self.claimed += self.parcels("claim", self.now, most, each=each, skip=skip)

    @precondition(lambda self: self.claimed)
    @rule(
        data=st.data(),
        leave=st.booleans(),
        report=st.booleans(),
        waits=st.booleans(),
        after=times,
        again=st.booleans(),
    )
    def settle(self, data, leave, report, waits, after, again):
        several = st.lists(st.sampled_from(self.claimed), min_size=1, max_size=4, unique_by=lambda it: it[0].number)
        pairs, calls = data.draw(several), ([], [])
        for pair in pairs:
            name = data.draw(st.sampled_from(["", "", "ses"]))
            reports = ((self.fresh(["x@c.example"], "", 3), b"abc"),) if report else ()
            left = pair[0].mail.envelope.recipients[1:] if leave else ()
            routes = (*pair[0].routes, name)
            reroute = Reroute(pair[0].mail.envelope.recipients[:1], routes, "550 no") if name else None
            for call, parcel in zip(calls, pair, strict=True):
                more = {"said": "no", "waits_for_host": waits, "reports": reports, "reroute": reroute}
                call.append(Settlement(parcel, left, self.now + after, "{}", **more))
        for spool, call in zip((self.memory, self.disk), calls, strict=True):
            self.run(spool.settle(call, self.now))
        for pair in pairs if not again else ():  # again: it may be settled once more, which must do nothing
            self.claimed.remove(pair)

    @precondition(lambda self: self.claimed)
    @rule(data=st.data())
    def release(self, data):
        pair = self.claimed.pop(data.draw(st.integers(0, len(self.claimed) - 1)))
        for spool, parcel in zip((self.memory, self.disk), pair, strict=True):
            self.run(spool.release([parcel]))

    @rule(destination=lanes)
    def retry_stranded(self, destination):
        self.both("retry_stranded", destination, self.now)

    @rule(after=st.just("") | lanes)
    def stranded(self, after):
        self.both("stranded", after, 2)

    @rule(selection=selections, action=st.sampled_from(["hold", "unhold"]))
    def hold(self, selection, action):
        self.both(action, selection)

    @rule(selection=selections)
    def retry(self, selection):
        self.both("retry", selection, self.now)

    @rule(by=times, latest=times)
    def clock_set_back(self, by, latest):
        self.both("clock_set_back", self.now - by, NOW + latest)

    @rule(selection=selections.filter(lambda selection: selection.ids or selection.state is State.HELD))
    def delete(self, selection):
        self.both("delete", selection, self.now)

    @rule()
    def sweep(self):
        self.both("sweep", self.now)

    @rule(selection=selections)
    def select(self, selection):
        listed = [self.run(spool.listed(selection, 5)) for spool in (self.memory, self.disk)]
        assert listed[0] == listed[1] or [(plain(one.parcel), one.state, one.node, one.said) for one in listed[0]] == [
            (plain(one.parcel), one.state, one.node, one.said) for one in listed[1]
        ]

    @invariant()
    def look_the_same(self):
        for ours, theirs in self.run(self.looked()):
            assert ours == theirs

    @rule(which=st.integers(1, 10))
    def story(self, which):
        told = [self.run(spool.story(f"m{which}")) for spool in (self.memory, self.disk)]
        assert [one and (one.mail, one.records, one.finished_at, len(one.parcels)) for one in told][:1] * 2 == [
            one and (one.mail, one.records, one.finished_at, len(one.parcels)) for one in told
        ]


class OnPostgres(TwoSpools):
    """The same for a spool in a database: on the loop of all such stories, where the connections are."""

    def run(self, call):
        return loop().run(outcome(call))

    def teardown(self):
        self.run(self.ends.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    async def other(self):
        """A spool in a database, empty."""
        self.ends = AsyncExitStack()
        (spool,) = await self.ends.enter_async_context(nodes("one", history_s=HISTORY_S))
        return spool


class Wired:
    """A spool in memory, and what delivering needs of it by way of another process, as it were."""

    def __init__(self, inner, handover, remote, links):
        self.inner = inner
        self.handover = handover
        self.remote = remote
        self.links = links

    def __getattr__(self, name):
        return getattr(self.remote if hasattr(Claims, name) else self.inner, name)

    async def add(self, mail, rest, *, claim=False, front=b""):
        """What is claimed is handed over."""
        parcels = await self.inner.add(mail, rest, claim=claim, front=front)
        self.handover.give(parcels if claim else ())
        return parcels

    async def close(self):
        """Both ends."""
        for link in self.links:
            link.close()
        await asyncio.sleep(0)
        await self.inner.close()


class OverTheWire(TwoSpools):
    """The same for a spool that another process delivers from."""

    async def other(self):
        """A spool in memory, over a socketpair."""
        ours, theirs = socket.socketpair()
        handover = Handover(inner := MemorySpool("one", history_s=HISTORY_S))
        words = {}
        here, there = await Link.open(ours, handover.words), await Link.open(theirs, words)
        remote = RemoteSpool(there.call)
        words["take"] = remote.received
        handover.begin(here)
        return Wired(inner, handover, remote, (here, there))


TestTwoSpools = TwoSpools.TestCase
TestTwoSpools.settings = settings(max_examples=examples(30) // stride(2), stateful_step_count=40)
TestOverTheWire = OverTheWire.TestCase
TestOverTheWire.settings = settings(max_examples=examples(18), stateful_step_count=40)
TestOnPostgres = OnPostgres.TestCase
TestOnPostgres.settings = settings(max_examples=examples(12), stateful_step_count=30)
