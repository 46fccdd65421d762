"""How one set of records does for a crowd of senders: the numbers behind every verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from postroad.planning.crowd import Outlook, View
from postroad.planning.fates import Fate, fates
from postroad.planning.records import Line, Server, lines, servers
from postroad.planning.survival import Loss, Survival, losses, survive
from postroad.planning.traffic import Traffic, traffic
from postroad.words.facts import Snapshot
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.outcome import Result


@dataclass(frozen=True, slots=True)
class Row:
    """One sender: first contacts on its busiest server, and mail that gets through whichever one server refuses."""

    busiest: Fraction
    kept: Fraction
    questions: Fraction


@dataclass(frozen=True, slots=True)
class Standing:
    """A snapshot and what is known of it. `lost`: the outlook with each server lost alone, refusing connections.

    `silent`: the outlook with the busiest server swallowing packets, the worst a dead server does to senders that wait.
    """

    name: str
    snapshot: Snapshot
    servers: tuple[Server, ...]
    whole: Outlook
    lost: dict[Address, Outlook] = field(default_factory=dict)
    silent: Outlook | None = None
    survivals: tuple[Survival, ...] = ()
    losses: tuple[Loss, ...] = ()
    traffics: dict[str, Traffic] = field(default_factory=dict)
    weights: dict[str, Fraction] = field(default_factory=dict)
    fates: tuple[Fate, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def busiest(self) -> Server | None:
        """The server that most of the mail contacts first."""
        return max(self.servers, key=lambda server: self.whole.first(server.address), default=None)

    @property
    def load(self) -> Fraction:
        """The busiest server's part of first contacts."""
        return self.whole.first(self.busiest.address) if self.busiest else Fraction(0)

    @property
    def tilt(self) -> Fraction:
        """The busiest server's load as a multiple of an even share: 1 is even."""
        return self.load * len(self.servers)

    @property
    def worst(self) -> Address | None:
        """The server whose loss costs most."""
        return min(self.lost, key=lambda address: self.lost[address].delivered, default=None)

    @property
    def kept(self) -> Fraction:
        """The part of mail that gets through at once whichever server refuses."""
        return self.lost[self.worst].delivered if self.worst else Fraction(0)

    @property
    def wait_s(self) -> float:
        """The mean time of an attempt, in seconds, with the busiest server silent."""
        return self.silent.mix.delay_mean_s if self.silent else 0.0

    @property
    def questions(self) -> Fraction:
        """DNS questions for one message, the mean of the mix."""
        return sum(
            (self.weights.get(name, Fraction(0)) * each.questions for name, each in self.traffics.items()), Fraction(0)
        )

    @property
    def octets(self) -> Fraction:
        """Octets of DNS for one message, both ways, the mean of the mix."""
        return sum(
            (self.weights.get(name, Fraction(0)) * each.octets for name, each in self.traffics.items()), Fraction(0)
        )

    @property
    def most_questions(self) -> int:
        """Questions that reach the zone in one TTL through one cache, however much mail there is."""
        return len(frozenset[tuple[str, str]]().union(*(each.kinds for each in self.traffics.values())))

    @property
    def shared(self) -> int:
        """Servers that stand behind more than one name: each name needs a reverse name of its own."""
        return sum(1 for server in self.servers if len(server.exchangers) > 1)

    def by_sender(self) -> dict[str, Row]:
        """The same numbers for each sender alone."""
        none = Fraction(0)
        return {
            name: Row(
                max(each.first.values(), default=none),
                min((lost.by[name].outcome.get(Result.DELIVERED, none) for lost in self.lost.values()), default=none),
                self.traffics[name].questions,
            )
            for name, each in self.whole.by.items()
        }


def measure(name: str, snapshot: Snapshot, view: View, *, examples: int = 0) -> Standing:
    """Everything about a snapshot; what no sender can use has forecasts that say so, and nothing else."""
    whole = view.look(snapshot, examples=examples)
    found = Standing(name, snapshot, servers(snapshot), whole, fates=fates(snapshot), lines=lines(snapshot))
    lost = view.each_lost(snapshot, whole)
    survivals = tuple(survive(sender, snapshot, view.foresee(snapshot, sender)) for sender in whole.by)
    busiest = found.busiest
    return Standing(
        name,
        snapshot,
        found.servers,
        whole,
        dict(lost),
        view.look(snapshot, {busiest.address: Mode.BLACKHOLE}, examples=examples) if busiest else None,
        survivals,
        losses(survivals, view.crowd.weights),
        {sender: traffic(each, view.crowd.senders[sender].asks) for sender, each in whole.by.items()},
        dict(view.crowd.weights),
        found.fates,
        found.lines,
    )
