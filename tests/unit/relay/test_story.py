"""The story of a message: its choices drawn again from the record."""

import json
from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest

from postroad.relay.story import chapter
from postroad.routing import DICE, PROCEDURES, Dice, Exchanger, Level, Route, draw, route_record, turned
from postroad.routing.rules import Source
from postroad.spool import NODE, Listed, Parcel, Record, State, StoredMail, Story
from postroad.views.json.queue import story_shape
from postroad.views.text.queue import told
from postroad.views.text.story import tell
from postroad.words.mail import Envelope, Recipient, TlsWish, parse_mailbox
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.phrasebook import moment
from postroad.words.record import attempt_record
from postroad.words.tls import Authority, Demand, TlsLevel
from postroad.words.trail import Attempt, Contact

ROUTE = Route(
    "example.com",
    Source.MX,
    (
        Level(
            10,
            tuple(
                Exchanger(f"mail{n}.example.com", (ip_address(f"192.0.2.{n}"), ip_address(f"192.0.2.{n + 10}")))
                for n in (1, 2, 3)
            ),
        ),
    ),
)
ENVELOPE = Envelope(parse_mailbox("a@example.net"), (Recipient(parse_mailbox("b@example.com")),))
MAIL = StoredMail("01TEST", ENVELOPE, 1_800_000_000.0, 42, 100, "192.0.2.7 by ESMTP")


def record(*, turn=0, unhealthy=(), order=None, dice=Random):
    """The record of an attempt whose first two hosts were down, in the order drawn or in another."""
    targets = order or draw(turned(ROUTE, turn), PROCEDURES["rfc5321"], dice(42)).targets
    down = Outcome(Result.DEFERRED, Scope.HOST, "connection refused", "4.4.1", Phase.CONNECT)
    contacts = tuple(Contact(target, 0.0, 1.0, Phase.CONNECT, down, {0: down}) for target in targets[:2])
    attempt = Attempt("example.com", (down,), contacts, 42, 2.0)
    shape = attempt_record(attempt) | {"recipients": ["b@example.com"], "turn": turn, "route": route_record(ROUTE)}
    return Record(
        "example.com",
        1_800_000_001.0,
        json.dumps(
            shape | ({"unhealthy": list(unhealthy)} if unhealthy else {}) | ({"dice": DICE} if dice is Dice else {})
        ),
    )


def test_choice_is_drawn_again_from_the_seed():
    """Whatever turn the addresses had, the contacts come in the order that the seed gives today."""
    assert [True] * 4 == [chapter(record(turn=turn, dice=Dice)).holds for turn in range(4)]


def test_older_choice_is_drawn_again_with_the_dice_of_its_day():
    """A record that names no dice is from before there were any of our own, and its seed means what it meant then."""
    assert [True] * 4 == [chapter(record(turn=turn, dice=Random)).holds for turn in range(4)]


def test_contacts_in_another_order_are_told():
    """A record whose contacts do not follow the draw says so, rather than explain what did not happen."""
    backward = tuple(reversed(draw(ROUTE, PROCEDURES["rfc5321"], Random(42)).targets))
    told = list(tell(Story(MAIL, (), (record(order=backward),), 1_800_000_002.0)))
    assert "The contacts are not in the order that this seed gives now: the record is older than this version." in told


def test_choice_is_the_seeds_whatever_connections_had_to_be():
    """A contact's record does not repeat what the route's says of TLS."""
    demand = Demand(TlsLevel.ENCRYPTED, Authority.ROUTE, "the settings say so", is_vouched=True)
    levels = [Level(level.preference, tuple(replace(each, demand=demand) for each in level.exchangers))
              for level in ROUTE.levels]  # fmt: skip
    one = record(dice=Dice)
    shape = json.loads(one.text) | {"route": route_record(replace(ROUTE, levels=tuple(levels)))}
    assert chapter(replace(one, text=json.dumps(shape))).holds


@pytest.mark.parametrize(
    ("wish", "line", "said"),
    [
        (TlsWish.REQUIRED, "required by its sender (REQUIRETLS, RFC 8689)", "Its sender requires TLS "),
        (TlsWish.OPTIONAL, "optional for its sender (TLS-Required: No, RFC 8689)", "Its sender wrote "),
    ],
)
def test_what_the_sender_asks_of_tls_is_told(wish, line, said):
    """In the story, in the queue, and as JSON; mail without has no line for it, and null."""
    wished = Story(replace(MAIL, envelope=replace(ENVELOPE, tls=wish)), (), (), None)
    usual = Story(MAIL, (), (), None)
    assert (True, False) == tuple(("tls", line) in told(each, 1_800_000_009.0).rows for each in (wished, usual))
    assert (True, False) == tuple(any(each.startswith(said) for each in tell(story)) for story in (wished, usual))
    assert (wish.value, None) == (story_shape(wished)["tls"], story_shape(usual)["tls"])


def test_story_of_a_report_promises_no_protection():
    """It requires TLS, and goes where there is none (RFC 8689 section 5)."""
    envelope = replace(ENVELOPE, reverse_path=None, tls=TlsWish.REQUIRED)
    said = list(tell(Story(replace(MAIL, envelope=envelope), (), (), None)))
    assert (1, False) == (
        sum("delivery matters more than protection" in each for each in said),
        any("only an" in each for each in said),
    )


def test_story_goes_from_acceptance_to_what_is_next():
    """First who sent it, last when it is tried again and why."""
    waiting = Listed(Parcel(1, "example.com", MAIL, 1_800_000_300.0, 1), State.WAITING, said="deferred: refused")
    told = list(tell(Story(MAIL, (waiting,), (record(),))))
    assert "Message 01TEST from a@example.net to b@example.com, 100 octets." == told[0]
    assert (
        "Mail to b@example.com is waiting; the next attempt is 2027-01-15 08:05:00 UTC;"
        " the last answer was: deferred: refused." == told[-1]
    )


def test_which_node_did_what_is_told_where_it_has_a_name_of_its_own():
    """The name that a relay has alone tells nothing."""
    lines = []
    for node in ("", NODE, "mx1.example"):
        it = Story(
            MAIL, (Listed(Parcel(1, "example.com", MAIL, 1.0), State.CLAIMED, node),), (replace(record(), node=node),)
        )
        lines.append([line for line in tell(it) if line.startswith(("Attempt", "Mail"))])
    assert lines[0] == lines[1]
    assert [f"Attempt 1, {moment(1_800_000_001.0)} by the node mx1.example, for b@example.com:"] == lines[2][:1]
    assert ["Mail to b@example.com is being delivered now by the node mx1.example."] == lines[2][1:]
