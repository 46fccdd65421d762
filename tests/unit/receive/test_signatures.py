"""What came whole in one turn of the loop is signed together, by all threads there are, and each hears of its own."""

import asyncio
import threading
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.support.signing import key, policy, rsa_pem, verdicts
from tests.support.talking import ENVELOPE, HEAD, SETTINGS, tell, until

from postroad.receive.signatures import TURN_S, Signatures

LETTER = b"From: Ann <ann@example.com>\r\n" + HEAD
OLD, NEW = key("old"), key("new", octets=rsa_pem(turn=1))
SIGNING = replace(SETTINGS, signing=policy(OLD))


class Panic(BaseException):
    """As Rust's: no Exception."""


def heard(jobs, helpers):
    """What is heard of jobs that are asked for in one turn, by their places, and how many threads there were."""

    async def story():
        signatures, results = Signatures(helpers), {}
        for place, job in enumerate(jobs):
            signatures.ask(job, lambda result, place=place: results.setdefault(place, []).append(result))
        assert {} == results
        await until(lambda: len(results) == len(jobs))
        threads = list(signatures._threads)
        signatures.close()
        for thread in threads:
            thread.join()
        return results, len(threads)

    return asyncio.run(story())


@pytest.mark.parametrize("helpers", [0, 1, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_each_hears_of_its_own_once(count, helpers):
    """However many there are, and threads for them: no more of these than have something to do."""
    jobs = [lambda place=place: b"%d" % place for place in range(count)]
    expected = {place: [b"%d" % place] for place in range(count)}
    assert (expected, min(count - 1, helpers)) == heard(jobs, helpers)


@pytest.mark.parametrize("many", [2, 3])
def test_so_many_are_signed_at_a_time(many):
    """Each goes on when all have begun: no thread does two of them."""
    begun = threading.Barrier(many)

    def job():
        begun.wait()
        return b"signed"

    results, _ = heard([job] * many, helpers=many - 1)
    assert {place: [b"signed"] for place in range(many)} == results


@pytest.mark.parametrize("trouble", [ZeroDivisionError(), IndexError(), Panic("a bug in Rust")])
@pytest.mark.parametrize("helpers", [0, 1])
def test_trouble_of_one_is_no_others(helpers, trouble):
    """Whatever it is, in whichever thread, it is an error that is told, and the threads go on."""

    def broken():
        raise trouble

    results, _ = heard([lambda: b"1", broken, lambda: b"3", broken, lambda: b"5"], helpers)
    expected = [trouble] if isinstance(trouble, Exception) else [repr(trouble)]
    told = [str(one) if isinstance(one, RuntimeError) else one for place in (1, 3) for one in results[place]]
    assert ([[b"1"], [b"3"], [b"5"]], expected * 2) == ([results[place] for place in (0, 2, 4)], told)


def test_one_who_fails_to_hear_is_no_others_trouble():
    """A bug behind one signature reaches the loop's log, and the other message goes on."""

    async def story():
        told, results = [], []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(type(context["exception"])))
        signatures = Signatures(0)
        signatures.ask(lambda: b"1", lambda _: 1 // 0)
        signatures.ask(lambda: b"2", results.append)
        await until(lambda: results)
        return told, results

    assert ([ZeroDivisionError], [b"2"]) == asyncio.run(story())


def test_without_a_thread_the_loop_signs_alone(monkeypatch):
    """The system has none left."""

    def start(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert ({0: [b"1"], 1: [b"2"]}, 0) == heard([lambda: b"1", lambda: b"2"], helpers=1)


def test_after_the_end_the_loop_signs_alone():
    """A message may be whole while the relay stops."""

    async def story():
        signatures, results = Signatures(1), []
        signatures.close()
        for octets in (b"1", b"2"):
            signatures.ask(lambda octets=octets: octets, results.append)
        await until(lambda: len(results) == 2)
        return sorted(results), signatures._threads

    assert ([b"1", b"2"], []) == asyncio.run(story())


@pytest.mark.parametrize("helpers", [0, 1, 3])
@pytest.mark.parametrize("slow", [1, 2, 5])
def test_other_clients_are_heard_while_many_are_signed(helpers, slow):
    """A turn of the loop begins no signature once its time is over, whichever thread is free; the order stays."""
    many = 40

    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    async def story():
        clock, order, turns, signed = Clock(), [], [], []
        signatures = Signatures(helpers, clock)
        loop = asyncio.get_running_loop()

        def sign(place):
            order.append(place)
            clock.now += TURN_S / slow
            return b"%d" % place

        def turn():
            turns.append(len(order))
            if len(signed) < many:
                loop.call_soon(turn)

        for place in range(many):
            signatures.ask(lambda place=place: sign(place), signed.append)
        turn()
        await until(lambda: len(signed) == many)
        signatures.close()
        begun = [after - before for before, after in pairwise(turns)]
        return order if not helpers else sorted(order), sorted(signed), max(begun)

    order, signed, most = asyncio.run(story())
    assert (list(range(many)), sorted(b"%d" % place for place in range(many))) == (order, signed)
    assert most <= slow + helpers + 1


def test_one_who_asks_while_others_wait_is_behind_them():
    """Who came first is signed first."""

    async def story():
        order, now = [], iter(range(1000))
        signatures = Signatures(0, lambda: float(next(now)))
        for place in range(3):
            signatures.ask(lambda place=place: b"%d" % place, order.append)
        await asyncio.sleep(0)
        signatures.ask(lambda: b"late", order.append)
        await until(lambda: len(order) == 4)
        return order

    assert [b"0", b"1", b"2", b"late"] == asyncio.run(story())


def test_many_clients_at_once_get_their_own_signatures():
    """Each verifies, though they are made side by side."""

    async def story(house):
        async def visit(place):
            async with house.visit() as client:
                message = LETTER + b"The %dth.\r\n" % place
                return (await client.codes(ENVELOPE + b"DATA\r\n" + message + b".\r\n", 4))[-1]

        codes = await asyncio.gather(*map(visit, range(8)))
        return codes, [verdicts(content, OLD) for _, content in house.keeper.kept]

    assert (["250"] * 8, [[True]] * 8) == tell(story, SIGNING)


def whole(act):
    """A message has come whole, and something happens before it is signed; what dkimpy says of both keys then."""

    async def story(house):
        async with house.visit() as client:
            await client.ask(ENVELOPE + b"DATA\r\n", 3)
            (session,) = house.receiver._sessions
            session.hear(LETTER + b"x\r\n.\r\n")
            act(house.receiver, session.connection)
            await until(lambda: house.keeper.kept)
        ((_, content),) = house.keeper.kept
        return content

    return tell(story, SIGNING)


def test_a_client_that_goes_before_its_message_is_signed():
    """It is kept, signed, as one that goes while it is written to the disk: a 250 may have been too late as well."""
    content = whole(lambda _, connection: connection.drop())
    assert [True] == verdicts(content, OLD)


def test_keys_that_change_before_a_message_is_signed():
    """It has the key that was there when it began; the next one has the new key."""
    changed = replace(SIGNING, signing=policy(NEW))

    def change(receiver, _connection):
        receiver.settings = changed

    assert [True] == verdicts(whole(change), OLD)
