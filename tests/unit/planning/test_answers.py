"""The answers about the reference set-ups: what they say follows from the numbers, whoever sends."""

import re
from functools import cache

from tests.support.examples import some
from tests.support.plans import SEVERAL, only

from postroad.cli.sender_options import records_of
from postroad.planning import answers, measure
from postroad.planning.answers import answer_all
from postroad.planning.setups import SETUPS
from postroad.simulation import SENDERS


@cache
def _records(name):
    return records_of(name, None, (), ())


def _answers(view):
    cards = {name: measure(name, _records(name), view) for name in SETUPS}
    return {each.question: each.answer for each in answer_all(cards, view)}


def _second(view):
    cards = {name: measure(name, _records(name), view) for name in ("t1", "t2")}
    return next(answers._second(cards, view))


def test_fail_over_of_one_name_depends_on_who_sends():
    """Who tries all addresses fails over; who tries one does not, and is not told "yes: 0 %"."""
    assert ["Yes", "No"] == [_second(only(name)).split(":")[0] for name in ("postfix", "twisted")]


BEST = "Which set-up balances and fails over best, and why?"


def test_nobody_draws_who_does_not():
    """A sender in DNS order wins nothing by a random choice."""
    told = _answers(only("dns-order"))[BEST]
    assert "None of these senders draws among equal MX records: the order of DNS decides where mail goes." in told


def test_who_draws_is_seen_in_the_forecasts():
    """Haraka shuffles, though not evenly: its first contact is one of the first two, and never the third."""
    told = _answers(only("exim", "postfix", "haraka", "mx-connect"))[BEST]
    assert (
        "Of three equal MX records, as in t6, the first is drawn (RFC 5321 section 5.1) "
        "evenly by exim and postfix (50 % of mail); "
        "unevenly by senders with an order of their own (haraka; 25 % of mail); "
        "not at all by senders in DNS order (mx-connect; 25 % of mail)."
    ) in told


def test_yes_and_no_agree_with_their_numbers():
    """Whoever sends: yes stands with all mail, no with none. Every fourth sender; all in a whole run."""
    for name in some(SENDERS, 4, 1):
        sentence = _second(only(name))
        part = float(re.search(r", ([\d.]+) % of mail", sentence)[1])
        assert (name, {100.0: "Yes", 0.0: "No"}.get(part, "Not for all mail")) == (name, sentence.split(":")[0])


def test_every_question_has_an_answer():
    """Nine questions, with sentences that end as sentences do."""
    found = _answers(SEVERAL)
    assert 9 == len(found)
    assert all(sentence.endswith((".", ":")) for answer in found.values() for sentence in answer)
