"""Further rounds of an attempt that has tried every address once: those that failed, tried again (mechanisms).

Written apart from what trials do (simulation/trials/rounds.py), as measured rows show it. A forecast ends with the
first round: who is asked again says what he said, so no outcome changes, only the number of contacts.
"""

import heapq
import math
from dataclasses import replace

from postroad.models import Rounds, Sender
from postroad.simulation.case import Example, Step
from postroad.simulation.trials.rounds import UNREACHED
from postroad.words.faults import Mode
from postroad.words.outcome import Result


def with_rounds(way: Example, sender: Sender, until_s: float) -> Example:
    """The way with the contacts of later rounds, as far as they begin before `until_s`."""
    rounds = sender.rounds
    if way.result is not Result.DEFERRED or not way.steps:
        return way
    if rounds.first_s is not None:
        return replace(way, steps=_rested(way.steps, sender, until_s))
    if rounds.whole_s is not None and all(step.met in UNREACHED for step in way.steps):
        return replace(way, steps=_again(way.steps, rounds.whole_s, until_s))
    return way


def ended_s(steps: tuple[Step, ...], sender: Sender) -> float:
    """When the last contact is over."""
    return max(step.at_s + _lasts_s(step, sender) for step in steps)


def _lasts_s(step: Step, sender: Sender) -> float:
    silent = {Mode.BLACKHOLE: sender.waits.connect_s, Mode.MUTE: sender.waits.greeting_s}
    return silent.get(step.met, 0.0) if sender.waits.overlap_s is not None else step.waited_s


def _again(steps: tuple[Step, ...], pause_s: float, until_s: float) -> tuple[Step, ...]:
    """The whole list once more after a pause, again and again (Courier: esmtpdelay)."""
    took_s = steps[-1].at_s + steps[-1].waited_s + pause_s
    times = 1 + math.floor(until_s / took_s)
    every = [replace(step, at_s=step.at_s + number * took_s) for number in range(times) for step in steps]
    return tuple(step for step in every if step.at_s < until_s)


def _rested(steps: tuple[Step, ...], sender: Sender, until_s: float) -> tuple[Step, ...]:
    """Each address is asked again once it has failed and rested, at the next beat (OpenSMTPD: mta_route_disable).

    It goes on while an address is free at the next beat, or a silent one is still open.
    """
    beat_s = sender.waits.spacing_s
    free = [_resting(step, place, 1, sender) for place, step in enumerate(steps)]
    heapq.heapify(free)
    made, last_s, open_s = list(steps), steps[-1].at_s, ended_s(steps, sender)
    while True:
        free_s, place, failures, step = free[0]
        if free_s >= until_s:
            return tuple(made)
        at_s = max(math.ceil(free_s / beat_s) * beat_s if beat_s else free_s, last_s + beat_s)
        if at_s >= until_s or at_s > max(last_s + beat_s, open_s):
            return tuple(made)
        again = replace(step, at_s=at_s)
        made.append(again)
        heapq.heapreplace(free, _resting(again, place, failures + 1, sender))
        last_s, open_s = at_s, max(open_s, ended_s((again,), sender))


def _resting(step: Step, place: int, failures: int, sender: Sender) -> tuple[float, int, int, Step]:
    """When an address is free again, for the heap: then the longest unused one."""
    return step.at_s + _lasts_s(step, sender) + _rest_s(sender.rounds, failures), place, failures, step


def _rest_s(rounds: Rounds, failures: int) -> float:
    return (rounds.first_s if failures == 1 else rounds.then_s) or math.inf
