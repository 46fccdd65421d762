"""Trials in a few lines for people: each figure with the interval that holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from postroad.pace.schedule import DAY_S, HOUR_S, MINUTE_S
from postroad.simulation.trials.nouns import FEW, Estimate, Trials
from postroad.words.names import Address

_UNITS = ((2 * DAY_S, DAY_S, "d"), (2 * HOUR_S, HOUR_S, "h"), (2 * MINUTE_S, MINUTE_S, "min"))


def summary(trials: Trials) -> list[str]:
    """What trials found, line by line: shares by server, ends, delays, tries and DNS questions."""
    trial, load = trials.trial, trials.trial.workload
    schedule = trial.schedule or trial.sender.retry
    sources = _some(min(load.sources, load.messages), "source")
    mail = f"{_some(load.messages, 'message')} from {sources} over {span(load.over_s)}"
    lines = [f"{trial.sender.name}: {mail}, retries as {schedule.name}, seed {trials.seed}"]
    if trials.unable:
        return [*lines, f"  cannot be used: {trials.unable}"]
    if trials.sampled:
        lines.append("  the orders of an attempt are too many to follow each: a sample of them")
    lines += [f"  {result.value:9} {_percent(share)}" for result, share in trials.outcome.items() if share.value]
    lines += [*_servers("first contact", trials.first), *_servers("accepted by", trials.accepted)]
    one = "one TTL" if load.sources < FEW else "one source"
    for address, (low, high) in trials.single.items():
        part = f"{low:.0%}" if f"{low:.0%}" == f"{high:.0%}" else f"{low:.0%} to {high:.0%}"
        lines.append(f"  {one} alone gives {address} {part}, in nine of ten cases")
    if trials.delay:
        delay = trials.delay
        for name, figure in (("mean", delay.mean), ("median", delay.p50), ("99 of 100", delay.p99)):
            lines.append(f"  delay, {name}: {span(figure.value)} ({span(figure.low)} to {span(figure.high)})")
        lines.append(f"  delay, worst: {span(delay.worst_s)}")
    lines.append(
        f"  tries: {_mean(trials.tries)} a message, {trials.tries_max} at most; contacts: {_mean(trials.contacts)}"
    )
    asked = trials.questions
    lines.append(
        f"  DNS questions a message: {asked.mean:.3g} (MX {asked.mx:.3g}, A {asked.a:.3g}, AAAA {asked.aaaa:.3g})"
    )
    return lines


def describe(trials: Trials) -> str:
    """The mail of a trial and what happens to it, in one line."""
    trial, load = trials.trial, trials.trial.workload
    each = -(-load.messages // load.sources)
    parts = [f"{_some(load.messages, 'message')} of each sender over {span(load.over_s)}"]
    if each > 1:
        hosts = "one sending host" if load.sources == 1 else f"each of {load.sources:,} sending hosts"
        parts.append(f"{each:,} from {hosts}")
    if trial.greylist:
        apart = "" if trial.greylist.shared else ", by each server for itself"
        parts.append(f"greylisted for {span(trial.greylist.delay_s)}{apart}")
    for outage in trial.outages:
        if not outage.from_s and outage.until_s == math.inf:
            continue
        until = f"to {span(outage.until_s)}" if outage.until_s < math.inf else "on"
        parts.append(f"{outage.address} down ({outage.mode}) from {span(outage.from_s)} {until}")
    if trial.schedule:
        parts.append(f"retries as {trial.schedule.name}")
    return f"{'; '.join(parts)}; seed {trials.seed}; 95 % intervals"


def _some(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """A time as people say it: "90 s", "5 min", "3.5 h", "5 d"."""
    for least, unit, name in _UNITS:
        if seconds >= least:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"


def _servers(title: str, shares: Mapping[Address, Estimate]) -> list[str]:
    return [f"  {title} {address}: {_percent(share)}" for address, share in shares.items()]


def _percent(share: Estimate) -> str:
    return f"{share.value:.2%} ({share.low:.2%} to {share.high:.2%})"


def _mean(figure: Estimate) -> str:
    return f"{figure.value:.3g} ({figure.low:.3g} to {figure.high:.3g})"
