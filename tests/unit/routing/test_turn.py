"""The turns of a host's addresses: each is first alike often, though the order of the resolver is kept."""

from ipaddress import ip_address
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from postroad.routing import Exchanger, Level, Route
from postroad.routing.rules import Source
from postroad.routing.turn import turned, turned_addresses, turns_of

ADDRESSES = st.lists(
    st.sampled_from(
        [*(ip_address(f"192.0.2.{n}") for n in range(4)), *(ip_address(f"2001:db8::{n}") for n in range(4))]
    ),
    min_size=1,
    unique=True,
).map(tuple)


@given(ADDRESSES)
def test_each_address_is_first_of_its_family_once_in_its_turns(addresses):
    """One after the other, as the resolver gave them; which family stands where is not for a turn to change."""
    for version in (4, 6):
        family = [each for each in addresses if each.version == version]
        turns = [turned_addresses(addresses, turn) for turn in range(len(family))]
        assert family == [next(each for each in one if each.version == version) for one in turns]
        assert [[each.version for each in addresses]] * len(turns) == [[each.version for each in one] for one in turns]
        assert [set(addresses)] * len(turns) == [set(one) for one in turns]


@given(st.lists(ADDRESSES, min_size=1, max_size=3))
@example([(ip_address("192.0.2.1"), ip_address("192.0.2.2"))])
def test_a_route_is_seen_again_after_its_turns_and_no_sooner(hosts):
    """All its hosts turn together, one further each time."""
    exchangers = tuple(Exchanger(f"h{number}", addresses) for number, addresses in enumerate(hosts))
    route = Route("example.com", Source.MX, (Level(10, exchangers[:1]), Level(20, exchangers[1:])))
    seen = [turned(route, turn) for turn in range(turns_of(route) + 1)]
    assert (route, route, len(seen) - 1) == (seen[0], seen[-1], len(set(seen)))
    assert all(after == turned(before, 1) for before, after in pairwise(seen))
