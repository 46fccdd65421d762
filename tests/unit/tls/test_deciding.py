"""What a connection has to be: our settings, then DANE, then MTA-STS, in one table."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.tls import TABLE, Known, Override, TlsMode, demanded
from postroad.words.facts import Bogus, Found, NoData, NoName, Temporary, Tlsa
from postroad.words.policies import DaneFacts, StsPolicy
from postroad.words.tls import OPPORTUNISTIC, Authority, TlsFailure, TlsLevel

MX = "mx1.example.com"
KEY, ANCHOR = Tlsa(3, 1, 1, bytes(32)), Tlsa(2, 0, 1, bytes(32))
UNUSABLE = Tlsa(0, 0, 1, bytes(32))


def _facts(answer):
    return DaneFacts(is_mx_secure=True, base=MX, tlsa=answer, names=(MX, "example.com"))


def tlsa(*records, authentic=True):
    """The facts of an exchanger with these associations."""
    return _facts(Found(records, 60, (), MX, authentic))


def sts(mode="enforce", *names):
    """A policy."""
    return StsPolicy(mode, names or (MX,), 86400)


def decided(mode=TlsMode.AUTO, names=(), **facts):
    """The demand."""
    return demanded(Known(MX, Override(mode, names), **facts))


LOST = _facts(Temporary("SERVFAIL"))


@pytest.mark.parametrize("lost", [Temporary("no answer"), Bogus("malformed")])
def test_associations_that_cannot_be_looked_up_are_never_none(lost):
    """The host counts as unreachable (RFC 7672 section 2.1.2)."""
    demand = decided(dane=_facts(lost))
    assert (Authority.DANE, TlsFailure.DNSSEC_INVALID, "4.4.3") == (
        demand.by,
        demand.missed.failure,
        demand.missed.status,
    )


def test_key_in_dns_is_what_counts():
    """Neither names nor authorities are asked; the name of the TLSA records goes into the handshake."""
    demand = decided(dane=tlsa(KEY))
    assert (TlsLevel.PROVEN, Authority.DANE, (), (KEY,), MX) == (
        demand.level,
        demand.by,
        demand.names,
        demand.tlsa,
        demand.server_name,
    )


def test_trust_anchor_in_dns_needs_a_name():
    """Of the host, or of the domain whose MX set DNSSEC vouches for (RFC 7672 section 3.2.2)."""
    assert ((MX, "example.com"), (KEY, ANCHOR)) == decided(dane=tlsa(KEY, ANCHOR)).terms


def test_associations_nobody_can_use_ask_for_encryption():
    """Whoever is there (RFC 7672 section 2.2)."""
    demand = decided(dane=tlsa(UNUSABLE))
    assert (TlsLevel.ENCRYPTED, Authority.DANE) == (demand.level, demand.by)


@pytest.mark.parametrize("nothing", [NoData(), NoName(), Found((KEY,), 60, (), MX, authentic=False)])
def test_what_dnssec_does_not_vouch_for_is_no_dane(nothing):
    """Anyone could have written it."""
    assert decided(dane=_facts(nothing)).is_usual


def test_enforced_policy_asks_for_the_name_in_the_mx_record():
    """Not for the pattern that covers it (RFC 8461 section 4.2)."""
    demand = decided(sts=sts("enforce", "*.example.com"))
    assert (TlsLevel.PROVEN, Authority.MTA_STS, (MX,)) == (demand.level, demand.by, demand.names)


def test_exchanger_that_the_policy_does_not_list_is_not_asked():
    """It stays in the plan, and says why it is passed over."""
    demand = decided(sts=sts("enforce", "other.example.com"))
    assert f"the MTA-STS policy does not list {MX}" == demand.missed.why


def test_policy_in_testing_forbids_nothing():
    """What it would demand is watched."""
    demand = decided(sts=sts("testing"))
    assert (True, (MX,)) == (demand.allows_clear, demand.watched.names)
    assert f"the MTA-STS policy does not list {MX}" == decided(sts=sts("testing", "x.test")).watched.missed.why


def test_policy_none_is_no_policy():
    """It ends an older one."""
    assert OPPORTUNISTIC == decided(sts=sts("none"))


def test_dane_decides_on_the_certificate_and_the_policy_on_names():
    """MTA-STS must not let through what DANE refuses (RFC 8461 section 2); a name it does not list stays unlisted."""
    assert (KEY,) == decided(dane=tlsa(KEY), sts=sts()).tlsa
    assert TlsFailure.DNSSEC_INVALID is decided(dane=LOST, sts=sts()).missed.failure
    assert Authority.MTA_STS is decided(dane=tlsa(KEY), sts=sts("enforce", "x.test")).by


@pytest.mark.parametrize(
    ("mode", "level", "uses_tls"),
    [
        (TlsMode.OFF, TlsLevel.CLEAR, False),
        (TlsMode.OPPORTUNISTIC, TlsLevel.CLEAR, True),
        (TlsMode.ENCRYPT, TlsLevel.ENCRYPTED, True),
        (TlsMode.VERIFY, TlsLevel.PROVEN, True),
    ],
)
def test_route_overrides_what_the_receiver_publishes(mode, level, uses_tls):
    """One line for a broken domain, or for one that we know better."""
    for facts in ({}, {"dane": LOST}, {"dane": tlsa(KEY), "sts": sts("enforce", "x.test")}):
        demand = decided(mode, **facts)
        assert (level, uses_tls, Authority.ROUTE, None) == (demand.level, demand.uses_tls, demand.by, demand.missed)


def test_verify_asks_for_the_host_or_for_the_names_of_the_route():
    """A smarthost behind another name."""
    assert ((MX,), ("a.test", "b.test")) == (
        decided(TlsMode.VERIFY).names,
        decided(TlsMode.VERIFY, ("a.test", "b.test")).names,
    )


def test_dane_alone_leaves_policies_aside():
    """`dane`: associations if there are any; `dane-only`: without them nothing goes."""
    assert OPPORTUNISTIC == decided(TlsMode.DANE, sts=sts())
    assert (KEY,) == decided(TlsMode.DANE, dane=tlsa(KEY)).tlsa
    assert (KEY,) == decided(TlsMode.DANE_ONLY, dane=tlsa(KEY)).tlsa
    for facts in ({}, {"dane": _facts(NoData())}, {"sts": sts()}):
        assert TlsFailure.DANE_REQUIRED is decided(TlsMode.DANE_ONLY, **facts).missed.failure


FACTS = st.builds(
    Known,
    st.just(MX),
    st.builds(Override, st.sampled_from(TlsMode)),
    st.sampled_from([DaneFacts(), LOST, tlsa(KEY), tlsa(ANCHOR), tlsa(UNUSABLE), tlsa(KEY, authentic=False)]),
    st.sampled_from([None, sts(), sts("testing"), sts("none"), sts("enforce", "x.test"), sts("testing", "x.test")]),
)


@settings(max_examples=examples(200 // stride(2)))
@given(FACTS)
def test_every_demand_says_why_and_can_be_met_or_is_missed(known):
    """A proof is by associations or by names; whatever is stricter than the clear names its reason."""
    demand = demanded(known)
    assert bool(demand.why) != demand.is_usual
    if demand.level is TlsLevel.PROVEN:
        assert demand.missed or demand.tlsa or demand.names


def test_every_row_of_the_table_decides_something():
    """None is dead: for each there are facts for which it is the first."""
    modes = [Override(mode) for mode in TlsMode]
    danes = [DaneFacts(), LOST, tlsa(KEY)]
    policies = [None, sts(), sts("testing"), sts("enforce", "x.test")]
    every = [Known(MX, *facts) for facts in itertools.product(modes, danes, policies)]
    assert set(TABLE) == {next(row for row in TABLE if row.applies(known)) for known in every}
