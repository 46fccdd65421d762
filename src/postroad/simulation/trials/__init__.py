"""What cannot be worked out exactly, tried out many times (part of `simulation`): Monte-Carlo with a seed.

Rule 1: a message's fate depends on the trial, the seed and its number only, on any machine: so it can be replayed.
Rule 2: where the exact forecast applies, trials agree with it; a figure comes with the interval that holds it.
Rule 3: NumPy, an extra, is imported when a trial runs, not before; memory is bounded whatever the number of messages.
Rule 4: what a sender does in an attempt stands in `simulation.steps` alone, or in `routing` for ours: trials draw from
the graph of that.

Stops: `trial` (what is asked and answered), `options` (how people ask), `dice` (chance by counting), `places`
(addresses as numbers), `tables` (what is known of attempts so far), `graph` (the states of an attempt, in tables),
`situations` (where in it an attempt begins), `attempts` (paths drawn from it, of many messages at once), `world`
(outages, greylisting, resolvers), `connections` (what a source keeps), `mail` (messages, and who knows of whom),
`retries` and `rounds` (when somebody is asked again), `play` (all mail, try after try), `measure` and
`tally` (intervals), `ours` (attempts of our own sender).
"""

from __future__ import annotations

from collections.abc import Callable

from postroad.models import Schedule
from postroad.simulation.plans import NoWay, exchanges
from postroad.simulation.trials.options import Downtime, Pulse, TrialOptions
from postroad.simulation.trials.trial import (
    Asked,
    Delay,
    Estimate,
    Greylist,
    Outage,
    Trial,
    Trials,
    TrialWindow,
    Workload,
)
from postroad.words.inputs import InputError

__all__ = [
    "Asked",
    "Delay",
    "Downtime",
    "Estimate",
    "Greylist",
    "Outage",
    "Pulse",
    "Schedule",
    "Trial",
    "TrialOptions",
    "TrialWindow",
    "Trials",
    "Workload",
    "run",
]

NEEDED = (
    "following messages (--trials, --burst, --rate, --greylist, --outage, --retries) needs NumPy; "
    "install it with: pip install 'postroad[simulate]', or beside the Debian package: apt install python3-numpy"
)


def run(trial: Trial, seed: int, progress: Callable[[float], None] = lambda _part: None) -> Trials:
    """Play a trial to the end: until each message is delivered or given up.

    The same trial and seed give the same result, on any machine. `progress` is told the part done, from 0 to 1.

    Raises:
        InputError: NumPy is not installed.

    """
    found = exchanges(trial.snapshot, trial.sender)
    if isinstance(found, NoWay):
        outcome = {} if found.unable else {found.result: Estimate(1.0, 1.0, 1.0)}
        return Trials(trial, seed, outcome=outcome, unable=found.unable)
    try:
        from postroad.simulation.trials.play import OvergrownError, Play  # noqa: PLC0415  # NumPy: slow, and an extra
    except ModuleNotFoundError as problem:
        raise InputError(NEEDED) from problem
    try:
        return Play(trial, seed, found).run(progress)
    except OvergrownError:
        return Play(trial, seed, found, sampled=True).run(progress)
