"""Advice beside what a domain publishes of TLS: the policy lists an exchanger first, then DNS does."""

from dataclasses import replace

import pytest
from tests.support.examples import some
from tests.support.plans import T1, T2, T3, T5, advised, only, records

from postroad.planning import Allowed, Records
from postroad.simulation import left_out
from postroad.views.text.advice import sections
from postroad.views.text.sections import text
from postroad.words.facts import Found, NoData, Tlsa
from postroad.words.policies import DaneFacts, Published, StsPolicy

ENFORCING = only("exchange-online", "postfix")
MAIL = "mail.example.com"
EVERY = frozenset(Allowed)
RECORD = Found((Tlsa(3, 1, 1, bytes(32)),), authentic=True)


def under(zone, policy=None, dane=None):
    """The records of a zone whose domain publishes this."""
    return Records.of(replace(records(zone).snapshot, published=Published(policy, dane or {})))


def policy(*mx, mode="enforce"):
    """An MTA-STS policy."""
    return StsPolicy(mode, mx, 604800)


def told(advice):
    """The answer as a terminal shows it, in one line."""
    return " ".join(" ".join(str(line) for line in text(sections(advice))).split())


def test_new_exchanger_is_listed_before_dns_has_it():
    """Else senders that enforce the policy would pass it over; the proof is of the records under the new policy."""
    found = advised(under(T2, policy(MAIL)), ENFORCING, Allowed.SPLIT)
    assert ("mail2.example.com",) == found.listed
    assert "10 mail2.example.com." in [line.data for line in found.new if line.kind == "MX"]
    assert ((), False) == (found.after.refusals, found.is_sane)
    assert "example.com: first add 1 line to the MTA-STS policy, then change 3 lines." == found.headline
    said = told(found)
    steps = ("Add to mta-sts.txt:", "+ mx: mail2.example.com", "a new id", "only then change DNS", "+ example.com.")
    order = [said.index(each) for each in steps]
    assert sorted(order) == order


@pytest.mark.parametrize("wild", ["*.example.com", "mail2.example.com"])
def test_exchanger_that_the_policy_covers_needs_no_line(wild):
    """A pattern may be there already."""
    found = advised(under(T2, policy(MAIL, wild)), ENFORCING, Allowed.SPLIT)
    assert ((), True) == (found.listed, bool(found.edits))
    assert "mta-sts.txt" not in told(found)


def test_exchanger_that_is_left_out_already_is_told_though_dns_can_stay():
    """Nothing of DNS changes; what the policy changes is shown as any change is."""
    found = advised(under(T1, policy("mail1.example.com")), ENFORCING)
    assert (("mail2.example.com",), (), False) == (found.listed, found.edits, found.is_sane)
    assert "example.com: add 1 line to the MTA-STS policy." == found.headline
    assert (1, 0) == (len(found.before.refusals), len(found.after.refusals))
    assert "wait until its old TTL has passed." in told(found)


POLICIES = [
    policy(*mx, mode=mode)
    for mode in ("enforce", "testing", "none")
    for mx in ((MAIL,), ("mail1.example.com", "a.example.com"))
]


@pytest.mark.parametrize(("zone", "first"), [(T1, 1), (T2, 0), (T3, 3), (T5, 1)])
def test_policy_changes_no_advice_but_comes_first(zone, first):
    """Whatever it lists, the same lines of DNS are proposed, and each exchanger that is then in use is listed.

    Each zone has one or two that list one of its own names, or part of it; all of them in a whole run.
    """
    view = ENFORCING
    plain = advised(records(zone), view, *EVERY)
    for each in some(POLICIES, 4, first):
        found = advised(under(zone, each), view, *EVERY)
        assert plain.edits == found.edits, each
        last = (found.after or found.before).records
        assert () == left_out(replace(each, mx=(*each.mx, *found.listed)), {place.exchange for place in last.places})
        assert found.listed == left_out(each, found.listed)


def test_new_exchanger_without_tlsa_beside_one_with_is_told():
    """Its record comes before its MX: DANE would protect the mail to one of them only."""
    dane = {MAIL: DaneFacts(base=MAIL, tlsa=RECORD)}
    remarks = advised(under(T2, dane=dane), ENFORCING, Allowed.SPLIT).remarks
    assert (
        "mail.example.com has TLSA records, mail2.example.com has none: publish them first, under "
        "_25._tcp.mail2.example.com; otherwise DANE protects a part of the mail only."
    ) in remarks


@pytest.mark.parametrize("dane", [{}, {MAIL: DaneFacts(base=MAIL, tlsa=NoData())}])
def test_where_none_has_tlsa_nothing_is_missed(dane):
    """Nor where nothing new comes."""
    assert not any("TLSA" in each for each in advised(under(T2, dane=dane), ENFORCING, Allowed.SPLIT).remarks)
    dane = {"mail1.example.com": DaneFacts(base="mail1.example.com", tlsa=RECORD)}
    assert not any("TLSA" in each for each in advised(under(T1, dane=dane), ENFORCING).remarks)
