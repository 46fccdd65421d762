"""Passwords guessed at several relays: what fails at one counts at all."""

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride
from tests.support.ports import USERS
from tests.support.talking import SETTINGS

from postroad.receive import Receiver
from postroad.receive.judge import Judge
from postroad.receive.limits import Failures
from postroad.receive.login import Login
from postroad.receive.policy import newcomer
from postroad.relay.guesses import KIND, SharedGuesses
from postroad.smtp import AuthGiven
from postroad.spool import Lesson
from postroad.spool.memory import MemorySpool
from postroad.words.names import parse_address

GUESSER = newcomer(parse_address("2001:db8::66"))
MOST = 20
WALL = 1_800_000_000.0


class Relay:
    """The AUTH of one relay, and what it tells the others."""

    def __init__(self, spool, node):
        self.receiver = Receiver(replace(SETTINGS, users=USERS, auth_delay_s=0.0), None)
        self.failures = self.receiver.auth_failures
        self.now = 1000.0
        self.guesses = SharedGuesses(spool, self.receiver, node, lambda: self.now, lambda: WALL + self.now)
        self.failures.share(is_alone=False)

    async def guess(self, password="wrong", client=GUESSER):
        """AUTH on a connection of its own; the code of the reply."""
        shared = self.receiver._shared
        login = Login(shared, Judge(shared, client), "peer")
        login._now = lambda: self.now
        return (await login.answer(AuthGiven("PLAIN", "", "ann", password))).code

    def left(self, party=GUESSER.party):
        """How many guesses a client has."""
        return self.failures.left(party, MOST, self.now)


def tell(story):
    """Run a story about two relays on one spool."""

    async def whole():
        spool = MemorySpool()
        return await story(spool, Relay(spool, "one"), Relay(spool, "two"))

    return asyncio.run(whole())


async def exchange(*relays):
    """Each says what failed, then each hears it."""
    for it in (*relays, *relays):
        await it.guesses.exchange()


def test_what_fails_at_one_relay_counts_at_the_others():
    """Once, however often they talk; another client has as many as before."""

    async def story(_spool, one, two):
        for _ in range(3):
            await one.guess()
        await two.guess()
        await exchange(one, two)
        await exchange(one, two)
        return one.left(), two.left(), two.left("192.0.2.7")

    assert (MOST - 4, MOST - 4, MOST) == tell(story)


def test_who_has_used_up_his_guesses_at_one_has_none_at_the_others():
    """454 there too, without a look at the password."""

    async def story(_spool, one, two):
        one.failures.spend = lambda *_: True  # a burst, at many connections
        for _ in range(MOST):
            one.failures.failed(GUESSER.party)
        await exchange(one, two)
        return await two.guess()

    assert 454 == tell(story)


def test_right_passwords_cost_nothing_anywhere():
    """Nothing is told of them."""

    async def story(spool, one, two):
        code = await one.guess("secret")
        await exchange(one, two)
        return code, two.left(), await spool.recall(KIND)

    assert (235, MOST, ()) == tell(story)


def test_what_is_old_is_paid_for_and_gone():
    """And a row that nobody of us wrote."""

    async def story(spool, one, two):
        await one.guess()
        await exchange(one, two)
        await spool.learn([Lesson(KIND, "soon two x", "", 1)])
        one.now = two.now = 1200.0
        await exchange(one, two)
        return two.left(), await spool.recall(KIND)

    assert (MOST, ()) == tell(story)


def test_a_relay_alone_tells_nothing():
    """Nor keeps what it might."""

    async def story(spool, one, _two):
        one.failures.share(is_alone=True)
        await one.guess()
        await one.guesses.exchange()
        return one.failures.cut(), await spool.recall(KIND)

    assert ({}, ()) == tell(story)


@settings(max_examples=examples(100 // stride(2)))
@given(
    guesses=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), max_size=60),
    pauses=st.lists(st.sampled_from([0.0, 1.0, 30.0]), min_size=60, max_size=60),
)
def test_all_relays_together_look_at_a_bounded_number_of_guesses(guesses, pauses):
    """A burst at each before it hears of the others, at most; over time what one relay alone would allow."""
    buckets, now, looked_at = [Failures() for _ in range(4)], 0.0, 0
    for (at, count), pause in zip(guesses, pauses, strict=False):
        now += pause
        spent = sum(buckets[at].spend("x", MOST, now) for _ in range(count))
        looked_at += spent
        for other, bucket in enumerate(buckets):
            if other != at and spent:
                bucket.charge("x", spent, MOST, now)
            bucket.sweep(now)
    assert looked_at <= MOST + now * MOST / 60 + 1e-6
