"""A name server is asked a few questions at once, and no faster than it was agreed."""

import asyncio

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

    asyncio.run(asked())
    return inner


def test_no_more_than_so_many_at_once():
    """The rest wait for their turn."""
    assert 3 == ask(20, at_once=3).most


def test_questions_keep_their_distance():
    """At two hundred a second ten questions take at least nine gaps of five milliseconds."""
    times = ask(10, per_second=200).times
    assert times[-1] - times[0] >= 9 * 0.005 - 0.002
