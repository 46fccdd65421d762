"""Trials for `postroad simulate`: a progress bar while they run, intervals when they are done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from postroad.cli import screen

if TYPE_CHECKING:
    from postroad.planning.mix import View
    from postroad.planning.scorecard import Scorecard
    from postroad.simulation.trials import Estimate, Trials

MOST_SERVERS = 8  # addresses of a trial's table; the JSON has all


def run_trials(card: Scorecard, view: View, messages: int, seed: int) -> Mapping[str, Trials]:
    """So many messages of each sender over a day, with what is down from beginning to end."""
    from postroad.simulation.trials import Outage, Trial, Workload, run

    outages = tuple(Outage(address, mode) for address, mode in view.down.items())
    found = {}
    with screen.progress() as begin:
        for name, sender in view.mix.senders.items():
            work = Workload(messages=messages)
            trial = Trial(card.records.snapshot, sender, work, view.dns_order, _ttl_s(card), outages)
            found[name] = run(trial, seed, begin(name))
    return found


def print_trials(out: screen.Screen, card: Scorecard, tried: Mapping[str, Trials]) -> None:
    """A row for each sender: first contacts with their intervals, outcome, time until delivery."""
    from postroad.planning.phrases import seconds
    from postroad.words.outcome import Result

    one = next(iter(tried.values()))
    messages, seed = one.trial.workload.messages, one.seed
    out.line(f"Trials: {messages:,} messages of each sender over a day, seed {seed}; 95 % intervals")
    addresses = [address for machine in card.records.machines for address in machine.addresses]
    shown = addresses[:MOST_SERVERS]
    heads = ("sender", *map(str, shown), "delivered", "mean", "99 %", "worst")
    rows = []
    for name, each in tried.items():
        shares = [_interval(each.first.get(address)) for address in shown]
        delay = each.delay
        times = (seconds(delay.mean.value), seconds(delay.p99.value), seconds(delay.worst_s)) if delay else ("-",) * 3
        rows.append((name, *shares, _interval(each.outcome.get(Result.DELIVERED)), *times))
    out.table(screen.Table(heads, rows, frozenset(heads[1:])))
    if len(addresses) > MOST_SERVERS:
        out.line(f"{len(addresses) - MOST_SERVERS} more addresses: see --json")


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.value * 100:.1f} % ({estimate.low * 100:.1f}-{estimate.high * 100:.1f})"


def _ttl_s(card: Scorecard) -> float:
    """For how long a resolver keeps the MX records."""
    return float(getattr(card.records.snapshot.mx, "ttl_s", 0))
