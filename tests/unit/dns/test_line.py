"""Questions share a socket while they are under way together, and not for long."""

import asyncio

import pytest
import uvloop
from tests.support.idle import run_idle
from tests.support.nameserver import nameserver, reply

from postroad.dns import RecordType, WireResolver, WireSettings
from postroad.dns.line import MAX_QUESTIONS
from postroad.words.facts import Found, Temporary

A = RecordType.A


def _addressed(query, _over):
    """Each name has an address of its own: its number."""
    name = query.question[0].name
    return reply(query, f"{name} 300 IN A 192.0.2.{int(name.labels[0][1:]) % 256}")


class _Ports:
    """Notes from which port each question of a name server came, with its id."""

    def __init__(self, server):
        self.seen = []
        self._hear, server.datagram_received = server.datagram_received, self.heard

    def heard(self, data, addr):
        self.seen.append((addr[1], int.from_bytes(data[:2])))
        self._hear(data, addr)


def _together(count, loop_factory=asyncio.new_event_loop):
    async def story():
        async with nameserver(_addressed) as server:
            ports = _Ports(server)
            resolver = WireResolver(WireSettings((server.server,)))
            found = await asyncio.gather(*(resolver.resolve(f"h{n}.example", A) for n in range(count)))
        return found, ports.seen

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(story())


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_each_question_of_many_gets_its_own_answer(loop_factory):
    """Replies find their question by id and question, whatever their order."""
    count = MAX_QUESTIONS + 10
    found, _ = _together(count, loop_factory)
    assert [f"192.0.2.{n}" for n in range(count)] == [str(answer.records[0]) for answer in found]


def test_a_port_is_left_after_some_dozens_of_questions():
    """However busy: no port is worth more than 64 questions to who finds it out; ids do not repeat on it."""
    _, seen = _together(2 * MAX_QUESTIONS + 1)
    ports = {port for port, _ in seen}
    assert len(ports) == 3
    assert all(sum(port == other for other, _ in seen) <= MAX_QUESTIONS for port in ports)
    assert len(seen) == len(set(seen))


def test_questions_asked_one_by_one_have_a_port_each():
    """Nothing is held open between questions: the next has a new socket, and the kernel draws its port."""

    async def story():
        async with nameserver(_addressed) as server:
            ports = _Ports(server)
            resolver = WireResolver(WireSettings((server.server,)))
            for n in range(8):
                await resolver.resolve(f"h{n}.example", A)
        return {port for port, _ in ports.seen}

    assert len(asyncio.run(story())) > 1


def test_a_reply_to_the_neighbour_is_not_taken():
    """On a shared socket, the id of one question with the answer of another is waited out."""

    async def story():
        asked = []

        def crossed(query, _over):
            asked.append(query)
            if len(asked) < 2:
                return None
            one, other = asked
            swapped = [_addressed(one, "udp"), _addressed(other, "udp")]
            swapped[0].id, swapped[1].id = other.id, one.id
            return swapped

        async with nameserver(crossed) as server:
            resolver = WireResolver(WireSettings((server.server,), timeout_s=0.1, tries=1))
            return await asyncio.gather(*(resolver.resolve(f"h{n}.example", A) for n in range(2)))

    assert all(isinstance(answer, Temporary) for answer in run_idle(story()))


def test_one_who_gives_up_leaves_the_others_their_line():
    """A question cancelled half way takes nothing from those that share its socket."""

    async def story():
        held, both_held = [], asyncio.Event()

        def hold(query, _over):
            held.append(query)
            if len(held) == 2:
                both_held.set()

        async with nameserver(hold) as server:
            resolver = WireResolver(WireSettings((server.server,)))
            tasks = [asyncio.create_task(resolver.resolve(f"h{n}.example", A)) for n in range(2)]
            ports = _Ports(server)
            await both_held.wait()
            tasks[0].cancel()
            await asyncio.wait(tasks[:1])
            late = next(query for query in held if query.question[0].name.labels[0] == b"h1")
            server._udp.sendto(_addressed(late, "udp").to_wire(), ("127.0.0.1", ports.seen[-1][0]))
            return await tasks[1]

    assert isinstance(asyncio.run(story()), Found)


def test_a_loop_that_watches_no_sockets_asks_each_on_its_own(monkeypatch):
    """As asyncio's own loop on Windows: the answer is the same, by dnspython's transport."""

    def unable(*_):
        raise NotImplementedError

    async def story():
        async with nameserver(_addressed) as server:
            return await WireResolver(WireSettings((server.server,))).resolve("h1.example", A)

    monkeypatch.setattr("postroad.dns.wire.PendingQueries", unable)
    assert isinstance(asyncio.run(story()), Found)
