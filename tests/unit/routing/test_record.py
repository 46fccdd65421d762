"""A route as a stored record: what is read is what was written."""

import json
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.routing import Dropped, DropReason, Exchanger, Level, Note, Route, read_route, route_record
from postroad.routing.rules import Source
from postroad.words.tls import OPPORTUNISTIC, Authority, Demand, TlsLevel

ADDRESSES = st.sampled_from([ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::1")])
PROVEN = Demand(TlsLevel.PROVEN, Authority.DANE, "TLSA", ("mail",))
EXCHANGERS = st.builds(
    Exchanger,
    st.sampled_from(["mail", "b\u00fccher.example"]),
    st.lists(ADDRESSES, min_size=1, max_size=3).map(tuple),
    st.integers(1, 3),
    st.none() | st.integers(1, 65535),
    st.sampled_from([OPPORTUNISTIC, PROVEN, Demand(uses_tls=False)]),
)
LEVELS = st.lists(
    st.builds(Level, st.integers(0, 65535), st.lists(EXCHANGERS, min_size=1, max_size=2).map(tuple)), max_size=3
)
DROPPED = st.builds(
    Dropped, st.just("c"), st.none() | ADDRESSES, st.integers(0, 99), st.sampled_from(DropReason), st.text()
)


@settings(max_examples=examples(60))
@given(
    st.builds(
        Route,
        st.just("example.com"),
        st.sampled_from(Source),
        LEVELS.map(tuple),
        st.lists(DROPPED, max_size=2).map(tuple),
        st.lists(st.builds(Note, st.text(), st.text()), max_size=2).map(tuple),
    )
)
def test_a_route_is_read_as_it_was_written(route):
    """Through JSON and back, with weights, ports, demands, what was left out and what was remarked."""
    assert route == read_route(json.loads(json.dumps(route_record(route))))
