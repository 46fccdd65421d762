"""Several recipients of one message: who goes on, who is taken where, and who is told when."""

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.forecasts import BACKUP, cases

from postroad.models import SENDERS
from postroad.simulation import Case
from postroad.simulation.recipients import Mixed, every_fate, fares
from postroad.words.faults import Mode
from postroad.words.outcome import Result

FIRST, SECOND = ip_address("192.0.2.1"), ip_address("192.0.2.2")


def ends(name, *replies, **down):
    """The end of each recipient where the primary answers them one by one, and how many contacts there are."""
    modes = {ip_address(f"192.0.2.{key[1:]}"): Mode(mode) for key, mode in down.items()}
    mixed = Mixed(Case(BACKUP, name, down=modes), frozenset({FIRST}), replies)
    (fates,) = every_fate(mixed, SENDERS[name])
    short = {Result.DEFERRED: "waits", Result.FAILED: "returned"}
    told = [short.get(result) or taker for result, taker in zip(fates.results, fates.taken, strict=True)]
    return told, len(fates.steps)


def test_each_recipient_fares_as_if_alone():
    """Postfix: who is taken stays, who is told to wait goes on to the backup, who is refused is returned now."""
    assert ([FIRST, SECOND, "returned"], 2) == ends("postfix", 250, 450, 550)


def test_ours_is_known_for_each_recipient_alone():
    """Its walk is not data: who is taken, waits and is returned is what each would meet by itself."""
    assert ([FIRST, "waits", "returned"], 3) == ends("postroad", 250, 450, 550)


def test_some_wait_with_the_backup_in_sight():
    """OpenSMTPD and Haraka do not go on after a 450."""
    for name in ("opensmtpd", "haraka"):
        assert ([FIRST, "waits", "returned"], 1) == ends(name, 250, 450, 550)


def test_each_may_have_a_connection_of_its_own():
    """As with chasquid and dma: one for each, and another for who goes on."""
    assert ([FIRST, SECOND], 3) == ends("chasquid", 250, 450)
    assert ([FIRST, SECOND, "returned"], 4) == ends("dma", 250, 450, 550)


def test_some_return_nothing_while_a_recipient_waits():
    """Both chasquid and Courier tell the sender of a refusal when all is over."""
    for name in ("chasquid", "courier"):
        assert ["waits", "waits"] == ends(name, 450, 550, _2="refuse")[0]
        assert "returned" in ends(name, 250, 550)[0]


def test_slimta_returns_only_where_another_was_taken():
    """With one 450 and one 550 and nobody taken, both wait."""
    assert ["waits", "waits"] == ends("slimta", 450, 550)[0]
    assert [FIRST, "waits", "returned"] == ends("slimta", 250, 450, 550)[0]


def test_sendmail_keeps_what_exim_returns():
    """A 450 at the primary and 554 for a greeting at the backup: for sendmail somebody said "not now"."""
    assert [FIRST, "waits"] == ends("sendmail", 250, 450, _2="g554")[0]
    assert [FIRST, "returned"] == ends("exim", 250, 450, _2="g554")[0]


ENDING = sorted(name for name, each in SENDERS.items() if not each.fails_on_equals)


@settings(max_examples=examples(60))
@given(cases(), st.sampled_from(ENDING), st.sets(st.sampled_from([FIRST, SECOND])))
def test_what_is_said_to_others_changes_nothing(case, name, servers):
    """The ways of all recipients together have, for each of them, the chances it has alone."""
    sender = SENDERS[name]
    mixed = Mixed(case, frozenset(servers), (250, 450, 550))
    together = list(every_fate(mixed, sender))
    if not together:
        return
    for place, fare in enumerate(fares(mixed, sender)):
        taken = sum(each.chance for each in together if each.results[place] is Result.DELIVERED)
        assert taken == fare.outcome[Result.DELIVERED]


def test_one_recipient_is_a_message():
    """A message for one is the ordinary forecast."""
    every = {name: fares(Mixed(Case(BACKUP, name), frozenset({FIRST}), (450,)), SENDERS[name]) for name in ENDING}
    assert {name: [1] for name in ENDING} == {
        name: [sum(fare.outcome.values()) for fare in told] for name, told in every.items()
    }
