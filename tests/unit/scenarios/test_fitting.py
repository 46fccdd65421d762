"""What a sender did tells which sender it is: each model, played in the situations, is found again."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.examples import some

from postroad.models import SENDERS, Then, read_sender, sender_file
from postroad.scenarios.fitting import COUNTED, SURE, Fitting, SenderEvidence, describe_sender, nearest
from postroad.scenarios.situations import SITUATIONS, slots_of
from postroad.scenarios.trying import HOSTS, Tried, seen_in
from postroad.words.faults import Mode
from postroad.words.outcome import Result

NAMES = ("exim", "sendmail", "chasquid")  # what they do is the hardest to see; all others are found, too


def as_played(sender, seed=1):
    """What would have been seen of a sender: a draw for each message."""
    empty = asyncio.run(seen_in(slots_of(SITUATIONS), ()))
    model, dice = SenderEvidence(empty), random.Random(seed)
    tried = []
    for situation in SITUATIONS:
        chances = model.chances(sender, situation.name)
        keys = dice.choices(list(chances), list(chances.values()), k=situation.times)
        tried += [_message(sender, situation, *key) for key in keys]
    return replace(empty, tried=tuple(tried))


def _message(sender, situation, steps, result):
    if situation.name in COUNTED:
        steps = ("11",) * steps[0]
    elif situation.by_host:
        of = {name: numbers.split() for _, name, numbers in situation.hosts}
        steps = [of[host][steps[:place].count(host) % len(of[host])] for place, host in enumerate(steps)]
    asks, hosts = sender.asks, 3 if sender.asks.eager else 1
    asked = {"MX": asks.mx, "A": asks.a * hosts, "AAAA": asks.aaaa * hosts}
    asked |= {"domain A": asks.domain_a, "domain AAAA": asks.domain_aaaa, HOSTS: hosts}
    mute = Mode.MUTE in situation.faults.values()
    wait_s = (sender.waits.greeting_s if mute else sender.waits.connect_s) * situation.is_long
    if situation.name == "met-blackhole" and sender.waits.per_host:
        wait_s /= 2
    at_s = tuple(wait_s * place for place in range(len(steps)))
    asks_tls = sender.after(Mode.BROKEN_STARTTLS) is not Then.ACCEPTED
    return Tried(situation, tuple(steps), at_s, result, None, asked, asked_tls=asks_tls)


@pytest.mark.parametrize("name", some(NAMES, 3))
def test_a_sender_is_found_again_by_what_it_did(name):
    """Its file explains everything that was seen as well as its own model does, and is read as what was fitted.

    Exim, which has all that the others have; all three in a whole run.
    """
    sender = SENDERS[name]
    seen = as_played(sender)
    evidence, fitted = SenderEvidence(seen), Fitting(SenderEvidence(seen)).fit()
    read = read_sender("measured", sender_file(fitted.sender, fitted.known, fitted.unsure))
    (best,), (mine,) = (nearest(evidence, [each]) for each in (sender, read))
    assert (len(seen.tried), ()) == (mine.explained, mine.differences)
    assert best.log_likelihood - mine.log_likelihood < SURE
    assert (sender.waits.connect_s, sender.waits.per_host, sender.asks, {}) == (
        read.waits.connect_s,
        read.waits.per_host,
        read.asks,
        fitted.unsure,
    )


def test_what_uses_no_mx_records_is_not_described():
    """Nor what made no contact: the simulation has no words for it."""
    (slot,) = slots_of([each for each in SITUATIONS if each.name == "implicit"])
    for steps, asked in (((), {"MX": 1}), (("11",), {"A": 1})):
        seen = asyncio.run(seen_in([slot], [Tried(slot.situation, steps, (0.0,), Result.DEFERRED, None, asked)]))
        trial = describe_sender(seen, ("msmtp", "{to}"), "")
        assert ("", (), bool(steps)) == (trial.file, trial.nearest, trial.has_contacts)


def test_the_page_has_the_number_of_situations():
    """Of those that there are, and of the messages that they take."""
    page = Path(__file__).parents[3] / "docs" / "howto" / "lab.md"
    assert f"{len(SITUATIONS)} situations with {len(slots_of(SITUATIONS))} messages" in page.read_text()
