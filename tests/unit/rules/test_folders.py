"""The catalogue of zones: each rule finds what it is for, keeps still at a near miss, and sane set-ups pass."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import folders
from tests.support.examples import examples, some

from postroad.routing import Refusal, Status, decide
from postroad.rules import RULES, Evidence, Severity, run
from postroad.words.facts import Bogus, Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.policies import Texts
from postroad.words.sessions import Reach
from postroad.words.snapshot import Snapshot

MINE = [rule for rule in RULES.values() if rule.topic in folders.TOPICS]
# No master file can say NXDOMAIN of a name that has records,
# and offline no policy is asked for: these have their stories below.
WITHOUT_FOLDER = {"mx-nxdomain-with-address", "mx-null-sends"}
PATHS = [path for rule in MINE for path in folders.variants(rule)]
SANE = sorted((folders.ROOT / "sane").iterdir())


def test_rule():
    """A rule finds what its folder expects, nothing more, and nothing at all at the near miss.

    In every third folder; in all in a whole run.
    """
    loaded = [(path.parent.name, path.name, folders.load(path)) for path in some(PATHS, 3)]
    told = {
        (rule, name): [folders.told(each) for each in run(folder.evidence, {rule: RULES[rule]})]
        for rule, name, folder in loaded
    }
    assert {(rule, name): folder.expected for rule, name, folder in loaded} == told
    assert [] == [(rule, name) for (rule, name), found in told.items() if name.startswith("finds") != bool(found)]


@pytest.mark.parametrize("kind", ["finds", "silent"])
def test_each_rule_has_its_folders(kind):
    """One zone at least in which it finds something, and a near miss."""
    assert [] == [rule.id for rule in MINE if rule.id not in WITHOUT_FOLDER and not folders.variants(rule, kind)]


@pytest.mark.parametrize("path", SANE, ids=lambda path: path.name)
def test_sane_set_up(path):
    """Nothing but what its folder expects, from the rules on records; from no rule a warning that is sure."""
    folder = folders.load(path)
    assert folder.expected == [folders.told(finding) for finding in folders.findings(folder.evidence)]
    sure = [finding for finding in run(folder.evidence) if not finding.inconclusive]
    assert [] == [folders.told(each) for each in sure if each.severity in {Severity.ERROR, Severity.WARNING}]


def test_a_forgotten_final_dot_has_one_fix():
    """The name that does not exist and the dot that is missing are one fault: both findings give the same lines."""
    zone = "$ORIGIN example.com.\n@ MX 10 mail.example.com\nmail A 192.0.2.1\n"
    fixes = {finding.rule: finding.fix for finding in folders.findings(folders.evidence_of("example.com", zone))}
    right = "; remove: example.com. IN MX 10 mail.example.com.example.com.\nexample.com. IN MX 10 mail.example.com."
    assert (right, right) == (fixes["mx-target-nxdomain"], fixes["mx-target-relative"])


def test_what_is_found_is_told():
    """Each finding has words: of every third folder, of all in a whole run."""
    for path in some(PATHS, 3):
        assert all(finding.seen for finding in RULES[path.parent.name].check(folders.load(path).evidence))


def test_nxdomain_for_a_name_with_addresses_is_an_error():
    """A name server that does not know MX returns the mail of senders that believe it."""
    facts = HostFacts(Found((ip_address("192.0.2.1"),)), NoData())
    assert ["error mx-nxdomain-with-address - - - -"] == _told(
        Snapshot("example.com", NoName(), {"example.com": facts}), "mx-nxdomain-with-address"
    )
    gone = HostFacts(NoName(), NoName())
    assert [] == _told(Snapshot("example.com", NoName(), {"example.com": gone}), "mx-nxdomain-with-address")


@pytest.mark.parametrize(
    ("spf", "expected"), [("v=spf1 mx -all", ["warning mx-null-sends - - - -"]), ("v=spf1 -all", [])]
)
def test_a_domain_without_mail_sends_none(spf, expected):
    """A null MX beside an SPF record that allows a sender."""
    texts = Texts(spf=Found((spf, "site-verification=1")))
    assert expected == _told(Snapshot("example.com", Found((Mx(0, ""),))), "mx-null-sends", texts=texts)


def test_a_rule_is_named_by_its_id():
    """The function has the id for its name, so that no id stands twice and whoever greps for one finds the other."""
    assert [rule.id.replace("-", "_") for rule in RULES.values()] == [rule.look.__name__ for rule in RULES.values()]
    assert [] == [rule.id for rule in RULES.values() if not (rule.title and rule.why and rule.sources)]


def test_trouble_is_red_only_when_our_resolver_is_known_to_work():
    """SERVFAIL may be ours until a control question was answered; a broken answer never is."""
    snapshot = Snapshot("example.com", Temporary("SERVFAIL"))
    rule = "mx-lookup-tempfail"
    assert ["error? mx-lookup-tempfail - - - -"] == _told(snapshot, rule)
    assert ["error mx-lookup-tempfail - - - -"] == _told(snapshot, rule, reach=Reach(resolver=True))
    assert ["error mx-lookup-tempfail - - - -"] == _told(replace(snapshot, mx=Bogus("alias loop")), rule)


_HOSTS = ("mx1", "mx2", "mail_1", "@", "mx.example.net.", "smtp.google.com.", "mx1.acme.pphosted.com.")
_TARGETS = (*_HOSTS, ".", "localhost.", "192.0.2.1.", "a.invalid.", "mail.example.com", "alias", "gone", "host.sub")
_ADDRESSES = ("A 192.0.2.1", "A 198.51.100.1", "A 10.0.0.1", "A 127.0.0.1", "A 0.0.0.0", "A 224.0.0.1", "A 8.8.8.8")
_ADDRESSES_6 = ("AAAA 2001:db8::1", "AAAA ::1", "AAAA ::", "AAAA fe80::1", "AAAA ::ffff:192.0.2.1", "AAAA ff02::1")
_MX = st.builds("@ IN MX {} {}".format, st.sampled_from((0, 10, 20, 65535)), st.sampled_from(_TARGETS))
_HOST = st.builds("{} IN {}".format, st.sampled_from(_HOSTS), st.sampled_from(_ADDRESSES + _ADDRESSES_6))


@settings(max_examples=examples(60))
@given(st.lists(_MX, max_size=6), st.lists(_HOST, max_size=8))
def test_any_zone_is_judged_and_errors_mean_lost_mail(mx, hosts):
    """No zone breaks a rule; a refusal for good is always an error to somebody; what is at an exchanger has a line."""
    head = "$ORIGIN example.com.\n$TTL 60\n@ IN SOA ns h 1 2 3 4 5\nsub IN NS ns.example.net.\nalias IN CNAME mx1\n"
    evidence = folders.evidence_of("example.com", head + "\n".join((*mx, *hosts)) + "\n")
    found = folders.findings(evidence)
    assert all(finding.seen for finding in found)
    assert all(finding.line for finding in found if finding.place.exchange and finding.place.preference)
    lost = isinstance(evidence.answer, Refusal) and evidence.answer.status not in {Status.NULL_MX, Status.TEMPORARY}
    assert not lost or any(finding.severity is Severity.ERROR for finding in found)


def test_any_answer_is_judged_without_an_exception():
    """Whatever DNS said, no rule breaks."""
    answers = (NoData(), NoName(), Temporary("timeout"), Bogus("alias loop"), Found(()))
    for mx in answers:
        for a in answers:
            run(_evidence(Snapshot("example.com", mx, {"example.com": HostFacts(a, a)})))


def _told(snapshot, rule, **more):
    found = run(_evidence(snapshot, **more), {rule: RULES[rule]})
    return [folders.told(finding) for finding in found]


def _evidence(snapshot, **more):
    return Evidence(snapshot, decide(snapshot), now=0.0, **more)
