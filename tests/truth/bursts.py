"""What one run of much mail shows, tried out: bursts and streams over kept connections, and runs over a queue.

In a burst four submitters hand over 300 messages in about a second, and twenty deliveries go on at a time (Postfix:
default_destination_concurrency_limit); in a stream one message comes after the other. How long a delivery takes was not
recorded, but a burst bounds it: where one connection carried 37 messages in 0.9 s, none took more than 0.9 s / 37 in
the mean. A burst is held if the model has it at this time, or at a part of it. Of a stream a twentieth of a second is
assumed.
"""

from functools import cache

from tests.truth.rows import Row, name_of, sender_of, snapshot_of

from postroad.models import SENDERS
from postroad.simulation.trials import Outage, Trial, Trials, Workload, run
from postroad.words.facts import Found

RUNS = 80
_SESSION_S, _AT_ONCE = 0.05, 20
_BURST_S, _PACED_S = 0.9, 300 * 2 * _SESSION_S
_PARTS = (1.0, 0.75, 0.5)
_QUEUED_S = 3600.0


def strays_too_far(row: Row) -> str:
    """Nothing if some run of the trials gives its busiest server as much as the row has, and some as little."""
    data, name = row.data, sender_of(row).name
    seen, burst = max(data["first"].values()) / data["sent"], data["how"] == "burst"
    longest_s = _BURST_S / data["msgs_per_conn_max"] if burst else _SESSION_S
    over_s, sessions_s = (_BURST_S, [part * longest_s for part in _PARTS]) if burst else (_PACED_S, [_SESSION_S])
    why = []
    for session_s in sessions_s:
        shares = _busiest(data["topology"], name, Workload(data["sent"], over_s, 1, 1, _AT_ONCE, session_s))
        if shares[0] <= seen <= shares[-1]:
            return ""
        why.append(f"with {session_s:.3f} s a delivery {shares[0]:.0%} to {shares[-1]:.0%}")
    return f"the busiest server has {seen:.0%}; in {RUNS} trials {', '.join(why)}"


def is_no_queue_run(row: Row) -> str:
    """Nothing if each run over the queue gives all mail to one server, and some run to that of the row."""
    runs = _queue_runs(row.data["topology"], sender_of(row).name, row.data["sent"])
    if any(max(each.value for each in tried.accepted.values()) < 1 for tried in runs):
        return "a queue run of the trials goes to several servers"
    takers = {name_of(address) for tried in runs for address, share in tried.accepted.items() if share.value == 1}
    return "" if set(row.data["first"]) <= takers and len(row.data["first"]) == 1 else f"trials have one of {takers}"


@cache
def _busiest(topology: str, name: str, load: Workload) -> tuple[float, ...]:
    """The share of the busiest server in each run, ascending."""
    trial = Trial(snapshot_of(topology), SENDERS[name], load)
    return tuple(sorted(max(each.value for each in run(trial, seed).first.values()) for seed in range(RUNS)))


@cache
def _queue_runs(topology: str, name: str, messages: int) -> tuple[Trials, ...]:
    """Mail that came while nobody could be reached, and then goes out in a run."""
    snapshot = snapshot_of(topology)
    answers = (answer for host in snapshot.hosts.values() for answer in (host.a, host.aaaa))
    addresses = (address for answer in answers if isinstance(answer, Found) for address in answer.records)
    away = tuple(Outage(address, until_s=_QUEUED_S) for address in addresses)
    load = Workload(messages, _QUEUED_S / 6, sources=1)
    return tuple(run(Trial(snapshot, SENDERS[name], load, outages=away), seed) for seed in range(RUNS))
