"""What a message's sender makes of what connections have to be (RFC 8689)."""

import itertools

from postroad.tls import Known, Override, TlsMode, demanded
from postroad.tls.wishes import wished
from postroad.words.facts import Found, Temporary, Tlsa
from postroad.words.mail import TlsWish
from postroad.words.policies import DaneFacts, StsPolicy
from postroad.words.tls import Authority, Demand, Miss, Proof, TlsFailure, TlsLevel, in_words

MX = "mx1.example.com"
KEY, ANCHOR, UNUSABLE = Tlsa(3, 1, 1, bytes(32)), Tlsa(2, 0, 1, bytes(32)), Tlsa(0, 0, 1, bytes(32))


def dane(*records):
    """The facts of an exchanger with these associations."""
    return DaneFacts(base=MX, tlsa=Found(records, 60, (), MX, authentic=True), names=(MX,))


EVERY = [
    Known(MX, Override(mode), facts, policy, is_named)
    for mode, facts, policy, is_named in itertools.product(
        TlsMode,
        [DaneFacts(), dane(KEY), dane(ANCHOR), dane(UNUSABLE), DaneFacts(base=MX, tlsa=Temporary("SERVFAIL"))],
        [None, *(StsPolicy(mode, (name,), 1) for mode in ("enforce", "testing", "none") for name in (MX, "x.test"))],
        [True, False],
    )
]
DEMANDS = {known: demanded(known) for known in EVERY}


def required(known=None, **facts):
    """The demand for mail whose sender requires TLS."""
    return wished(demanded(known or Known(MX, **facts)), TlsWish.REQUIRED, MX)


def test_mail_that_requires_tls_goes_to_proven_hosts_that_are_surely_the_domains():
    """Whatever else is known: proven by names or associations, or not at all; and nobody who is not vouched for."""
    for known, before in DEMANDS.items():
        demand = required(known)
        assert TlsLevel.PROVEN is demand.level
        assert demand.missed or ((demand.tlsa or demand.names) and demand.uses_tls and known.is_vouched)
        assert before == demand or demand.by is Authority.MESSAGE
        assert not (Proof(TlsLevel.ENCRYPTED).meets(demand))
        assert not (Proof().meets(demand))


def test_mail_that_requires_tls_is_never_asked_less_than_other_mail():
    """A connection that is good enough for it is good enough for all mail to that host."""
    for known, before in DEMANDS.items():
        demand = required(known)
        proof = Proof(TlsLevel.PROVEN, "", demand.terms)
        assert demand.missed or proof.meets(before)


def test_host_that_nobody_vouches_for_fails_the_mail_at_once():
    """5.7.30, and the sentence says who could vouch."""
    miss = required().missed
    assert ("5.7.30", f"neither DNSSEC nor MTA-STS vouches for {MX}") == (miss.status, miss.why.partition("and ")[2])


def test_route_without_tls_fails_the_mail_at_once():
    """Our own settings forbid what the sender requires."""
    assert "5.7.10" == required(override=Override(TlsMode.OFF), is_named=True).missed.status


def test_who_can_vouch_for_an_exchanger():
    """DNSSEC for the MX set, or an enforced policy that lists it; not one in testing, nor TLSA records alone."""
    listed, other = StsPolicy("enforce", (MX,), 1), StsPolicy("enforce", ("x.test",), 1)
    assert {True} == {
        Known(MX, **facts).is_vouched
        for facts in ({"is_named": True}, {"dane": DaneFacts(is_mx_secure=True)}, {"sts": listed})
    }
    assert {False} == {
        Known(MX, **facts).is_vouched
        for facts in ({}, {"dane": dane(KEY)}, {"sts": other}, {"sts": StsPolicy("testing", (MX,), 1)})
    }


def test_what_only_the_sender_asks_for_fails_and_what_all_mail_waits_for_waits():
    """A policy or a TLSA record that does not fit may be corrected; that no one promised a certificate stays so."""
    miss = Miss(TlsFailure.EXPIRED, "it expired")
    only_sender, domain = required(is_named=True), required(dane=dane(KEY), is_named=True)
    assert ((Authority.MESSAGE, "5.7.10"), (Authority.DANE, "4.7.5")) == (
        (only_sender.by, only_sender.refusal(miss).status),
        (domain.by, domain.refusal(miss).status),
    )
    assert (MX,) == only_sender.names  # RFC 8689 section 4.2.1, step 4


def test_mail_with_optional_tls_ignores_what_domains_ask_for():
    """In the clear, if need be, and nothing passed over; TLS is still used, with the name that the host expects."""
    for before in DEMANDS.values():
        demand = wished(before, TlsWish.OPTIONAL, MX)
        if before.watched:  # nothing is asked, and what would be missed is still reported
            assert before == demand
        elif before.by in (Authority.DANE, Authority.MTA_STS):
            assert (True, None, True) == (demand.allows_clear, demand.missed, demand.uses_tls)
            assert demand.server_name == before.server_name
        else:  # our own settings are no policy of the recipient's (RFC 8689 section 3)
            assert before == demand
    relaxed = wished(demanded(Known(MX, dane=dane(KEY))), TlsWish.OPTIONAL, MX)
    assert 'the connection is encrypted if the host offers STARTTLS (the sender wrote "TLS-Required: No")' == in_words(
        relaxed
    )


def test_usual_demand_is_the_one_that_is_not_worth_a_word():
    """Also where DNSSEC vouches for the host; any other is told."""
    assert (True, True) == (Demand().is_usual, Demand(is_vouched=True).is_usual)
    assert not any(demand.is_usual for demand in DEMANDS.values() if demand.by is not Authority.NONE)
