"""The contract of a spool, word for word for every implementation: the tables of docs/design/spool.md as stories."""

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import product

import pytest
from tests.support.examples import some, stride
from tests.support.letters import BODY, EVERYTHING, NOW, SIZE, letter, octets, play, recipients, states

from postroad.spool import LEASE_S, PIECE, Parcel, Reroute, Selection, Settlement, SpoolError, State, Stats, Trouble
from postroad.spool.base import Record
from postroad.words.mail import Envelope, Mailbox, Recipient, TlsWish, parse_mailbox

LATER = NOW + 900


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def tell(request, tmp_path):
    """Run a story about a spool of each kind."""
    return partial(play, kind=request.param, folder=tmp_path / "spool")


def deferred(parcel, **changes):
    """A settlement: not now."""
    settings = {"left": parcel.mail.envelope.recipients, "due_at": LATER, "record": "{}", "said": "451 not now"}
    return Settlement(parcel, **settings | changes)


def test_what_is_added_comes_out_as_it_went_in(tell):
    """Envelope, seed, times and every octet of the body survive, whatever a client put into its names."""
    envelope = Envelope(
        parse_mailbox('"ann @ home"@[IPv6:2001:db8::1]'),
        (
            Recipient(
                parse_mailbox("jörg@xn--mnchen-3ya.example"), frozenset({"FAILURE", "DELAY"}), "rfc822;j@x.example"
            ),
            Recipient(Mailbox("bob+\udcff", "xn--mnchen-3ya.example")),  # as an older Postroad took it
        ),
        smtputf8=True,
        eight_bit=True,
        ret="HDRS",
        envid="a+b=c",
    )
    mail = replace(letter(), envelope=envelope, seed=2**70, origin="client \udcff")

    async def story(spool):
        await spool.add(mail, BODY)
        (parcel,) = await spool.claim(NOW, 10, each=10)
        assert mail == parcel.mail
        assert ("xn--mnchen-3ya.example", NOW, 0, False) == (
            parcel.destination,
            parcel.due_at,
            parcel.attempts,
            parcel.warned,
        )
        assert BODY == await octets(spool, parcel.mail)
        assert len(BODY) == spool.body(parcel.mail).size

    tell(story)


def test_what_the_sender_asks_of_tls_stays_with_the_mail(tell):
    """In each parcel, and in the story."""

    async def story(spool):
        for wish in (None, *TlsWish):
            mail = letter(f"m{wish}", "a@one.example", "b@two.example")
            mail = replace(mail, envelope=replace(mail.envelope, tls=wish, eight_bit=True))
            await spool.add(mail, BODY)
            parcels = await spool.claim(NOW, 10, each=10)
            assert [wish, wish] == [parcel.mail.envelope.tls for parcel in parcels]
            assert mail == (await spool.story(mail.id)).mail

    tell(story)


def test_a_message_is_one_parcel_for_each_destination(tell):
    """Each parcel has the recipients of its destination; the story has all of them."""
    mail = letter("m1", "a@one.example", "b@two.example", "c@one.example", "d@[192.0.2.1]")

    async def story(spool):
        parcels = await spool.add(mail, BODY, claim=True)
        assert ["one.example", "two.example", "[192.0.2.1]"] == [parcel.destination for parcel in parcels]
        assert recipients("a@one.example", "c@one.example") == parcels[0].mail.envelope.recipients
        assert mail == (await spool.story("m1")).mail

    tell(story)


def test_pieces_arrive_one_by_one(tell):
    """Arriving -> kept: what was written and the rest are one body; before `add` nobody sees it."""
    size = 2 * PIECE + 5

    async def story(spool):
        await spool.write("m1", b"a" * PIECE)
        await spool.write("m1", b"b" * PIECE)
        assert None is await spool.story("m1")
        (parcel,) = await spool.add(letter(size=size), b"c" * 5, claim=True)
        assert b"a" * PIECE + b"b" * PIECE + b"c" * 5 == await octets(spool, parcel.mail)
        assert all([len(piece) <= PIECE async for piece in spool.body(parcel.mail)])
        await spool.settle([Settlement(parcel)], NOW)
        assert Stats(0, 0, 0, 0, 0, 0, 1, None) == await spool.stats(NOW)

    tell(story)


def test_a_big_body_handed_over_whole_is_read_in_pieces(tell):
    """A report with a whole message in it may be longer than a piece."""
    body = bytes(range(256)) * (PIECE // 100)

    async def story(spool):
        (parcel,) = await spool.add(letter(size=len(body)), body, claim=True)
        assert body == await octets(spool, parcel.mail)
        assert PIECE == max([len(piece) async for piece in spool.body(parcel.mail)])

    tell(story)


PIECES = {"whole": [], "a small piece": [b"a" * 10], "two pieces": [b"a" * PIECE, b"b" * PIECE]}
RESTS = {"nothing": b"", "few": b"the end", "PIECE": b"c" * PIECE, "more": b"c" * (PIECE + 1)}


def test_what_stands_in_front(tell):
    """It comes out first, counts as part of the body, and is gone with it. Every third form; all in a whole run."""

    async def story(spool):
        for number, case in some(enumerate(product(PIECES, RESTS)), 3):
            front = f"Front: {case}\r\n".encode()
            parcel, body = await claimed(spool, *case, front, at_once=bool((number + number // len(RESTS)) % 2))
            assert body == await octets(spool, parcel.mail), case
            assert spool.at_hand(parcel.mail) in (None, body), case
            assert body == await octets(spool, parcel.mail), "it is read as often as it is tried"
            assert len(body) == (await spool.stats(NOW)).octets, case
            await spool.settle([Settlement(parcel)], NOW)
            with pytest.raises(SpoolError):
                await octets(spool, parcel.mail)
        await spool.sweep(NOW + 90000)
        assert Stats(0, 0, 0, 0, 0, 0, 0, None) == await spool.stats(NOW)

    tell(story)


async def claimed(spool, pieces, rest, front, *, at_once):
    """The parcel of a message of these pieces and this rest, claimed as it is added or later, and its body."""
    body = front + b"".join(PIECES[pieces]) + RESTS[rest]
    mail = letter(f"{pieces} {rest}", size=len(body))
    for piece in PIECES[pieces]:
        await spool.write(mail.id, piece)
    parcels = await spool.add(mail, RESTS[rest], claim=at_once, front=front)
    (parcel,) = parcels if at_once else await spool.claim(NOW, 1, each=1)
    return parcel, body


def test_what_stands_in_front_counts(tell):
    """A size without it is not the body's."""

    async def story(spool):
        await spool.write("m2", b"a" * PIECE)
        for id_, size in (("m1", 3), ("m2", PIECE + 3)):
            with pytest.raises(ValueError, match="octets"):
                await spool.add(letter(id_, size=size), b"end", front=b"front")
            before = (await spool.stats(NOW)).octets
            await spool.add(letter(id_, size=size + 5), b"end", front=b"front")
            assert before + size + 5 == (await spool.stats(NOW)).octets

    tell(story)


def test_a_piece_of_nothing_changes_nothing(tell):
    """The rest is the whole body then, and the only one."""

    async def story(spool):
        await spool.write("m1", b"")
        (parcel,) = await spool.add(letter(), BODY, claim=True)
        assert BODY == await octets(spool, parcel.mail)
        await spool.settle([Settlement(parcel)], NOW)
        assert Stats(0, 0, 0, 0, 0, 0, 1, None) == await spool.stats(NOW)

    tell(story)


def test_a_discarded_arrival_leaves_nothing(tell):
    """Arriving -> gone: the same id may arrive again, and has none of the old octets."""

    async def story(spool):
        await spool.write("m1", b"old")
        await spool.discard("m1")
        await spool.discard("never seen")
        await spool.add(letter(), BODY)
        (parcel,) = await spool.claim(NOW, 1, each=1)
        assert BODY == await octets(spool, parcel.mail)

    tell(story)


def test_what_is_no_message_is_not_kept(tell):
    """A size that is not the body's, or no recipient, is a fault of the caller; nothing is kept of it."""
    faults = {
        f"the body of m1 has {SIZE} octets, not {SIZE + 1}": letter(size=SIZE + 1),
        f"the body of m1 has {SIZE} octets, not {SIZE - 1}": letter(size=SIZE - 1),
        "a message needs at least one recipient": replace(letter(), envelope=Envelope(None, ())),
    }

    async def story(spool):
        for why, wrong in faults.items():
            with pytest.raises(ValueError, match=why):
                await spool.add(wrong, BODY)
            assert None is await spool.story("m1")
        await spool.add(letter(), BODY)

    tell(story)


def test_an_id_is_kept_once(tell):
    """The second message of an id is refused, and the other calls of that moment are done."""

    async def story(spool):
        results = await asyncio.gather(
            spool.add(letter(), BODY), spool.add(letter(), BODY), spool.add(letter("m2"), BODY), return_exceptions=True
        )
        assert ["tuple", "ValueError", "tuple"] == [type(result).__name__ for result in results]
        assert 2 == (await spool.stats(NOW)).messages

    tell(story)


def test_a_settled_message_is_finished(tell):
    """Kept -> finished: no parcel, no body, but its records; then the sweep forgets it."""

    async def story(spool):
        (parcel,) = await spool.add(letter(), BODY, claim=True)
        await spool.settle([Settlement(parcel, record='{"sent": 1}')], NOW + 2)
        told = await spool.story("m1")
        assert (letter(), (), (Record("far.example", NOW + 2, '{"sent": 1}', "one"),), NOW + 2) == (
            told.mail,
            told.parcels,
            told.records,
            told.finished_at,
        )
        with pytest.raises(SpoolError) as trouble:
            await octets(spool, parcel.mail)
        assert Trouble.MISSING == trouble.value.kind
        await spool.sweep(NOW + 2 + 86400)
        assert 1 == (await spool.stats(NOW)).finished
        await spool.sweep(NOW + 3 + 86400)
        assert 0 == (await spool.stats(NOW)).finished
        assert None is await spool.story("m1")

    tell(story)


def test_without_history_nothing_stays(tell):
    """A history of no time: the message is gone with its last parcel, not before."""

    async def story(spool):
        one, two = await spool.add(letter("m1", "a@one.example", "b@two.example"), BODY, claim=True)
        await spool.settle([Settlement(one, record="{}")], NOW)
        assert 1 == len((await spool.story("m1")).records)
        await spool.settle([Settlement(two, record="{}")], NOW)
        assert None is await spool.story("m1")
        assert Stats(0, 0, 0, 0, 0, 0, 0, None) == await spool.stats(NOW)

    tell(story, history_s=0)


def test_settling_leaves_the_recipients_still_open(tell):
    """Claimed -> waiting: due when it was told, with those recipients, its attempts counted, what was said shown."""
    mail = letter("m1", "a@far.example", "b@far.example", "c@far.example")

    async def story(spool):
        (parcel,) = await spool.add(mail, BODY, claim=True)
        left = mail.envelope.recipients[1:]
        await spool.settle([deferred(parcel, left=left, warned=True)], NOW)
        assert () == await spool.claim(LATER - 1, 10, each=10)
        assert LATER == await spool.next_due()
        (listed,) = await spool.listed(EVERYTHING)
        assert ("451 not now", State.WAITING, "") == (listed.said, listed.state, listed.node)
        (again,) = await spool.claim(LATER, 10, each=10)
        assert (left, 1, True, LATER) == (
            again.mail.envelope.recipients,
            again.attempts,
            again.warned,
            again.due_at,
        )
        assert BODY == await octets(spool, again.mail)
        await spool.settle([deferred(again, counts=False)], LATER)
        (listed,) = await spool.listed(EVERYTHING)
        assert (left, 1, False) == (
            listed.parcel.mail.envelope.recipients,
            listed.parcel.attempts,
            listed.parcel.warned,
        )
        assert mail == (await spool.story("m1")).mail

    tell(story)


def test_recipients_left_want_a_time():
    """A settlement that leaves recipients says when to try them."""
    with pytest.raises(ValueError, match="time"):
        Settlement(None, left=recipients("a@far.example"))


def test_reports_enter_as_the_parcel_leaves(tell):
    """Never neither, never both: a report that cannot be kept leaves the parcel claimed."""

    async def story(spool):
        (parcel,) = await spool.add(letter(), BODY, claim=True)
        report = letter("r1", "ann@home.example", sender="", at=NOW + 1, size=6)
        with pytest.raises(ValueError, match="octets"):
            await spool.settle([Settlement(parcel, reports=((report, b"short"),))], NOW + 1)
        assert [("far.example", "claimed")] == await states(spool)
        await spool.settle([Settlement(parcel, reports=((report, b"bounce"),))], NOW + 1)
        assert [("home.example", "waiting")] == await states(spool)
        (claimed,) = await spool.claim(NOW + 1, 1, each=1)
        assert (report, b"bounce") == (claimed.mail, await octets(spool, claimed.mail))

    tell(story)


def test_a_parcel_is_settled_once(tell):
    """What this node has not claimed is passed over, record and reports with it."""
    report = letter("r1", "ann@home.example", sender="")

    async def story(spool):
        (parcel,) = await spool.add(letter(), BODY, claim=True)
        once = Settlement(parcel, record="{}")
        await spool.settle([once, once], NOW)
        await spool.settle([replace(once, reports=((report, BODY),))], NOW)
        assert 1 == len((await spool.story("m1")).records)
        assert () == await spool.listed(EVERYTHING)
        (waiting,) = await spool.add(letter("m2"), BODY)
        await spool.settle([Settlement(waiting)], NOW)
        assert [("far.example", "waiting")] == await states(spool)
        await spool.settle([], NOW)

    tell(story)


def test_released_parcels_are_due_as_before(tell):
    """Claimed -> waiting, untouched; one that is not claimed is passed over."""

    async def story(spool):
        (parcel,) = await spool.add(letter(), BODY, claim=True)
        assert None is await spool.next_due()
        await spool.release([parcel, parcel])
        await spool.release([parcel])
        await spool.release([])
        assert NOW == await spool.next_due()
        assert (parcel,) == await spool.claim(NOW, 1, each=1)
        assert () == await spool.claim(NOW, 1, each=1)

    tell(story)


def test_thousands_of_parcels_do_not_delay_fifty_others(tell):
    """Each of the small destinations is served in the first round, and the big one again after them.

    Hundreds are enough to tell; thousands in a whole run.
    """

    async def story(spool):
        mail = letter("m", "x@big.example", at=NOW - 10)
        await asyncio.gather(*(spool.add(replace(mail, id=f"big{n}"), BODY) for n in range(2_000 // stride(5))))
        await asyncio.gather(*(spool.add(letter(f"s{n}", f"x@s{n}.example", at=NOW - 5), BODY) for n in range(50)))
        first = await spool.claim(NOW, 20, each=20)
        assert {"big.example"} == {parcel.destination for parcel in first}
        second = await spool.claim(NOW, 70, each=20)
        assert {f"s{n}.example" for n in range(50)} <= {parcel.destination for parcel in second}
        assert 70 == len(second)

    tell(story)


def test_destinations_take_turns(tell):
    """At one moment, with more than anyone can take, nobody is served twice before all were served once."""

    async def story(spool):
        for n in range(12):
            await spool.add(letter(f"m{n}", f"x@{'abcd'[n % 4]}.example"), BODY)
        taken = [(await spool.claim(NOW, 1, each=1))[0].destination for _ in range(12)]
        assert ["a.example", "b.example", "c.example", "d.example"] * 3 == taken

    tell(story)


def test_the_limits_of_a_claim_hold(tell):
    """At most so many in all, so many of one destination, none of those to skip."""

    async def story(spool):
        for n in range(30):
            await spool.add(letter(f"m{n}", f"x@{'abc'[n % 3]}.example", at=NOW + n), BODY)
        taken = await spool.claim(NOW + 30, 9, each=5, skip={"b.example"})
        assert [5, 0, 4] == [sum(p.destination == f"{lane}.example" for p in taken) for lane in "abc"]
        assert [f"m{n}" for n in (0, 3, 6, 9, 12)] == [p.mail.id for p in taken if p.destination == "a.example"]
        assert NOW + 1 == await spool.next_due()
        assert NOW + 30 == await spool.next_due(skip=["b.example"])
        assert None is await spool.next_due(skip=["a.example", "b.example", "c.example"])
        assert () == await spool.claim(NOW + 30, 0, each=5)

    tell(story)


def test_a_host_that_answers_again_hastens_those_who_wait_for_it(tell):
    """Parcels that were turned away by a host that answered stay where they are, as do other destinations."""

    async def story(spool):
        for id_, to, waits in (
            ("m1", "a@far.example", True),
            ("m2", "b@far.example", False),
            ("m3", "c@x.example", True),
        ):
            (parcel,) = await spool.add(letter(id_, to), BODY, claim=True)
            await spool.settle([deferred(parcel, waits_for_host=waits)], NOW)
        assert 1 == await spool.retry_stranded("far.example", NOW + 1)
        assert 0 == await spool.retry_stranded("far.example", NOW + 1)
        assert 0 == await spool.retry_stranded("unknown.example", NOW + 1)
        assert ["m1"] == [parcel.mail.id for parcel in await spool.claim(NOW + 1, 10, each=10)]

    tell(story)


def test_destinations_without_a_host_are_known_by_name(tell):
    """In slices, in order of name, each once, and only while somebody waits there for a host."""

    async def story(spool):
        for id_, to, waits in (
            ("m1", "a@b.example", True),
            ("m2", "b@b.example", True),
            ("m3", "c@a.example", True),
            ("m4", "c@c.example", False),
            ("m5", "c@d.example", True),
        ):
            (parcel,) = await spool.add(letter(id_, to), BODY, claim=True)
            await spool.settle([deferred(parcel, waits_for_host=True) if waits else deferred(parcel)], NOW)
        await spool.add(letter("fresh", "x@aa.example"), BODY)
        assert ("a.example", "b.example") == await spool.stranded("", 2)
        assert ("d.example",) == await spool.stranded("b.example", 2)
        assert () == await spool.stranded("d.example", 2)

    tell(story)


def test_held_parcels_are_not_claimed(tell):
    """Waiting -> held -> waiting; a claimed parcel is never held."""

    async def story(spool):
        await spool.add(letter("m1"), BODY)
        await spool.add(letter("m2"), BODY, claim=True)
        assert 1 == await spool.hold(EVERYTHING)
        assert 0 == await spool.hold(EVERYTHING)
        assert [("far.example", "held"), ("far.example", "claimed")] == await states(spool)
        assert () == await spool.claim(NOW, 10, each=10)
        assert None is await spool.next_due()
        assert 0 == await spool.retry(EVERYTHING, NOW)
        assert 1 == await spool.unhold(EVERYTHING)
        assert 1 == len(await spool.claim(NOW, 10, each=10))

    tell(story)


def test_hurried_parcels_are_due_now(tell):
    """Those that were due before keep their place."""

    async def story(spool):
        await spool.add(letter("m1", at=NOW), BODY)
        await spool.add(letter("m2", at=LATER), BODY)
        await spool.add(letter("m3", at=LATER), BODY, claim=True)
        assert 2 == await spool.retry(EVERYTHING, NOW + 1)
        assert [NOW, NOW + 1] == [parcel.due_at for parcel in await spool.claim(NOW + 1, 10, each=10)]

    tell(story)


def test_a_clock_set_back_delays_no_mail(tell):
    """What was due in what is the far future again is due now, and no destination waits for a turn it had there."""
    ahead = NOW + 86400

    async def story(spool):
        await spool.add(letter("m1", at=NOW), BODY)
        await spool.add(letter("m2", at=NOW), BODY)
        await spool.add(letter("m3", "c@late.example", at=ahead), BODY)
        await spool.add(letter("m4", "d@soon.example", at=NOW + 60), BODY)
        assert 1 == len(await spool.claim(ahead - 1, 1, each=1))
        assert () == await spool.claim(NOW, 10, each=10)
        assert 1 == await spool.clock_set_back(NOW, NOW + 60)
        assert ["m2", "m3"] == sorted(parcel.mail.id for parcel in await spool.claim(NOW, 10, each=10))
        assert NOW + 60 == await spool.next_due()

    tell(story)


def test_mail_for_later_is_due_then(tell):
    """Every parcel of it; until then nobody claims or hastens it, and it is fresh when it is claimed."""
    mail = replace(letter("m1", "a@one.example", "b@two.example"), release_at=LATER, origin='a "client" \\ [')

    async def story(spool):
        await spool.add(mail, BODY)
        assert () == await spool.claim(LATER - 1, 10, each=10)
        assert (2, 0, LATER) == ((stats := await spool.stats(NOW)).waiting, stats.due, await spool.next_due())
        assert mail == (await spool.story("m1")).mail
        await spool.add(letter("m2", "c@one.example"), BODY)
        assert 1 == await spool.retry(EVERYTHING, LATER - 1)
        assert 0 == await spool.clock_set_back(NOW, NOW + 1)
        assert ["m2"] == [parcel.mail.id for parcel in await spool.claim(LATER - 1, 10, each=10)]
        assert 2 == await spool.retry(EVERYTHING, LATER)
        parcels = await spool.claim(LATER, 10, each=10)
        assert [(LATER, LATER)] * 2 == [(parcel.due_at, parcel.mail.release_at) for parcel in parcels]
        assert [True, False] == sorted((parcel.is_fresh for parcel in parcels), reverse=True)

    tell(story)


def test_deleted_parcels_finish_their_message(tell):
    """waiting, held -> gone; a claimed one stays, and keeps its message."""

    async def story(spool):
        await spool.add(letter("m1", "a@one.example", "b@two.example"), BODY)
        assert 1 == len(await spool.claim(NOW, 1, each=1))
        await spool.add(letter("m2"), BODY)
        await spool.hold(Selection(ids=("m2",)))
        assert 2 == await spool.delete(EVERYTHING, NOW + 3)
        assert [("one.example", "claimed")] == await states(spool)
        assert None is (await spool.story("m1")).finished_at
        assert NOW + 3 == (await spool.story("m2")).finished_at
        assert None is await spool.next_due()

    tell(story)


SELECTIONS = {
    "all": (Selection(), {"m1", "m2", "m3", "m4"}),
    "ids": (Selection(ids=("m1", "m3", "none")), {"m1", "m3"}),
    "state": (Selection(state=State.HELD), {"m4"}),
    "sender": (Selection(sender="eve@home.example"), {"m2"}),
    "the null sender": (Selection(sender="<>"), {"m3"}),
    "due after": (Selection(due_after=NOW + 1), {"m3", "m4"}),
    "waiting": (Selection(state=State.WAITING), {"m1", "m2", "m3"}),
    "due before": (Selection(due_before=NOW + 2), {"m1", "m2"}),
    "destination": (Selection(destination="far.example"), {"m1", "m2"}),
    "several": (Selection(ids=("m1", "m2"), sender="eve@home.example", destination="far.example"), {"m2"}),
    "nothing": (Selection(sender="nobody@home.example"), set()),
}


async def select_from(spool):
    """What there is to choose from: three that wait, and one that is held."""
    mails = (
        letter("m1", "a@far.example", at=NOW),
        letter("m2", "b@far.example", sender="eve@home.example", at=NOW + 1),
        letter("m3", "c@near.example", sender="", at=NOW + 2),
        letter("m4", "d@other.example", at=NOW + 3),
    )
    await asyncio.gather(*[spool.add(mail, BODY) for mail in mails])
    await spool.hold(Selection(ids=("m4",)))


def test_a_selection_is_every_condition_at_once(tell):
    """Each condition selects the same parcels for people to see."""

    async def story(spool):
        await select_from(spool)
        for which, (selection, chosen) in SELECTIONS.items():
            assert chosen == {one.parcel.mail.id for one in await spool.listed(selection)}, which

    tell(story)


CHANGES = {"hold": (), "unhold": (), "retry": (NOW,), "delete": (NOW,)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_made_to_what_is_selected(tell, change):
    """To all that are in such a state; each condition is put to one of the changes, in a whole run to all."""

    async def story(spool):
        for which, (selection, chosen) in some(SELECTIONS.items(), len(CHANGES), first=list(CHANGES).index(change)):
            await select_from(spool)
            fitting = {"hold": chosen - {"m4"}, "unhold": chosen & {"m4"}, "retry": chosen - {"m4"}}
            found = await getattr(spool, change)(selection, *CHANGES[change])
            assert len(fitting.get(change, chosen)) == found, which
            await spool.delete(EVERYTHING, NOW)  # without a history nothing stays

    tell(story, history_s=0)


def test_the_list_is_in_order_of_acceptance(tell):
    """And as long as asked: a hundred, if nothing is."""

    async def story(spool):
        await asyncio.gather(*(spool.add(letter(f"m{n}", at=NOW - n), BODY) for n in range(101)))
        assert 100 == len(await spool.listed(EVERYTHING))
        assert ["m0", "m1", "m2"] == [one.parcel.mail.id for one in await spool.listed(EVERYTHING, limit=3)]

    tell(story)


def test_stats_count_what_there_is(tell):
    """Messages, octets, parcels by state, and who has most of them."""

    async def story(spool):
        await spool.add(letter("m1", "a@one.example", "b@two.example", at=NOW - 5), BODY)
        await spool.add(letter("m2", "b@two.example", at=NOW + 5), BODY)
        await spool.add(letter("m3", "c@three.example"), BODY, claim=True)
        await spool.add(letter("m4", "d@four.example"), BODY)
        await spool.hold(Selection(ids=("m4",)))
        (parcel,) = await spool.add(letter("m5"), BODY, claim=True)
        await spool.settle([Settlement(parcel)], NOW)
        expected = Stats(4, 4 * len(BODY), 3, 2, 1, 1, 1, NOW - 5, (("two.example", 2), ("one.example", 1)))
        assert expected == await spool.stats(NOW)

    tell(story)


def test_stats_name_the_twenty_busiest(tell):
    """Of those that have as many, the first by name."""

    async def story(spool):
        await asyncio.gather(*(spool.add(letter(f"m{n}", f"x@{n:02}.example"), BODY) for n in range(22)))
        assert tuple((f"{n:02}.example", 1) for n in range(20)) == (await spool.stats(NOW)).destinations

    tell(story)


def test_no_body_is_at_hand_of_what_is_not_there(tell):
    """Never kept, or finished: there is nothing to deliver."""

    async def story(spool):
        assert None is spool.at_hand(letter())
        (parcel,) = await spool.add(letter(), BODY, claim=True)
        assert BODY == spool.at_hand(letter())
        await spool.settle([Settlement(parcel)], NOW)
        assert None is spool.at_hand(letter())
        with pytest.raises(SpoolError) as trouble:
            await spool.piece("never", 0)
        assert Trouble.MISSING == trouble.value.kind

    tell(story)


def test_a_parcel_is_fresh_once_in_the_life_of_its_message(tell):
    """The first of its message, until it is settled: neither the second, nor one that is back."""

    async def story(spool):
        parcels = await spool.add(letter("m1", "a@one.example", "b@two.example"), BODY, claim=True)
        assert [True, False] == [parcel.is_fresh for parcel in parcels]
        await spool.settle([deferred(parcels[0]), deferred(parcels[1], counts=False)], NOW)
        later = await spool.claim(LATER, 2, each=1)
        assert [(1, False), (0, False)] == sorted(((one.attempts, one.is_fresh) for one in later), reverse=True)
        (alone,) = await spool.add(letter("m2"), BODY, claim=True)
        await spool.settle([deferred(alone, counts=False)], NOW)
        (again,) = await spool.claim(LATER, 1, each=1)
        assert (0, False) == (again.attempts, again.is_fresh)
        await spool.settle([deferred(again, due_at=NOW)], LATER)
        (tried,) = await spool.claim(LATER, 1, each=1)
        assert (1, NOW, False) == (tried.attempts, tried.due_at, tried.is_fresh)

    tell(story)


def test_a_host_that_answers_again_is_given_a_thousand_at_once(tell):
    """To prove that it does; who hastens again gets the rest."""

    async def story(spool):
        added = await asyncio.gather(*(spool.add(letter(f"m{n}"), BODY, claim=True) for n in range(1002)))
        await spool.settle([deferred(parcel, waits_for_host=True) for (parcel,) in added], NOW)
        assert [1000, 2, 0] == [await spool.retry_stranded("far.example", NOW) for _ in range(3)]

    tell(story)


def test_what_never_finished_arriving_is_swept_up(tell):
    """A day after a sweep saw it first: the spool has no clock to know it sooner."""

    async def story(spool):
        for id_ in ("m1", "m2", "m3"):
            await spool.write(id_, b"abc")
        await spool.sweep(NOW)
        await spool.sweep(NOW + 86400)
        (parcel,) = await spool.add(letter("m1", size=SIZE + 3), BODY, claim=True)
        assert b"abc" + BODY == await octets(spool, parcel.mail)
        await spool.sweep(NOW + 86401)
        for id_ in ("m2", "m3"):
            with pytest.raises(ValueError, match="octets"):
                await spool.add(letter(id_, size=SIZE + 3), BODY)

    tell(story)


def test_a_closed_spool_says_so(tell):
    """Every call after `close` is a SpoolError of that kind, whoever holds on to the spool."""

    async def story(spool):
        await spool.close()
        for call in (spool.add(letter(), BODY), spool.stats(NOW), spool.claim(NOW, 1, each=1), spool.next_due()):
            with pytest.raises(SpoolError) as trouble:
                await call
            assert Trouble.CLOSED == trouble.value.kind

    tell(story)


def test_refused_recipients_take_another_route(tell):
    """They are a parcel of their own, due at once, from the commit on that settles the one they were in."""

    async def story(spool):
        (parcel,) = await spool.add(letter("m1", "a@far.example", "b@far.example", "c@far.example"), BODY, claim=True)
        a, b, _c = parcel.mail.envelope.recipients
        reroute = Reroute((b,), ("direct", "ses"), "550 blocked")
        await spool.settle([Settlement(parcel, (a,), NOW + 60, "{}", reroute=reroute)], NOW)
        (other,) = await spool.claim(NOW, 9, each=9)
        assert ("far.example", (b,), ("direct", "ses"), "ses", 1) == (
            other.destination,
            other.mail.envelope.recipients,
            other.routes,
            other.route,
            other.attempts,
        )
        await spool.settle([deferred(other, due_at=NOW + 30)], NOW)
        (again,) = await spool.claim(NOW + 30, 9, each=9)
        (first,) = await spool.claim(NOW + 60, 9, each=9)
        assert (("direct", "ses"), 2) == (again.routes, again.attempts)
        assert ((), (a,)) == (first.routes, first.mail.envelope.recipients)

    tell(story)


def test_as_many_take_another_route_at_once_as_like_and_as_often(tell):
    """Messages of several parcels each, settled in one commit, hop by hop: every recipient is in one parcel."""

    async def story(spool):
        names = [f"{name}@{domain}.example" for domain in ("far", "near") for name in ("a", "b")]
        parcels = [
            parcel for number in range(3) for parcel in await spool.add(letter(f"m{number}", *names), BODY, claim=True)
        ]
        for hop in range(3):
            settlements = [turned(parcel, (*parcel.routes, f"r{hop}")) for parcel in parcels[:: -1 if hop % 2 else 1]]
            await spool.settle(settlements, NOW)
            parcels = await spool.claim(NOW, 99, each=99)
            where = Counter((it.mail.id, str(one.mailbox)) for it in parcels for one in it.mail.envelope.recipients)
            assert {(f"m{number}", name): 1 for number in range(3) for name in names} == where, hop
        await spool.settle([Settlement(parcel, record="{}") for parcel in parcels], NOW)
        assert 0 == (await spool.stats(NOW)).messages

    tell(story)


def turned(parcel, routes):
    """All of its recipients take another route; those of its last hop alone, where they are two."""
    first, *others = parcel.mail.envelope.recipients
    reroute = Reroute((first,), routes, "550 blocked")
    return Settlement(parcel, tuple(others), NOW, "{}", reroute=reroute)


def test_a_message_on_another_route_is_not_finished(tell):
    """Its body and its records stay until the new parcel is settled; what is late for the old one meets nothing."""

    async def story(spool):
        (parcel,) = await spool.add(letter("m1", "a@far.example"), BODY, claim=True)
        reroute = Reroute(parcel.mail.envelope.recipients, ("ses",), "550 blocked")
        await spool.settle([Settlement(parcel, record="{}", reroute=reroute)], NOW)
        assert ["550 blocked"] == [one.said for one in await spool.listed(EVERYTHING)]
        (other,) = await spool.claim(NOW, 9, each=9)
        await spool.settle([Settlement(parcel, record="{}")], NOW)
        half = await spool.story("m1")
        assert (None, 1, BODY) == (half.finished_at, len(half.parcels), await octets(spool, other.mail))
        await spool.settle([Settlement(other, record="{}")], NOW)
        whole = await spool.story("m1")
        assert (NOW, 2) == (whole.finished_at, len(whole.records))

    tell(story)


def test_another_route_needs_the_record_of_the_first():
    """Reports and `explain` tell both."""
    parcel = Parcel(1, "far.example", letter("m1", "a@far.example"), NOW)
    with pytest.raises(ValueError, match="record"):
        Settlement(parcel, reroute=Reroute(parcel.mail.envelope.recipients, ("ses",)))


def test_a_node_that_renews_its_lease_is_counted(tell):
    """Under the name that the queue shows for what it has."""

    async def story(spool):
        await spool.add(letter("m1"), BODY, claim=True)
        await spool.renew(NOW)
        (node,), (claimed,) = await spool.nodes(NOW), await spool.listed(EVERYTHING)
        assert claimed.node == node.name

    tell(story)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_nodes_are_those_that_renewed_within_a_lease(kind, tmp_path):
    """By the clock that they are given; a database has one of its own."""

    async def story(spool):
        assert () == await spool.nodes(NOW)
        for at in (NOW, NOW + LEASE_S + 1):
            await spool.renew(at)
            (node,) = await spool.nodes(at + LEASE_S)
            assert at == node.renewed_at
            assert () == await spool.nodes(at + LEASE_S + 0.5)

    play(story, kind, tmp_path)


def test_an_attempt_says_which_node_made_it(tell):
    """Its record has the name that the queue shows for what is claimed."""

    async def story(spool):
        (parcel,) = await spool.add(letter(), BODY, claim=True)
        (claimed,) = await spool.listed(EVERYTHING)
        await spool.settle([deferred(parcel)], NOW)
        (record,) = (await spool.story("m1")).records
        assert claimed.node == record.node != ""

    tell(story)


def test_a_person_decides_what_becomes_of_waiting_mail(tell):
    """Waiting or held, it is finished with, or takes another route, with its record and reports: all in one commit."""
    report = replace(letter("r1", "me@example.net"), size=SIZE)

    async def story(spool):
        one, two, three = await spool.add(letter("m1", "a@one.example", "b@two.example", "c@three.example"), BODY)
        await spool.hold(Selection(destination="two.example"))
        moved = Reroute(two.mail.envelope.recipients, ("ses",), "moved")
        given_up = Settlement(one, record='{"n":1}', reports=((report, BODY),))
        assert 2 == await spool.overrule([given_up, Settlement(two, record='{"n":2}', reroute=moved)], NOW + 5)
        found = {each.parcel.destination: each for each in await spool.listed(Selection(ids=("m1",)))}
        assert (("ses",), NOW + 5, "moved") == (
            found["two.example"].parcel.routes,
            found["two.example"].parcel.due_at,
            found["two.example"].said,
        )
        assert ['{"n":1}', '{"n":2}'] == sorted(record.text for record in (await spool.story("m1")).records)
        assert 1 == await spool.overrule([Settlement(three)], NOW + 6)
        claimed = await spool.claim(NOW + 6, 10, each=10)
        assert {("m1", "two.example"), ("r1", "example.net")} == {(it.mail.id, it.destination) for it in claimed}
        await spool.settle([Settlement(parcel) for parcel in claimed], NOW + 7)
        assert NOW + 7 == (await spool.story("m1")).finished_at
        assert 0 == (await spool.stats(NOW)).messages

    tell(story)


def test_a_decision_about_what_was_tried_meanwhile_is_void(tell):
    """Nobody is told that mail failed which is under way, delivered in part, or gone."""

    async def story(spool):
        (read,) = await spool.add(letter("m1", "a@one.example", "b@one.example"), BODY)
        (claimed,) = await spool.claim(NOW, 1, each=1)
        assert 0 == await spool.overrule([Settlement(read)], NOW), "under way"
        await spool.settle([deferred(claimed, left=claimed.mail.envelope.recipients[1:], counts=False)], NOW)
        assert 0 == await spool.overrule([Settlement(read)], NOW), "the first has it"
        (listed,) = await spool.listed(Selection())
        await spool.settle([deferred((await spool.claim(LATER, 1, each=1))[0])], LATER)
        assert 0 == await spool.overrule([Settlement(listed.parcel)], LATER), "tried once more"
        (listed,) = await spool.listed(Selection())
        assert 1 == await spool.overrule([Settlement(listed.parcel)], LATER)
        assert 0 == await spool.overrule([Settlement(listed.parcel)], LATER), "gone"
        with pytest.raises(ValueError, match="as a whole"):
            await spool.overrule([deferred(read)], NOW)

    tell(story)
