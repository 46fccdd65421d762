"""Rules on what answers, sessions and policies show: each finds what it is for, and keeps still at a near miss."""

from dataclasses import replace

import pytest
from tests.support.cases import BY_IPV6, CASES, WELL
from tests.support.evidence import (
    A1,
    A3,
    ABLE,
    DAY_S,
    HOSTS,
    POLICY,
    SIX,
    TLSA,
    announced,
    drift,
    evidence,
    failed,
    host,
    offline,
    probe,
    probed,
    published,
    reverse,
    said,
    snapshot,
    texts,
    wire,
)

from postroad.rules import RULES as CATALOGUE
from postroad.rules import Severity, Topic
from postroad.words.facts import Found, HostFacts, NoData, Temporary
from postroad.words.sessions import Certificate, Reach

RULES = {name: rule for name, rule in CATALOGUE.items() if rule.topic in (Topic.DNS, Topic.SMTP, Topic.POLICY)}


def find(rule, given):
    """What a rule finds."""
    return list(RULES[rule].check(given))


def graded(rule, given):
    """How bad a rule takes it to be, a question mark for what is inconclusive."""
    return [f"{finding.severity}{'?' * finding.inconclusive}" for finding in find(rule, given)]


def test_rule_finds_what_it_is_for():
    """A rule finds its case, under its own id, and says what was seen."""
    found = {rule: find(rule, CASES[rule][0]) for rule in CASES}
    assert {rule: {rule} for rule in CASES} == {rule: {each.rule for each in told} for rule, told in found.items()}
    every = [each for told in found.values() for each in told]
    assert all(finding.seen and finding.place.domain == "example.com" for finding in every)


def test_rule_keeps_still_at_a_near_miss():
    """What only looks like it is not told."""
    assert {} == {rule: told for rule in CASES if (told := find(rule, CASES[rule][1]))}


def test_every_rule_has_its_cases():
    """No rule goes without a finding and a near miss."""
    assert set(CASES) == set(RULES)


def test_where_all_is_well_nothing_is_found():
    """A domain that does everything right hears nothing."""
    assert {} == {rule: told for rule in RULES if (told := find(rule, WELL))}


def test_what_was_not_asked_is_not_told():
    """Of records alone no rule says more than records show."""
    assert {} == {rule: told for rule in RULES if (told := find(rule, evidence()))}


def test_a_ttl_from_a_cache_is_not_low():
    """A resolver hands on what is left of a TTL: only the zone, or its servers, say how much there was."""
    assert [] == find("mx-ttl-low", evidence(snapshot(ttl_s=5)))
    assert [Severity.NOTE] == graded("mx-ttl-low", drift(said("ns1", "192.0.2.1", ttl_s=5)))


def test_a_long_ttl_from_a_cache_is_long():
    """What is left of a TTL is never more than it was."""
    assert [Severity.NOTE] == graded("mx-ttl-high", evidence(snapshot(ttl_s=2 * DAY_S)))


def test_ttls_of_the_mx_set_are_compared_as_they_travelled():
    """Records of one answer with different TTLs are told."""
    assert [Severity.WARNING] == graded("ttl-mixed", wire(100, ttls=(60, 300, 60)))
    assert [] == find("ttl-mixed", wire(100, ttls=(60, 60)))


def test_a_cut_answer_is_told_once():
    """What is over 1232 octets is over 512 too, and only the first counts."""
    assert [Severity.WARNING] == graded("answer-truncated", wire(1300, is_cut=True))
    assert [] == find("answer-over-512", wire(1300, is_cut=True))


def test_when_no_name_server_can_be_asked_it_may_be_us():
    """Port 53 may be closed here: that is not red."""
    silent = replace(said("ns1", "192.0.2.1"), mx=None, why="timeout")
    assert ["info?"] == graded("ns-no-answer", drift(silent, silent))


def test_a_name_server_by_ipv6_is_not_blamed_without_ipv6():
    """Where this machine has no IPv6 its silence says nothing."""
    silent = replace(said("ns2", "2001:db8::2"), mx=None, why="no route")
    assert ["info?"] == graded("ns-no-answer", drift(said("ns1", "192.0.2.1"), silent))
    able = drift(said("ns1", "192.0.2.1"), silent, reach=Reach(ipv6=True))
    assert [Severity.WARNING] == graded("ns-no-answer", able)


def test_one_network_counts_each_family_apart():
    """Two servers with both families, each family in one network, stand in one place."""
    both = [said("ns1", "192.0.2.1"), said("ns2", "192.0.2.2"), said("ns1", "2001:db8::1"), said("ns2", "2001:db8::2")]
    assert [Severity.NOTE] == graded("ns-one-network", drift(*both))
    assert [] == find("ns-one-network", drift(*both, said("ns3", "2001:db9::3")))


def test_one_network_is_known_without_asking_the_servers():
    """Their addresses in the zone are enough; where one is unknown nothing is said."""
    servers = Found(("ns1.example.com", "ns2.example.com"))
    near = {"ns1.example.com": host("192.0.2.1"), "ns2.example.com": host("192.0.2.2")}
    assert [Severity.NOTE] == graded("ns-one-network", evidence(snapshot(hosts=HOSTS | near, servers=servers)))
    del near["ns2.example.com"]
    assert [] == find("ns-one-network", evidence(snapshot(hosts=HOSTS | near, servers=servers)))


def test_offline_nobody_is_blamed_for_what_is_in_no_file():
    """Zone files seldom hold reverse zones and other people's names: what they lack is not told."""
    trouble = Temporary("in none of the zones")
    told = offline(snapshot(reverse={A1: trouble}))
    assert [] == find("ptr-missing", told)
    tlsa = {"mx1.example.com": TLSA, "backup.example.net": trouble}
    assert [] == find("tlsa-lookup", replace(told, texts=texts(tlsa=tlsa)))


def test_names_of_addresses_count_more_where_the_exchangers_send():
    """SPF that names the exchangers says that they send: then receivers look at their names."""
    assert [Severity.NOTE] == graded("ptr-missing", reverse())
    assert [Severity.WARNING] == graded("ptr-missing", reverse(spf=("v=spf1 mx -all",)))
    assert [Severity.NOTE] == graded("ptr-missing", reverse(spf=("v=spf1 a:out.example.com -all",)))


def test_a_providers_addresses_need_no_names_unless_they_send():
    """Where a provider takes the mail, its reverse names are its own affair."""
    backup = {"address": A3}
    assert [] == find("ptr-missing", reverse(**backup))
    assert [Severity.WARNING] == graded("ptr-missing", reverse(**backup, spf=("v=spf1 mx -all",)))


def test_no_line_is_written_for_a_zone_of_others():
    """A TLSA record of a provider's host is not for its customer to add."""
    told = published(tlsa={"mx1.example.com": TLSA, "mx2.example.com": NoData(), "backup.example.net": NoData()})
    assert [True, False] == [bool(finding.fix) for finding in find("tlsa-mixed", told)]


def test_a_name_that_cannot_be_looked_up_confirms_nothing_and_denies_nothing():
    """SERVFAIL on the way back is inconclusive; a name that was never asked for is not told."""
    trouble = {"mx.example.org": HostFacts(Temporary("SERVFAIL"), NoData())}
    assert ["info?"] == graded("ptr-unconfirmed", reverse("mx.example.org", known=trouble))
    assert [] == find("ptr-unconfirmed", reverse("mx.example.org"))


def test_names_of_customers_lines_are_known_in_both_families():
    """An address spelt in its name, whole, is a provider's doing."""
    named = reverse("20010db80000000000000000000000001.isp.example", address=SIX, told=BY_IPV6.hosts)
    assert [Severity.NOTE] == graded("ptr-generic", named)
    assert [Severity.NOTE] == graded("ptr-generic", reverse("dyn17.isp.example"))
    assert [] == find("ptr-generic", reverse("dynamo.example.com"))


def test_without_port_25_silence_is_ours():
    """When nothing answers anywhere, and no control did, the fault may be here."""
    dead = [failed("connect", "timeout", each) for each in (A1, *(host.a.records[0] for host in HOSTS.values()))]
    assert ["info?"] * 3 == graded("smtp-no-answer", probed(*dead, reach=Reach()))
    assert [Severity.ERROR] * 3 == graded("smtp-no-answer", probed(*dead))
    assert ["info?"] == graded("smtp-no-answer", probed(failed("connect", "no route", ours=True)))


def test_without_ipv6_silence_by_ipv6_is_ours():
    """An IPv6 address is dead only if IPv6 is known to work from here."""
    dead = failed("connect", "no route", SIX)
    assert ["info?"] == graded("smtp-no-answer", probed(dead, told=BY_IPV6, reach=Reach(port_25=True)))
    assert [Severity.ERROR] == graded("smtp-no-answer", probed(dead, told=BY_IPV6))


def test_a_greeting_slower_than_half_a_minute_is_a_warning():
    """Many senders have no more patience."""
    assert [Severity.NOTE] == graded("smtp-greeting-slow", probed(probe(greeting_ms=30_000.0)))
    assert [Severity.WARNING] == graded("smtp-greeting-slow", probed(probe(greeting_ms=30_001.0)))


def test_a_name_that_leads_nowhere_is_worse_than_one_behind_a_balancer():
    """A name that leads elsewhere may be meant; one without any address is not."""
    assert [Severity.INFO] == graded("smtp-name-elsewhere", probed(probe(hello="mx2.example.com")))
    nowhere = probed(probe(hello="old.example.com"), names={"old.example.com": host()})
    assert [Severity.NOTE] == graded("smtp-name-elsewhere", nowhere)


def test_no_limit_is_larger_than_any():
    """SIZE without a number, or 0, takes what comes: beside it any limit is smaller."""
    found = find("smtp-size-differs", probed(probe(size=0), probe(A3, size=1000)))
    assert [2, 3] == [int(str(finding.place.address)[-1]) for finding in found]


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("tls-not-offered", probe(tls=None, certificate=None, capabilities=ABLE - {"STARTTLS"})),
        ("tls-broken", failed("starttls", "bad record", capabilities=ABLE)),
        ("tls-broken", probe(tls=None, certificate=None, why="STARTTLS: 454 not now")),
        ("tls-old", probe(tls="TLSv1 AES128-SHA")),
    ],
)
def test_tls_that_fails_is_an_error_where_it_is_demanded(rule, broken):
    """MTA-STS in mode enforce and signed TLSA records turn bad TLS into lost mail; mode testing does not."""
    assert [Severity.ERROR] == graded(rule, probed(broken, texts=texts(sts=POLICY)))
    assert [Severity.ERROR] == graded(rule, probed(broken, texts=texts(tlsa={"mx1.example.com": TLSA})))
    assert [Severity.ERROR] != graded(rule, probed(broken, texts=texts(tlsa={"mx2.example.com": TLSA})))
    assert [Severity.ERROR] != graded(rule, probed(broken, texts=texts(sts=replace(POLICY, mode="testing"))))


@pytest.mark.parametrize("rule", ["certificate-expired", "certificate-untrusted", "certificate-name"])
def test_a_bad_certificate_is_an_error_only_under_an_enforced_policy(rule):
    """Opportunistic TLS takes any certificate."""
    given = CASES[rule][0]
    assert [Severity.INFO] == graded(rule, given)
    assert [Severity.ERROR] == graded(rule, replace(given, texts=texts(sts=POLICY)))


def test_a_certificate_that_cannot_be_read_has_not_expired():
    """An end of 0 is no date."""
    unread = Certificate((), 0.0, is_trusted=False, why_not="it cannot be read")
    assert [] == find("certificate-expired", probed(probe(certificate=unread)))
    assert [Severity.INFO] == graded("certificate-untrusted", probed(probe(certificate=unread)))


def test_a_policy_in_testing_delivers_all_the_same():
    """What an enforced policy loses, one in testing only reports; one of mode none demands nothing."""
    for mode, expected in (("enforce", [Severity.ERROR]), ("testing", [Severity.WARNING]), ("none", [])):
        policy_told = replace(POLICY, mode=mode, mx=("*.example.com",))
        assert expected == graded("sts-backup-uncovered", published(sts=policy_told))


def test_every_fault_of_a_record_and_a_policy_is_a_finding():
    """Check says each thing that the strict reader says, with its line; what it forgives is a note."""
    published_so = announced(document=b"version: STSv2\n\nmode: on\nmode: off\n", record="v=STSv1; id=a; id=b")
    told = published(sts=published_so)
    found = [
        [finding.seen.removeprefix("the policy is not valid: ")[:17] for finding in find(rule, told)]
        for rule in ("sts-policy-invalid", "sts-ambiguous")
    ]
    assert [
        ["line 1: its versi", "line 3: its mode ", "it has no line `m"],
        ["of the record: it", "of the policy: li", "of the policy: li"],
    ] == found


def test_unsigned_tlsa_is_inconclusive_where_the_resolver_vouches_for_nothing():
    """A resolver that does not validate never says that an answer is signed."""
    unsigned = replace(TLSA, authentic=False)
    assert ["info?"] == graded("tlsa-without-dnssec", published(tlsa={"mx1.example.com": unsigned}))


def test_tlsa_that_nobody_can_look_up_is_inconclusive():
    """When every question fails it may be our resolver."""
    assert ["info?"] == graded("tlsa-lookup", published(tlsa={"mx1.example.com": Temporary("timeout")}))
