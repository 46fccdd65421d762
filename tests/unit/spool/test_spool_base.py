"""What all spools share: the numbers of parcels, which nothing late may meet again."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import NOW, letter, recipients

from postroad.spool import Parcel, Settlement
from postroad.spool.base import PARCELS, REROUTED, Reroute, rerouted

CALLS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans(), st.booleans()), max_size=8)
ELSEWHERE = recipients("zoe@far.example")


@given(CALLS, st.dictionaries(st.integers(0, 2), st.integers(0, 9)))
def test_a_parcel_that_takes_another_route_has_a_number_its_message_never_had(calls, records):
    """It lies behind all that destinations have, and above those of every attempt before: each has a record."""
    settlements = [
        Settlement(
            Parcel(message * PARCELS + place, "far.example", letter(f"m{message}"), NOW),
            record="{}" if is_moved or is_told else "",
            reroute=Reroute(ELSEWHERE, ("b",)) if is_moved else None,
        )
        for message, place, is_moved, is_told in calls
    ]
    made = list(rerouted([(one, NOW) for one in settlements], records))
    expected, known = [], dict(records)
    for one in settlements:
        message = one.parcel.number // PARCELS
        if one.reroute:
            expected.append(message * PARCELS + REROUTED + known.get(message, 0))
        known[message] = known.get(message, 0) + bool(one.record)
    assert expected == [parcel.number for parcel in made]
    assert len(set(expected)) == len(expected)
    assert all((ELSEWHERE, ("b",)) == (each.mail.envelope.recipients, each.routes) for each in made)
