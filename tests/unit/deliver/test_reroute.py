"""Mail that hosts refuse for good takes another route of the settings: who, when, and never round."""

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.delivering import (
    DEFERRED,
    DELIVERED,
    FAILED,
    NOON,
    POLICY,
    USUAL,
    WatchedSpool,
    office,
    recipients,
)
from tests.support.settlings import OK, SCHEDULE, TARGET

from postroad.build import Chooser, follow
from postroad.config import read
from postroad.deliver import DeliverSettings, DeliveryRoute
from postroad.deliver.disposition import judge_on_route
from postroad.routing import OnReject, Own, Refusal, Route, Source, noted
from postroad.spool import Parcel, Selection, StoredMail
from postroad.views.text.story import tell
from postroad.words.mail import Envelope
from postroad.words.names import parse_destination
from postroad.words.outcome import Phase, Result, Scope, refused
from postroad.words.reply import Reply
from postroad.words.trail import Attempt, Contact

ROUTES = """
[[route]]
name = "usual"
domains = ["*"]
direct = true
on_reject = {match = "*", route = "other"}
[[route]]
name = "other"
hosts = [{host = "127.0.0.14", preference = 10}, {host = "127.0.0.13", preference = 20}]
"""
"""First the exchangers of the domain, then a smarthost with a backup."""
NO = {"127.0.0.11": "r550", "127.0.0.12": "r550"}


def by(text=ROUTES):
    """Find ways by these routes."""
    routes = [route.static_route for route in read(text, Path("f.toml")).route]

    async def find(it, destination, named="", /):
        name = parse_destination(destination)
        picked = (await Chooser(routes, it._resolver).choose(name, named)).picked
        if isinstance(picked, Refusal):
            return DeliveryRoute.of(picked, POLICY, it.deliver, 60.0)
        route = picked.route
        answer = (await follow(route, name, it._resolver, POLICY, Own())).answer
        answer = noted(_on_port(answer, it.lab.port), route, picked.why)
        return replace(DeliveryRoute.of(answer, POLICY, it.deliver, 60.0), name=route.name, on_reject=route.on_reject)

    return find


def _on_port(answer, port):
    """The same at the port of the lab."""
    levels = [
        replace(level, exchangers=tuple(replace(each, port=port) for each in level.exchangers))
        for level in answer.levels
    ]
    return replace(answer, levels=tuple(levels))


def play(story, faults, text=ROUTES, settings=USUAL, spool=None):
    """Run a story in an office with these routes; what it gives."""

    async def run():
        async with office(faults, find=by(text), settings=settings, spool=spool) as it:
            return await story(it)

    return asyncio.run(run())


async def attempted(it, count, *to):
    """Results and contacts of so many attempts for one message, and how many messages the spool has then."""
    await it.post(*(to or ("ann@example.com",)))
    await it.done(count)
    return it.results, it.contacts(), (await it.spool.stats(it.now)).messages


def test_refused_mail_takes_the_other_route_at_once():
    """All exchangers said no: the smarthost gets it, and nobody gets a report."""
    results, contacts, left = play(lambda it: attempted(it, 2), NO)
    assert ([DEFERRED, DELIVERED], ["127.0.0.14"], 0) == (results, contacts[1], left)
    assert {"127.0.0.11", "127.0.0.12"} == set(contacts[0])


def test_the_other_route_has_its_own_preferences():
    """A dead smarthost gives way to its backup, by the same walk."""
    results, contacts, _left = play(lambda it: attempted(it, 2), {**NO, "127.0.0.14": "refuse"})
    assert ([DEFERRED, DELIVERED], ["127.0.0.14", "127.0.0.13"]) == (results, contacts[1])


def test_a_refusal_in_place_of_the_greeting_counts():
    """Mail is sent on from an address that is blocked at the door; the next one too, which waits for no recovery."""

    async def story(it):
        await it.post("ann@example.com")
        await it.done(2)
        await it.post("bob@example.com")
        await it.done(4)
        return it.results, it.contacts()

    results, contacts = play(story, {"127.0.0.11": "g554", "127.0.0.12": "g554"})
    assert [DEFERRED, DELIVERED] * 2 == results
    assert [["127.0.0.14"]] * 2 == contacts[1::2]
    assert [2, 2] == [len(asked) for asked in contacts[::2]]


@pytest.mark.parametrize("fault", ["r450", "refuse", "d451", "g421"])
def test_not_now_is_no_refusal(fault):
    """An exchanger that may still take it is waited for, as without the setting."""
    results, _contacts, left = play(lambda it: attempted(it, 1), {"127.0.0.11": "r550", "127.0.0.12": fault})
    assert ([DEFERRED], 1) == (results, left)


def test_what_does_not_match_is_returned():
    """The sender gets a report, as ever."""
    results, contacts, _left = play(lambda it: attempted(it, 2), NO, ROUTES.replace('"*", route', '"5.7.1", route'))
    assert ([FAILED, DELIVERED], ["127.0.0.13"]) == (results, contacts[1])  # the report to me@example.net


def test_the_report_tells_of_both_routes():
    """Where the second one fails as well: what the first hosts said, that it was sent on, and what the last said."""

    async def story(it):
        id_ = await it.post("ann@example.com")
        await it.done(2)
        (report,) = [one.parcel for one in await it.spool.listed(Selection())]
        body = b"".join([piece async for piece in it.spool.body(report.mail)]).decode()
        return it.results[:2], body, list(tell(await it.spool.story(id_)))

    everybody = {**NO, "127.0.0.14": "r550", "127.0.0.13": "r550"}
    results, report, sentences = play(story, everybody)
    assert [DEFERRED, FAILED] == results
    assert [2, 1, 1] == [report.count(text) for text in ("Attempt ", 'by the route "other"', "Action: failed")]
    told = " ".join(sentences)
    assert 'it takes the route "other" now' in told
    assert (
        'the route "other" takes it, because the hosts of another route refused the mail, or somebody moved it' in told
    )


def test_it_stays_on_the_other_route():
    """What that one defers is not asked again where it was refused, and a restart changes nothing."""
    spool = WatchedSpool()
    later = {**NO, "127.0.0.14": "r450"}
    first = play(lambda it: attempted(it, 2), later, spool=spool)

    async def after(it):
        it.now += 3600
        it.loop.look()
        await it.done(1)
        return it.results, it.contacts()

    assert [DEFERRED, DEFERRED] == first[0]
    assert ([DELIVERED], [["127.0.0.14"]]) == play(after, NO, spool=spool)


def test_a_route_that_is_gone_is_waited_for():
    """The settings lost it meanwhile: the mail is neither returned nor sent where it was refused."""
    spool = WatchedSpool()
    play(lambda it: attempted(it, 2), {**NO, "127.0.0.14": "r450"}, spool=spool)
    without = "[[route]]\nname = 'usual'\ndomains = ['*']\ndirect = true"

    async def after(it):
        it.now += 3600
        it.loop.look()
        verdict = await it.done(1)
        return it.results, it.contacts(), verdict.said

    results, contacts, said = play(after, NO, without, spool=spool)
    assert ([DEFERRED], [[]], True) == (
        results,
        contacts,
        'the route "other", which the settings no longer have' in said,
    )


def test_sender_whose_mail_took_a_route_that_is_gone_is_not_asked_to_add_it():
    """What to do about it is said where the queue is shown; a report is for somebody else."""
    spool = WatchedSpool()
    play(lambda it: attempted(it, 2), {**NO, "127.0.0.14": "r450"}, spool=spool)
    without = "[[route]]\nname = 'usual'\ndomains = ['*']\ndirect = true"

    async def after(it):
        it.now += 5 * 86400
        it.ids.id()  # that of the message
        it.loop.look()
        verdict = await it.done(1)
        (report,) = [one.parcel for one in await it.spool.listed(Selection())]
        body = b"".join([piece async for piece in it.spool.body(report.mail)]).decode()
        return verdict.failed[0].said, " ".join(body.split())

    said, report = play(after, NO, without, spool=spool)
    assert "add it again, or move the message" in said
    assert "add it again" not in report
    assert "the settings of this mail system lack the way that the message was to take" in report
    assert "Ask your postmaster" in report


def test_a_chain_is_followed_once():
    """Each route sends on to the next; the last one's word is the last, whatever the settings say by then."""
    chain = ROUTES.replace(
        "preference = 20}]",
        'preference = 20}]\non_reject = {match = "*", route = "third"}\n[[route]]\nname = "third"\n'
        'next_hop = "127.0.0.12"',
    )
    results, contacts, _left = play(lambda it: attempted(it, 3), {**NO, "127.0.0.14": "r550"}, chain)
    assert ([DEFERRED, DEFERRED, FAILED], ["127.0.0.14"], ["127.0.0.12"]) == (results, contacts[1], contacts[2])


ROUTE = Route("example.com", Source.MX, ())
ANY = OnReject(("*",), "other")


def judged(*answers, rule=ANY, name="usual", routes=(), age_s=0.0):
    """The verdict on a parcel whose recipients heard these answers, each from one host."""
    who = recipients(*(f"{name}@example.com" for name in ("ann", "bob", "cat")[: len(answers)]))
    mail = StoredMail("m1", Envelope(None, who), NOON - age_s, 7, 10)
    parcel = Parcel(1, "example.com", mail, NOON, routes=routes)
    contact = Contact(TARGET, 0, 1, Phase.RCPT, None, dict(enumerate(answers)))
    way = replace(DeliveryRoute.of(ROUTE, POLICY, DeliverSettings(), 60.0), name=name, on_reject=rule)
    done = Attempt("example.com", answers, (contact,), 7, 1.0)
    return judge_on_route(way, parcel, done, SCHEDULE, NOON, Random(1))


def names(fates):
    """Who they are about."""
    return [fate.recipient.mailbox.local for fate in fates]


BLOCKED = refused(Reply(550, ("5.7.1 blocked",)), Scope.RECIPIENT, Phase.RCPT)
UNKNOWN = refused(Reply(550, ("5.1.1 no such user",)), Scope.RECIPIENT, Phase.RCPT)
FULL = refused(Reply(452, ("4.2.2 full",)), Scope.RECIPIENT, Phase.RCPT)


@given(st.lists(st.sampled_from([OK, BLOCKED, UNKNOWN, FULL]), min_size=1, max_size=3))
def test_each_recipient_has_its_own_route(answers):
    """Nobody is lost or has two fates: only who was refused that way is sent on, and says so."""
    verdict = judged(*answers, rule=OnReject(("5.7.1",), "other"))
    who = {OK: verdict.delivered, BLOCKED: verdict.sent_on, UNKNOWN: verdict.failed, FULL: verdict.left}
    for answer, fates in who.items():
        assert [name for name, said in zip(("ann", "bob", "cat"), answers, strict=False) if said is answer] == names(
            fates
        )
    assert ("usual", "other") == verdict.routes if verdict.sent_on else verdict.reroute is None
    assert all(fate.said.endswith('550 5.7.1 blocked; it takes the route "other" now') for fate in verdict.sent_on)


@pytest.mark.parametrize(
    ("name", "routes", "expected"),
    [
        ("usual", (), ("usual", "other")),
        ("", (), ("other",)),
        ("second", ("usual", "second"), ("usual", "second", "other")),
        ("other", (), None),
        ("second", ("other", "second"), None),
    ],
)
def test_no_route_is_taken_twice(name, routes, expected):
    """Where it has been is remembered with it: also if the settings turned round since."""
    verdict = judged(BLOCKED, name=name, routes=routes)
    assert expected == (verdict.routes if verdict.sent_on else None)
    assert bool(verdict.failed) == (expected is None)


def test_the_last_attempt_is_sent_on_as_well():
    """The other route has not had one yet; what was only deferred is given up."""
    verdict = judged(BLOCKED, FULL, age_s=2 * SCHEDULE.expiry_s)
    assert (["ann"], ["bob"]) == (names(verdict.sent_on), names(verdict.failed))
    assert [Result.DEFERRED, Result.FAILED] == [each.result for each in verdict.attempt.outcomes]
