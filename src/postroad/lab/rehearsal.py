"""A walk among faulty exchangers without a network: what must happen, worked out under a clock that only jumps."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from itertools import count

from postroad.routing import Connected, Ended, Greeted, Plan, Try, Verdict, Wait, Walk, WalkPolicy
from postroad.words.faults import Fault, Mode
from postroad.words.names import Address, Destination
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.trail import Attempt

HEALTHY = Fault()

# What an exchanger with this fault says once greeted, at which phase; None is for the whole host.
_SAYS: dict[Mode, tuple[Phase, Result, Scope]] = {
    Mode.CLOSE: (Phase.EHLO, Result.DEFERRED, Scope.HOST),
    Mode.R450: (Phase.RCPT, Result.DEFERRED, Scope.RECIPIENT),
    Mode.R550: (Phase.RCPT, Result.FAILED, Scope.RECIPIENT),
    Mode.D451: (Phase.DATA, Result.DEFERRED, Scope.MESSAGE),
    Mode.E451: (Phase.DOT, Result.DEFERRED, Scope.MESSAGE),
    Mode.DROP: (Phase.DOT, Result.DEFERRED, Scope.MESSAGE),
}
_NO_GREETING = {Mode.G421, Mode.G554}


class Rehearsal:
    """Walks a plan among `faults`. `tls`: whether STARTTLS is offered and used."""

    def __init__(
        self, faults: Mapping[Address, Fault], policy: WalkPolicy, *, connect_timeout_s: float, tls: bool = False
    ) -> None:
        self._faults = faults
        self._policy = policy
        self._connect_timeout_s = connect_timeout_s
        self._tls = tls

    def attempt(self, destination: Destination, plan: Plan, recipients: int, seed: int | None) -> Attempt:
        """The attempt as it must come out."""
        walk = Walk(plan.targets, recipients, self._policy, now=0.0)
        agenda: list[tuple[float, int, Connected | Greeted | int]] = []
        contacts: dict[int, Try] = {}
        ticket, now = count(), 0.0
        while not isinstance(step := walk.next(now), Verdict):
            if isinstance(step, Try):
                contacts[step.number] = step
                for at, what in self._meets(step, now):
                    heapq.heappush(agenda, (at, next(ticket), what))
                continue
            until = step.until if isinstance(step, Wait) else None
            if until is not None and (not agenda or until < agenda[0][0]):
                now = until
                continue
            now, _, what = heapq.heappop(agenda)
            if isinstance(what, int):
                walk.tell(self._ending(contacts[what], walk.recipients(what)), now)
            else:
                walk.tell(what, now)
        return Attempt(destination, step.outcomes, walk.contacts, seed, now * 1000.0)

    def _meets(self, step: Try, now: float) -> list[tuple[float, Connected | Greeted | int]]:
        """What this contact will meet and when; a bare number is its end."""
        fault = self._faults.get(step.target.address, HEALTHY)
        if fault.mode is Mode.REFUSE:
            return [(now, step.number)]
        if fault.mode is Mode.BLACKHOLE:
            return [(now + self._connect_timeout_s, step.number)]
        if fault.mode in _NO_GREETING:
            return [(now, Connected(step.number)), (now, step.number)]
        greeted = now + (fault.seconds if fault.mode in (Mode.SLOW, Mode.TARPIT) else 0.0)
        return [(now, Connected(step.number)), (greeted, Greeted(step.number)), (greeted, step.number)]

    def _ending(self, step: Try, recipients: tuple[int, ...]) -> Ended:
        mode = self._faults.get(step.target.address, HEALTHY).mode
        if mode in (Mode.REFUSE, Mode.BLACKHOLE):
            return _host_error(step.number, Phase.CONNECT)
        if mode in _NO_GREETING:
            return _host_error(step.number, Phase.GREETING)
        if mode is Mode.BROKEN_STARTTLS and self._tls and not step.clear:
            return _host_error(step.number, Phase.STARTTLS)
        phase, result, scope = _SAYS.get(mode, (Phase.DOT, Result.DELIVERED, Scope.MESSAGE))
        if scope is Scope.HOST:
            return _host_error(step.number, phase)
        outcome = Outcome(result, scope, f"as {mode} does", "", phase, unsettled=mode is Mode.DROP)
        return Ended(step.number, phase, dict.fromkeys(recipients, outcome))


def _host_error(number: int, phase: Phase) -> Ended:
    return Ended(number, phase, host=Outcome(Result.DEFERRED, Scope.HOST, "", "", phase))
