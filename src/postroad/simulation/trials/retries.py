"""When deferred mail is due again: the next try, or another round of the same one."""

from __future__ import annotations

import numpy as np

from postroad.simulation.trials.attempts import EndedAttempts
from postroad.simulation.trials.dice import DrawKind, Real, chance, key
from postroad.simulation.trials.graph import DEFERRED, FAILED
from postroad.simulation.trials.mail import MailSlice
from postroad.simulation.trials.places import Choices, Ranks
from postroad.simulation.trials.trial import Trial


class Retries:
    """When deferred mail is due again, by a schedule: message by message, or in runs over the queue of a source."""

    def __init__(self, trial: Trial, seed: int) -> None:
        sender, schedule = trial.sender, trial.schedule or trial.sender.retry
        in_runs = sender.picks.queue_run and trial.workload.one_domain and schedule == sender.retry
        self._schedule, self._draw, self._begins = schedule, key(seed, DrawKind.RETRY), key(seed, DrawKind.RUN)
        self._run_s = schedule.run_s if in_runs else 0.0
        self.machines = schedule.machines
        self._intervals_s = np.array([*schedule.intervals_s, schedule.then_s or np.inf])

    def decide(self, mail: MailSlice, ended: EndedAttempts) -> Choices:
        """Who is tried again, with the time in `mail.due_s`; who is given up has failed, if anybody kept the mail."""
        again: Choices = ended.result == DEFERRED
        goes_on = np.isfinite(ended.goes_on_s)
        mail.due_s = np.where(goes_on, ended.goes_on_s, mail.due_s)
        waiting = np.flatnonzero(again & ~goes_on)
        if not waiting.size:
            return again
        due_s, run, is_over = self._due(mail.only(waiting), ended.at_s[waiting])
        mail.due_s, mail.run = mail.due_s.copy(), mail.run.copy()
        mail.due_s[waiting], mail.run[waiting] = due_s, run
        again[waiting[is_over]] = False
        if self._schedule.queues:
            ended.result[waiting[is_over]] = FAILED
        return again

    def _due(self, mail: MailSlice, now_s: Real) -> tuple[Real, Ranks, Choices]:
        schedule = self._schedule
        drawn = chance(self._draw, (mail.message << np.uint64(10)) + mail.tried.astype(np.uint64))
        interval_s = self._intervals_s[np.minimum(mail.tried, self._intervals_s.size) - 1]
        ready_s = now_s + interval_s * (1 + schedule.jitter * (2 * drawn - 1))
        due_s, run = ready_s + schedule.spread_s * drawn, np.zeros(now_s.size, np.int64)
        if self._run_s:
            due_s, run = self._in_run(mail, ready_s if schedule.spread_s else now_s)
        expires_s = mail.arrival_s + schedule.expiry_s
        if schedule.last_try:
            due_s = np.where(now_s < expires_s, np.minimum(due_s, expires_s), due_s)
        return due_s, run, due_s > expires_s

    def _in_run(self, mail: MailSlice, ready_s: Real) -> tuple[Real, Ranks]:
        """The next run of each source once a message may be tried again: its time, and its number from 1."""
        begins_s = chance(self._begins, mail.source) * self._run_s
        number = np.floor((ready_s - begins_s) / self._run_s) + 1
        return begins_s + number * self._run_s, np.where(np.isfinite(number), number + 1, 0).astype(np.int64)
