"""A saved look-up comes back as it was; anything else says what it is not."""

import json
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.gather.saved import UnreadableFactsError, read_lookup
from postroad.views.json import lookup_shape
from postroad.words.facts import Bogus, Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.snapshot import Snapshot

NAMES = st.sampled_from(["a.example", "b.example", "mail.example.com"])
SECONDS = st.integers(0, 10**6)
ALIASES = st.lists(NAMES, max_size=2).map(tuple)
V4 = st.sampled_from([ip_address("192.0.2.1"), ip_address("192.0.2.2")])
V6 = st.sampled_from([ip_address("2001:db8::1"), ip_address("2001:db8::2")])


def answers(record):
    """Any answer with records of a kind."""
    return st.one_of(
        st.builds(Found, st.lists(record, max_size=3).map(tuple), SECONDS, ALIASES, NAMES, st.booleans()),
        st.builds(NoData, SECONDS, ALIASES, st.booleans()),
        st.builds(NoName, SECONDS, ALIASES, st.booleans()),
        st.builds(Temporary, st.text(max_size=9), ALIASES, NAMES | st.just(""), st.none() | st.integers(0, 65535)),
        st.builds(Bogus, st.text(max_size=9), ALIASES, NAMES | st.just("")),
    )


SNAPSHOTS = st.builds(
    Snapshot,
    st.just("example.com"),
    answers(st.builds(Mx, st.integers(0, 65535), NAMES | st.just(""))),
    st.dictionaries(NAMES, st.builds(HostFacts, answers(V4), answers(V6)), max_size=2),
    st.none() | answers(NAMES),
    st.dictionaries(V4 | V6, answers(NAMES), max_size=2),
)


@settings(max_examples=examples(60))
@given(SNAPSHOTS)
def test_a_saved_lookup_comes_back_as_it_was(snapshot):
    """`lookup --json` loses nothing that routing, checks and simulation look at."""
    assert snapshot == read_lookup(json.loads(json.dumps(lookup_shape(snapshot))))


@pytest.mark.parametrize(
    "shape", [None, [], "x", {}, {"facts": {}}, {"domain": "a b", "facts": {"mx": {}}}, {"domain": 1, "facts": 2}]
)
def test_what_is_no_lookup_says_so(shape):
    """Other JSON is refused with a sentence, and nothing else is raised."""
    with pytest.raises(UnreadableFactsError, match="not a look-up"):
        read_lookup(shape)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2),
)


@settings(max_examples=examples(60))
@given(SNAPSHOTS, JUNK, st.data())
def test_a_damaged_lookup_is_read_or_refused(snapshot, junk, data):
    """Whatever stands in place of a value: a snapshot that can be shown, or a sentence."""
    shape = json.loads(json.dumps(lookup_shape(snapshot)))
    place = shape
    while isinstance(place, dict) and place:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or data.draw(st.booleans()):
            place[key] = junk
            break
        place = place[key]
    try:
        read = read_lookup(shape)
    except UnreadableFactsError:
        return
    assert repr(lookup_shape(read)).encode()
