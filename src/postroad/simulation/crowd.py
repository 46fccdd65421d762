"""Several senders asked together: the forecast of each, of their mix, and with each server lost in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from postroad.senders.model import Sender
from postroad.simulation.nouns import Blend, Case, DnsOrder, Forecast
from postroad.simulation.records import servers
from postroad.simulation.shares import blend, forecast
from postroad.simulation.survival import Foresee
from postroad.words.facts import Snapshot
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.outcome import Result

MANY = 16  # servers that are asked about one by one; of more, one of each kind speaks for its like

NOBODY: Mapping[Address, Mode] = {}


@dataclass(frozen=True, slots=True)
class Crowd:
    """A mix of senders: `weights` say what part of the mail each sends and sum to one."""

    mix: str
    senders: Mapping[str, Sender]
    weights: Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Outlook:
    """One snapshot under one set of faults: the forecast of each sender, and of all together by their weights."""

    by: Mapping[str, Forecast]
    mix: Blend

    def rows(self, mix: str) -> Mapping[str, Forecast]:
        """The forecasts by sender, and last that of the mix under its name, if it has one."""
        if not mix:
            return self.by
        one, blended = next(iter(self.by.values())), self.mix
        whole = Forecast(
            replace(one.case, sender=mix),
            blended.first,
            blended.accepted,
            blended.hosts,
            blended.outcome,
            blended.attempts_mean,
            blended.attempts_max,
            blended.delay_mean_s,
            blended.delay_worst_s,
            blended.questions,
        )
        return {**self.by, mix: whole}

    @property
    def delivered(self) -> Fraction:
        """The part of all mail that gets through in the first attempt."""
        return self.mix.outcome.get(Result.DELIVERED, Fraction(0))

    def first(self, address: Address) -> Fraction:
        """The part of all first contacts that go to an address."""
        return self.mix.first.get(address, Fraction(0))


@dataclass(frozen=True, slots=True)
class View:
    """How a crowd is asked: in which order DNS answers, and what is down from the start."""

    crowd: Crowd
    dns_order: DnsOrder = DnsOrder.FIXED
    down: Mapping[Address, Mode] = field(default_factory=dict)

    def look(self, snapshot: Snapshot, lost: Mapping[Address, Mode] = NOBODY, *, examples: int = 0) -> Outlook:
        """The outlook with some more servers down."""
        down = {**self.down, **lost}
        by = {
            name: forecast(Case(snapshot, name, self.dns_order, down), sender, examples=examples)
            for name, sender in self.crowd.senders.items()
        }
        return Outlook(by, blend({name: by[name] for name in self.crowd.weights}, self.crowd.weights))

    def foresee(self, snapshot: Snapshot, name: str, mode: Mode = Mode.REFUSE) -> Foresee:
        """One sender's forecast with any servers lost; what was worked out once is kept."""
        known: dict[frozenset[Address], Forecast] = {}
        up = {server.address for server in servers(snapshot)}.difference(self.down)

        def ask(lost: frozenset[Address]) -> Forecast:
            if lost not in known:
                case = Case(snapshot, name, self.dns_order, {**self.down, **dict.fromkeys(lost, mode)})
                known[lost] = forecast(case, self.crowd.senders[name], examples=int(lost >= up))
            return known[lost]

        return ask

    def each_lost(self, snapshot: Snapshot, whole: Outlook, mode: Mode = Mode.REFUSE) -> Mapping[Address, Outlook]:
        """The outlook with each server lost besides what is down. Of many, those alike in the whole share theirs."""
        known = [server for server in servers(snapshot) if server.address not in self.down]
        kinds = {server.address: _kind(server.address, server.preference, whole, len(known)) for server in known}
        speakers = {kind: address for address, kind in reversed(kinds.items())}
        asked = {kind: self.look(snapshot, {address: mode}) for kind, address in speakers.items()}
        return {address: asked[kind] for address, kind in kinds.items()}


def _kind(address: Address, preference: int, whole: Outlook, count: int) -> object:
    if count <= MANY:
        return address
    shares = tuple((each.first.get(address, 0), each.accepted.get(address, 0)) for each in whole.by.values())
    return preference, address.version, shares
