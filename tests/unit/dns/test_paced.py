"""A name server is asked a few questions at once, and no faster than it was agreed."""

import asyncio
from itertools import pairwise

from tests.support.idle import run_idle

from postroad.dns import PacedResolver, RecordType
from postroad.words.facts import NoData


class Counting:
    """A resolver that notes how many ask it at once, and when."""

    def __init__(self):
        self.now = self.most = 0
        self.times = []

    async def resolve(self, _name, _kind):
        self.times.append(asyncio.get_running_loop().time())
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return NoData()


def ask(count, **limits):
    """Many questions at once."""
    inner = Counting()

    async def asked():
        resolver = PacedResolver(inner, **limits)
        await asyncio.gather(*(resolver.resolve(f"d{number}.example", RecordType.MX) for number in range(count)))

    run_idle(asked())
    return inner


def test_no_more_than_so_many_at_once():
    """The rest wait for their turn."""
    assert 3 == ask(20, at_once=3).most


def test_questions_keep_their_distance():
    """At four a second each is asked a quarter of a second after the one before it."""
    times = ask(10, per_second=4).times
    assert [0.25] * 9 == [later - sooner for sooner, later in pairwise(times)]


class Starting(Counting):
    """A resolver that can be asked without a task, and answers when it is let go."""

    def __init__(self):
        super().__init__()
        self.ears = []
        self.stopped = 0

    def start(self, _name, _kind, ear):
        self.ears.append(ear)
        return self.stop

    def stop(self):
        self.stopped += 1


class Ear:
    def __init__(self):
        self.heard = []
        self.hear = self.fail = self.heard.append


def test_a_question_without_a_task_takes_a_place_until_it_ends():
    """It is refused while all places are taken; an answer, a bug and taking it back each free one."""

    async def story():
        inner = Starting()
        resolver = PacedResolver(inner, at_once=3)
        ears = [Ear() for _ in range(4)]
        stops = [resolver.start("a.example", RecordType.MX, ear) for ear in ears]
        assert [True, True, True, False] == [stop is not None for stop in stops]
        waiting = [asyncio.create_task(resolver.resolve("b.example", RecordType.MX)) for _ in range(2)]
        await asyncio.sleep(0)
        assert [] == inner.times
        inner.ears[0].hear(NoData())
        inner.ears[1].fail(RuntimeError("bug"))
        stops[2]()
        assert [NoData(), NoData()] == await asyncio.gather(*waiting)
        assert ([NoData()], 1, 1, []) == (ears[0].heard, len(ears[1].heard), inner.stopped, ears[2].heard)
        again = [resolver.start("a.example", RecordType.MX, Ear()) for _ in range(4)]
        assert [True, True, True, False] == [stop is not None for stop in again]

    asyncio.run(story())


def test_who_gives_up_waiting_takes_no_place():
    """Cancelled before its turn, or in the moment it is given: the place goes to the next."""

    async def story():
        inner = Starting()
        resolver = PacedResolver(inner, at_once=1)
        resolver.start("a.example", RecordType.MX, Ear())
        first, second, third = (asyncio.create_task(resolver.resolve(f"{n}.example", RecordType.MX)) for n in range(3))
        await asyncio.sleep(0)
        first.cancel()
        inner.ears[0].hear(NoData())
        second.cancel()
        assert NoData() == await third
        assert resolver.start("a.example", RecordType.MX, Ear()) is not None

    asyncio.run(story())
