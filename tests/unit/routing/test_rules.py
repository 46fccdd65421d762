"""From records to a route: each rule of RFC 5321 section 5.1 as a story."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.domains import DOMAIN, NOWHERE, SERVFAIL, T1, T4, T6, domain, host
from tests.support.examples import examples

from postroad.routing import DropReason, Own, Refusal, Route, RoutePolicy, Status, decide
from postroad.routing.policy import PROCEDURES, EqualsPolicy
from postroad.words.facts import Bogus, Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.names import AddressLiteral
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot


def names(route):
    """The exchangers of a route as (preference, name) pairs, in order."""
    return [(level.preference, each.name) for level in route.levels for each in level.exchangers]


def reasons(answer):
    """What was left out, as (name, reason)."""
    return [(drop.exchange, drop.reason) for drop in answer.dropped]


def kinds(answer):
    """The kinds of the notes."""
    return [note.kind for note in answer.notes]


def test_lower_preference_comes_first():
    """Exchangers stand by ascending preference whatever the order of the answer."""
    route = decide(domain((20, "b"), (10, "a"), a=host("192.0.2.1"), b=host("192.0.2.2")))
    assert [(10, "a"), (20, "b")] == names(route)


def test_without_mx_the_domain_itself_is_the_exchanger():
    """No MX record makes the domain's own address an implicit MX of preference 0."""
    route = decide(domain(example_com=host("192.0.2.1")))
    assert ("implicit", [(0, DOMAIN)], ["implicit-mx"]) == (route.source, names(route), kinds(route))


def test_null_mx_alone_takes_no_mail():
    """A lone null MX fails at once with 5.1.10, even where the domain has an address."""
    refusal = decide(domain((0, ""), example_com=host("192.0.2.1")))
    assert (Status.NULL_MX, Result.FAILED, "5.1.10") == (refusal.status, refusal.result, refusal.enhanced)


def test_null_mx_beside_others_is_dropped():
    """A null MX beside other records is left out with its reason, and the others are used."""
    route = decide(domain((0, ""), (10, "a"), a=host("192.0.2.1")))
    assert ([(10, "a")], [("", DropReason.NULL_MX)]) == (names(route), reasons(route))


def test_alias_of_the_domain_is_followed():
    """A domain that is an alias uses the MX records of the name it stands for."""
    answer = Found((Mx(10, "a"),), aliases=(DOMAIN,), name="example.net")
    route = decide(domain(answer=answer, a=host("192.0.2.1")))
    assert ([(10, "a")], ["alias-owner"]) == (names(route), kinds(route))


def test_alias_as_target_is_followed_and_told():
    """An exchanger that is an alias is used, as every peer does, with a note that it should not be one."""
    a = Found((ip_address("192.0.2.1"),), aliases=("a",), name="b.example.net")
    route = decide(domain((10, "a"), a=HostFacts(a, NoData())))
    assert ([(10, "a")], ["alias-target"]) == (names(route), kinds(route))


def test_note_of_an_alias_says_what_the_rfc_says_of_it():
    """The domain may be an alias; an exchanger must not be one."""
    a = Found((ip_address("192.0.2.1"),), aliases=("a",), name="b.example.net")
    target = decide(domain((10, "a"), a=HostFacts(a, NoData()))).notes[0].text
    owner = decide(domain(answer=Found((Mx(10, "a"),), aliases=(DOMAIN,), name="example.net"), a=host("192.0.2.1")))
    assert "a is an alias of b.example.net: followed, though an MX must not name one (RFC 2181 section 10.3)" == target
    assert (
        "example.com is an alias of example.net: the records of the name it stands for are used (RFC 5321 section 5.1)"
        == owner.notes[0].text
    )


def test_ip_address_as_target_is_dropped():
    """`MX 10 192.0.2.1` names no host; without another exchanger the domain has no address, and its A is not used."""
    refusal = decide(domain((10, "192.0.2.1"), example_com=host("192.0.2.9")))
    assert (Status.NO_ADDRESS, [("192.0.2.1", DropReason.IP_LITERAL)]) == (refusal.status, reasons(refusal))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (host(), DropReason.NO_ADDRESS),
        (NOWHERE, DropReason.NO_SUCH_NAME),
        (host(a=NoName()), DropReason.NO_ADDRESS),
        (host(aaaa=NoName()), DropReason.NO_ADDRESS),
        (host(a=SERVFAIL), DropReason.TEMPORARY),
        (host(aaaa=Bogus("a loop")), DropReason.TEMPORARY),
        (host("127.0.0.1"), DropReason.LOOPBACK),
        (host("::1"), DropReason.LOOPBACK),
        (host("0.0.0.0"), DropReason.UNSPECIFIED),
        (host("0.1.2.3"), DropReason.UNSPECIFIED),
        (host("::"), DropReason.UNSPECIFIED),
        (host("::ffff:127.0.0.1"), DropReason.LOOPBACK),
        (host("224.0.0.1"), DropReason.NOT_UNICAST),
        (host("255.255.255.255"), DropReason.NOT_UNICAST),
        (host("fe80::1"), DropReason.LINK_LOCAL),
        (host("169.254.169.254"), DropReason.LINK_LOCAL),
    ],
)
def test_unusable_target_is_left_out_with_its_reason(facts, reason):
    """One exchanger that cannot be used never spoils the others."""
    route = decide(domain((10, "bad"), (20, "good"), bad=facts, good=host("192.0.2.1")))
    assert ([(20, "good")], [("bad", reason)]) == (names(route), reasons(route))


def test_each_exchanger_has_its_own_reason():
    """One of a disabled family says so once, and keeps back no word of the next."""
    snapshot = domain((10, "a"), (20, "b"), (30, "c"), a=host("2001:db8::1"), b=NOWHERE, c=host("192.0.2.1"))
    route = decide(snapshot, replace(PROCEDURES["rfc5321"], families=(4,)))
    assert [("a", DropReason.FAMILY), ("b", DropReason.NO_SUCH_NAME)] == reasons(route)


def test_no_usable_exchanger_is_a_failure_not_the_domains_own_address():
    """With MX records present and none usable, the domain's A record is never used."""
    refusal = decide(domain((10, "a"), a=NOWHERE, example_com=host("192.0.2.1")))
    assert (Status.NO_ADDRESS, Result.FAILED, "5.4.4") == (refusal.status, refusal.result, refusal.enhanced)


def test_one_unanswered_target_keeps_mail_waiting():
    """If the only exchanger left is one whose addresses cannot be had now, mail is deferred."""
    refusal = decide(domain((10, "a"), (20, "b"), a=NOWHERE, b=host(a=SERVFAIL)))
    assert (Status.TEMPORARY, Result.DEFERRED) == (refusal.status, refusal.result)


@pytest.mark.parametrize(("preference", "status"), [(9, Status.TEMPORARY), (10, Status.LOOP), (11, Status.LOOP)])
def test_only_a_better_exchanger_than_ourselves_is_worth_waiting_for(preference, status):
    """At our own preference and above it none is used anyway (RFC 5321 section 5.1)."""
    snapshot = domain((10, "us"), (preference, "b"), us=host("192.0.2.1"), b=host(a=SERVFAIL))
    refusal = decide(snapshot, own=Own(interfaces=frozenset({ip_address("192.0.2.1")})))
    assert status == refusal.status


def test_a_refusal_is_an_attempt_without_a_contact():
    """It took no time, and each recipient has what it says."""
    attempt = decide(domain(answer=NoName(), example_com=NOWHERE)).attempt(2)
    assert (2, (), 0.0) == (len(attempt.outcomes), attempt.contacts, attempt.elapsed_ms)


def test_servfail_for_mx_is_never_no_mx():
    """SERVFAIL at MX defers, though the domain has an address."""
    refusal = decide(domain(answer=SERVFAIL, example_com=host("192.0.2.1")))
    assert (Status.TEMPORARY, Result.DEFERRED, "4.4.3") == (refusal.status, refusal.result, refusal.enhanced)


def test_aaaa_servfail_is_ignored_when_a_answers():
    """A family that does not answer is noted, and the other is used."""
    route = decide(domain((10, "a"), a=host("192.0.2.1", aaaa=SERVFAIL)))
    assert ([(10, "a")], ["family-temporary"]) == (names(route), kinds(route))


def test_domain_that_does_not_exist():
    """NXDOMAIN for MX, A and AAAA fails with 5.1.2."""
    refusal = decide(domain(answer=NoName(), example_com=NOWHERE))
    assert (Status.NO_SUCH_DOMAIN, "5.1.2") == (refusal.status, refusal.enhanced)


def test_nxdomain_for_mx_is_not_believed_when_an_address_exists():
    """A server that answers NXDOMAIN for MX only (moby/libnetwork issue 2026) loses no mail."""
    route = decide(domain(answer=NoName(), example_com=host("192.0.2.1")))
    assert [(0, DOMAIN)] == names(route)


def test_domain_without_mx_and_address():
    """A name that exists but has neither MX nor address takes no mail."""
    assert Status.NO_ADDRESS == decide(domain(example_com=host())).status


OWN = domain(
    (10, "a"), (20, "us"), (20, "b"), (30, "c"),
    a=host("192.0.2.1"), us=host("192.0.2.2"), b=host("192.0.2.3"), c=host("192.0.2.4"),
)  # fmt: skip


@pytest.mark.parametrize("own", [Own(frozenset({"us"})), Own(addresses=frozenset({ip_address("192.0.2.2")}))])
def test_own_host_cuts_the_list_at_its_preference(own):
    """Our own host, known by name or by address, goes out with everything that is not better."""
    route = decide(OWN, own=own)
    cut = {("us", DropReason.OWN_HOST), ("b", DropReason.NOT_BETTER_THAN_OWN), ("c", DropReason.NOT_BETTER_THAN_OWN)}
    assert ([(10, "a")], cut) == (names(route), set(reasons(route)))


def test_own_host_as_the_best_exchanger_is_a_loop():
    """If no exchanger is better than ourselves, mail would come back: 5.4.6."""
    refusal = decide(OWN, own=Own(frozenset({"a"})))
    assert (Status.LOOP, Result.FAILED, "5.4.6") == (refusal.status, refusal.result, refusal.enhanced)


def test_better_exchangers_that_cannot_be_looked_up_are_no_loop():
    """A backup whose primary cannot be looked up now waits; it does not cry loop."""
    snapshot = domain((10, "a"), (20, "us"), a=host(a=SERVFAIL), us=host("192.0.2.2"))
    assert Status.TEMPORARY == decide(snapshot, own=Own(frozenset({"us"}))).status


def test_name_listed_twice_is_used_once():
    """The worse of two records of one host is left out."""
    route = decide(domain((20, "a"), (10, "a"), a=host("192.0.2.1")))
    assert ([(10, "a")], [("a", DropReason.DUPLICATE_NAME)]) == (names(route), reasons(route))


def test_backups_behind_the_same_addresses_are_no_backups():
    """Reference set-up t4 (10/10/20/30): the backups repeat addresses that were tried, so nothing is left of them."""
    route = decide(T4)
    repeated = [("c", DropReason.DUPLICATE_ADDRESS), ("d", DropReason.DUPLICATE_ADDRESS)]
    assert ([(10, "a"), (10, "b")], repeated) == (names(route), reasons(route))


def test_both_families_take_turns_within_a_host():
    """IPv6 first, then in turn, each family in the order of its answer."""
    route = decide(domain((10, "a"), a=host("192.0.2.1", "192.0.2.2", "2001:db8::1")))
    assert ["2001:db8::1", "192.0.2.1", "192.0.2.2"] == [str(a) for a in route.levels[0].exchangers[0].addresses]


def test_family_switched_off_says_so():
    """Addresses of a family that is not used are left out with that reason."""
    policy = RoutePolicy("v4", "test", EqualsPolicy.RANDOM, families=(4,))
    route = decide(domain((10, "a"), a=host("192.0.2.1", "2001:db8::1")), policy)
    assert [("a", DropReason.FAMILY)] == reasons(route)


def test_host_with_only_the_other_family_is_told_once():
    """An IPv6-only exchanger for an IPv4-only sender has one reason, not two."""
    policy = RoutePolicy("v4", "test", EqualsPolicy.RANDOM, families=(4,))
    refusal = decide(domain((10, "a"), a=host("2001:db8::1")), policy)
    assert (Status.NO_ADDRESS, [("a", DropReason.FAMILY)]) == (refusal.status, reasons(refusal))


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_address_literal_is_its_own_route(address):
    """user@[192.0.2.1] goes to that address without any DNS."""
    literal = AddressLiteral(ip_address(address))
    route = decide(Snapshot(literal, NoData()))
    assert ("literal", [(0, str(literal))]) == (route.source, names(route))


def test_loopback_literal_is_refused_outside_the_lab():
    """user@[127.0.0.1] is no way to reach this machine."""
    assert Status.NO_ADDRESS == decide(Snapshot(AddressLiteral(ip_address("127.0.0.1")), NoData())).status


def test_lab_may_use_loopback():
    """In the lab the Internet is 127.0.0.0/8."""
    policy = RoutePolicy("lab", "test", EqualsPolicy.RANDOM, allow_loopback=True)
    assert [(10, "a")] == names(decide(domain((10, "a"), a=host("127.0.0.11")), policy))


def test_exchanger_not_looked_up_is_told():
    """A name beyond the look-up limit is left out with that reason."""
    route = decide(domain((10, "a"), (20, "b"), a=host("192.0.2.1")))
    assert [("b", DropReason.NOT_LOOKED_UP)] == reasons(route)


def test_limit_below_two_is_refused():
    """At least two addresses SHOULD be tried (RFC 5321 section 5.1)."""
    with pytest.raises(ValueError, match="at least 2"):
        RoutePolicy("one", "test", EqualsPolicy.RANDOM, limit=1)


ANSWERS = st.sampled_from([NoData(), NoName(), Temporary("x"), Bogus("y")])
V4 = st.integers(0, 2**32 - 1).map(ip_address)
ADDRESSES = st.lists(V4, min_size=1, max_size=3).map(lambda found: Found(tuple(found)))
HOSTS = st.builds(HostFacts, ANSWERS | ADDRESSES, ANSWERS)
NAMES = st.sampled_from(["", "a", "b", "c", "d", "192.0.2.1", DOMAIN])
RECORDS = st.lists(st.builds(Mx, st.integers(0, 3), NAMES), max_size=6)
SNAPSHOTS = st.builds(
    Snapshot,
    st.just(DOMAIN),
    ANSWERS | RECORDS.map(lambda records: Found(tuple(records))),
    st.dictionaries(NAMES, HOSTS, max_size=6),
)


@settings(max_examples=examples(200))
@given(SNAPSHOTS, st.sampled_from(sorted(PROCEDURES)), st.sets(NAMES, max_size=2))
def test_any_answer_gives_a_route_or_a_refusal_and_loses_nothing(snapshot, procedure, own):
    """Whatever DNS says: every exchanger listed is in the route or left out with a reason, and levels ascend."""
    answer = decide(snapshot, PROCEDURES[procedure], Own(frozenset(own)))
    assert isinstance(answer, Route | Refusal)
    if isinstance(answer, Route):
        levels = [level.preference for level in answer.levels]
        assert sorted(set(levels)) == levels
        assert all(each.addresses for level in answer.levels for each in level.exchangers)
    listed = {record.exchange for record in snapshot.mx.records} if isinstance(snapshot.mx, Found) else set()
    used = {name for _, name in names(answer)} if isinstance(answer, Route) else set()
    if not (isinstance(answer, Refusal) and answer.status is Status.NULL_MX):
        assert listed <= used | {name for name, _ in reasons(answer)}


def test_set_ups_of_the_documents_lose_no_exchanger():
    """Two equals, and three equals with 3, 5 and 1 addresses, are routes with nothing left out."""
    assert [(), ()] == [decide(T1).dropped, decide(T6).dropped]


def test_a_host_of_ours_beside_an_unknown_one_is_a_loop():
    """What is at our own preference is cut with us: waiting for its address would change nothing."""
    own = Own(frozenset({"us"}))
    found = [
        decide(domain((level, "a"), (20, "us"), a=host(a=SERVFAIL), us=host("192.0.2.2")), own=own).status
        for level in (10, 20, 30)
    ]
    assert [Status.TEMPORARY, Status.LOOP, Status.LOOP] == found


def test_a_refusal_names_three_and_counts_the_others():
    """However many exchangers cannot be used, the sentence stays a sentence."""
    texts = [decide(domain(*((10, f"h{n}") for n in range(count)))).text for count in (3, 4, 5)]
    assert [("h2: ", ""), ("h2: ", "; and 1 more"), ("h2: ", "; and 2 more")] == [
        (text[text.index("h2") :][:4], text[text.index("; and") :] if "; and" in text else "") for text in texts
    ]
    assert not any("h3" in text for text in texts)


def test_an_attempt_without_a_contact_ends_alike_for_all():
    """A refusal is the outcome of each recipient."""
    outcomes = decide(domain((0, ""))).attempt(3).outcomes
    assert [(Result.FAILED, "5.1.10")] * 3 == [(outcome.result, outcome.status) for outcome in outcomes]
