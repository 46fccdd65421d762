"""What our own sender does (part of `simulation`): what `routing` draws, walked by `routing.Walk`. Not a model.

Rule 1: nothing here says what a sender of ours does. It asks `routing`, the same code that delivers.
Rule 2: nobody waits: a clock that jumps from event to event takes the place of time.

Stops: `rehearsal` (one attempt among faulty exchangers), `hosts` (what chance decides of: turns, and hosts that are
alike), `graph` (a plan drawn while it is walked), `open` (one that meets what is there at the time), `planned` (the
same along a plan drawn beforehand), `sums` (the figures of all ways), `ways` (single ones).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import islice

from postroad.models import SENDERS
from postroad.routing import PROCEDURES, EqualsPolicy, Plan, Refusal, Route, RoutePolicy, WalkPolicy, decide
from postroad.simulation.case import Case, DeliveryWaits, DnsOrder, Example, Shares, Step
from postroad.simulation.enforcing import demands_of
from postroad.simulation.own.graph import Graph, OwnTerms, asked
from postroad.simulation.own.hosts import Draws, draws_of
from postroad.simulation.own.rehearsal import Proves, Rehearsal
from postroad.simulation.own.sums import Adding, Effort, Sums, spread
from postroad.simulation.own.ways import Way, as_planned, first_of_each, ways
from postroad.words.facts import Found
from postroad.words.faults import Fault, Mode
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot
from postroad.words.trail import Attempt, Target

__all__ = ["Foreseen", "OwnSender", "Rehearsal", "Way", "every_example", "foresee", "names_of", "usual"]

CONNECT_TIMEOUT_S, GREETING_TIMEOUT_S = 30.0, 300.0  # `smtp.Timeouts`


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The figures of all ways: chances are fractions. `sampled`: they are of a part of the turns."""

    first: Mapping[Target, Fraction]
    accepted: Mapping[Target, Fraction]
    outcome: Mapping[Result, Fraction]
    attempts_mean: Fraction
    attempts_max: int
    delay_mean_s: float
    delay_worst_s: float
    sampled: bool
    taken: DeliveryWaits | None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnSender:
    """Our own sender among faulty exchangers, as the relay is set up unless told otherwise.

    `turns`: it uses the addresses of a host in turn, as the relay does; a single message sent from a command line has
    them as they come.
    """

    faults: Mapping[Address, Fault] = field(default_factory=dict)
    policy: RoutePolicy = PROCEDURES["rfc5321"]
    walk: WalkPolicy = field(default_factory=WalkPolicy)
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    greeting_timeout_s: float = GREETING_TIMEOUT_S
    tls: bool = True
    proves: Proves | None = None
    turns: bool = True
    recipients: int = 1

    def foresee(self, route: Route, order: DnsOrder) -> Foreseen:
        """What becomes of an attempt, exactly: every order that may be drawn, walked."""
        sums, terms = Sums(), self.terms
        draws = self._draws(route, order, terms, alike=self.policy.equals is EqualsPolicy.RANDOM)
        effort = Effort(len(draws.draws))
        for draw in draws.draws:
            Adding(Graph(draw, draws.tangled, terms, merges=True), draw.chance, sums, effort).run()
        return Foreseen(
            Shares(partial(spread, sums.first)),
            Shares(partial(spread, sums.accepted)),
            sums.outcome,
            sums.attempts,
            sums.attempts_max,
            sums.delay_s,
            sums.worst_s,
            draws.sampled or sums.sampled,
            sums.taken,
        )

    def ways(self, route: Route, order: DnsOrder = DnsOrder.FIXED) -> Iterator[Way]:
        """All ways, each with its chance. There are factorially many: for small routes."""
        for graph, chance in self._graphs(route, order):
            yield from ways(graph, chance)

    def some_ways(self, route: Route, order: DnsOrder, number: int) -> tuple[Way, ...]:
        """A few ways that begin differently, each going on with the first that may come."""
        found: dict[tuple[Target, ...], Way] = {}
        for graph, chance in self._graphs(route, order):
            for way in islice(ways(graph, chance, first_of_each), number):
                targets = tuple(contact.target for contact in way.contacts)
                known = found.get(targets)
                found[targets] = replace(way, chance=way.chance + (known.chance if known else 0))
        return tuple(sorted(found.values(), key=lambda way: -way.chance)[:number])

    def rehearse(self, route: Route | Refusal, plan: Plan) -> Attempt:
        """The attempt that follows a plan."""
        if isinstance(route, Refusal):
            return route.attempt(self.recipients)
        return self.terms.rehearsal.attempt(route.destination, plan, self.recipients, None)

    def foretell(self, route: Route | Refusal, plan: Plan) -> Attempt:
        """The way among all that are forecast which a plan takes: the same attempt, if the forecast is right."""
        if isinstance(route, Refusal):
            return route.attempt(self.recipients)
        graph, _chance = next(self._graphs(route, DnsOrder.FIXED))
        way = next(ways(graph, Fraction(1), as_planned(plan)))
        return Attempt(route.destination, way.outcomes, way.contacts, None, way.took_s * 1000.0)

    def _graphs(self, route: Route, order: DnsOrder) -> Iterator[tuple[Graph, Fraction]]:
        terms = self.terms
        draws = self._draws(route, order, terms, alike=False)
        yield from ((Graph(draw, draws.tangled, terms, merges=False), draw.chance) for draw in draws.draws)

    def _draws(self, route: Route, order: DnsOrder, terms: OwnTerms, *, alike: bool) -> Draws:
        return draws_of(route, terms.rehearsal, order, limit=self.policy.limit, turns=self.turns, alike=alike)

    @property
    def terms(self) -> OwnTerms:
        """What decides where its mail goes."""
        rehearsal = Rehearsal(
            self.faults,
            self.walk,
            connect_timeout_s=self.connect_timeout_s,
            greeting_timeout_s=self.greeting_timeout_s,
            tls=self.tls,
            proves=self.proves,
        )
        return OwnTerms(self.policy, rehearsal, self.recipients)


def foresee(case: Case, examples: int) -> Foreseen | Refusal:
    """The figures of a case, as the relay is set up, with a few examples; or why there is no way."""
    own, route = _of_case(case)
    if isinstance(route, Refusal):
        return route
    some = own.some_ways(route, case.dns_order, examples) if examples else ()
    return replace(own.foresee(route, case.dns_order), examples=tuple(_example(way, case) for way in some))


def every_example(case: Case) -> Iterator[Example]:
    """All ways of a case, each with its chance."""
    own, route = _of_case(case)
    if isinstance(route, Refusal):
        yield Example(Fraction(1), (), route.result)
    else:
        yield from (_example(way, case) for way in own.ways(route, case.dns_order))


def names_of(snapshot: Snapshot) -> frozenset[str]:
    """The names that are asked for their addresses, dead ones too."""
    if isinstance(snapshot.mx, Found):
        return frozenset(snapshot.hosts.keys() & {record.exchange for record in snapshot.mx.records})
    return frozenset(snapshot.hosts.keys() & {str(snapshot.domain)})


def _of_case(case: Case) -> tuple[OwnSender, Route | Refusal]:
    own, route = usual(case.snapshot)
    return replace(own, faults={address: Fault(mode) for address, mode in case.down.items()}), route


def usual(snapshot: Snapshot) -> tuple[OwnSender, Route | Refusal]:
    """Our sender as the relay is set up, and its way to a domain."""
    own = OwnSender()
    return own, decide(snapshot, own.policy, demands=demands_of(snapshot, SENDERS["postroad"]))


def _example(way: Way, case: Case) -> Example:
    steps = (
        Step(
            contact.target.exchange,
            contact.target.address,
            contact.target.preference,
            case.down.get(contact.target.address, Mode.ACCEPT),
            contact.started_ms / 1000,
            (contact.ended_ms - contact.started_ms) / 1000,
        )
        for contact in asked(way.contacts)
    )
    return Example(way.chance, tuple(steps), max((each.result for each in way.outcomes), key=list(Result).index))
