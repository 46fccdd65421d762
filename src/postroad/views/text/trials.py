"""Trials in a terminal or a pipe: each figure with the interval that holds it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from postroad.planning import Scorecard
from postroad.simulation import DnsOrder
from postroad.simulation.trials import Estimate, Trials
from postroad.views.text.blocks import Table
from postroad.views.text.sections import NOTE, Part, Sentences
from postroad.words.outcome import Result
from postroad.words.phrasebook import between, counted, interval, listing, seconds

STRAYING = 0.1  # parts of the mail of one sending host, that are worth a line
LEGEND = (
    "Under each address its share of first contacts; delivered: of all messages, in the end; tries: attempts per "
    "message; mean, 99 %, worst: time until delivery of what is delivered"
)
MOST_NAMED = 3  # addresses in one sentence
MOST_SERVERS = 8  # addresses of a trial's table; the JSON has all


def trials(card: Scorecard, tried: Mapping[str, Trials]) -> Iterator[Part]:
    """A row for each sender: first contacts with their intervals, outcome, time until delivery."""
    yield f"Trials: {_described(next(iter(tried.values())))}"
    yield f"{LEGEND}.", NOTE
    addresses = [address for machine in card.records.machines for address in machine.addresses]
    shown = addresses[:MOST_SERVERS]
    heads = ("sender", *map(str, shown), "delivered", "tries", "mean", "99 %", "worst")
    rows = []
    for name, each in tried.items():
        shares = [_interval(each.first.get(address)) for address in shown]
        delay = each.delay
        times = (seconds(delay.mean.value), seconds(delay.p99.value), seconds(delay.worst_s)) if delay else ("-",) * 3
        rows.append((name, *shares, _interval(each.outcome.get(Result.DELIVERED)), f"{each.tries.value:.3g}", *times))
    yield Table(heads, rows, frozenset(heads[1:]))
    if len(addresses) > MOST_SERVERS:
        yield f"{counted(len(addresses) - MOST_SERVERS, 'more address', 'es')}: see --json"
    sampled = (
        f"{name} can try these servers in too many orders to follow each: its figures come from a sample."
        for name, each in tried.items()
        if each.sampled
    )
    if told := (*sampled, *_kept(tried), *_strayed(tried)):
        yield Sentences(told)


def _described(trials: Trials) -> str:
    """The mail of a trial and what happens to it, in one line."""
    trial, load = trials.trial, trials.trial.workload
    each = -(-load.messages // load.sources)
    parts = [f"{counted(load.messages, 'message')} of each sender over {seconds(load.over_s)}"]
    sources = min(load.sources, load.messages)
    hosts = "one sending host" if sources == 1 else f"each of {sources:,} sending hosts"
    parts.append(f"{each:,} from {hosts}")
    if trial.greylist:
        apart = "" if trial.greylist.shared else ", by each server for itself"
        parts.append(f"greylisted for {seconds(trial.greylist.delay_s)}{apart}")
    for outage in trial.outages:
        if not outage.from_s and outage.until_s == math.inf:
            continue
        until = f"to {seconds(outage.until_s)}" if outage.until_s < math.inf else "on"
        parts.append(f"{outage.address} down ({outage.mode}) from {seconds(outage.from_s)} {until}")
    if trial.schedule:
        parts.append(f"retries as {trial.schedule.name}" if trial.schedule.queues else "no retries")
    return f"{'; '.join(parts)}; seed {trials.seed}; 95 % intervals"


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return interval(estimate.value, estimate.low, estimate.high)


def _kept(tried: Mapping[str, Trials]) -> Iterator[str]:
    """Why the first contacts of a trial are not those of the forecast above it."""
    names = [name for name, each in tried.items() if each.trial.sender.caches_mx]
    if names and any(each.trial.dns_order is not DnsOrder.FIXED for each in tried.values()):
        yield (
            f"Within a TTL each host with {listing(names)} keeps one order of the MX records: the exact figures are of "
            "the first such order, the trials of all."
        )


def _strayed(tried: Mapping[str, Trials]) -> Iterator[str]:
    """How far single sending hosts stray from the mean, where they do."""
    for name, each in tried.items():
        load = each.trial.workload
        if load.messages <= load.sources:
            continue  # one message each: nobody wonders that all of it goes to one server
        straying = {address: span for address, span in each.single.items() if span[1] - span[0] >= STRAYING}
        alike: dict[str, list[str]] = {}
        for address, span in straying.items():
            alike.setdefault(between(*span), []).append(str(address))
        told = [
            f"{share} of its mail to {'each of ' if len(which) > 1 else ''}{listing(which, MOST_NAMED)}"
            for share, which in alike.items()
        ]
        if len(each.single) > 1 and told:
            yield f"One host with {name} sends {listing(told)}, in nine of ten cases."
