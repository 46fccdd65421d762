"""Bursts over kept connections: how far the shares of one run stray, tried out.

Four submitters hand over 300 messages in about a second, and twenty deliveries go on at a time (Postfix:
default_destination_concurrency_limit). How long one takes was not measured: a twentieth of a second is assumed, which
lets all of them end when they were seen to end.
"""

from functools import cache

from tests.truth.rows import Row, sender_of, snapshot_of

from postroad.senders import SENDERS
from postroad.simulation.trials import Trial, Workload, run

RUNS = 80
_SUBMITTED_S, _SESSION_S, _AT_ONCE = 0.9, 0.05, 20


def strays_too_far(row: Row) -> str:
    """Nothing if some run of the trials gives its busiest server as much as the row has, and some as little."""
    seen = max(row.data["first"].values()) / row.data["sent"]
    shares = busiest(row.data["topology"], sender_of(row).name, row.data["sent"])
    if shares[0] <= seen <= shares[-1]:
        return ""
    return f"the busiest server has {seen:.0%}; in {RUNS} trials {shares[0]:.0%} to {shares[-1]:.0%}"


@cache
def busiest(topology: str, name: str, messages: int) -> tuple[float, ...]:
    """The share of the busiest server in each run, ascending."""
    load = Workload(messages, _SUBMITTED_S, sources=1, at_once=_AT_ONCE, session_s=_SESSION_S)
    trial = Trial(snapshot_of(topology), SENDERS[name], load)
    return tuple(sorted(max(each.value for each in run(trial, seed).first.values()) for seed in range(RUNS)))
