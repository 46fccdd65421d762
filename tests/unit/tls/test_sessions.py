"""What counts for TLS reports: sessions, once each, under the policy that was applied; and that nothing is lost."""

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.tls import (
    Known,
    PolicyType,
    ReportedPolicy,
    SessionRow,
    SessionTally,
    Submitter,
    TlsReport,
    day_begins,
    day_of,
    demanded,
    facts_of,
    read_row,
    rows_of,
    watch_of,
)
from postroad.words.facts import Found, Temporary, Tlsa
from postroad.words.mail import Mailbox
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.policies import DaneFacts, StsKnown, StsPolicy
from postroad.words.tls import OPPORTUNISTIC, Authority, Demand, Miss, Proof, TlsFailure, TlsLevel
from postroad.words.trail import Contact, Target

HERE = "192.0.2.250"
FINE = Outcome(Result.DELIVERED, Scope.MESSAGE, "taken", "2.0.0", Phase.DOT)
LATER = Outcome(Result.DEFERRED, Scope.HOST, "no", "4.7.5", Phase.STARTTLS)
STS = StsPolicy("enforce", ("*.example.org",), 86400)
RECORD = Tlsa(3, 1, 1, b"\1" * 32)
EXPIRED = Miss(TlsFailure.EXPIRED, "its certificate expired")
NO_STARTTLS = TlsFailure.STARTTLS_NOT_SUPPORTED


def contact(proof, phase=Phase.DOT, demand=OPPORTUNISTIC, **more):
    """A contact with mx.example.org, and what its connection was shown to be."""
    target = Target("mx.example.org", ip_address("192.0.2.1"), 10, demand=demand)
    host, recipients = (None, {0: FINE}) if phase is Phase.DOT else (LATER, {})
    return Contact(target, 0.0, 1.0, phase, host, recipients, proof=proof, **more)


def watch(dane=None, sts=None, **known):
    """How sessions with mx.example.org count, by what is known of it."""
    dane, sts = dane or DaneFacts(), sts or StsKnown()
    demand = demanded(Known("mx.example.org", dane=dane, sts=sts.policy, **known))
    return demand, watch_of("example.org", "mx.example.org", demand, dane, sts)


def counted(one, by):
    """What a contact counts for: the policy type, the failure, and whether addresses are known."""
    return [
        (row.policy.type, row.failure, bool(row.sender and row.receiver)) for row in rows_of(one, by, lambda _: HERE)
    ]


SUBMITTER = Submitter("Example", Mailbox("tls", "example.net"), Mailbox("tls", "example.net"))
VOUCHED = DaneFacts(base="mx.example.org", tlsa=Found((RECORD,), authentic=True))
PROVEN, ENCRYPTED, CLEAR = Proof(TlsLevel.PROVEN), Proof(TlsLevel.ENCRYPTED), Proof()


@pytest.mark.parametrize(
    ("by", "policy", "readers"),
    [
        ({}, ReportedPolicy(PolicyType.NONE, "example.org"), ("example.org",)),
        (
            {"dane": VOUCHED},
            ReportedPolicy(PolicyType.TLSA, "mx.example.org", (f"3 1 1 {'01' * 32}",)),
            ("example.org", "mx.example.org"),
        ),
        (
            {"dane": DaneFacts(base="mx.example.org", tlsa=Temporary("SERVFAIL"))},
            ReportedPolicy(PolicyType.TLSA, "mx.example.org"),
            ("example.org", "mx.example.org"),
        ),
        (
            {"sts": StsKnown(STS)},
            ReportedPolicy(
                PolicyType.STS,
                "example.org",
                ("version: STSv1", "mode: enforce", "mx: *.example.org", "max_age: 86400"),
                ("*.example.org",),
            ),
            ("example.org",),
        ),
        ({"sts": StsKnown(StsPolicy("none"))}, ReportedPolicy(PolicyType.NONE, "example.org"), ("example.org",)),
    ],
)
def test_the_policy_that_is_reported_is_the_one_that_was_applied(by, policy, readers):
    """RFC 8460 sections 1.1 and 4.5: DANE is that of the TLSA base domain, MTA-STS that of the recipient's."""
    _, found = watch(**by)
    assert (policy, readers) == (found.policy, found.readers)


def test_a_policy_in_mode_testing_counts_as_well():
    """RFC 8461 section 5: that is what testing is for."""
    demand, by = watch(sts=StsKnown(StsPolicy("testing", ("other.example.org",), 86400)))
    missed = Proof(TlsLevel.ENCRYPTED, miss=demand.watched.missed)
    assert [(PolicyType.STS, TlsFailure.VALIDATION, True)] == counted(contact(missed, demand=demand), by)


@pytest.mark.parametrize(
    ("one", "failures"),
    [
        (contact(PROVEN), [None]),
        (contact(ENCRYPTED), [None]),
        (contact(ENCRYPTED, Phase.RCPT), [None]),
        (contact(CLEAR), [NO_STARTTLS]),
        (contact(CLEAR, Phase.MAIL), [NO_STARTTLS]),
        (contact(Proof(miss=EXPIRED), Phase.STARTTLS), [TlsFailure.EXPIRED]),
        (contact(Proof(TlsLevel.ENCRYPTED, miss=EXPIRED)), [TlsFailure.EXPIRED]),
        (contact(None, Phase.CONNECT), []),
        (contact(CLEAR, Phase.GREETING), []),
        (contact(CLEAR, Phase.EHLO), []),
        (contact(PROVEN, reused=True), []),
        (contact(Proof(miss=EXPIRED), reused=True), []),
        (contact(CLEAR, clear_again=True), []),
        (replace(contact(ENCRYPTED), recipients={}), []),  # another contact won the race
        (contact(CLEAR, demand=Demand(by=Authority.MESSAGE)), []),
    ],
)
def test_sessions_count_once_each_and_nothing_else_does(one, failures):
    """Not the second message on a connection, nor what ended before TLS, nor mail that sets the policy aside."""
    _, by = watch()
    assert failures == [failure for _, failure, _ in counted(one, by)]


def test_an_exchanger_that_is_not_even_connected_to_fails_without_addresses():
    """Its TLSA records cannot be looked up, so no session begins: it is told as one that failed."""
    dane = DaneFacts(base="mx.example.org", tlsa=Temporary("SERVFAIL"))
    demand, by = watch(dane=dane)
    one = contact(Proof(miss=demand.missed), Phase.POLICY, demand)
    assert [(PolicyType.TLSA, TlsFailure.DNSSEC_INVALID, False)] == counted(one, by)


@pytest.mark.parametrize(
    ("policy", "rows"),
    [
        (None, [(PolicyType.STS, TlsFailure.STS_FETCH, False)]),
        (STS, [(PolicyType.STS, TlsFailure.STS_FETCH, False), (PolicyType.STS, None, False)]),
    ],
)
def test_a_policy_that_cannot_be_fetched_fails_with_each_session(policy, rows):
    """Without one that is kept nothing else counts; with one the session counts under that as well."""
    demand, by = watch(sts=StsKnown(policy, why="answers 404", failure=TlsFailure.STS_FETCH))
    assert rows == counted(contact(PROVEN, demand=demand), by)


def test_a_session_that_fails_where_no_policy_could_be_fetched_fails_of_that_alone():
    """It is under no policy: nothing else was asked of it."""
    demand, by = watch(sts=StsKnown(None, why="answers 404", failure=TlsFailure.STS_FETCH))
    one = contact(Proof(miss=EXPIRED), Phase.STARTTLS, demand)
    assert [(PolicyType.STS, TlsFailure.STS_FETCH, False)] == counted(one, by)


def test_what_our_own_settings_ask_is_nobodys_business():
    """But that a receiver has no TLSA records where we require them is a kind of failure of its own."""
    by_route = Demand(TlsLevel.PROVEN, Authority.ROUTE)
    assert None is watch_of("example.org", "mx", by_route, DaneFacts(), StsKnown())
    missing = Demand(TlsLevel.PROVEN, Authority.ROUTE, missed=Miss(TlsFailure.DANE_REQUIRED, "none"))
    assert PolicyType.NONE is watch_of("example.org", "mx", missing, DaneFacts(), StsKnown()).policy.type


NAMES = st.sampled_from(["a.test", "b.test", "ü\u2028\"' \0"])
POLICIES = st.builds(
    ReportedPolicy, st.sampled_from(PolicyType), NAMES, st.lists(NAMES, max_size=2).map(tuple), st.just(())
)
ROWS = st.builds(
    SessionRow, POLICIES, st.none() | st.sampled_from(TlsFailure), NAMES, NAMES, NAMES, reason=NAMES, helo=NAMES
)
ONE = ReportedPolicy(PolicyType.STS, "a.test")
SAME = st.builds(SessionRow, st.just(ONE), st.just(TlsFailure.EXPIRED), reason=NAMES, helo=NAMES)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mx.example.org", "mx.example.org"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("", ""),
        ("m\u00fcx.example.org", ""),
        ("mx\x00.example.org", ""),
        ("x" * 255, "x" * 255),
        ("x" * 256, ""),
    ],
)
def test_the_name_by_which_a_host_answered_is_told_with_its_failure(name, told):
    """RFC 8460 section 4.4, where it can be one; of sessions that met their policy no host is named."""
    demand, by = watch(sts=StsKnown(STS))
    missed = contact(Proof(miss=EXPIRED), Phase.STARTTLS, demand, helo=name)
    (row,), (met,) = (list(rows_of(one, by, lambda _: HERE)) for one in (missed, contact(PROVEN, helo=name)))
    assert (told, "") == (row.helo, met.helo)
    (policy,) = facts_of("a.test", "2026-11-22", SUBMITTER, [(row, 1)])["policies"]
    assert [told or None] == [each.get("receiving-mx-helo") for each in policy["failure-details"]]


@given(ROWS)
def test_a_row_is_read_back_as_it_was_written(row):
    """With its reason, though that does not tell rows apart."""
    assert (row, row.reason, row.helo) == ((read := read_row(row.text)), read.reason, read.helo)
    assert row.name == SessionRow(*(getattr(row, each) for each in row.__slots__[:5]), reason="other").name


def test_a_row_without_the_name_of_its_host_is_read():
    """As an older Postroad wrote it."""
    row = SessionRow(ONE, TlsFailure.EXPIRED, "mx.a.test", "192.0.2.1", "192.0.2.2", "too late", "mx.a.test")
    old = json.dumps(json.loads(row.text)[:-1])
    assert (row, "too late", "") == ((read := read_row(old)), read.reason, read.helo)


@given(st.text() | st.builds(lambda row, place: row.text[:place] + row.text[place + 1 :], ROWS, st.integers(0, 60)))
def test_what_nobody_wrote_is_no_row(text):
    """It is none, or a whole one."""
    row = read_row(text)
    assert row is None or row == read_row(row.text)


DAY = "2026-11-22"
WITHOUT = ReportedPolicy(PolicyType.NONE, "a.test")


@settings(max_examples=examples(100 // stride(2)))
@given(st.lists(ROWS | SAME), st.randoms(), st.lists(st.integers(0, 40)))
def test_counts_add_up_in_any_order_and_wherever_they_are_cut(rows, rng, cuts):
    """What is counted, cut, put back and added in pieces makes the same report as all of it at once."""
    whole = facts_of("a.test", DAY, SUBMITTER, [(row, 1) for row in rows])
    rng.shuffle(rows)
    tally, pieces = SessionTally(), []
    for place, row in enumerate(rows):
        tally.count(DAY, "a.test", row)
        if place in cuts:
            cut = tally.cut()
            if rng.random() < 0.5:
                tally.put_back(cut)
            else:
                pieces += cut.items()
    pieces += tally.cut().items()
    rng.shuffle(pieces)
    assert whole == facts_of("a.test", DAY, SUBMITTER, [(row, count) for (_, _, row), count in pieces])
    report = TlsReport("a.test", DAY, SUBMITTER, whole)
    failed = sum(1 for row in rows if row.failure)
    assert (len(rows) - failed, failed) == report.sessions
    details = [each for policy in whole["policies"] for each in policy["failure-details"]]
    assert failed == sum(each["failed-session-count"] for each in details)


def test_strangers_make_no_more_rows_than_may_be():
    """An exchanger under a new name at each look-up is one of many kinds in the end; every session still counts."""
    tally = SessionTally(most_kinds=10)
    for number in range(1000):
        tally.count(
            DAY, "a.test", SessionRow(ReportedPolicy(PolicyType.NONE, "a.test"), NO_STARTTLS, f"mx{number}.test")
        )
    counts = tally.cut()
    assert (11, 1000) == (len(counts), sum(counts.values()))
    others = [row for _, _, row in counts if row.reason]
    assert [SessionRow(WITHOUT, NO_STARTTLS)] == others
    assert "one of many kinds" == others[0].reason


def test_a_day_has_kinds_of_its_own():
    """Those of yesterday take no room today."""
    tally = SessionTally(most_kinds=2)
    for day in (DAY, "2026-11-23"):
        for number in range(2):
            tally.count(day, "a.test", SessionRow(WITHOUT, NO_STARTTLS, f"{day}-{number}.test"))
    assert {False} == {row.reason == "one of many kinds" for _, _, row in tally.cut()}


def test_what_is_counted_already_needs_no_room():
    """Where all room is taken, further sessions of the same kind still count."""
    tally = SessionTally(most_rows=1)
    for _ in range(3):
        tally.count(DAY, "a.test", SessionRow(WITHOUT))
    assert ([3], 0) == (list(tally.cut().values()), tally.lost)


def test_what_finds_no_room_is_told_as_lost():
    """A spool in trouble for a long time: memory has its bound, and what is over it is counted."""
    tally = SessionTally(most_rows=3)
    for number in range(5):
        tally.count(DAY, f"{number}.test", SessionRow(ReportedPolicy(PolicyType.NONE, "a.test")))
    assert (3, 2) == (len(tally), tally.lost)


def test_a_report_is_named_by_who_reads_it_and_by_its_day():
    """RFC 8460 section 5.1: who reports, to whom, the first second and the last, and what is unique to it."""
    report = TlsReport("a.test", DAY, SUBMITTER, facts_of("a.test", DAY, SUBMITTER, [(SessionRow(WITHOUT), 1)]))
    begin = 1_795_305_600  # date -u -d 2026-11-22 +%s
    unique = report.id.removeprefix(f"{DAY}.").partition(".")[0]
    assert f"example.net!a.test!{begin}!{begin + 86_399}!{unique}.json.gz" == report.filename
    assert facts_of("a.test", DAY, SUBMITTER, [])["report-id"] != report.id


def test_sessions_under_dane_are_of_the_domain_of_the_records():
    """An exchanger that is an alias has its TLSA records where that ends: who runs it there reads of them as well."""
    dane = DaneFacts(base="host.far.example", tlsa=Found((RECORD,), authentic=True))
    _, by = watch(dane=dane)
    assert ("host.far.example", ("example.org", "host.far.example")) == (by.policy.domain, by.readers)


@given(st.floats(0, 4e9))
def test_a_day_is_that_of_utc(at):
    """From 00:00 to 24:00 (RFC 8460 section 4.1), wherever the machine stands."""
    begin = day_begins(day_of(at))
    assert begin <= at < begin + 86400
    assert (day_of(begin), day_of(begin + 86399.999)) == (day_of(at), day_of(at))
