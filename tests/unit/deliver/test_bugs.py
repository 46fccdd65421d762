"""Bugs of ours: mail they hold up is late, given up and reported as any other, and none is lost or sent twice."""

import asyncio
import email
import email.policy
from dataclasses import replace

import pytest
from tests.support.answering import Host
from tests.support.delivering import DELIVERED, FAILED, NOON, WatchedSpool, counts, office

from postroad.deliver.bounce import Bounces
from postroad.deliver.course import draw_course
from postroad.deliver.dispatcher import Dispatcher
from postroad.deliver.exits import KEPT_S
from postroad.deliver.hosts import Hosts
from postroad.net import listen
from postroad.spool import Selection, SpoolError, Trouble
from postroad.words.names import parse_address
from postroad.words.reply import Reply

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
SECRET = "a bug in /home/ann/secret.py"


def tell(story, *arguments, **how):
    """Run a story in an office."""

    async def main():
        async with office(*arguments, **how) as it:
            return await story(it)

    return asyncio.run(main())


def text_of(content):
    """What people read of a report, on one line."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    return message["subject"], " ".join(message.get_body().get_content().split())


async def until_reported(it, count=1):
    """What the sender's exchanger has got: nothing in it shows our insides."""
    while len(reports := it.lab.at("127.0.0.13").received) < count:
        await it.told.another()
    assert not any(SECRET.encode() in each.content for each in reports)
    return [text_of(each.content) for each in reports]


async def no_way(it, destination):
    """Nothing is found for one domain."""
    if destination == "example.org":
        raise ValueError(SECRET)
    return replace(await it.find(destination), life_s=0.0)


class Unreadable(WatchedSpool):
    """One that cannot read what it keeps for others than us."""

    def at_hand(self, mail):
        """Nothing."""
        return super().at_hand(mail) if mail.origin else None

    async def body(self, mail):
        """A fault, but for reports."""
        if not mail.origin:
            raise ValueError(SECRET)
        async for piece in super().body(mail):
            yield piece


def draw(parcel, way, route, turn):
    """No course for one domain."""
    if parcel.destination == "example.org":
        raise ValueError(SECRET)
    return draw_course(parcel, way, route, turn)


def hindered(bug, at):
    """What stands in the way of mail for example.org, by the place of the bug."""
    if at == "way":
        return {"find": no_way}
    if at == "content":
        return {"spool": Unreadable()}

    if at == "course":
        bug.setattr("postroad.deliver.deliveries.draw_course", draw)
        return {}

    def start(dispatcher, job, settings, greeted, ended):
        if str(job.destination) != "example.org":
            return real(dispatcher, job, settings, greeted, ended)
        raise ValueError(SECRET)

    real = Dispatcher.start
    bug.setattr(Dispatcher, "start", start)
    return {}


PLACES = ["way", "course", "content", "start"]


@pytest.mark.parametrize("place", PLACES)
def test_mail_held_up_by_a_bug_is_returned_when_its_time_is_over(monkeypatch, place):
    """With words for its sender, who learns whom to ask and nothing of our insides; nothing is left."""

    async def story(it):
        it.now = NOON + 5 * DAY_S
        await it.post("ann@example.org")
        ((subject, text),) = await until_reported(it)
        await it.done(2)
        return it.results, subject, text, (await it.spool.stats(it.now)).messages

    results, subject, text, left = tell(story, **hindered(monkeypatch, place))
    assert ([FAILED, DELIVERED], "Undelivered: ann@example.org", 0) == (results, subject, left)
    assert "within 5 days. The mail system here has a fault: the message was deferred by an internal error." in text
    assert "Ask your postmaster, who runs this mail system, and forward them this report." in text


@pytest.mark.parametrize("place", PLACES)
def test_sender_of_mail_held_up_by_a_bug_is_told_that_it_is_late(monkeypatch, place):
    """Once, and it goes on waiting: the queue list says by which bug."""

    async def story(it):
        it.now = NOON + 5 * HOUR_S
        await it.post("ann@example.org")
        ((subject, text),) = await until_reported(it)
        await it.done(2)
        (left,) = await it.spool.until_waiting(1)
        (listed,) = await it.spool.listed(Selection())
        return subject, text, left.warned, left.due_at > it.now, left.attempts, listed.said

    subject, text, *left, said = tell(story, **hindered(monkeypatch, place))
    assert ("Delayed: ann@example.org", [True, True, 1]) == (subject, left)
    assert "The mail system here has a fault: the message was deferred by an internal error." in text
    assert f"deferred: deferred by an internal error: ValueError('{SECRET}')" == said


@pytest.mark.parametrize(("wall", "fault"), [(0, "r550"), (5 * DAY_S, "r450")])
@pytest.mark.parametrize("trouble", [ValueError(SECRET), SpoolError(Trouble.CORRUPT, "no such page")])
def test_bug_in_a_report_makes_it_a_plain_one(monkeypatch, trouble, wall, fault):
    """Whether refused or given up: the sender is told, without what the bug tripped over."""

    async def reports(*_):
        raise trouble

    monkeypatch.setattr(Bounces, "reports", reports)

    async def story(it):
        it.now = NOON + wall
        await it.post("ann@example.org")
        ((subject, text),) = await until_reported(it)
        await it.done(2)
        return it.results, subject, text, (await it.spool.stats(it.now)).messages, len(it.lab.at("127.0.0.14").received)

    results, subject, text, *left = tell(story, {"127.0.0.14": fault})
    assert ([FAILED, DELIVERED], "Undelivered: ann@example.org", [0, 0]) == (results, subject, left)
    assert "an internal error keeps the details from this report" in text
    assert "Ask your postmaster" in text


@pytest.mark.parametrize("name", ["plain_reports", "has_news"])
@pytest.mark.parametrize("days", [0, 5, 50])
def test_mail_that_cannot_be_reported_at_all_is_kept(monkeypatch, name, days):
    """It is neither lost nor tried without pause, and who has it does not get it again."""

    async def reports(*_):
        raise ValueError(SECRET)

    def broken(*_):
        raise ValueError(SECRET)

    monkeypatch.setattr(Bounces, "reports", reports)
    monkeypatch.setattr(Bounces, name, broken)

    async def story(it):
        it.now = NOON + days * DAY_S
        host = Host({"Rcpt bob": Reply(550, ("no",))})
        door = await listen(parse_address("127.0.0.15"), it.lab.port, host.serve)
        try:
            await it.post("ann@[127.0.0.15]", "bob@[127.0.0.15]", notify=frozenset({"SUCCESS", "FAILURE"}))
            (left,) = await it.spool.until_waiting(1)
        finally:
            await door.stop()
        who = [each.mailbox.local for each in left.mail.envelope.recipients]
        return who, left.due_at - it.now, left.attempts, it.results, host.heard.count(".")

    assert (["bob"], KEPT_S, 1, [], 1) == tell(story)


def test_bug_after_an_attempt_sends_nothing_twice(monkeypatch):
    """What was delivered is done with, though nothing could be learnt of it."""

    def hear(*_):
        raise ValueError(SECRET)

    monkeypatch.setattr(Hosts, "hear", hear)

    async def story(it):
        await it.post("ann@example.org")
        await it.done()
        return (
            it.results,
            counts(it),
            (await it.spool.stats(it.now)).messages,
            len(it.told.named("deliver.parcel.broken")),
        )

    assert ([DELIVERED], {"14": 1}, 0, 1) == tell(story)


def test_report_tells_of_earlier_attempts_that_a_bug_broke():
    """In words for the sender; the story of the message has the bug."""

    async def story(it):
        id_ = await it.post("ann@example.org")
        await it.done()
        it.now += 5 * DAY_S
        it.loop.look()
        ((_, text),) = await until_reported(it)
        told = await it.spool.story(id_)
        return text, [SECRET in record.text for record in told.records]

    text, records = tell(story, find=no_way)
    assert [True, True] == records
    assert 2 == text.count("The mail system here had a fault: the message was deferred by an internal error.")
