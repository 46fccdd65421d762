"""The page of the states is drawn from the code, and each state can be reached in it."""

import pytest
from tests.docs.states_page import (
    GONE,
    PAGE,
    client_edges,
    demands,
    health_edges,
    parcel_edges,
    server_edges,
    states_page,
)

from postroad.smtp.states import ClientState, ServerState
from postroad.spool import State


def test_the_page_is_what_the_code_does():
    """states.md is drawn from the code; `python -m tests.docs.states_page` draws it anew."""
    assert states_page() == PAGE.read_text()


@pytest.mark.parametrize(
    ("edges", "states"),
    [
        (client_edges, {state.name for state in ClientState}),
        (server_edges, {state.name for state in ServerState}),
        (parcel_edges, set(State)),
        (health_edges, {"healthy", "unhealthy", "due", "probed"}),
    ],
)
def test_every_state_is_entered(edges, states):
    """A state that nothing leads to would be dead code."""
    assert states == {after for before, after in edges() if before != after} - {GONE}


def test_every_row_of_the_demands_decides_something():
    """One that no other row leaves anything to would be dead code."""
    assert [] == [when for when, told in demands().items() if not told]
