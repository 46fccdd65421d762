"""Shares are those of the shape of an MX set, whatever its names and addresses are."""

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.examine import shares
from postroad.examine.shares import shares_in, shares_of
from postroad.routing import decide
from postroad.words.facts import Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.snapshot import Snapshot

NAMES = ["a.example.com", "b.example.com", "example.com", "mx.example.net", "mx10.example.net", "z9.example.org"]
V4 = [ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "198.51.100.7", "203.0.113.9", "10.0.0.1")]
V6 = [ip_address(text) for text in ("2001:db8::1", "2001:db8::2", "2a01:4f8::9")]
ODD4 = [ip_address(text) for text in ("127.0.0.1", "127.0.0.2", "0.0.0.0", "169.254.1.1", "224.0.0.1", "240.0.0.1")]
ODD6 = [ip_address(text) for text in ("::1", "::ffff:192.0.2.1", "64:ff9b::c000:201", "2002:c000:201::1", "fe80::1")]


def _answers(addresses):
    found = st.lists(st.sampled_from(addresses), min_size=1, max_size=3, unique=True).map(
        lambda records: Found(tuple(records), 300)
    )
    return st.one_of(found, found, st.sampled_from([NoData(60), NoName(), Temporary("SERVFAIL")]))


@st.composite
def _snapshots(draw, v4=(), v6=(), names=()):
    exchange = st.sampled_from([*NAMES, *names])
    record = st.builds(Mx, st.sampled_from([0, 5, 10, 10, 20]), exchange)
    mx = draw(
        st.one_of(
            st.lists(record, min_size=1, max_size=4).map(lambda records: Found(tuple(records), 300)),
            st.sampled_from([NoData(), NoName()]),
        )
    )
    host = st.builds(HostFacts, _answers([*V4, *v4]), _answers([*V6, *v6]))
    hosts = draw(st.dictionaries(exchange, host, max_size=6))
    return Snapshot("example.com", mx, hosts)


@settings(max_examples=examples(34))
@given(_snapshots())
def test_shares_of_the_shape_are_those_of_the_records(snapshot):
    """The same addresses, the same fractions, by every sender of the mix, as worked out from the records themselves."""
    told = shares_of(snapshot, decide(snapshot))
    assert told == {} or told == shares_in(snapshot)


@settings(max_examples=examples(34))
@given(_snapshots(ODD4, ODD6, ["", "192.0.2.1", "2001:db8::1", "0.mx.example"]))
def test_what_is_told_by_its_name_or_number_is_worked_out_as_it_is(snapshot):
    """Loopback, link-local and embedded addresses, addresses in place of names, the null MX among others."""
    told = shares_of(snapshot, decide(snapshot))
    assert told == {} or told == shares_in(snapshot)


def test_one_forecast_serves_all_domains_of_a_shape(monkeypatch):
    """Two hundred domains with two exchangers each, all different: worked out once."""
    forecasts = []

    def counting(snapshot):
        forecasts.append(snapshot)
        return shares_in(snapshot)

    monkeypatch.setattr(shares, "shares_in", counting)
    shares._shares_of_shape.cache_clear()
    for number in range(200):
        names = (f"{number}.example.net", f"mx.{number}.example.net")
        hosts = {
            name: HostFacts(Found((V4[0] + 2 * number + place,)), Found((V6[0] + number,)))
            for place, name in enumerate(names)
        }
        snapshot = Snapshot(f"d{number}.example", Found((Mx(number, names[0]), Mx(number + 10, names[1]))), hosts)
        assert sum(shares_of(snapshot, decide(snapshot))["postfix"].values()) > 0.99
    assert 1 == len(forecasts)
