"""Which share of senders refuses an exchanger, for what the domain publishes of TLS, and whose mail waits."""

from dataclasses import replace
from fractions import Fraction

import pytest
from tests.support.plans import INTERNET, at, only, planned

from postroad.planning import Records, measure
from postroad.words.facts import Bogus, Found, Tlsa
from postroad.words.faults import Mode
from postroad.words.names import parse_address
from postroad.words.policies import DaneFacts, Published, StsPolicy

BACKED_UP = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 192.0.2.1\nmx2 A 192.0.2.2\n"
THREE = BACKED_UP + "@ MX 30 mx3\nmx3 A 192.0.2.3\n"
FIRST = parse_address("192.0.2.1")


def card(published, view=INTERNET, zone=BACKED_UP):
    """How the records do where this is published."""
    return measure("set", Records.of(replace(planned(zone), published=published)), view)


def policy(*names, mode="enforce"):
    """A policy that lists these names of example.com."""
    return Published(StsPolicy(mode, tuple(f"{name}.example.com" for name in names)))


def told(found):
    """Its sentences."""
    return [each.told(found.mix) for each in found.refusals]


def test_backup_that_the_policy_does_not_list_is_refused_by_a_share_of_the_mix():
    """Who, how much of the mail, over all plausible weights, and what it means if the first exchanger fails."""
    found = card(policy("mx1"))
    assert [
        "With mx2.example.com not listed in the MTA-STS policy, exchange-online (10 to 35 % of the mix internet) "
        "passes it over: if mx1.example.com [192.0.2.1] fails, its mail waits."
    ] == told(found)


def test_survival_counts_the_mail_of_those_who_refuse():
    """One machine is enough to stop it; of all others it takes both, and with one lost a fifth of the mail waits."""
    found = card(policy("mx1"))
    assert [(at(1), ("exchange-online",)), (at(1, 2), tuple(found.whole.by))] == [
        (frozenset(each for machine in loss.machines for each in machine.addresses), loss.senders)
        for loss in found.losses
    ]
    without = card(None)
    assert (Fraction(1, 5), ()) == (without.marks.kept - found.marks.kept, without.refusals)


@pytest.mark.parametrize(
    ("published", "down", "zone", "sentence"),
    [
        (
            policy("mx2"), {}, BACKED_UP,
            "With mx1.example.com not listed in the MTA-STS policy, chasquid and exchange-online (100 % of mail) pass "
            "it over: if mx2.example.com [192.0.2.2] fails, their mail waits.",
        ),
        (
            policy("mx1", "mx2"), {}, THREE,
            "With mx3.example.com not listed in the MTA-STS policy, chasquid and exchange-online (100 % of mail) pass "
            "it over: if mx1.example.com [192.0.2.1] and mx2.example.com [192.0.2.2] both fail, their mail waits.",
        ),
        (
            policy("mx1"), {FIRST: Mode.REFUSE}, BACKED_UP,
            "With mx2.example.com not listed in the MTA-STS policy, chasquid and exchange-online (100 % of mail) pass "
            "it over, and their mail waits.",
        ),
        (
            policy("mx1", "mx2"), {FIRST: Mode.TLS_MISMATCH}, BACKED_UP,
            "As mx1.example.com does not prove what is published for it, chasquid and exchange-online (100 % of mail) "
            "pass it over: if mx2.example.com [192.0.2.2] fails, their mail waits.",
        ),
        (
            policy("mx1", mode="testing"), {}, BACKED_UP,
            "The MTA-STS policy does not list mx2.example.com: it is in mode testing, and once it is enforced chasquid "
            "and exchange-online (100 % of mail) pass it over.",
        ),
    ],
)  # fmt: skip
def test_each_cause_has_its_sentence(published, down, zone, sentence):
    """Of two senders that share the mail."""
    assert [sentence] == told(card(published, only("chasquid", "exchange-online", down=down), zone))


def test_tlsa_records_that_cannot_be_looked_up_are_a_cause_too():
    """Of those who look at DANE; the others do not notice."""
    lost = DaneFacts(is_mx_secure=True, base="mx2.example.com", tlsa=Bogus("forged"))
    found = card(Published(dane={"mx2.example.com": lost}), only("exim", "postfix"))
    assert [
        "As the TLSA records of mx2.example.com cannot be looked up, exim (50 % of mail) passes it over: if "
        "mx1.example.com [192.0.2.1] fails, its mail waits."
    ] == told(found)


def test_who_listens_to_nothing_published_refuses_nobody():
    """Nor is there anything to tell where all prove what they should."""
    tlsa = Found((Tlsa(3, 1, 1, b"k" * 32),), authentic=True)
    proven = Published(policy("mx1", "mx2").sts, {"mx1.example.com": DaneFacts(tlsa=tlsa)})
    assert ((), ()) == (card(policy("mx1"), only("postfix")).refusals, card(proven).refusals)
