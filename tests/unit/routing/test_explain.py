"""Explanations are sentences a person can act on."""

from random import Random

from domains import T1, T2, T4, domain

from postroad.routing import PROCEDURES, Own, decide, draw, explain_plan, explain_route

RFC5321 = PROCEDURES["rfc5321"]


def test_equals_are_named_with_their_odds():
    """Two equal exchangers: who they are, how they are drawn, and by which section."""
    assert [
        "It has MX records; the lowest preference is tried first (RFC 5321 section 5.1).",
        "First preference 10: mail1 and mail2, equals, drawn at random"
        " (RFC 5321 section 5.1 (random among equals: MUST)).",
        "First contact: 192.0.2.11 50 %, 192.0.2.12 50 %.",
    ] == explain_route(decide(T1), RFC5321)


def test_what_is_left_out_says_why():
    """The documents' 10/10/20/30 set-up: its backups are named as the repetition they are."""
    sentences = explain_route(decide(T4), RFC5321)
    assert "Left out: c [192.0.2.11] at preference 20, the same address as a with preference 10." in sentences


def test_refusal_says_what_becomes_of_the_mail():
    """A loop is told as a loop, with its status."""
    sentences = explain_route(decide(T1, own=Own(frozenset({"mail1", "mail2"}))), RFC5321)
    assert "Mail is returned to its sender (5.4.6)." == sentences[1]


def test_null_mx_is_told():
    """A domain that takes no mail is not called broken."""
    expected = "No route: example.com takes no mail: its only MX is the null MX (RFC 7505)."
    assert expected == explain_route(decide(domain((0, ""))), RFC5321)[0]


def test_plan_names_its_seed():
    """A drawn order can be had again."""
    plan = draw(decide(T2), RFC5321, Random(3))
    assert ["With seed 3 the order is mail [192.0.2.11], then mail [192.0.2.12]."] == explain_plan(plan, 3)
