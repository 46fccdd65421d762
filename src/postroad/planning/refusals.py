"""Which exchangers are not used by senders that enforce what the domain publishes of TLS, and whose mail waits then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from postroad.planning.mix import Forecasts, Mix, part_delivered
from postroad.planning.records import Machine, Records
from postroad.planning.survival import Survival
from postroad.simulation import Forecast, Range, demands_of, unmet
from postroad.words.faults import Mode
from postroad.words.phrasebook import listing
from postroad.words.tls import Authority, Demand

MOST_LOST = 4  # machines that a sentence names


class RefusalCause(StrEnum):
    """Why an exchanger is not used by those who enforce what the domain publishes."""

    UNLISTED = "unlisted"  # by the MTA-STS policy
    UNANSWERED = "unanswered"  # its TLSA records cannot be looked up
    UNPROVEN = "unproven"  # its TLS proves less than it should
    TESTING = "testing"  # it would not be used if the policy were enforced


@dataclass(frozen=True, slots=True)
class ExchangerRefusal:
    """An exchanger that some senders do not use, their part of the mail, and the machines whose loss stops theirs.

    `stops` is empty where that differs among them, or nobody knows; `waits`: none of their mail gets through as it is.
    """

    exchange: str
    cause: RefusalCause
    senders: tuple[str, ...]
    part: Range
    stops: tuple[Machine, ...] = ()
    waits: bool = False

    def told(self, mix: Mix) -> str:
        """It in a sentence, with what it means for mail."""
        whom = f"{listing(self.senders)}{self._part(mix)}"
        if self.cause is RefusalCause.TESTING:
            pass_over = "pass it over" if len(self.senders) > 1 else "passes it over"
            return (
                f"The MTA-STS policy does not list {self.exchange}: it is in mode testing, and once it is enforced "
                f"{whom} {pass_over}."
            )
        verb = "pass" if len(self.senders) > 1 else "passes"
        return f"{self._why()} {whom} {verb} it over{self._so(len(self.senders) > 1)}."

    def _why(self) -> str:
        match self.cause:
            case RefusalCause.UNLISTED:
                return f"With {self.exchange} not listed in the MTA-STS policy,"
            case RefusalCause.UNANSWERED:
                return f"As the TLSA records of {self.exchange} cannot be looked up,"
            case _:
                return f"As {self.exchange} does not prove what is published for it,"

    def _part(self, mix: Mix) -> str:
        whole = f"the mix {mix.name}" if mix.name else "mail"
        return f" ({self.part} of {whole})" if self.part.high else ""

    def _so(self, are_several: bool) -> str:  # noqa: FBT001  # a number, for grammar
        mail = f"{'their' if are_several else 'its'} mail waits"
        if self.waits:
            return f", and {mail}"
        if not self.stops or len(self.stops) > MOST_LOST:
            return ""
        verb = {1: "fails", 2: "both fail"}.get(len(self.stops), "all fail")
        return f": if {listing(map(str, self.stops))} {verb}, {mail}"


def refusals(
    records: Records, mix: Mix, whole: Forecasts, survivals: Sequence[Survival]
) -> tuple[ExchangerRefusal, ...]:
    """Each exchanger that some sender does not use for what the domain publishes of TLS, best preference first."""
    if records.snapshot.published is None:
        return ()
    demands = {name: demands_of(records.snapshot, each) for name, each in mix.senders.items()}
    by: dict[tuple[str, RefusalCause], list[str]] = {}
    for exchange in dict.fromkeys(place.exchange for place in records.places):
        for name, demanded in demands.items():
            cause = _cause(records, exchange, demanded, whole.by[name])
            if cause:
                by.setdefault((exchange, cause), []).append(name)
    stops = {each.sender: each.stops for each in survivals}
    return tuple(
        ExchangerRefusal(
            exchange,
            cause,
            tuple(names),
            mix.range(dict.fromkeys(names, Fraction(1))),
            tuple(_common(records, names, stops)),
            not any(part_delivered(whole.by[name]) for name in names),
        )
        for (exchange, cause), names in by.items()
    )


def _cause(records: Records, exchange: str, demands: Mapping[str, Demand], forecast: Forecast) -> RefusalCause | None:
    demand = demands.get(exchange)
    if demand is None:
        return None
    if demand.missed:
        return RefusalCause.UNLISTED if demand.by is Authority.MTA_STS else RefusalCause.UNANSWERED
    addresses = [place.address for place in records.places if place.exchange == exchange]
    down, failing = forecast.case.down, unmet(demand)
    if all(down.get(each, Mode.ACCEPT) in failing for each in addresses):
        return RefusalCause.UNPROVEN
    return RefusalCause.TESTING if demand.watched and demand.watched.missed else None


def _common(records: Records, names: Sequence[str], stops: Mapping[str, frozenset[Machine]]) -> Iterator[Machine]:
    """What stops the mail of all of them, where that is the same."""
    known = {stops.get(name, frozenset[Machine]()) for name in names}
    if len(known) == 1:
        yield from (machine for machine in records.machines if machine in next(iter(known)))
