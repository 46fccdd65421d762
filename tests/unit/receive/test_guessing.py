"""Passwords under attack: who guesses pays first, waits with his own, and holds nobody else up."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride
from tests.support.ports import USERS
from tests.support.talking import SETTINGS, tell

from postroad.receive.judge import Judge
from postroad.receive.login import Login
from postroad.receive.policy import newcomer
from postroad.receive.turns import CrowdedError, Turns
from postroad.smtp import AuthGiven

GUESSER, GOOD = newcomer(ip_address("192.0.2.66")), newcomer(ip_address("192.0.2.7"))
WITH_USERS = replace(SETTINGS, users=USERS)


def login(house, client, password, user="ann", authorization=""):
    """AUTH on a connection of its own, answered."""
    given = AuthGiven("PLAIN", authorization, user, password)
    shared = house.receiver._shared
    return Login(shared, Judge(shared, client), "peer").answer(given)


class Scrypt:
    """Counts what is verified, and holds it back until it is let go."""

    def __init__(self, house):
        self.asked = []
        self.gate = asyncio.Event()
        self._is_right = house.receiver._shared.verifier.is_right
        self._house = house

    def within(self, monkeypatch):
        """Stand in for the verifier."""
        monkeypatch.setattr(self._house.receiver._shared.verifier, "is_right", self)
        return self

    async def __call__(self, users, user, password):
        """Verify, when the gate is open."""
        self.asked.append(password)
        await self.gate.wait()
        return await self._is_right(users, user, password)


def test_guesses_are_paid_for_before_they_are_looked_at(monkeypatch):
    """Of 90 at once, 20 are looked at in a minute; the others are told 454 without a look."""

    async def story(house):
        scrypt = Scrypt(house).within(monkeypatch)
        scrypt.gate.set()
        replies = await asyncio.gather(*(login(house, GUESSER, f"guess {number}") for number in range(90)))
        assert (20, 20, 70) == (
            len(scrypt.asked),
            sum(reply.code == 535 for reply in replies),
            sum(reply.code == 454 for reply in replies),
        )

    tell(story, WITH_USERS)


def test_right_passwords_cost_nothing():
    """A client whose users are all right may have any number of them."""

    async def story(house):
        replies = [await login(house, GOOD, "secret") for _ in range(50)]
        assert {235} == {reply.code for reply in replies}
        assert house.receiver._shared.auth_failures.left(GOOD.party, 20, asyncio.get_running_loop().time()) == 20

    tell(story, WITH_USERS)


def test_acting_for_another_is_a_wrong_guess_too():
    """It is refused, and paid for."""

    async def story(house):
        replies = [await login(house, GOOD, "secret", authorization="bob") for _ in range(21)]
        assert [535] * 20 + [454] == [reply.code for reply in replies]

    tell(story, WITH_USERS)


def test_good_user_does_not_wait_behind_a_guesser(monkeypatch):
    """With a crowd of guesses from elsewhere in the queue, the user's password is the next one looked at."""

    async def story(house):
        scrypt = Scrypt(house).within(monkeypatch)
        crowd = [asyncio.create_task(login(house, GUESSER, f"guess {number}")) for number in range(40)]
        await asyncio.sleep(0)
        good = asyncio.create_task(login(house, GOOD, "secret"))
        await asyncio.sleep(0)
        scrypt.gate.set()
        assert 235 == (await good).code
        assert scrypt.asked.index("secret") <= 4
        await asyncio.gather(*crowd)

    tell(story, WITH_USERS)


def test_client_with_too_many_waiting_is_told_at_once(monkeypatch):
    """454 4.7.0, while another client still finds a place in the queue."""

    async def story(house):
        scrypt = Scrypt(house).within(monkeypatch)
        crowd = [asyncio.create_task(login(house, GUESSER, f"guess {number}")) for number in range(60)]
        await asyncio.sleep(0)
        assert [8, {"454 4.7.0"}] == [
            len(done := [task.result() for task in crowd if task.done()]),
            {str(reply)[:9] for reply in done},
        ]
        good = asyncio.create_task(login(house, GOOD, "secret"))
        scrypt.gate.set()
        assert 235 == (await good).code
        await asyncio.gather(*crowd)

    tell(story, WITH_USERS)


@pytest.mark.parametrize("count", [1, 7])
def test_places_are_never_more_than_there_are(count):
    """However many come, `at_once` are in."""

    async def story():
        turns, inside, most = Turns(2, 99), 0, 0

        async def visit(party):
            nonlocal inside, most
            async with turns.place(party):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(visit(str(number % 3)) for number in range(count)))
        assert (min(2, count), 0, 2) == (most, inside, turns._free)

    asyncio.run(story())


@settings(max_examples=examples(100 // stride(2)))
@given(st.lists(st.sampled_from("aaaab"), min_size=1, max_size=20), st.sets(st.integers(0, 19)))
def test_turns_go_round_the_clients(parties, cancelled):
    """Nobody is passed over twice by one client, whoever gives up; and in the end all places are free."""

    async def story():
        turns, served = Turns(1, 99), []

        async def visit(party):
            async with turns.place(party):
                served.append(party)
                await asyncio.sleep(0)

        async with AsyncExitStack() as held:
            await held.enter_async_context(turns.place("holder"))
            tasks = [asyncio.create_task(visit(party)) for party in parties]
            await asyncio.sleep(0)
            for number in cancelled:
                if number < len(tasks):
                    tasks[number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        going = [party for number, party in enumerate(parties) if number not in cancelled]
        assert sorted(going) == sorted(served)
        both = 2 * min(going.count("a"), going.count("b"))
        assert all(first != second for first, second in pairwise(served[:both]))
        assert (1, {}) == (turns._free, turns._queues)

    asyncio.run(story())


def test_crowd_is_counted_by_client():
    """One too many of a client is refused, of another not."""

    async def story():
        turns = Turns(1, 1)
        async with turns.place("a"):
            waiting = [asyncio.create_task(turns._enter(party)) for party in "ab"]
            await asyncio.sleep(0)
            with pytest.raises(CrowdedError):
                await turns._enter("a")
        await waiting[0]
        turns._leave()
        await waiting[1]

    asyncio.run(story())


def test_place_given_to_one_who_has_just_gone_is_passed_on():
    """A place handed to a task that is cancelled in the same moment is not lost."""

    async def story():
        turns = Turns(1, 9)
        async with turns.place("a"):
            gone, next_one = (asyncio.create_task(turns._enter(party)) for party in "bc")
            await asyncio.sleep(0)
        gone.cancel()
        await next_one
        turns._leave()
        assert 1 == turns._free

    asyncio.run(story())
