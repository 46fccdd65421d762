"""The DNS cost of records: questions and octets for one message, and what remains with a cache.

Octets are those of DNS messages with EDNS(0) and name compression, answer section only, without UDP or TCP headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from postroad.models import Asks
from postroad.planning.records import Records
from postroad.simulation import Forecast, sum_of_products
from postroad.words.facts import Answer, Found, HostFacts, Mx, NoData

# Octets: of a header, of type and class of a question, of EDNS(0), and of a record besides its data: a pointer to the
# name, type, class, TTL and length
HEADER, QUESTION, EDNS, RECORD = 12, 4, 11, 12
POINTER = 2  # to a name that was there before
DATA = {"A": 4, "AAAA": 16}
_NOBODY = HostFacts(NoData(), NoData())

Question = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Traffic:
    """The mean for one message with nothing cached. `kinds`: the questions there are, as name and type."""

    questions: Fraction
    octets: Fraction  # both ways
    kinds: frozenset[Question]


@dataclass(frozen=True, slots=True)
class Tariff:
    """What each question about a set of records costs, in octets both ways."""

    domain: str
    octets: Mapping[Question, int]

    @classmethod
    def of(cls, records: Records) -> Tariff:
        """The costs of all questions there may be."""
        snapshot, domain = records.snapshot, str(records.snapshot.domain)
        octets = {(domain, "MX"): _octets(domain, "MX", snapshot.mx)}
        targets = (each.exchange for each in snapshot.mx.records) if isinstance(snapshot.mx, Found) else ()
        for name in dict.fromkeys((domain, *targets)):
            facts = snapshot.hosts.get(name, _NOBODY)
            octets |= {(name, "A"): _octets(name, "A", facts.a), (name, "AAAA"): _octets(name, "AAAA", facts.aaaa)}
        return cls(domain, octets)

    def traffic(self, forecast: Forecast, asks: Asks) -> Traffic:
        """The DNS traffic of a forecast, of a sender that asks so.

        Who does not ask for every exchanger asks for those it contacts: in octets each counts by its chance to be
        first. Sooner or later there is a question for each.
        """
        questions, names = forecast.questions, forecast.asked
        counts: dict[Question, Fraction] = {(self.domain, "MX"): questions.mx}
        even = dict.fromkeys(names, Fraction(1, len(names) or 1))
        parts = even if asks.eager or not forecast.hosts else forecast.hosts
        kinds = {(self.domain, "MX")}
        for kind, count, of_domain in (("A", questions.a, asks.domain_a), ("AAAA", questions.aaaa, asks.domain_aaaa)):
            rest = max(count - of_domain, Fraction(0))
            for name in names if rest else ():
                counts[name, kind] = parts.get(name, Fraction(0)) * rest
                kinds.add((name, kind))
            if own := min(Fraction(of_domain), count):
                counts[self.domain, kind] = counts.get((self.domain, kind), Fraction(0)) + own
                kinds.add((self.domain, kind))
        octets = sum_of_products((count, self.octets[question]) for question, count in counts.items())
        return Traffic(questions.mean, octets, frozenset(kinds))


def _octets(name: str, kind: str, answer: Answer[Any]) -> int:
    """A question and its answer."""
    asked = HEADER + _length(name) + QUESTION + EDNS
    if not isinstance(answer, Found):
        return 2 * asked
    if kind != "MX":
        return 2 * asked + len(answer.records) * (RECORD + DATA[kind])
    seen = set(_suffixes(name))
    return 2 * asked + sum(RECORD + 2 + _compressed(record, seen) for record in answer.records)


def _compressed(record: Mx, seen: set[str]) -> int:
    """The octets of an exchange, as far as no earlier name ends alike."""
    octets = 0
    for suffix in _suffixes(record.exchange):
        if suffix in seen:
            return octets + POINTER
        seen.add(suffix)
        octets += 1 + len(suffix.partition(".")[0])
    return octets + 1


def _suffixes(name: str) -> list[str]:
    labels = name.split(".") if name else []
    return [".".join(labels[start:]) for start in range(len(labels))]


def _length(name: str) -> int:
    return len(name) + 2 if name else 1
