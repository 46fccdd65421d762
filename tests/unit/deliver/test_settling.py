"""What an attempt means for its parcel: recipients sorted, times set, words for the list."""

from dataclasses import replace
from random import Random

import pytest
from tests.support.delivering import NOON, recipients
from tests.support.settlings import AWAY, LATER, NEVER, OK, SCHEDULE, TARGET

from postroad.deliver.aftermath import Sign, news_of, settlement
from postroad.deliver.disposition import EXPIRED, judge, lost_report
from postroad.routing import OnReject
from postroad.spool import Parcel, StoredMail
from postroad.words.mail import Envelope, Mailbox
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.reply import Reply
from postroad.words.trail import Attempt, Contact

DAY_S = 86400.0
SENDER = Mailbox("me", "example.net")


def parcel(count=3, **how):
    """A parcel for so many recipients."""
    who = recipients(*(f"{name}@example.com" for name in ("ann", "bob", "cat")[:count]))
    return Parcel(1, "example.com", StoredMail("m1", Envelope(None, who), NOON, 7, 10), NOON, **how)


def attempt(*outcomes, contacts=()):
    """An attempt with these outcomes."""
    return Attempt("example.com", outcomes, contacts, 7, 1.0)


def judged(one, *outcomes, at=NOON):
    """The verdict on it."""
    return judge(one, attempt(*outcomes), SCHEDULE, at, Random(1))


def names(fates):
    """Who they are about."""
    return [fate.recipient.mailbox.local for fate in fates]


def test_each_recipient_has_its_own_fate():
    """Delivered, deferred and failed are sorted; those left have a time."""
    verdict = judged(parcel(), OK, LATER, NEVER)
    assert (["ann"], ["bob"], ["cat"]) == (names(verdict.delivered), names(verdict.left), names(verdict.failed))
    assert NOON + 300 == verdict.due_at


def test_nobody_left_has_no_time():
    """A parcel that is done with is not tried again."""
    verdict = judged(parcel(2), OK, NEVER)
    assert (None, (), False) == (verdict.due_at, verdict.left, verdict.waits_for_host)


def test_result_is_the_worst_for_the_sender():
    """One failed makes it failed, else one left makes it deferred."""
    verdicts = [judged(parcel(), OK, LATER, NEVER), judged(parcel(2), OK, LATER), judged(parcel(1), OK)]
    assert [Result.FAILED, Result.DEFERRED, Result.DELIVERED] == [verdict.result for verdict in verdicts]


def test_retries_come_at_growing_intervals():
    """The attempts made so far decide, this one included."""
    dues = [judged(parcel(1, attempts=attempts), LATER).due_at - NOON for attempts in range(4)]
    assert [300, 600, 1200, 2400] == dues


def test_only_mail_that_met_no_host_waits_for_one():
    """A reply of 4yz is no reason to try again as soon as a host answers."""
    assert [True, False, False] == [
        judged(parcel(2), *outcomes).waits_for_host for outcomes in ((AWAY, AWAY), (AWAY, LATER), (LATER, LATER))
    ]


def test_deferred_mail_fails_when_its_time_is_over():
    """Status 4.4.7, with the last answer in the text; who was delivered stays so."""
    verdict = judged(parcel(2), OK, LATER, at=NOON + 5 * DAY_S)
    (failed,) = verdict.failed
    assert (EXPIRED, "450 later; given up after 5 days") == (
        failed.outcome.status,
        failed.outcome.text,
    )
    assert (["ann"], None) == (names(verdict.delivered), verdict.due_at)


def test_sender_is_warned_once_and_not_of_mail_given_up():
    """After some hours, once; never with the final report."""
    late = NOON + 5 * 3600
    verdicts = [
        judged(parcel(1), LATER),
        judged(parcel(1), LATER, at=late),
        judged(parcel(1, warned=True), LATER, at=late),
        judged(parcel(1), LATER, at=NOON + 5 * DAY_S),
        judged(parcel(1), OK, at=late),
    ]
    assert [False, True, False, False, False] == [verdict.is_late for verdict in verdicts]


def test_taker_of_notifications_is_the_contact_that_took_the_message():
    """DSN at a host that refused says nothing about the one that took it."""
    refused = Contact(TARGET, 0, 1, Phase.RCPT, None, {0: LATER}, dsn_over=True)
    for over in (True, False):
        took = Contact(TARGET, 1, 2, Phase.DOT, None, {0: OK}, dsn_over=over)
        verdict = judge(parcel(1), attempt(OK, contacts=(refused, took)), SCHEDULE, NOON, Random(1))
        assert over == verdict.delivered[0].dsn_over


OURS = Outcome(Result.DEFERRED, Scope.US, "no socket", "4.3.0", Phase.CONNECT)
GREETING = Outcome(Result.DEFERRED, Scope.HOST, "554 no", "4.4.1", Phase.GREETING, Reply(554, ("no",)))


@pytest.mark.parametrize(
    ("expected", "contacts"),
    [
        ([Sign.ANSWERS], [(Phase.DOT, None, {0: OK})]),
        ([Sign.FAILS], [(Phase.CONNECT, AWAY, {0: AWAY})]),
        ([Sign.FAILS], [(Phase.GREETING, GREETING, {0: GREETING})]),
        ([Sign.ANSWERS], [(Phase.EHLO, AWAY, {0: AWAY})]),
        ([Sign.ANSWERS], [(Phase.CONNECT, LATER, {0: LATER})]),
        ([], [(Phase.CONNECT, OURS, {0: OURS})]),
        ([], [(Phase.POLICY, AWAY, {0: AWAY})]),
        ([], [(Phase.CONNECT, None, {})]),
        ([Sign.SUSPECT, Sign.ANSWERS], [(Phase.CONNECT, None, {}), (Phase.DOT, None, {0: OK})]),
        ([Sign.SUSPECT, Sign.FAILS], [(Phase.CONNECT, None, {}), (Phase.CONNECT, AWAY, {0: AWAY})]),
        ([Sign.ANSWERS], [(Phase.GREETING, None, {}), (Phase.DOT, None, {0: OK})]),
        ([Sign.ANSWERS], [(Phase.DOT, None, {0: OK}), (Phase.CONNECT, None, {})]),
        ([], [(Phase.CONNECT, None, {}), (Phase.CONNECT, None, {})]),
    ],
)
def test_what_a_contact_says_of_its_host(expected, contacts):
    """Silent while one asked later greeted is suspect; what was given up earlier, or waited for on purpose, is not."""
    made = tuple(Contact(TARGET, 0, 1, *each) for each in contacts)
    assert expected == [sign for sign, _target in news_of(attempt(OK, contacts=made))]


@pytest.mark.parametrize(("pattern", "sign"), [("554", Sign.ANSWERS), ("550", Sign.FAILS)])
def test_a_refusal_that_sends_mail_another_way_is_an_answer(pattern, sign):
    """Nobody waits for that host until it greets."""
    contact = Contact(TARGET, 0, 1, Phase.GREETING, GREETING, {0: GREETING})
    assert [(sign, TARGET)] == news_of(attempt(GREETING, contacts=(contact,)), OnReject((pattern,), "b"))


@pytest.mark.parametrize("is_asked", [False, True])
@pytest.mark.parametrize("at", [NOON, NOON + 5 * DAY_S])
def test_an_attempt_that_asked_nobody_is_recorded_only_if_it_was_the_last(is_asked, at):
    """That all hosts are still unhealthy is worth no record, and is no try; that mail was given up for it is."""
    contacts = (Contact(TARGET, 0, 1, Phase.CONNECT, AWAY, {0: AWAY}),) if is_asked else ()
    verdict = judge(parcel(1), attempt(AWAY, contacts=contacts), SCHEDULE, at, Random(1))
    settled = settlement(parcel(1), None, verdict, ())
    assert (is_asked or at > NOON, is_asked or not verdict.waits_for_host) == (bool(settled.record), settled.counts)


def test_line_for_the_queue_is_about_those_who_wait():
    """Not the 550 of one who is done with, but the answer to who is left, with the host that gave it."""
    contact = Contact(TARGET, 0, 1, Phase.RCPT, None, {0: LATER, 1: NEVER, 2: OK})
    verdict = judge(parcel(), attempt(LATER, NEVER, OK, contacts=(contact,)), SCHEDULE, NOON, Random(1))
    assert "deferred: mail.example.com [192.0.2.1]: 450 later" == verdict.said


def test_line_for_the_queue_counts_those_it_is_about():
    """Of several answers the most frequent one is shown, with how many have it; with nobody left there is none."""
    full = replace(LATER, text="452 full")
    contact = Contact(TARGET, 0, 1, Phase.RCPT, None, {0: full, 1: LATER, 2: LATER})
    verdict = judge(parcel(), attempt(full, LATER, LATER, contacts=(contact,)), SCHEDULE, NOON, Random(1))
    assert "deferred (2 of 3): mail.example.com [192.0.2.1]: 450 later" == verdict.said
    assert "" == judged(parcel(1), OK).said


def test_same_words_of_two_hosts_are_each_hosts_own():
    """Both said 450 later: each of the two recipients has it from the host that it was put to."""
    other = replace(TARGET, exchange="other.example.com")
    contacts = (
        Contact(TARGET, 0, 1, Phase.RCPT, None, {0: LATER, 1: NEVER}),
        Contact(other, 1, 2, Phase.RCPT, None, {1: LATER}),
    )
    done = attempt(LATER, LATER, contacts=contacts)
    fates = judge(parcel(2), done, SCHEDULE, NOON, Random(1)).left
    assert [TARGET, other] == [fate.target for fate in fates]


def test_mail_that_met_no_host_names_none():
    """All hosts were unhealthy: the text says which."""
    assert "deferred: connection refused" == judged(parcel(1), AWAY).said


def test_record_of_mail_given_up_says_that_it_failed():
    """What was deferred for the last time is not shown as deferred for ever after."""
    verdict = judged(parcel(2), OK, LATER, at=NOON + 5 * DAY_S)
    assert [Result.DELIVERED, Result.FAILED] == [outcome.result for outcome in verdict.attempt.outcomes]


def test_only_a_report_that_failed_for_good_is_lost():
    """Mail with the null reverse-path has nobody to be told; who sent under a name has a report instead."""
    named = parcel(1)
    named = replace(named, mail=replace(named.mail, envelope=replace(named.mail.envelope, reverse_path=SENDER)))
    assert [None, None, None] == [
        lost_report(each, judged(each, outcome))
        for each, outcome in ((named, NEVER), (parcel(1), LATER), (parcel(1), OK))
    ]
    assert {"id": "m1", "recipients": ["cat@example.com"], "why": "failed: 550 no", "origin": None} == lost_report(
        parcel(3), judged(parcel(3), OK, LATER, NEVER)
    )
