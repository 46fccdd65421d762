"""Trials for `postroad simulate`: a progress bar while they run, intervals when they are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from postroad.cli import screen

if TYPE_CHECKING:
    from postroad.planning.mix import View
    from postroad.planning.scorecard import Scorecard
    from postroad.simulation.trials import Estimate, TrialOptions, Trials
    from postroad.words.facts import Snapshot

STRAYING = 0.1  # parts of the mail of one sending host, that are worth a line
LEGEND = (
    "Under each address its part of first contacts; delivered: of all messages, in the end; tries: attempts a message; "
    "mean, 99 %, worst: time until delivery of what is delivered"
)
MOST_SERVERS = 8  # addresses of a trial's table; the JSON has all


def run_trials(snapshot: Snapshot, view: View, asked: TrialOptions, seed: int) -> Mapping[str, Trials]:
    """The trial of each sender, with what is down from beginning to end, and for a time.

    Raises:
        InputError: an outage is of no server of the domain, or all that would be followed is too much.

    """
    from postroad.cli.workload import flagged
    from postroad.simulation.trials import run
    from postroad.words.inputs import InputError

    try:
        trials = {
            name: asked.trial(snapshot, sender, view.dns_order, view.down) for name, sender in view.mix.senders.items()
        }
    except ValueError as wrong:
        raise InputError(flagged(wrong)) from wrong
    with screen.progress() as begin:
        return {name: run(trial, seed, begin(name)) for name, trial in trials.items()}


def print_trials(out: screen.Screen, card: Scorecard, tried: Mapping[str, Trials]) -> None:
    """A row for each sender: first contacts with their intervals, outcome, time until delivery."""
    from postroad.planning.phrases import seconds
    from postroad.simulation.trials import describe
    from postroad.words.outcome import Result

    out.line(f"Trials: {describe(next(iter(tried.values())))}")
    out.line(LEGEND)
    addresses = [address for machine in card.records.machines for address in machine.addresses]
    shown = addresses[:MOST_SERVERS]
    heads = ("sender", *map(str, shown), "delivered", "tries", "mean", "99 %", "worst")
    rows = []
    for name, each in tried.items():
        shares = [_interval(each.first.get(address)) for address in shown]
        delay = each.delay
        times = (seconds(delay.mean.value), seconds(delay.p99.value), seconds(delay.worst_s)) if delay else ("-",) * 3
        rows.append((name, *shares, _interval(each.outcome.get(Result.DELIVERED)), f"{each.tries.value:.3g}", *times))
    out.table(screen.Table(heads, rows, frozenset(heads[1:])))
    if len(addresses) > MOST_SERVERS:
        out.line(f"{len(addresses) - MOST_SERVERS} more addresses: see --json")
    for name, each in tried.items():
        if each.sampled:
            out.line(f"{name} can try these servers in too many orders to follow each: its figures are of a sample.")
    for line in _strayed(tried):
        out.line(line)


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.value * 100:.1f} % ({estimate.low * 100:.1f}-{estimate.high * 100:.1f})"


def _part(low: float, high: float) -> str:
    least, most = f"{low * 100:.0f}", f"{high * 100:.0f}"
    return f"{least} %" if least == most else f"{least} to {most} %"


def _strayed(tried: Mapping[str, Trials]) -> Iterator[str]:
    """How far single sending hosts stray from the mean, where they do."""
    for name, each in tried.items():
        if len(each.single) < 2 or max(high - low for low, high in each.single.values()) < STRAYING:
            continue
        told = ", ".join(
            f"{_part(low, high)} of its mail to {address}"
            for address, (low, high) in list(each.single.items())[:MOST_SERVERS]
        )
        yield f"One host with {name} sends {told}, in nine of ten cases."
