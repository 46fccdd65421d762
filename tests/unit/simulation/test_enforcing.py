"""Senders that enforce MTA-STS or DANE: whom they pass over, whom they refuse, and whose mail waits for that."""

import asyncio
from dataclasses import replace
from itertools import product

import pytest
from tests.support.examples import some
from tests.support.plans import planned

from postroad.dns import ZoneResolver, parse_zones
from postroad.gather import gather, gather_dane, gather_demands
from postroad.models import SCHEDULES, SENDERS
from postroad.simulation import Case, DnsOrder, demands_of, forecast
from postroad.simulation.paths import every_way
from postroad.simulation.trials import Estimate, Outage, Trial, Workload, run
from postroad.words.facts import Found, Tlsa
from postroad.words.faults import Mode
from postroad.words.names import parse_address
from postroad.words.outcome import Result
from postroad.words.policies import DaneFacts, Published, StsKnown, StsPolicy
from postroad.words.tls import Authority

FIRST, BACKUP = parse_address("192.0.2.1"), parse_address("192.0.2.2")
BACKED_UP = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 192.0.2.1\nmx2 A 192.0.2.2\n"
EQUALS = "@ MX 10 mx1\n@ MX 10 mx2\n@ MX 20 mx3\nmx1 A 192.0.2.1\nmx2 A 192.0.2.2\nmx3 A 192.0.2.1\nmx3 A 192.0.2.3\n"
ONE_LISTED = Published(StsPolicy("enforce", ("mx1.example.com",)))
ALL_LISTED = Published(StsPolicy("enforce", ("*.example.com",)))
ENFORCING = {name: each for name, each in SENDERS.items() if each.sts}
OTHERS = {name: each for name, each in SENDERS.items() if not (each.sts or each.dane)}
WIDE = 4.5 / 1.96
NOTHING = Estimate(0.0, 0.0, 0.0)


def signed(usage=3):
    """What DNSSEC vouches for of mx1 and mx2: a TLSA record of this usage."""
    tlsa = Found((Tlsa(usage, 1, 1, b"k" * 32),), authentic=True)
    names = ("mx1.example.com", "mx2.example.com")
    return Published(dane={name: DaneFacts(is_mx_secure=True, base=name, tlsa=tlsa, names=(name,)) for name in names})


def told(sender, published, down=None, zone=BACKED_UP, order=DnsOrder.FIXED):
    """The forecast of a sender where this is published."""
    facts = replace(planned(zone), published=published)
    return forecast(Case(facts, sender, order, down or {}), SENDERS[sender], examples=0)


def part(found):
    """How much of the mail gets through."""
    return found.outcome.get(Result.DELIVERED, 0)


def test_who_enforces_the_policy_waits_rather_than_use_a_backup_that_it_does_not_list():
    """With mx1 down: the mail of all others goes to mx2, as far as it would without a policy."""
    down = {FIRST: Mode.REFUSE}
    for name, sender in SENDERS.items():
        with_policy, without = (told(name, published, down) for published in (ONE_LISTED, None))
        assert (name, 0 if sender.sts else part(without)) == (name, part(with_policy))
        assert 0 == with_policy.outcome[Result.FAILED] - (0 if sender.sts else without.outcome[Result.FAILED]), name


@pytest.mark.parametrize("down", [{}, {FIRST: Mode.REFUSE}, {FIRST: Mode.R450}], ids=["well", "refused", "451"])
def test_policy_that_lists_all_or_is_not_enforced_changes_nothing(down):
    """Whatever is down; and whoever looks at no policy is not told of one.

    Every third sender; all in a whole run.
    """
    names = some(SENDERS, 3, len(down))
    without = {name: told(name, None, down).outcome for name in names}
    for published in (ALL_LISTED, Published(StsPolicy("testing", ("else.example",)))):
        assert without == {name: told(name, published, down).outcome for name in names}


@pytest.mark.parametrize("sender", ENFORCING)
@pytest.mark.parametrize(
    "mode", [Mode.TLS_MISMATCH, Mode.STARTTLS_EXPIRED, Mode.STARTTLS_GOOD, Mode.NO_STARTTLS, Mode.STARTTLS_454]
)
def test_server_that_does_not_prove_its_name_is_left_for_the_next(sender, mode):
    """Its mail goes to the backup, never in the clear; with the backup down too it waits."""
    assert (0, 1) == (
        (found := told(sender, ALL_LISTED, {FIRST: mode})).accepted.get(FIRST, 0),
        found.accepted.get(BACKUP, 0),
    )
    assert {Result.DEFERRED: 1} == {
        result: share
        for result, share in told(sender, ALL_LISTED, dict.fromkeys((FIRST, BACKUP), mode)).outcome.items()
        if share
    }


def test_certificate_that_nobody_looks_at_turns_no_mail_away():
    """Nor is anything demanded where nothing is published."""
    for sender in OTHERS:
        well, mismatched = (told(sender, ALL_LISTED, down) for down in ({}, {FIRST: Mode.TLS_MISMATCH}))
        assert (sender, well.outcome, well.accepted) == (sender, mismatched.outcome, mismatched.accepted)


@pytest.mark.parametrize(
    ("usage", "mode", "takes"),
    [
        (3, Mode.TLS_MISMATCH, False),
        (3, Mode.STARTTLS_EXPIRED, True),  # a key is matched whatever the dates
        (2, Mode.STARTTLS_EXPIRED, False),
        (3, Mode.NO_STARTTLS, False),
        (1, Mode.TLS_MISMATCH, True),  # none that can be used: encrypted is enough (RFC 7672 section 2.2)
        (1, Mode.NO_STARTTLS, False),
    ],
)
def test_dane_asks_for_what_the_records_say(usage, mode, takes):
    """Of Exim, that looks at DANE alone."""
    found = told("exim", signed(usage), {FIRST: mode})
    assert (1, takes) == (part(found), bool(found.accepted.get(FIRST)))


def test_exchanger_that_the_policy_does_not_list_is_contacted_by_nobody_who_enforces_it():
    """The first contacts of the others stay where they are."""
    for sender in ENFORCING:
        found = told(sender, Published(StsPolicy("enforce", ("mx2.example.com",))))
        assert ({BACKUP}, 1) == ({address for address, share in found.first.items() if share}, found.attempts_max)


SIGNED = f"""$ORIGIN example.com.
$TTL 300
@ DNSKEY 257 3 13 {"A" * 86}==
{BACKED_UP}_25._tcp.mx1 TLSA 3 1 1 {"ab" * 32}
"""


class Knows:
    """Who knows a policy."""

    def __init__(self, policy):
        self.policy = policy

    async def known(self, _domain):
        return StsKnown(self.policy)


CASES = [
    (published, pair)
    for published in (ONE_LISTED, ALL_LISTED, signed(), replace(signed(), sts=ONE_LISTED.sts))
    for pair in product((Mode.ACCEPT, Mode.REFUSE, Mode.BLACKHOLE, Mode.TLS_MISMATCH, Mode.BROKEN_STARTTLS), repeat=2)
]


def pairs(exact, tried):
    """Each exact figure with its estimate."""
    for name in ("first", "accepted"):
        for address in tried.first:
            yield float(getattr(exact, name).get(address, 0)), getattr(tried, name)[address]
    for result in Result:
        yield float(exact.outcome[result]), tried.outcome.get(result, NOTHING)
    yield float(exact.attempts_mean), tried.contacts


def held(true, estimate):
    """Whether a widened interval holds the true figure."""
    low = estimate.value - (estimate.value - estimate.low) * WIDE
    high = estimate.value + (estimate.high - estimate.value) * WIDE
    return low - 1e-9 <= true <= high + 1e-9


@pytest.mark.parametrize("sender", [name for name, each in SENDERS.items() if each.sts or each.dane])
@pytest.mark.parametrize("zone", [BACKED_UP, EQUALS], ids=["backed-up", "equals"])
def test_trials_hold_the_exact_figures_of_those_who_enforce(sender, zone):
    """Shares, outcomes and contacts, under each pair of faults, in every order of DNS.

    A sender has every twenty-third of them; all in a whole run.
    """
    facts, load, missed = planned(zone), Workload(1000, sources=1000), []
    for number, (published, pair) in some(enumerate(CASES), 23, len(sender)):
        down = dict(zip((FIRST, BACKUP), pair, strict=True))
        order = DnsOrder.FIXED if SENDERS[sender].caches_mx else list(DnsOrder)[number % len(DnsOrder)]
        case = Case(replace(facts, published=published), sender, order, down)
        exact = forecast(case, SENDERS[sender], examples=0)
        outages = tuple(Outage(*each) for each in down.items())
        trial = Trial(case.snapshot, SENDERS[sender], load, order, outages=outages, schedule=SCHEDULES["none"])
        missed += [(pair, published, each) for each in pairs(exact, run(trial, seed=1)) if not held(*each)]
    assert [] == missed


@pytest.mark.parametrize("sender", [name for name, each in SENDERS.items() if each.sts or each.dane])
def test_every_way_of_those_who_enforce_adds_up_to_the_forecast(sender):
    """Way by way, each with its chance: every thirteenth case each, and all in a whole run."""
    for published, pair in some(CASES, 13, len(sender)):
        down = dict(zip((FIRST, BACKUP), pair, strict=True))
        case = Case(replace(planned(EQUALS), published=published), sender, down=down)
        ways = list(every_way(case, SENDERS[sender]))
        exact = forecast(case, SENDERS[sender], examples=0)
        assert (1, exact.attempts_mean) == (
            sum(way.chance for way in ways),
            sum(way.chance * len(way.steps) for way in ways),
        )
        for result in Result:
            assert exact.outcome[result] == sum(way.chance for way in ways if way.result is result)


def test_our_sender_is_forecast_by_the_demands_that_deliveries_have():
    """The same table, from the same facts: of a policy, and of TLSA records in a signed zone."""
    zone = ZoneResolver(parse_zones({"zone": SIGNED}), validates=True)

    async def both():
        snapshot = await gather("example.com", zone)
        dane = await gather_dane(snapshot, zone)
        delivered = await gather_demands(snapshot, zone, policies=Knows(ONE_LISTED.sts))
        return replace(snapshot, published=Published(ONE_LISTED.sts, dane)), delivered.by_exchanger

    snapshot, delivered = asyncio.run(both())
    assert delivered == demands_of(snapshot, SENDERS["postroad"])
    assert {Authority.DANE, Authority.MTA_STS} == {demand.by for demand in delivered.values()}
