"""Where a finding is shown, and what evidence gives a report."""

from ipaddress import ip_address as ip

from tests.support.checked import AT, DOMAIN, SANE

from postroad.routing import Refusal, decide
from postroad.rules import Checked, CheckedExchanger, Evidence, Finding, Need, Place, Severity
from postroad.views.findings.wording import groups, shape_of, summary
from postroad.words.facts import Found, HostFacts, Mx, NoData
from postroad.words.snapshot import Snapshot

SERVERS = (
    CheckedExchanger(5, "b.example.com", (ip("192.0.2.2"), ip("192.0.2.1"))),
    CheckedExchanger(40, "a.example.com"),
)


def titles(*places):
    """The groups, as depth, title, and what each finding about one of the places says beside it."""
    findings = tuple(Finding("x", Severity.NOTE, place, "seen") for place in places)
    found = groups(Checked(DOMAIN, AT, SERVERS, findings))
    return [(each.depth, each.title, [each.beside(finding) for finding in each.findings]) for each in found]


def test_servers_stand_in_the_order_of_delivery():
    """Preferences ascend as numbers; within one the order of the records stays."""
    assert [
        (0, "example.com", []),
        (1, "preference 5", []),
        (2, "b.example.com", []),
        (3, "192.0.2.2", []),
        (3, "192.0.2.1", []),
        (1, "preference 40", []),
        (2, "a.example.com", []),
    ] == titles()


def test_address_is_ok_if_nothing_was_found_about_it():
    """A finding about its exchanger, or about the address under another name, takes the "ok" away."""

    def fine(*places):
        findings = tuple(Finding("x", Severity.NOTE, place, "seen") for place in places)
        return [each.title for each in groups(Checked(DOMAIN, AT, SERVERS, findings)) if each.is_ok]

    assert ["192.0.2.2", "192.0.2.1"] == fine(Place(DOMAIN), Place(DOMAIN, 5), Place(DOMAIN, 40, "a.example.com"))
    assert ["192.0.2.2"] == fine(Place(DOMAIN, 40, "a.example.com", ip("192.0.2.1")))
    assert [] == fine(Place(DOMAIN, 5, "b.example.com"))


def test_exchanger_without_preference_is_found_by_its_name():
    """A finding that names an exchanger of the records stands below it."""
    assert (2, "a.example.com", [""]) in titles(Place(DOMAIN, None, "a.example.com"))


def test_what_no_record_names_stands_by_the_domain():
    """A finding about a host or an address out of the records is told at the domain, with the name."""
    assert (0, "example.com", ["old.example.com", "[192.0.2.9]"]) in titles(
        Place(DOMAIN, None, "old.example.com"), Place(DOMAIN, None, None, ip("192.0.2.9"))
    )


def test_preference_no_record_has_gets_its_place():
    """A preference known only from a finding is put in order among the others."""
    assert [(1, "preference 5"), (1, "preference 20"), (1, "preference 40")] == [
        each[:2] for each in titles(Place(DOMAIN, 20)) if each[0] == 1
    ]


def test_evidence_gives_servers_and_what_was_looked_at():
    """Each record is a server with the addresses found for it; what was not asked for is not in `looked`."""
    mx = Found((Mx(20, "b.example.com"), Mx(10, "a.example.com"), Mx(20, "b.example.com")))
    hosts = {"a.example.com": HostFacts(Found((ip("192.0.2.1"),)), NoData())}
    snapshot = Snapshot(DOMAIN, mx, hosts)
    result = Checked.of(Evidence(snapshot, decide(snapshot), AT, wire=()), ())
    assert (
        CheckedExchanger(10, "a.example.com", (ip("192.0.2.1"),)),
        CheckedExchanger(20, "b.example.com"),
    ) == result.servers
    assert {Need.RECORDS, Need.WIRE} == result.looked


def test_domain_without_records_says_so():
    """No MX records and a null MX are told apart."""
    snapshot = Snapshot(DOMAIN, NoData())
    answer = decide(snapshot)
    assert isinstance(answer, Refusal)
    assert "example.com: nothing found; no MX records" == summary(Checked.of(Evidence(snapshot, answer, AT), ()))
    assert "no mail" == shape_of(Checked(DOMAIN, AT, (CheckedExchanger(0, ""),)))


def test_nothing_found_is_said():
    """A sane domain has a summary without a complaint."""
    assert "example.org: nothing found; 1 preference level, 1 exchanger, 1 address" == summary(SANE)
