"""The life of one connection: whose time runs, and how it ends, once."""

import asyncio

import pytest

from postroad.net import NetError, NetErrorKind
from postroad.receive.connection import TOO_LONG, Connection
from postroad.receive.settings import ReceiveTimeouts
from postroad.words.reply import Reply

TIMES = ReceiveTimeouts(command_s=300.0, session_s=3600.0, goodbye_s=1.0)
GOODBYE = Reply(421, ("4.3.2 goodbye",))


class Wire:
    """A stream that notes what is done with it."""

    def __init__(self):
        self.done = []

    def __getattr__(self, name):
        """Any method."""
        return lambda *_: self.done.append(name)


class Life:
    """A connection with a clock that is set by hand, and how often its end was heard."""

    def __init__(self):
        self.clock = 1000.0
        self.ends = 0
        self.wire = Wire()
        self.connection = Connection(self.wire, TIMES, self._ended)
        self.connection.now = lambda: self.clock
        self.connection.patience.late_at, self.connection.patience.ends_at = 1300.0, 4600.0

    @property
    def deadline(self):
        """Between two commands."""
        return self.connection.deadline(in_message=False)

    def _ended(self):
        self.ends += 1


def lived(story):
    """What a story of a connection says in the end."""

    async def main():
        return await story(Life())

    return asyncio.run(main())


def test_no_time_of_the_client_passes_while_our_side_works():
    """It is never late then; afterwards it has what it had left."""

    async def story(it):
        it.clock = 1100.0
        it.connection.pause()
        waiting = it.deadline
        it.clock = 1900.0
        it.connection.resume()
        return waiting, it.deadline

    assert (float("inf"), 1900.0 + 200.0) == lived(story)


def test_client_that_is_told_to_go_has_a_moment():
    """421 and the end of our side; who does not take it is cut off when that moment has passed."""

    async def story(it):
        it.connection.leave(GOODBYE)
        told, deadline = list(it.wire.done), it.deadline
        it.wire.done.clear()
        it.connection.expire()
        return told, deadline, it.wire.done

    assert (["write", "close"], 1001.0, ["abort"]) == lived(story)


@pytest.mark.parametrize(("ends_at", "why"), [(1000.0, TOO_LONG.text), (1000.5, "4.4.2 timeout")])
def test_late_client_hears_which_limit_it_was(ends_at, why):
    """The session's from the moment of its end on, else that of a command."""

    async def story(it):
        it.connection.patience.ends_at = ends_at
        it.connection.expire()
        return it.connection.why

    assert why == lived(story)


def test_first_reason_is_the_one_that_is_told():
    """What follows from it is no reason of its own; and the end is heard of once."""

    async def story(it):
        it.connection.leave(GOODBYE)
        it.connection.leave(TOO_LONG)
        it.connection.give_up(NetError("reset", NetErrorKind.TIMEOUT))
        it.connection.drop()
        return it.connection.why, it.ends

    assert (GOODBYE.text, 1) == lived(story)


def test_port_with_tls_needs_a_certificate():
    """Without one the handshake is not begun: the fault is ours."""

    async def story(it):
        with pytest.raises(NetError) as caught:
            await it.connection.start_tls(None)
        return caught.value.kind, it.wire.done

    assert (NetErrorKind.LOCAL, []) == lived(story)


async def _fails(problem):
    raise problem


@pytest.mark.parametrize(("problem", "why"), [(NetError("gone", NetErrorKind.TIMEOUT), "gone"), (None, "")])
def test_work_that_fails_ends_the_connection(problem, why):
    """The network's trouble is its reason; work that is dropped with it needs none. What comes next is not begun."""

    async def story(it):
        went_on = []
        it.connection.wait(_fails(problem) if problem else asyncio.Event().wait(), went_on.append)
        if problem is None:
            it.connection.drop()
            assert 0 == it.ends  # the work has to end first
        for _ in range(3):
            await asyncio.sleep(0)
        return it.connection.why, it.ends, went_on

    assert (why, 1, []) == lived(story)


def test_bug_in_what_follows_ends_the_connection_and_is_not_hidden():
    """The loop hears of it, and the client is not left hanging."""

    async def story(it):
        caught = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, about: caught.append(about["exception"]))

        def follow(_result):
            raise ZeroDivisionError

        it.connection.wait(asyncio.sleep(0), follow)
        for _ in range(4):
            await asyncio.sleep(0)
        return [type(bug) for bug in caught], it.ends, "abort" in it.wire.done

    assert ([ZeroDivisionError], 1, True) == lived(story)
