"""Explanations are sentences a person can act on."""

from ipaddress import ip_address
from random import Random

import pytest
from tests.support.domains import T1, T2, T4, T5, domain

from postroad.routing import PROCEDURES, Own, Plan, decide, draw, explain_attempt, explain_plan, explain_route
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.tls import Proof, TlsLevel
from postroad.words.trail import Attempt, Contact, Target

RFC5321 = PROCEDURES["rfc5321"]
ONE, TWO = (Target(f"mx{number}", ip_address(f"192.0.2.{number}"), 10) for number in (1, 2))
AWAY = Outcome(Result.DEFERRED, Scope.HOST, "connection refused", "4.4.1", Phase.CONNECT)
TAKEN = Outcome(Result.DELIVERED, Scope.MESSAGE, "250 ok", "2.0.0", Phase.DOT)
NEVER = Outcome(Result.FAILED, Scope.RECIPIENT, "550 no", "5.1.1", Phase.RCPT)
LATER = Outcome(Result.DEFERRED, Scope.RECIPIENT, "450 later", "4.2.0", Phase.RCPT)


def test_equals_are_named_with_their_odds():
    """Two equal exchangers: who they are, how they are drawn, and by which section."""
    assert [
        "It has MX records; the lowest preference is tried first (RFC 5321 section 5.1).",
        "First preference 10: mail1 and mail2, equals, drawn at random"
        " (RFC 5321 section 5.1 (random among equals: MUST)).",
        "First contact: 192.0.2.11 50 %, 192.0.2.12 50 %.",
    ] == explain_route(decide(T1), RFC5321)


def test_one_exchanger_is_named_with_the_count_of_its_addresses():
    """One address is no order, and needs no word."""
    told = [sentence for each in (T2, T5) for sentence in explain_route(decide(each), RFC5321)]
    assert [
        "First preference 10: mail, 2 addresses in the order given (RFC 5321 section 5.1).",
        "First preference 10: a.",
        "Only after every address before it failed: preference 20: b.",
    ] == [sentence for sentence in told if sentence.startswith(("First preference", "Only"))]


def test_what_is_left_out_says_why():
    """The 10/10/20/30 reference set-up (t4): its backups are named as the repetition they are."""
    sentences = explain_route(decide(T4), RFC5321)
    assert "Left out: c [192.0.2.11] at preference 20, the same address as a with preference 10." in sentences


def test_refusal_says_what_becomes_of_the_mail():
    """A loop is told as a loop, with its status."""
    sentences = explain_route(decide(T1, own=Own(frozenset({"mail1", "mail2"}))), RFC5321)
    assert "Mail is returned to its sender (5.4.6)." == sentences[1]


def test_null_mx_is_told():
    """A domain that takes no mail is not called broken."""
    expected = "No route: example.com accepts no mail: its only MX is the null MX (RFC 7505)."
    assert expected == explain_route(decide(domain((0, ""))), RFC5321)[0]


def test_plan_names_its_seed():
    """A drawn order can be had again."""
    plan = draw(decide(T2), RFC5321, Random(3))
    assert ["With seed 3 the order is mail [192.0.2.11], then mail [192.0.2.12]."] == explain_plan(plan, 3)


def attempted(*outcomes, contacts):
    """An attempt for so many recipients."""
    return Attempt("example.com", outcomes, contacts, 3, 20.0)


def test_attempt_is_told_in_order():
    """One recipient: who was contacted, what each said, and how it ended."""
    contacts = (
        Contact(ONE, 0.0, 0.4, Phase.CONNECT, AWAY, {0: AWAY}),
        Contact(TWO, 0.4, 250.0, Phase.CONNECT, None, {}),
        Contact(TWO, 250.0, 262.0, Phase.DOT, None, {0: TAKEN}, tls="TLSv1.3"),
    )
    assert [
        "First, mx1 [192.0.2.1] did not accept it (deferred, under 1 ms): connection refused.",
        "Then mx2 [192.0.2.2] was contacted after under 1 ms and closed unused: another greeted first.",
        "Then mx2 [192.0.2.2] accepted it over TLSv1.3 in 12 ms: 250 ok.",
        "So it was delivered.",
    ] == explain_attempt(attempted(TAKEN, contacts=contacts))


def test_times_are_told_to_the_millisecond():
    """Of a contact that lost the race, when it began; of an answer, how long it took."""
    contacts = (
        Contact(TWO, 999.0, 4000.0, Phase.CONNECT, None, {}),
        Contact(ONE, 3000.0, 3999.0, Phase.DOT, None, {0: TAKEN}),
    )
    assert [
        "First, mx2 [192.0.2.2] was contacted after 999 ms and closed unused: another greeted first.",
        "Then mx1 [192.0.2.1] accepted it in 999 ms: 250 ok.",
    ] == explain_attempt(attempted(TAKEN, contacts=contacts))[:2]


@pytest.mark.parametrize(("level", "told"), [(level, level is TlsLevel.PROVEN) for level in TlsLevel])
def test_only_a_proof_is_told(level, told):
    """How a certificate was judged that proved nothing is no news of the delivery."""
    proof = Proof(level, "by TLSA")
    contact = Contact(ONE, 0.0, 5.0, Phase.DOT, None, {0: TAKEN}, tls="TLSv1.3", proof=proof, clear_again=True)
    how = " (by TLSA)" if told else ""
    assert (
        f"First, mx1 [192.0.2.1] again, without TLS, accepted it over TLSv1.3{how} in 5 ms: 250 ok."
        == explain_attempt(attempted(TAKEN, contacts=(contact,)))[0]
    )


def test_a_host_that_fails_when_nobody_is_left_is_told_without_names():
    """All who were to be asked for there have their answer already."""
    contacts = (Contact(ONE, 0.0, 5.0, Phase.DOT, None, {0: TAKEN}), Contact(TWO, 5.0, 6.0, Phase.CONNECT, AWAY, {}))
    told = explain_attempt(attempted(TAKEN, contacts=contacts))
    assert "Then mx2 [192.0.2.2] did not accept it (deferred, 1 ms): connection refused." == told[1]


def test_a_plan_of_nothing_is_no_sentence():
    """There is no order to tell."""
    assert [] == explain_plan(Plan(()), 1)


def test_recipients_without_a_name_have_their_number():
    """The first is 1, with names for the others or without any."""
    contact = Contact(ONE, 0.0, 5.0, Phase.DOT, None, {0: TAKEN, 1: NEVER})
    attempt = attempted(TAKEN, NEVER, contacts=(contact,))
    told = [explain_attempt(attempt, names) for names in ([], ["ann"], ["ann", "bob"])]
    assert ["recipient 2", "recipient 2", "bob"] == [each[-1].partition(" for ")[2].partition(":")[0] for each in told]
    assert "First, mx1 [192.0.2.1] accepted it for recipient 1 in 5 ms: 250 ok." == told[0][0]


def test_each_answer_is_told_with_whom_it_was_for():
    """One contact, three recipients, three answers; nobody hears another's."""
    contact = Contact(ONE, 0.0, 5.0, Phase.DOT, None, {0: TAKEN, 1: NEVER, 2: LATER})
    told = explain_attempt(attempted(TAKEN, NEVER, LATER, contacts=(contact,)), ["ann", "bob", "cat"])
    assert [
        "First, mx1 [192.0.2.1] accepted it for ann in 5 ms: 250 ok.",
        "It did not accept it for bob (failed at rcpt, 5 ms): 550 no.",
        "It did not accept it for cat (deferred at rcpt, 5 ms): 450 later.",
        "So it was delivered to ann.",
        "So it failed for bob: mx1 [192.0.2.1]: 550 no.",
        "So it was deferred for cat: mx1 [192.0.2.1]: 450 later.",
    ] == told


def test_many_recipients_are_counted():
    """Three are named, the others are a number; without names they have numbers too."""
    contact = Contact(ONE, 0.0, 5.0, Phase.DOT, None, {**dict.fromkeys(range(5), TAKEN), 5: NEVER})
    attempt = attempted(*[TAKEN] * 5, NEVER, contacts=(contact,))
    assert "So it was delivered to recipient 1, recipient 2, recipient 3 and 2 more." in explain_attempt(attempt)
    assert "So it was delivered to a, b, c and 2 more." in explain_attempt(attempt, list("abcdef"))


def test_a_long_order_names_six_and_counts_the_others():
    """Six are enough to see an order."""
    targets = [Target("mx", ip_address(f"192.0.2.{last}"), 10) for last in range(1, 9)]
    told = [explain_plan(Plan(tuple(targets[:count])), None)[0] for count in (6, 7, 8)]
    ends = ["mx [192.0.2.6].", "mx [192.0.2.6], and 1 more.", "mx [192.0.2.6], and 2 more."]
    assert ends == [sentence[sentence.index("mx [192.0.2.6]") :] for sentence in told]
