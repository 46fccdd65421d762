"""Names without an address: any number of them is a matter of time alone."""

from dataclasses import replace
from itertools import product

from tests.support.examples import some
from tests.support.forecasts import snapshot

from postroad.models import SENDERS
from postroad.simulation import Case, forecast
from postroad.simulation.trials import Trial, Workload, run
from postroad.words.facts import Found, HostFacts, Mx, NoName

ONE = snapshot((60_000, "good", "192.0.2.1"))
MANY = 400  # a contact behind more of them than Python nests calls
DEAD = {"equals": [10] * MANY, "levels": range(MANY)}


def beside(preferences):
    """The good one behind so many dead names."""
    records = tuple(Mx(preference, f"dead{number}") for number, preference in enumerate(preferences))
    hosts = {record.exchange: HostFacts(NoName(), NoName()) for record in records}
    return replace(ONE, mx=Found((*records, *ONE.mx.records)), hosts={**hosts, **ONE.hosts})


def test_dead_names_are_passed_over_whatever_their_number():
    """By those who have no limit all mail is delivered behind them, in the forecast and in trials; nobody breaks.

    Of either kind every twenty-third sender has it; each has both in a whole run.
    """
    for preferences, name in some(product(DEAD, SENDERS), 23):
        facts, sender = beside(DEAD[preferences]), SENDERS[name]
        told = forecast(Case(facts, name), sender, examples=0)
        tried = run(Trial(facts, sender, Workload(10)), 1)
        assert (name, told.outcome == {}, told.unable) == (name, tried.outcome == {}, tried.unable)
        if told.first:
            assert {1} == set(told.first.values()) == {share.value for share in tried.first.values()}, name


def test_equal_dead_names_are_one_kind():
    """A hundred have a hundred places to be in, not as many as there are orders of them."""
    facts = beside([60_000] * 100)
    told, asks = forecast(Case(facts, "sendmail"), SENDERS["sendmail"]), SENDERS["sendmail"].asks
    assert 50 + 1 == (told.questions.a - asks.domain_a) / asks.a  # half of them, and then the one that lives
