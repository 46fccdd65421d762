"""Asking name servers: honest ones, slow ones, broken ones, hostile ones."""

import asyncio
import socket
import struct
from ipaddress import ip_address
from zlib import crc32

import dns.edns
import dns.flags
import dns.message
import dns.rrset
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, is_whole, stride
from tests.support.idle import run_idle
from tests.support.nameserver import SOA, cut, nameserver, reply
from tests.support.patience import PATIENCE_S

from postroad.dns import (
    RecordType,
    ServerAddress,
    Soa,
    WireResolver,
    WireSettings,
    parse_server,
    resolve_a,
    resolve_aaaa,
    resolve_ns,
    system_servers,
)
from postroad.words.facts import Bogus, Found, Mx, NoData, NoName, Temporary, Tlsa
from postroad.words.names import Unreadable

A = RecordType.A


WAYS = ["task", "no-task"]
_WAY = []


@pytest.fixture(params=WAYS if is_whole() else [""], autouse=True)
def _way(request):
    """Every story is told twice, by those who wait in a task and by an ear that is called back.

    In one of both ways, by the name of the test; in both in a whole run.
    """
    _WAY[:] = [request.param or WAYS[crc32(request.node.name.encode()) % 2]]


class Listening:
    """An ear with a future."""

    def __init__(self):
        self.heard = asyncio.get_running_loop().create_future()
        self.hear, self.fail = self.heard.set_result, self.heard.set_exception


async def _resolve(resolver, name, kind):
    listening = Listening()
    stop = resolver.start(name, kind, listening) if _WAY == ["no-task"] else None
    return await listening.heard if stop else await resolver.resolve(name, kind)


async def _ask(answer, name="example.com", kind=RecordType.MX, *, timeout_s=PATIENCE_S, tries=1):
    """What the resolver makes of one scripted server; nothing may be left running."""
    async with nameserver(answer) as server:
        result = await _resolve(WireResolver(WireSettings((server.server,), timeout_s, tries)), name, kind)
        ours = [task for task in asyncio.all_tasks() if "postroad" in repr(task.get_coro())]
        assert [] == ours
    return result, server


def ask(answer, *args, **kwargs):
    """As `_ask`, from a test that has nothing else to await; what ends by a timeout ends once nothing is under way."""
    return run_idle(_ask(answer, *args, **kwargs))


def says(*records, **kwargs):
    """A server that gives this answer to everything."""
    return lambda query, _over: reply(query, *records, **kwargs)


MX_LINES = ("example.com. 300 IN MX 20 B.Example.COM.", "example.com. 300 IN MX 10 a.example.com.")
MX_FOUND = Found((Mx(20, "b.example.com"), Mx(10, "a.example.com")), 300, (), "example.com")


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_records_come_in_plain_words_and_the_order_of_the_answer(loop_factory):
    """MX records keep their order; names are lower case without a final dot; on both event loops."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        result, server = runner.run(_ask(says(*MX_LINES)))
    assert MX_FOUND == result
    assert [("example.com.", "MX", "udp")] == server.asked


@pytest.mark.parametrize(
    ("kind", "data", "word"),
    [
        ("MX", "0 .", Mx(0, "")),
        ("A", "192.0.2.1", ip_address("192.0.2.1")),
        ("AAAA", "2001:db8::1", ip_address("2001:db8::1")),
        ("NS", "NS.example.", "ns.example"),
        ("PTR", "Mail.example.", "mail.example"),
        ("CNAME", "Mail.example.", "mail.example"),
        ("TXT", '"v=spf1 " "-all"', "v=spf1 -all"),
        ("TXT", '"\\255"', "\N{REPLACEMENT CHARACTER}"),
        ("SOA", "ns.a. h.a. 1 2 3 4 5", Soa(1, 5)),
    ],
)
def test_each_type_has_its_word(kind, data, word):
    """Every record type comes as the word promised for it."""
    result, _ = ask(says(f"example.com. 300 IN {kind} {data}"), kind=RecordType(kind))
    assert Found((word,), 300, (), "example.com") == result


def test_typed_functions_ask_for_their_type():
    """The thin functions ask what their name says."""

    async def story():
        async with nameserver(says()) as server:
            resolver = WireResolver(WireSettings((server.server,)))
            for question in (resolve_a, resolve_aaaa, resolve_ns):
                assert NoData() == await question(resolver, "a.example")
        return [(name, kind) for name, kind, _ in server.asked]

    three = [("a.example.", kind) for kind in ("A", "AAAA", "NS")]
    assert three == asyncio.run(story())


def test_the_query_asks_for_recursion_validation_and_small_datagrams():
    """RD and AD are set, EDNS announces 1232 octets, and no two queries share an id by rule."""
    _, server = ask(lambda query, _: reply(query, rcode="SERVFAIL"), tries=3)
    query = server.queries[0]
    assert dns.flags.RD | dns.flags.AD == query.flags
    assert (0, 1232) == (query.edns, query.payload)
    assert len({query.id for query in server.queries}) > 1


VALIDATED = {
    "records": says(*MX_LINES, flags=dns.flags.AD),
    "over TCP": lambda query, over: cut(query) if over == "udp" else reply(query, *MX_LINES, flags=dns.flags.AD),
    "an alias": says(
        "example.com. 9 IN CNAME a.example.com.", "a.example.com. 9 IN MX 1 b.example.", flags=dns.flags.AD
    ),
    "no data": says(authority=[SOA], flags=dns.flags.AD),
    "no name": says(rcode="NXDOMAIN", authority=[SOA], flags=dns.flags.AD),
    "out of the ordinary": says("example.com. 9 IN MX 1 a\\.b.example.", flags=dns.flags.AD),
}


class Far(WireSettings):
    """As if the name server were on another machine."""

    def believes(self, _server):
        return self.trust_ad


@pytest.mark.parametrize("kind", VALIDATED)
def test_validated_answers_say_so(kind):
    """AD of a name server on this machine is handed on, with records and with their absence."""
    result, _ = ask(VALIDATED[kind])
    assert result.authentic


@pytest.mark.parametrize("trust_ad", [False, True])
@pytest.mark.parametrize("kind", VALIDATED)
def test_a_distant_server_is_not_believed(kind, trust_ad):
    """Over a network anyone may set AD: it counts if the settings say so (T12)."""

    async def story():
        async with nameserver(VALIDATED[kind]) as server:
            resolver = WireResolver(Far((server.server,), trust_ad=trust_ad))
            return await _resolve(resolver, "example.com", RecordType.MX)

    assert trust_ad == asyncio.run(story()).authentic


@pytest.mark.parametrize(
    ("server", "expected"),
    [("127.0.0.1", True), ("127.0.0.53", True), ("[::1]:53", True), ("192.0.2.53", False), ("10.0.0.1", False),
     ("[fe80::1]:53", False), ("[::ffff:192.0.2.53]:53", False), ("0.0.0.0", False)],
)  # fmt: skip
def test_who_is_believed(server, expected):
    """Name servers on loopback are; the others where the settings trust the way to them."""
    address = parse_server(server)
    assert [expected, True] == [WireSettings((), trust_ad=trust).believes(address) for trust in (False, True)]


@pytest.mark.parametrize("end", [says("c.example.net. 60 IN A 192.0.2.1"), says(), says(rcode="NXDOMAIN")])
@pytest.mark.parametrize("insecure", ["www", "c", "none"])
def test_one_insecure_link_makes_the_answer_insecure(insecure, end):
    """RFC 7672 section 2.1.3: the alias may be vouched for and its target not, or the other way round (M9)."""

    def answer(query, over):
        label = query.question[0].name.labels[0].decode()
        message = (end if label == "c" else says("www.example.com. 300 IN CNAME c.example.net."))(query, over)
        message.flags |= 0 if label == insecure else dns.flags.AD
        return message

    result, server = ask(answer, "www.example.com", A)
    assert (insecure == "none", 2) == (result.authentic, len(server.asked))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (says(rcode="NXDOMAIN", authority=[SOA]), NoName(300)),
        (says(authority=[SOA]), NoData(300)),
        (says(authority=[SOA.replace(" 600 ", " 60 ")]), NoData(60)),
        (says(rcode="NXDOMAIN"), NoName(0)),
        (says(), NoData(0)),
        (says(authority=[SOA.replace("example.com. 600", "example.org. 600")]), NoData(0)),
    ],
)
def test_absence_has_the_time_of_its_soa(answer, expected):
    """NXDOMAIN and no data live for the lesser of the SOA's TTL and its minimum; without an SOA, not at all."""
    assert expected == ask(answer)[0]


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "YXDOMAIN"])
def test_the_next_server_is_asked_when_one_has_no_answer(rcode):
    """A server in trouble is passed over, and asked again only in the next round."""

    async def story():
        async with nameserver(says(rcode=rcode)) as broken, nameserver(says(*MX_LINES)) as sound:
            resolver = WireResolver(WireSettings((broken.server, sound.server)))
            result = await resolver.resolve("example.com", RecordType.MX)
            return result, len(broken.asked), len(sound.asked)

    assert (MX_FOUND, 1, 1) == asyncio.run(story())


def test_trouble_names_server_and_code():
    """Where no server answers, the sentence has each of them once, with what it did."""

    async def story():
        async with nameserver(says(rcode="SERVFAIL")) as one, nameserver(says(rcode="REFUSED")) as two:
            resolver = WireResolver(WireSettings((one.server, two.server)))
            expected = Temporary(f"{one.server} says SERVFAIL; {two.server} says REFUSED")
            assert expected == await resolver.resolve("example.com", RecordType.MX)
            assert (2, 2) == (len(one.asked), len(two.asked))

    asyncio.run(story())


def fails(*numbers):
    """A server in trouble that says why."""

    def answer(query, _over):
        message = reply(query, rcode="SERVFAIL")
        message.use_edns(0, options=[dns.edns.EDEOption(number, "because") for number in numbers])
        return message

    return answer


@pytest.mark.parametrize(
    ("numbers", "text", "number"),
    [
        ([], "", None),
        ([6], ": DNSSEC validation failed (extended error 6)", 6),
        ([22, 9], ": DNSSEC validation failed (extended error 9)", 9),
        ([22], " (extended error 22, no reachable authority)", 22),
        ([0], " (extended error 0, other)", 0),
        ([49153], " (extended error 49153)", 49153),
    ],
)
def test_the_reason_of_a_servfail_is_told(numbers, text, number):
    """An extended error (RFC 8914) stands beside the code, and is kept; the one of a validator goes first."""
    result, server = ask(fails(*numbers))
    assert Temporary(f"{server.server} says SERVFAIL{text}", extended_error=number) == result
    assert result.is_dnssec_failure == ("DNSSEC" in text)


def test_the_validators_reason_is_kept_beside_those_of_others():
    """Another server that is down does not hide that the answer does not pass DNSSEC."""

    async def story():
        async with nameserver(fails(22)) as down, nameserver(fails(7)) as validator:
            settings = WireSettings((down.server, validator.server))
            return await WireResolver(settings).resolve("example.com", RecordType.MX)

    assert 7 == asyncio.run(story()).extended_error


def test_what_does_not_pass_dnssec_is_asked_of_nobody_else():
    """A server that does not validate would hand on what a forger has sent; one that is not believed ends nothing."""

    async def story(kind):
        async with nameserver(fails(6)) as validator, nameserver(says(*MX_LINES)) as careless:
            resolver = WireResolver(kind((validator.server, careless.server)))
            answer = await _resolve(resolver, "example.com", RecordType.MX)
            return type(answer), len(validator.asked), len(careless.asked)

    assert (Temporary, 1, 0) == asyncio.run(story(WireSettings))
    assert (Found, 1, 1) == asyncio.run(story(Far))


def associates(*records):
    """A server with TLSA records of any octets, over TCP where they do not fit."""

    def answer(query, over):
        head = query.id.to_bytes(2) + b"\x81\xa0\0\1" + len(records).to_bytes(2) + bytes(4)
        section = query.to_wire()[12:].split(b"\0\0\x29")[0]
        owner = b"\xc0\x0c\0\x34\0\1\0\0\0\x09"
        octets = head + section + b"".join(owner + len(each).to_bytes(2) + each for each in records)
        return cut(query) if over == "udp" and len(octets) > 1232 else octets

    return answer


@pytest.mark.parametrize("over", ["udp", "tcp"])
@pytest.mark.parametrize("rdata", [b"", b"\3", b"\3\1"])
def test_a_malformed_association_is_an_error(rdata, over):
    """A TLSA record too short to be one: the answer cannot be used, and is never taken for none (M2)."""
    records = [rdata] if over == "udp" else [rdata, b"\3\0\0" + bytes(1300)]
    result, _ = ask(associates(*records), "_25._tcp.mx.example.com", RecordType.TLSA, timeout_s=0.05)
    assert isinstance(result, Bogus)


def test_associations_of_the_wrong_length_do_not_hide_the_others_over_tcp():
    """Whatever else is published, and however much: a sender finds what it can use."""
    records = [b"\3\1\1" + bytes(31), b"\3\0\0" + bytes(1300), b"\3\1\1" + bytes(32)]
    result, server = ask(associates(*records), "_25._tcp.mx.example.com", RecordType.TLSA)
    assert tuple(Tlsa(*each[:3], each[3:]) for each in records) == result.records
    assert ["udp", "tcp"] == [over for _, _, over in server.asked]


def test_over_tcp_the_reply_to_another_question_cannot_be_used():
    """Its id must be the one of the question."""

    def answer(query, over):
        return cut(query) if over == "udp" else _with_id(reply(query, *MX_LINES), query.id ^ 1)

    result, server = ask(answer)
    assert Bogus(f"{server.server} sent a reply that cannot be used: it is the reply to another question") == result


def test_no_server_at_all_is_temporary():
    """Without a configured server nobody can say."""
    result = asyncio.run(WireResolver(WireSettings(())).resolve("example.com", A))
    assert Temporary("no name server is configured") == result


def test_a_referral_is_no_answer():
    """A server that only refers to others does not resolve for us: never "no MX"."""
    result, server = ask(says(authority=["com. 300 IN NS a.gtld-servers.net."]))
    assert Temporary(f"{server.server} only refers to other name servers: it does not resolve for us") == result


def test_a_closed_port_is_told_at_once():
    """Nobody listens: no waiting for the timeout."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        server = ServerAddress(ip_address("127.0.0.1"), held.getsockname()[1])
    result = asyncio.run(WireResolver(WireSettings((server,), timeout_s=PATIENCE_S)).resolve("example.com", A))
    assert Temporary(f"{server}: connection refused") == result


def test_silence_ends_at_the_timeout():
    """A server that says nothing costs its time, in each round, and no more."""
    result, server = ask(lambda *_: None, timeout_s=0.05, tries=2)
    assert Temporary(f"{server.server} did not answer within 50 ms") == result
    assert 2 == len(server.asked)


def test_a_cut_answer_is_fetched_over_tcp():
    """TC sends the question to TCP, where the answer is whole."""
    result, server = ask(lambda query, over: cut(query) if over == "udp" else reply(query, *MX_LINES))
    assert MX_FOUND == result
    assert ["udp", "tcp"] == [over for _, _, over in server.asked]


def test_as_many_mx_as_a_message_holds_are_taken():
    """Thousands of MX records over TCP are one answer, in order."""
    names = [f"h{n}".encode() for n in range(2800)]
    head = struct.Struct(">HHHIHH")  # the name of the question, MX, IN, a TTL, a length, a preference
    records = b"".join(
        head.pack(0xC00C, 15, 1, 300, len(name) + 6, n % 7) + bytes([len(name)]) + name + b"\1x\0"
        for n, name in enumerate(names)
    )

    def answer(query, over):
        if over == "udp":
            return cut(query)
        question = dns.message.make_query("example.com.", "MX", id=query.id, use_edns=False).to_wire()
        return question[:2] + b"\x80\0" + struct.pack(">4H", 1, len(names), 0, 0) + question[12:] + records

    result, _ = ask(answer, timeout_s=PATIENCE_S)
    assert [(n % 7, f"h{n}.x") for n in range(2800)] == [(mx.preference, mx.exchange) for mx in result.records]


# Aliases


def test_aliases_are_followed_within_the_answer():
    """The names passed are kept, the end of the chain owns the records, the shortest TTL counts."""
    lines = (
        "www.example.com. 300 IN CNAME b.example.com.",
        "b.example.com. 20 IN CNAME c.example.com.",
        "c.example.com. 300 IN A 192.0.2.1",
    )
    result, server = ask(says(*lines), "www.example.com", A)
    expected = Found((ip_address("192.0.2.1"),), 20, ("www.example.com", "b.example.com"), "c.example.com")
    assert expected == result
    assert 1 == len(server.asked)


def _by_name(**answers):
    """A server with one answer for each name (first label)."""
    return lambda query, _over: answers[query.question[0].name.labels[0].decode()](query, _over)


def test_where_the_answer_stops_the_target_is_asked_for():
    """An alias out of the server's zone, without its target's records, is a new question."""
    answer = _by_name(
        www=says("www.example.com. 300 IN CNAME c.example.net."), c=says("c.example.net. 60 IN A 192.0.2.1")
    )
    result, server = ask(answer, "www.example.com", A)
    assert Found((ip_address("192.0.2.1"),), 60, ("www.example.com",), "c.example.net") == result
    assert ["www.example.com.", "c.example.net."] == [name for name, _, _ in server.asked]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (says(), NoData(0, ("www.example.com",))),
        (says(rcode="NXDOMAIN"), NoName(0, ("www.example.com",))),
        (says(rcode="SERVFAIL"), Temporary),
    ],
)
def test_the_end_of_the_chain_decides(end, expected):
    """Nothing, no name, or trouble at the target is the answer to the question."""
    answer = _by_name(www=says("www.example.com. 300 IN CNAME c.example.net."), c=end)
    result, _ = ask(answer, "www.example.com", A)
    assert result == expected if not isinstance(expected, type) else isinstance(result, expected)


def test_nxdomain_behind_an_alias_is_of_its_target():
    """RFC 6604: the code speaks of the end of the chain; its SOA gives the time, the alias may shorten it."""
    alias = "example.com. 60 IN CNAME gone.example.com."
    assert NoName(60, ("example.com",)) == ask(says(alias, rcode="NXDOMAIN", authority=[SOA]))[0]
    assert NoData(60, ("example.com",)) == ask(says(alias, authority=[SOA]))[0]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_alias_loops_are_bogus(length):
    """A loop in one answer ends."""
    lines = [f"n{n}.example. 300 IN CNAME n{(n + 1) % length}.example." for n in range(length)]
    result, _ = ask(says(*lines), "n0.example", A)
    assert isinstance(result, Bogus)
    assert result.why.startswith("alias loop: n0.example -> ")


def _next_alias(query, _over):
    name = query.question[0].name
    number = int(name.labels[0][1:])
    return reply(query, f"{name} 300 IN CNAME n{number + 1}.example.")


def test_an_alias_loop_over_many_answers_ends():
    """A server that always has one alias more is asked eleven times and no more."""
    result, server = ask(_next_alias, "n0.example", A)
    assert "n0.example: more than 10 aliases in a row" == result.why
    assert 11 == len(result.aliases)
    assert 11 == len(server.asked)


def test_ten_aliases_are_followed():
    """The limit itself is allowed."""
    lines = [f"n{n}.example. 300 IN CNAME n{n + 1}.example." for n in range(10)]
    result, _ = ask(says(*lines, "n10.example. 300 IN A 192.0.2.1"), "n0.example", A)
    assert "n10.example" == result.name
    assert 10 == len(result.aliases)


def test_a_cname_asked_for_is_not_followed():
    """Asked for the alias itself, the answer is where it points."""
    result, _ = ask(says("example.com. 300 IN CNAME a.example."), kind=RecordType.CNAME)
    assert ("a.example",) == result.records


# Hostile answers


def _with_id(message, number):
    message.id = number
    return message


def _forged(query):
    """What is no reply to the query: wrong id, wrong name, wrong type, no reply at all, garbage under another id."""
    evil = "example.com. 300 IN MX 1 evil.example."
    other_name = dns.message.make_query("example.org", "MX", id=query.id)
    other_type = dns.message.make_query("example.com", "A", id=query.id)
    return [
        _with_id(reply(query, evil), query.id ^ 1),
        reply(other_name, evil),
        reply(other_type, evil),
        query,
        b"",
        b"\x00" * 11,
        bytes(range(256)),
        _with_id(cut(query), query.id ^ 1),
    ]


def test_forged_datagrams_are_waited_out():
    """Datagrams that are no reply to the query do not end the wait; the real one is taken after them."""
    assert MX_FOUND == ask(lambda query, _: [*_forged(query), reply(query, *MX_LINES)])[0]


def test_nothing_but_forged_datagrams_is_a_timeout():
    """Where the real reply never comes, it is a timeout, not an answer."""
    result, server = ask(lambda query, _: _forged(query), timeout_s=0.1)
    assert Temporary(f"{server.server} did not answer within 100 ms") == result


def _unreadable(query):
    """Octets under the id of the query that are no message: cut short, with junk behind, at random."""
    octets = reply(query, *MX_LINES).to_wire()
    return [octets[:2], octets[:9], octets[:-3], octets + b"junk", octets[:4] + b"\xff" * 40]


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_a_reply_that_cannot_be_read_is_named_as_such(number, over):
    """What came and is no message is no silence: the answer says that something came, and what is wrong with it."""

    def answer(query, by):
        return cut(query) if by != over else _unreadable(query)[number]

    result, server = ask(answer, timeout_s=0.1)
    assert isinstance(result, Bogus)
    assert result.why.startswith(f"{server.server} sent a reply that cannot be used: ")


def test_an_unreadable_datagram_does_not_end_the_wait():
    """A forger who knows nothing but the id must not be able to stop a look-up: the reply behind it is taken."""
    assert MX_FOUND == ask(lambda query, _: [*_unreadable(query), reply(query, *MX_LINES)])[0]


def test_one_question_s_unreadable_reply_is_not_another_s():
    """Beside it on the same socket, who hears nothing is told of silence, who is answered has the answer."""

    async def story():
        scripts = {"bad": lambda query: b"".join(_unreadable(query)[:1]), "mute": lambda _: None, "good": _good}
        async with nameserver(lambda query, _: scripts[query.question[0].name.labels[0].decode()](query)) as server:
            resolver = WireResolver(WireSettings((server.server,), 0.1, 1))
            answers = await asyncio.gather(*(_resolve(resolver, f"{name}.example", A) for name in scripts))
        return list(map(type, answers))

    assert [Bogus, Temporary, Found] == run_idle(story())


def _good(query):
    return reply(query, f"{query.question[0].name} 300 IN A 192.0.2.1")


def test_datagrams_from_elsewhere_are_not_heard():
    """The right reply from the wrong port is not taken."""

    async def story():
        async with nameserver(lambda *_: None) as silent, nameserver(lambda *_: None) as stranger:
            silent.datagram_received = lambda data, client: stranger._udp.sendto(
                reply(dns.message.from_wire(data), *MX_LINES).to_wire(), client
            )
            settings = WireSettings((silent.server,), timeout_s=0.1, tries=1)
            return await WireResolver(settings).resolve("example.com", RecordType.MX)

    assert isinstance(run_idle(story()), Temporary)


@pytest.mark.parametrize("number", range(8))
def test_a_stream_with_something_else_is_no_answer(number):
    """Over TCP the first message must be the reply; what is none of it gives a typed answer at once."""
    result, server = ask(lambda query, over: cut(query) if over == "udp" else _forged(query)[number])
    assert isinstance(result, Bogus)
    assert str(server.server) in result.why


def test_a_stream_that_ends_early_is_temporary():
    """Half a message and the end of the connection: trouble on the way."""
    result, server = ask(lambda query, over: cut(query) if over == "udp" else [])
    assert Temporary(f"{server.server}: connection closed before the reply was whole") == result


def test_a_cut_answer_over_tcp_is_taken_as_it_is():
    """TC over TCP means nothing: no second stream is opened."""
    result, server = ask(
        lambda query, over: cut(query) if over == "udp" else reply(query, *MX_LINES, flags=dns.flags.TC)
    )
    assert MX_FOUND == result
    assert 2 == len(server.asked)


def test_records_of_other_owners_are_ignored():
    """What an answer says of names not asked for is not believed."""
    result, _ = ask(says("example.org. 300 IN MX 1 evil.example.", authority=[SOA]))
    assert NoData(300) == result
    result, _ = ask(says("other.example. 300 IN MX 1 evil.example.", *MX_LINES))
    assert MX_FOUND == result


def test_nxdomain_with_records_is_bogus():
    """An answer that contradicts itself cannot be used."""
    assert Bogus("example.com: the reply says NXDOMAIN but has records") == ask(says(*MX_LINES, rcode="NXDOMAIN"))[0]


def test_strange_names_come_back_as_they_went():
    """Dots, blanks, controls and 8-bit octets in a giant name survive the way to text, and can be asked for."""
    label = r"\000\255\.\032A\"" + "x" * 55
    name = ".".join([label] * 4)[: -len("x" * 9)]
    result, _ = ask(lambda query, _: reply(query, f"{query.question[0].name} 300 IN MX 1 {name}."))
    strange = result.records[0].exchange
    assert name.lower() == strange
    again, _ = ask(lambda query, _: reply(query, f"{name}. 300 IN A 192.0.2.1"), strange, A)
    assert (strange, 1) == (again.name, len(again.records))


@pytest.mark.parametrize("name", ["a" * 64, "a..b", ".".join(["a" * 60] * 5), "\\9", "\ud800"])
def test_a_text_that_is_no_name_is_not_asked_for(name):
    """What cannot stand in a question gets a typed answer."""
    result, server = ask(says(*MX_LINES), name)
    assert isinstance(result, Bogus)
    assert [] == server.asked


def _mutated(edits, length):
    """A server over TCP whose good reply is damaged after its id."""

    def answer(query, over):
        if over == "udp":
            return cut(query)
        octets = bytearray(
            reply(query, *MX_LINES, "b.example.com. 300 IN CNAME c.example.com.", authority=[SOA]).to_wire()
        )
        for place, value in edits:
            octets[2 + place % (len(octets) - 2)] = value
        return bytes(octets[: max(2, len(octets) - length)])

    return answer


@settings(max_examples=examples(120 // stride(2)))
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4), st.integers(0, 3))
def test_damaged_replies_never_raise(edits, length):
    """Whatever octets come, a typed answer comes out."""
    result, _ = ask(_mutated(edits, length))
    assert isinstance(result, Found | NoData | NoName | Temporary | Bogus)


def test_giving_up_leaves_nothing_behind():
    """A question that is cancelled half way closes its socket and leaves no task."""

    async def story():
        heard = asyncio.Event()
        async with nameserver(lambda *_: heard.set()) as server:
            resolver = WireResolver(WireSettings((server.server,), timeout_s=PATIENCE_S))
            task = asyncio.create_task(resolver.resolve("example.com", A))
            await heard.wait()
            task.cancel()
            await asyncio.wait([task])
            assert {asyncio.current_task()} == asyncio.all_tasks()

    asyncio.run(story())


@pytest.mark.parametrize("is_answered", [False, True])
def test_taking_back_a_question_leaves_nothing_behind(is_answered):
    """No socket, no task, and the ear hears nothing: before an answer, and while an unusual one is looked into."""

    async def story():
        heard = asyncio.Event()

        def answer(query, over):
            heard.set()
            return cut(query) if is_answered and over == "udp" else None

        async with nameserver(answer) as server:
            resolver = WireResolver(WireSettings((server.server,), timeout_s=PATIENCE_S))
            listening = Listening()
            stop = resolver.start("example.com", A, listening)
            await heard.wait()
            while is_answered and len(asyncio.all_tasks()) == 1:  # noqa: ASYNC110  # the task that begins is not ours
                await asyncio.sleep(0)
            stop()
            while [task for task in asyncio.all_tasks() if "postroad" in repr(task.get_coro())]:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)
            assert not listening.heard.done()
            assert not resolver._newest.takes_more

    asyncio.run(story())


# Naming servers


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", "192.0.2.53:53"),
        ("127.0.0.1:5353", "127.0.0.1:5353"),
        ("[::1]:53", "[::1]:53"),
        (" [2001:db8::53]", "[2001:db8::53]:53"),
        ("2001:db8::53", "[2001:db8::53]:53"),
    ],
)
def test_servers_are_read_as_people_write_them(text, server):
    """Address, address and port, brackets for IPv6 with a port."""
    assert server == str(parse_server(text))


@pytest.mark.parametrize(
    "text", ["", "ns.example.com", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "[192.0.2.1]:53", "::1]:53", "[]:1",
             "192.0.2.1:\u0663", "192.0.2.1:" + "9" * 5000],
)  # fmt: skip
def test_what_is_no_server_is_told(text):
    """Anything else comes back with how to write it."""
    result = parse_server(text)
    assert isinstance(result, Unreadable)
    assert "write a name server as" in result.why


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# nameserver 192.0.2.1\nsearch example.com\nnameserver 192.0.2.53\nnameserver\t2001:db8::53\n",
         ["192.0.2.53:53", "[2001:db8::53]:53"]),
        ("nameserver\noptions rotate nameserver\n", ["127.0.0.1:53"]),
        ("", ["127.0.0.1:53"]),
        ("nameserver one.example\nnameserver \xfc\n", []),
    ],
)  # fmt: skip
def test_the_servers_of_the_system_are_those_of_its_file(text, expected, tmp_path):
    """As resolv.conf(5) has it: a line each, the one on this machine if none is named."""
    (tmp_path / "resolv.conf").write_text(text, "latin-1")
    assert expected == [str(server) for server in system_servers(tmp_path / "resolv.conf")]


def test_without_the_file_the_system_is_asked(tmp_path):
    """Where there is no such file it is the server on this machine, or what a registry says."""
    assert all(isinstance(server, ServerAddress) for server in system_servers(tmp_path / "none"))
    assert system_servers(tmp_path / "none")
