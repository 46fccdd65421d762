"""The lab's nameserver, asked by dnspython over the wire."""

import asyncio
from random import Random
from unittest.mock import patch

import dns.asyncquery
import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride
from tests.support.patience import PATIENCE_S

from postroad.dns import Zones, parse_zones
from postroad.lab.nameserver import DnsFault, Nameserver, Order
from postroad.net import NetError

ZONE = """
$ORIGIN example.com.
$TTL 300
@      SOA ns hostmaster 1 3600 600 86400 60
       NS ns
       MX 10 a
       MX 10 b
       MX 20 c
ns     A 127.0.0.1
a      60 A 127.0.0.11
a      60 A 127.0.0.12
a      60 A 127.0.0.13
b      AAAA ::1
alias  CNAME a
"""


def zones(text=ZONE):
    """The zone, parsed."""
    parsed = parse_zones({"lab": text})
    assert isinstance(parsed, Zones)
    return parsed


def serving(story, **settings):
    """Run a story with a nameserver that serves the zone, and a function that asks it."""
    told = []

    async def whole():
        nameserver = Nameserver(zones(), listener=told.append, **settings)
        await nameserver.start()

        async def ask(name, kind, over=dns.asyncquery.udp, **query):
            message = dns.message.make_query(name, kind, **query)
            where = nameserver.endpoint
            return await over(message, str(where.address), port=where.port, timeout=PATIENCE_S)

        try:
            async with asyncio.timeout(PATIENCE_S):
                await story(nameserver, ask)
        finally:
            await nameserver.stop()

    asyncio.run(whole())
    return told


def first_set(response):
    """The records of the first set of an answer, as text, in the order on the wire."""
    return [record.to_text() for record in response.answer[0]]


@pytest.mark.parametrize("over", [dns.asyncquery.udp, dns.asyncquery.tcp])
def test_answers_with_authority_in_the_order_of_the_zone(over):
    """Over UDP and TCP, on one port: the records as they stand in the zone, with their TTL, flagged authoritative."""

    async def story(nameserver, ask):
        for _ in range(3):
            response = await ask("example.com", "MX", over)
            assert ["10 a.example.com.", "10 b.example.com.", "20 c.example.com."] == first_set(response)
            assert response.flags & dns.flags.AA
        response = await ask("A.Example.COM", "A", over)
        assert 60 == response.answer[0].ttl

    serving(story)


def test_rotated_order_moves_on_with_each_question():
    """The second question for a set gets it from the second record on, and so round and round, each set by itself."""

    async def story(nameserver, ask):
        seen = [first_set(await ask("a.example.com", "A"))[0][-2:] for _ in range(4)]
        assert ["11", "12", "13", "11"] == seen
        assert "10 a.example.com." == first_set(await ask("example.com", "MX"))[0]

    serving(story, order=Order.ROTATED)


def test_random_order_follows_the_seed():
    """The same seed gives the same orders; every record comes first some time, none is lost."""
    runs = []

    async def story(nameserver, ask):
        runs.append([tuple(first_set(await ask("a.example.com", "A"))) for _ in range(20)])

    serving(story, order=Order.RANDOM, rng=Random(7))
    serving(story, order=Order.RANDOM, rng=Random(7))
    assert runs[0] == runs[1]
    assert {"127.0.0.11", "127.0.0.12", "127.0.0.13"} == {order[0] for order in runs[0]}
    assert {3} == {len(set(order)) for order in runs[0]}


def test_absent_names_types_and_foreign_names_are_told_apart():
    """NXDOMAIN and no data come with the SOA that says for how long; a name of no zone is refused."""

    async def story(nameserver, ask):
        gone, empty, foreign = [
            await ask(*asked) for asked in (("x.example.com", "A"), ("b.example.com", "A"), ("example.org", "A"))
        ]
        assert [dns.rcode.NXDOMAIN, dns.rcode.NOERROR, dns.rcode.REFUSED] == [
            gone.rcode(),
            empty.rcode(),
            foreign.rcode(),
        ]
        assert [1, 1, 0] == [len(response.authority) for response in (gone, empty, foreign)]
        assert not empty.answer
        assert not foreign.flags & dns.flags.AA

    serving(story)


def test_aliases_are_followed():
    """A CNAME comes with the records of its target."""

    async def story(nameserver, ask):
        response = await ask("alias.example.com", "A")
        assert ["CNAME", "A"] == [dns.rdatatype.to_text(rrset.rdtype) for rrset in response.answer]

    serving(story)


def test_trouble_is_for_one_name_and_type_and_passes():
    """SERVFAIL for the MX leaves the A alone; for every type it does not; taken away, answers come again."""

    async def story(nameserver, ask):
        nameserver.troubles["example.com", "MX"] = DnsFault.SERVFAIL
        nameserver.troubles["a.example.com", "*"] = DnsFault.SERVFAIL
        assert dns.rcode.SERVFAIL == (await ask("example.com", "MX")).rcode()
        assert dns.rcode.SERVFAIL == (await ask("a.example.com", "AAAA")).rcode()
        assert dns.rcode.NOERROR == (await ask("example.com", "A")).rcode()
        nameserver.troubles.clear()
        assert 3 == len(first_set(await ask("example.com", "MX")))

    serving(story)


def test_dropped_questions_get_no_answer_and_are_told():
    """A question to drop is swallowed: the listener hears of it, the asker hears nothing."""

    async def story(nameserver, ask):
        nameserver.troubles["example.com", "*"] = DnsFault.DROP
        assert nameserver.reply(dns.message.make_query("example.com", "MX").to_wire()) is None

    assert ["DROPPED"] == [event.fields["rcode"] for event in serving(story)]


@pytest.mark.parametrize("over", [dns.asyncquery.udp, dns.asyncquery.tcp])
def test_delayed_answers_come_all_the_same(over):
    """With a delay the answer is the same, later."""

    async def story(nameserver, ask):
        nameserver.delay_s = 0.01
        assert 3 == len(first_set(await ask("example.com", "MX", over)))

    serving(story)


def test_what_does_not_fit_is_cut_and_says_so():
    """Beyond 512 octets UDP answers carry TC; EDNS widens that; TCP has room for all."""

    async def story(nameserver, ask):
        nameserver.zones = zones("$ORIGIN big.example.\n" + "".join(f"@ MX 10 exchanger-{n}\n" for n in range(60)))
        plain = await ask("big.example", "MX", use_edns=False)
        assert plain.flags & dns.flags.TC
        assert len(plain.to_wire()) <= 512
        assert 60 == len(first_set(await ask("big.example", "MX", use_edns=0, payload=4096)))
        assert (await ask("big.example", "MX", use_edns=0, payload=600)).flags & dns.flags.TC
        assert 60 == len(first_set(await ask("big.example", "MX", dns.asyncquery.tcp)))

    serving(story)


def test_zones_change_while_it_runs():
    """New zones, or another order, answer from the next question on, also where the same was asked before."""

    async def story(nameserver, ask):
        seen = []
        for order in (Order.FIXED, Order.FIXED, Order.ROTATED, Order.ROTATED, Order.FIXED):
            nameserver.order = order
            seen.append(first_set(await ask("a.example.com", "A"))[0][-2:])
        assert ["11", "11", "11", "12", "11"] == seen
        for preference in (5, 6):
            nameserver.zones = zones(f"$ORIGIN example.com.\n@ MX {preference} new\n")
            assert [f"{preference} new.example.com."] == first_set(await ask("example.com", "MX"))

    serving(story)


@pytest.mark.parametrize(("padding", "lookups"), [(0, 1), (600, 2)])
def test_no_long_question_is_kept(padding, lookups):
    """An answer that was given before is given again, but thousands of questions of 64 KiB would fill the memory."""
    nameserver, option = Nameserver(zones()), dns.edns.GenericOption(65001, bytes(padding))
    wire = dns.message.make_query("example.com", "MX", options=[option]).to_wire()
    with patch.object(Zones, "lookup", autospec=True, side_effect=Zones.lookup) as lookup:
        assert nameserver.reply(wire) == nameserver.reply(wire)
    assert lookups == lookup.call_count


def test_each_question_is_told():
    """Name, type, result and first record of every question."""

    async def story(nameserver, ask):
        await ask("example.com", "MX")
        await ask("x.example.com", "A")

    assert [
        {"name": "example.com", "kind": "MX", "rcode": "NOERROR", "first": "10 a.example.com."},
        {"name": "x.example.com", "kind": "A", "rcode": "NXDOMAIN", "first": None},
    ] == [event.fields for event in serving(story)]


QUESTION = dns.message.make_query("example.com", "MX", use_edns=0, id=7).to_wire()


@settings(max_examples=examples(200 // stride(2)))
@given(
    st.binary(max_size=64)
    | st.tuples(st.integers(2, len(QUESTION)), st.binary(max_size=4)).map(
        lambda cut: QUESTION[: cut[0]] + cut[1] + QUESTION[cut[0] + len(cut[1]) :]
    )
)
def test_any_octets_get_an_answer_or_silence(wire):
    """No datagram raises, be it noise or a question gone wrong on the way."""
    answer = Nameserver(zones()).reply(wire)
    assert answer is None or answer[:2] == wire[:2]


def test_an_answer_is_not_answered():
    """A reply sent to the server is met with silence, or two servers would never stop."""
    query = dns.message.make_query("example.com", "MX")
    assert Nameserver(zones()).reply(dns.message.make_response(query).to_wire()) is None


def test_other_kinds_of_request_are_not_implemented():
    """Anything but a query is told NOTIMP; a query without a question FORMERR."""
    notify = dns.message.make_query("example.com", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    empty = dns.message.Message()
    answers = [dns.message.from_wire(Nameserver(zones()).reply(request.to_wire())) for request in (notify, empty)]
    assert [dns.rcode.NOTIMP, dns.rcode.FORMERR] == [answer.rcode() for answer in answers]


def test_a_taken_port_is_said():
    """Two nameservers cannot have one port."""

    async def story(nameserver, ask):
        with pytest.raises(NetError, match=str(nameserver.endpoint.port)):
            await Nameserver(zones()).start(port=nameserver.endpoint.port)

    serving(story)
