"""Trials for `postroad simulate`: a progress bar while they run, intervals when they are done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from postroad.cli import screen

if TYPE_CHECKING:
    from rich.console import Console

    from postroad.simulation.crowd import View
    from postroad.simulation.standing import Standing
    from postroad.simulation.trials import Estimate, Trials

MOST_SERVERS = 8  # of a trial's table; the JSON has all


def run_trials(standing: Standing, view: View, messages: int, seed: int) -> Mapping[str, Trials]:
    """So many messages of each sender over a day, with what is down from beginning to end."""
    from postroad.simulation.trials import Outage, Trial, Workload, run

    outages = tuple(Outage(address, mode) for address, mode in view.down.items())
    found = {}
    with _bar() as begin:
        for name, sender in view.crowd.senders.items():
            work = Workload(messages=messages)
            trial = Trial(standing.snapshot, sender, work, view.dns_order, _ttl_s(standing), outages)
            found[name] = run(trial, seed, begin(name))
    return found


def print_trials(out: Console, standing: Standing, tried: Mapping[str, Trials]) -> None:
    """A row for each sender: first contacts with their intervals, outcome, time until delivery."""
    from rich.table import Table

    from postroad.simulation.phrases import seconds
    from postroad.words.outcome import Result

    one = next(iter(tried.values()))
    messages, seed = one.trial.workload.messages, one.seed
    out.print(f"Trials: {messages:,} messages of each sender over a day, seed {seed}; 95 % intervals", markup=False)
    shown = standing.servers[:MOST_SERVERS]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("sender", header_style="bold")
    for head in (*(str(server.address) for server in shown), "delivered", "mean", "99 %", "worst"):
        table.add_column(head, justify="right", header_style="bold")
    for name, each in tried.items():
        shares = [_interval(each.first.get(server.address)) for server in shown]
        delay = each.delay
        times = (seconds(delay.mean.value), seconds(delay.p99.value), seconds(delay.worst_s)) if delay else ("-",) * 3
        table.add_row(name, *shares, _interval(each.outcome.get(Result.DELIVERED)), *times)
    out.print(table)
    if len(standing.servers) > MOST_SERVERS:
        out.print(f"{len(standing.servers) - MOST_SERVERS} more servers: see --json", markup=False)


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.value * 100:.1f} % ({estimate.low * 100:.1f}-{estimate.high * 100:.1f})"


def _ttl_s(standing: Standing) -> float:
    """For how long a resolver keeps the MX records."""
    return float(getattr(standing.snapshot.mx, "ttl_s", 0))


@contextmanager
def _bar() -> Iterator[Callable[[str], Callable[[float], None]]]:
    """A bar on stderr for each sender, at a terminal only."""
    from rich.progress import Progress

    with Progress(console=screen.console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:

        def begin(name: str) -> Callable[[float], None]:
            task = bar.add_task(name, total=1.0)
            return lambda part: bar.update(task, completed=part)

        yield begin
