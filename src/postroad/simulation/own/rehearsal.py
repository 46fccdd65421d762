"""A walk among faulty exchangers without a network: what must happen, computed with a simulated clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from postroad.routing import Connected, Ended, ForkingWalk, Greeted, Onward, Plan, Route, Try, Verdict, Wait, WalkPolicy
from postroad.simulation.enforcing import as_met, unmet
from postroad.words.faults import TIMED, Fault, Mode
from postroad.words.names import Address, Destination
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.reply import Reply
from postroad.words.tls import OPPORTUNISTIC, Demand
from postroad.words.trail import Attempt, Target

HEALTHY = Fault()
_REFUSED = ("refused",)
_NOBODY = IPv4Address(0)

# What an exchanger with this fault says once greeted, at which phase; None is for the whole host.
_SAYS: dict[Mode, tuple[Phase, Result, Scope]] = {
    Mode.CLOSE: (Phase.EHLO, Result.DEFERRED, Scope.HOST),
    Mode.R450: (Phase.RCPT, Result.DEFERRED, Scope.RECIPIENT),
    Mode.R550: (Phase.RCPT, Result.FAILED, Scope.RECIPIENT),
    Mode.D451: (Phase.DATA, Result.DEFERRED, Scope.MESSAGE),
    Mode.E451: (Phase.DOT, Result.DEFERRED, Scope.MESSAGE),
    Mode.DROP: (Phase.DOT, Result.DEFERRED, Scope.MESSAGE),
}
# Of a refusal for good alone: what a route does with it hangs on the code
_REPLIES = {Mode.R550: Reply(550, ("as r550 does",))}
_NO_GREETING = {Mode.G421, Mode.G554}
_SILENT = {Mode.BLACKHOLE, Mode.MUTE}
# Other faults of STARTTLS are none to us: a refusal is passed over, and no certificate is asked for
_NO_TLS = {Mode.BROKEN_STARTTLS, Mode.STARTTLS_CLOSE, Mode.STARTTLS_220_CLOSE}
_BEFORE_TLS = {Mode.REFUSE, Mode.CLOSE, *_SILENT, *_NO_GREETING}

Proves = Callable[[Target], bool]
"""Whether a host that starts TLS is what is demanded of it."""


@dataclass(frozen=True, slots=True)
class Undrawn(Target):
    """Whoever is drawn next: stands in a plan for all of it that is not drawn yet."""

    @classmethod
    def of(cls, route: Route, level: int) -> Undrawn:
        """One of the exchangers of a level."""
        return cls("", _NOBODY, route.levels[level].preference)


@dataclass(slots=True)
class Going:
    """An attempt under way: its walk, the time, and what its contacts will meet."""

    walk: ForkingWalk
    now: float = 0.0
    agenda: list[tuple[float, int, Connected | Greeted | int]] = field(default_factory=list)
    tries: dict[int, tuple[Try, Fault]] = field(default_factory=dict)
    events: int = 0

    def fork(self, targets: tuple[Target, ...]) -> Going:
        """Another attempt that has come as far, with these targets in the place of the one that was not drawn."""
        return replace(self, walk=self.walk.fork(targets), agenda=[*self.agenda], tries={**self.tries})

    def copy(self) -> Going:
        """The same attempt, to go its own way."""
        return replace(self, walk=self.walk.copy(), agenda=[*self.agenda], tries={**self.tries})


class Rehearsal:
    """Walks a plan among `faults`. `tls`: whether STARTTLS is offered and used; `proves`: by whom rightly."""

    def __init__(
        self,
        faults: Mapping[Address, Fault],
        policy: WalkPolicy,
        *,
        connect_timeout_s: float,
        greeting_timeout_s: float = 300.0,
        tls: bool = False,
        proves: Proves | None = None,
    ) -> None:
        self._faults = faults
        self._policy = policy
        self._connect_timeout_s = connect_timeout_s
        self._greeting_timeout_s = greeting_timeout_s
        self._tls = tls
        self._proves = proves
        self._kinds: dict[Fault, tuple[Hashable, ...]] = {}

    def attempt(self, destination: Destination, plan: Plan, recipients: int, seed: int | None) -> Attempt:
        """The attempt as it must come out."""
        going = self.begin(plan.targets, recipients)
        step = self.go(going)
        outcomes = step.outcomes if isinstance(step, Verdict) else ()  # nothing in a plan is undrawn
        return Attempt(destination, outcomes, going.walk.contacts, seed, going.now * 1000.0)

    def begin(self, targets: tuple[Target, ...], recipients: int) -> Going:
        """An attempt at its beginning."""
        return Going(ForkingWalk(targets, recipients, self._policy, now=0.0))

    def go(self, going: Going) -> Try | Verdict:
        """Let an attempt go on to its end, or until somebody must be drawn."""
        while isinstance(step := self.onward(going), Try) and not isinstance(step.target, Undrawn):
            self.meet(going, step, self._faults.get(step.target.address, HEALTHY))
        return step

    def onward(self, going: Going) -> Try | Verdict:
        """Let an attempt go on to its end or its next contact, which has yet to meet something.

        A try at an exchanger that cannot prove what is demanded is over before it begins, as `deliver` has it.
        """
        while not isinstance(step := going.walk.next(going.now), Verdict):
            if isinstance(step, Wait):
                self._wait(going, step.until)
            elif step.target.demand.missed:
                going.walk.tell(_host_error(step.number, Phase.POLICY), going.now)
            else:
                return step
        return step

    def _wait(self, going: Going, until: float | None) -> None:
        """Until something happens, or it is time to go on."""
        walk, agenda = going.walk, going.agenda
        if until is not None and (not agenda or until < agenda[0][0]):
            going.now = until
            return
        going.now, _, what = heapq.heappop(agenda)
        if isinstance(what, int):
            tried, fault = going.tries[what]
            walk.tell(self._ends(fault.mode, tried, walk.recipients(what)), going.now)
            return
        walk.tell(what, going.now)
        if isinstance(what, Greeted) and walk.holder == what.number:  # all others are closed
            agenda[:] = [event for event in agenda if event[2] == walk.holder]

    def meet(self, going: Going, step: Try, fault: Fault) -> None:
        """Let the contact just begun meet this."""
        fault = self._met(step.target.demand, fault)
        going.tries[step.number] = step, fault
        for at, what in self._meets(step, fault, going.now, len(going.walk.recipients(step.number))):
            going.events += 1
            heapq.heappush(going.agenda, (at, going.events, what))

    def kind(self, address: Address, demand: Demand = OPPORTUNISTIC) -> Hashable:
        """What a walk can tell of a server: those of one kind are alike to it."""
        return _REFUSED if demand.missed else self._kind_of(self._at(address, demand))

    def takes(self, address: Address, demand: Demand = OPPORTUNISTIC) -> bool:
        """Whether a server takes the message as soon as it is asked."""
        return self.kind(address, demand) == self._kind_of(HEALTHY)

    def kind_where_another_takes_it(self, address: Address, demand: Demand = OPPORTUNISTIC) -> Hashable:
        """The same where an equal is sure to take the message: what those before it said is forgotten then."""
        if demand.missed:
            return _REFUSED
        fault = self._at(address, demand)
        kind = self._kind_of(fault)
        ended = self._ends(fault.mode, Try(0, Target("", address, 0)), (0,))
        outcome = ended.host or ended.recipients[0]
        onward = {Result.DEFERRED: self._policy.on_4xx, Result.FAILED: self._policy.on_5xx}.get(outcome.result)
        ends = outcome.unsettled or (not ended.host and onward in (None, Onward.NEVER))
        return kind if ends or ended.phase is Phase.STARTTLS else kind[:3]

    def _at(self, address: Address, demand: Demand) -> Fault:
        return self._met(demand, self._faults.get(address, HEALTHY))

    def _met(self, demand: Demand, fault: Fault) -> Fault:
        """What is met under a demand; without STARTTLS nobody can prove anything."""
        if not demand.level and fault.mode is not Mode.TLS_MISMATCH:
            return fault
        met = as_met(unmet(demand), fault.mode if self._tls or fault.mode in _BEFORE_TLS else Mode.NO_STARTTLS)
        return fault if met is fault.mode else Fault(met)

    def _kind_of(self, fault: Fault) -> tuple[Hashable, ...]:
        kind = self._kinds.get(fault)
        if kind is None:
            kind = self._kinds[fault] = self._look(fault)
        return kind

    def _look(self, fault: Fault) -> tuple[Hashable, ...]:
        if not min(self._policy.stagger_s, self._policy.level_stagger_s):
            return fault.mode, fault.seconds, None, None  # then even what takes no time may be overtaken
        ended = self._ends(fault.mode, Try(0, Target("", _NOBODY, 0)), (0,))
        outcome = ended.host or ended.recipients[0]
        greets = fault.mode not in (Mode.REFUSE, *_SILENT, *_NO_GREETING)
        return (
            fault.mode if fault.mode in _SILENT else None,
            self._lateness_s(fault) if greets else None,
            fault.seconds if fault.mode is Mode.TARPIT else 0.0,
            (outcome.result, bool(ended.host), outcome.unsettled, self._may_go_in_clear(fault.mode)),
        )

    def _may_go_in_clear(self, mode: Mode) -> bool:
        """Whether TLS fails in a way that is tried again without, where that is allowed."""
        return mode in _NO_TLS and self._tls

    def is_silent(self, address: Address) -> bool:
        """Whether nothing ever comes of a contact there."""
        return self._faults.get(address, HEALTHY).mode in _SILENT

    def _meets(
        self, step: Try, fault: Fault, now: float, recipients: int
    ) -> list[tuple[float, Connected | Greeted | int]]:
        """What this contact will meet and when; a bare number is its end."""
        if fault.mode is Mode.REFUSE:
            return [(now, step.number)]
        if fault.mode is Mode.BLACKHOLE:
            return [(now + self._connect_timeout_s, step.number)]
        if fault.mode is Mode.MUTE:
            return [(now, Connected(step.number)), (now + self._greeting_timeout_s, step.number)]
        if fault.mode in _NO_GREETING:
            return [(now, Connected(step.number)), (now, step.number)]
        greeted = now + self._lateness_s(fault)
        # A tar pit is as late with EHLO (under TLS once more), MAIL, each RCPT, DATA and the dot
        replies = 4 + recipients + self._tls if fault.mode is Mode.TARPIT else 0
        return [
            (now, Connected(step.number)),
            (greeted, Greeted(step.number)),
            (greeted + replies * fault.seconds, step.number),
        ]

    @staticmethod
    def _lateness_s(fault: Fault) -> float:
        return fault.seconds if fault.mode in TIMED else 0.0

    def _ends(self, mode: Mode, step: Try, recipients: tuple[int, ...]) -> Ended:
        if mode in (Mode.REFUSE, Mode.BLACKHOLE):
            return _host_error(step.number, Phase.CONNECT)
        if mode in _NO_GREETING or mode is Mode.MUTE:
            return _host_error(step.number, Phase.GREETING)
        if self._loses_tls(mode, step):
            return _host_error(step.number, Phase.STARTTLS)
        phase, result, scope = _SAYS.get(mode, (Phase.DOT, Result.DELIVERED, Scope.MESSAGE))
        if scope is Scope.HOST:
            return _host_error(step.number, phase)
        text, reply = f"as {mode} does", _REPLIES.get(mode)
        outcome = Outcome(result, scope, text, "", phase, reply, unsettled=mode is Mode.DROP)
        return Ended(step.number, phase, dict.fromkeys(recipients, outcome))

    def _loses_tls(self, mode: Mode, step: Try) -> bool:
        """Whether it comes to an end over TLS: a handshake that fails, or a host that is not what it has to be."""
        demand = step.target.demand
        if mode is Mode.TLS_MISMATCH:  # nobody meets that without a demand
            return True
        if self._may_go_in_clear(mode) and demand.uses_tls and not step.clear:
            return True
        return not demand.allows_clear and self._proves is not None and not self._proves(step.target)


def _host_error(number: int, phase: Phase) -> Ended:
    return Ended(number, phase, host=Outcome(Result.DEFERRED, Scope.HOST, "", "", phase))
