"""The cache: how long it keeps, what it shares, and that it keeps the balance."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.dns import CacheSettings, CachingResolver, RecordType
from postroad.words.facts import Bogus, Found, NoData, NoName, Temporary

A = RecordType.A


class Scripted:
    """A resolver that gives the answers of a list in turn, the last one for ever."""

    def __init__(self, *answers):
        self.answers = answers
        self.asked = []

    async def resolve(self, name, kind):
        self.asked.append((name, kind))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def cached(*answers, **settings):
    """A cache over scripted answers, with its clock and what was asked behind it."""
    inner, clock = Scripted(*answers), Clock()
    return CachingResolver(inner, clock, CacheSettings(**settings)), clock, inner.asked


def run(cache, name="a.example", kind=A):
    """Ask the cache once."""
    return asyncio.run(cache.resolve(name, kind))


def test_an_answer_is_kept_for_its_time():
    """Until the TTL ends the answer comes from memory, with what is left of it; then it is asked for anew."""
    cache, clock, asked = cached(Found(("x",), 300))
    assert Found(("x",), 300) == run(cache)
    clock.now += 299.5
    assert (Found(("x",), 0), 1) == (run(cache), len(asked))
    clock.now += 0.5
    assert (Found(("x",), 300), 2) == (run(cache), len(asked))


@pytest.mark.parametrize(
    ("answer", "life_s"),
    [
        (Found(("x",), 10**9), 86400),
        (NoData(60), 60),
        (NoData(10**6), 3 * 3600),
        (NoName(10**6, ("a",)), 3 * 3600),
        (Temporary("SERVFAIL"), 5),
        (Bogus("loop"), 5),
    ],
)
def test_each_kind_of_answer_has_its_life(answer, life_s):
    """A day at most, absence three hours, trouble five seconds."""
    cache, clock, asked = cached(answer)
    run(cache)
    clock.now += life_s - 0.001
    run(cache)
    assert 1 == len(asked)
    clock.now += 0.001
    run(cache)
    assert 2 == len(asked)


@pytest.mark.parametrize("answer", [Found(("x",), 0), NoData(0), NoName(0)])
def test_time_zero_is_not_kept(answer):
    """TTL 0 is good for the question at hand alone."""
    cache, _, asked = cached(answer)
    assert (answer, answer) == (run(cache), run(cache))
    assert 2 == len(asked)


def test_names_and_types_are_kept_apart():
    """A key is a name and a type."""
    cache, _, asked = cached(Found(("x",), 300))
    keys = [("a.example", A), ("a.example", RecordType.MX), ("b.example", A)]
    for key in [*keys, *keys]:
        run(cache, *key)
    assert keys == asked


# Balance


@given(st.integers(1, 7), st.integers(1, 50))
def test_hand_outs_are_balanced(size, hand_outs):
    """After n hand-outs of k records each has been first as often as any other, within one; the cycle is kept."""
    records = tuple(range(size))
    cache, _, asked = cached(Found(records, 300))

    async def story():
        return [(await cache.resolve("a.example", A)).records for _ in range(hand_outs)]

    handed = asyncio.run(story())
    assert [records[n % size :] + records[: n % size] for n in range(hand_outs)] == handed
    firsts = Counter(order[0] for order in handed)
    assert max(firsts.values()) - min(firsts.get(record, 0) for record in records) <= 1
    assert 1 == len(asked)


@pytest.mark.parametrize("ttl_s", [0, 1])
def test_short_times_pin_nothing(ttl_s):
    """A server with a fixed order and a TTL that is always over: still each record in turn."""
    cache, clock, asked = cached(Found(("x", "y"), ttl_s))
    firsts = []
    for _ in range(6):
        firsts.append(run(cache).records[0])
        clock.now += 1
    assert ["x", "y", "x", "y", "x", "y"] == firsts
    assert 6 == len(asked)


def test_a_server_that_rotates_is_not_turned_back():
    """Where fresh answers come in a new order, that order is handed on: two rotations would undo each other."""
    cache, _, _ = cached(*[Found(order, 0) for order in (("x", "y"), ("y", "x")) * 3])
    assert ["x", "y", "x", "y"] == [run(cache).records[0] for _ in range(4)]


def test_an_empty_answer_is_no_trouble():
    """Nothing to rotate."""
    cache, _, _ = cached(Found((), 300))
    assert (Found((), 300), Found((), 300)) == (run(cache), run(cache))


# Limits


def test_the_least_recently_used_answer_goes_first():
    """A full cache drops what was not asked for longest."""
    cache, _, asked = cached(Found(("x",), 300), max_answers=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        run(cache, name)
    assert [("a", A), ("b", A), ("c", A), ("b", A)] == asked


def test_large_answers_take_the_place_of_many():
    """The number of records is limited too; an answer beyond it is handed out, not kept."""
    cache, _, _ = cached(Found(tuple(range(6)), 300), max_records=10)
    for name in ("a", "b", "c"):
        run(cache, name)
    assert [("c", A)] == list(cache._kept)
    assert 6 == cache._records
    huge, _, asked = cached(Found(tuple(range(11)), 300), max_records=10)
    assert (11, 11) == (len(run(huge).records), len(run(huge).records))
    assert (2, 0) == (len(asked), huge._records)


# One question for all


class Slow:
    """A resolver that answers when it is let go."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = 0
        self.ended = 0
        self.go = asyncio.Event()

    async def resolve(self, *_question):
        self.asked += 1
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def _waiting(cache, count):
    tasks = [asyncio.create_task(cache.resolve("a.example", A)) for _ in range(count)]
    await _settle()
    return tasks


async def _settle():
    for _ in range(5):
        await asyncio.sleep(0)


def test_equal_questions_share_one_query():
    """Ten who ask at once cost one query, and are handed the records in turn."""

    async def story():
        slow = Slow(Found(("x", "y"), 0))
        tasks = await _waiting(CachingResolver(slow, Clock()), 10)
        slow.go.set()
        answers = await asyncio.gather(*tasks)
        assert 1 == slow.asked
        assert {"x": 5, "y": 5} == Counter(answer.records[0] for answer in answers)

    asyncio.run(story())


def test_one_who_gives_up_does_not_end_it_for_the_others():
    """The first to ask is cancelled; the others still get their answer from the one query."""

    async def story():
        slow = Slow(Found(("x",), 300))
        first, *others = await _waiting(CachingResolver(slow, Clock()), 3)
        first.cancel()
        await _settle()
        slow.go.set()
        assert [Found(("x",), 300)] * 2 == await asyncio.gather(*others)
        assert (True, 1) == (first.cancelled(), slow.asked)

    asyncio.run(story())


def test_the_last_to_give_up_ends_the_query():
    """When nobody waits any more the query is ended, no task is left, and the next to ask begins anew."""

    async def story():
        slow = Slow(Found(("x",), 300))
        cache = CachingResolver(slow, Clock())
        for task in await _waiting(cache, 3):
            task.cancel()
        late = asyncio.create_task(cache.resolve("a.example", A))
        await _settle()
        assert (2, 1) == (slow.asked, slow.ended)
        slow.go.set()
        assert Found(("x",), 300) == await late
        await _settle()
        assert {asyncio.current_task()} == asyncio.all_tasks()
        assert {} == cache._asking

    asyncio.run(story())


def test_an_answer_that_comes_as_the_last_gives_up_is_nobodys():
    """In one turn of the loop the query ends and nobody waits any more: no error, and the next to ask begins anew."""

    async def story():
        bugs = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context["exception"]))
        slow = Slow(Found(("x",), 300))
        cache = CachingResolver(slow, Clock())
        (task,) = await _waiting(cache, 1)
        slow.go.set()
        task.cancel()
        await _settle()
        assert ([], Found(("x",), 300), 2) == (bugs, await cache.resolve("a.example", A), slow.asked)

    asyncio.run(story())


def test_a_bug_below_reaches_all_and_is_not_kept():
    """An exception is no answer: everyone who waits gets it, and the next question is asked again."""

    async def story():
        slow = Slow(RuntimeError("bug"))
        cache = CachingResolver(slow, Clock())
        tasks = await _waiting(cache, 2)
        slow.go.set()
        assert ["bug", "bug"] == [str(end) for end in await asyncio.gather(*tasks, return_exceptions=True)]
        slow.answer = Found(("x",), 300)
        assert Found(("x",), 300) == await cache.resolve("a.example", A)

    asyncio.run(story())


def test_what_is_known_is_recalled_without_asking():
    """None before it is known and after its time; in between the same turns as if it were waited for."""
    cache, clock, asked = cached(Found(("x", "y"), 300))
    assert cache.recall("a.example", A) is None
    assert [] == asked
    assert ("x", "y") == run(cache).records
    assert [("y", "x"), ("x", "y")] == [cache.recall("a.example", A).records for _ in range(2)]
    clock.now += 300
    assert cache.recall("a.example", A) is None


def test_records_are_handed_on_as_they_came_to_who_only_looks():
    """A check finds the same in the last domain of a list as in the first: no TTL runs down, no order turns."""
    cache, clock, asked = cached(Found(("x", "y"), 300), as_they_came=True)
    run(cache)
    clock.now += 200
    assert (Found(("x", "y"), 300), 1) == (run(cache), len(asked))
    clock.now += 100
    run(cache)
    assert 2 == len(asked)
