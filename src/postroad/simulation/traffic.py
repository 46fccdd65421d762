"""What records cost in DNS: questions and octets for one message, and what a cache leaves of them.

Octets are those of DNS messages with EDNS(0) and name compression, answer section only, without UDP or TCP headers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from postroad.senders.model import Asks
from postroad.simulation.nouns import Forecast
from postroad.simulation.records import places
from postroad.words.facts import Answer, Found, Mx, Snapshot


@dataclass(frozen=True, slots=True)
class Traffic:
    """The mean for one message with nothing cached. `kinds`: the questions there are, as name and type."""

    questions: Fraction
    asked: Fraction  # octets of the questions
    answered: Fraction  # octets of the answers
    kinds: frozenset[tuple[str, str]]

    @property
    def octets(self) -> Fraction:
        """Both ways."""
        return self.asked + self.answered


def traffic(forecast: Forecast, asks: Asks) -> Traffic:
    """The DNS traffic of a forecast, of a sender that asks so.

    Who does not ask for every exchanger asks for those it contacts: each counts by its chance to be first.
    """
    snapshot, questions = forecast.case.snapshot, forecast.questions
    domain = str(snapshot.domain)
    names = list(dict.fromkeys(place.exchange for place in places(snapshot)))
    counts: list[tuple[str, str, Fraction]] = [(domain, "MX", questions.mx)]
    for kind, count, of_domain in (("A", questions.a, asks.domain_a), ("AAAA", questions.aaaa, asks.domain_aaaa)):
        counts.append((domain, kind, min(Fraction(of_domain), count)))
        for name in names:
            part = Fraction(1, len(names)) if asks.eager else forecast.hosts.get(name, Fraction(0))
            counts.append((name, kind, part * max(count - of_domain, Fraction(0))))
    used = [each for each in counts if each[2]]
    asked = sum((count * len(_query(name, kind)) for name, kind, count in used), Fraction(0))
    answered = sum((count * len(_reply(name, kind, snapshot)) for name, kind, count in used), Fraction(0))
    return Traffic(questions.mean, asked, answered, frozenset((name, kind) for name, kind, _ in used))


def _query(name: str, kind: str) -> bytes:
    import dns.message  # noqa: PLC0415  # 60 ms of every start, for those who never ask

    return dns.message.make_query(name, kind, use_edns=0).to_wire()


def _reply(name: str, kind: str, snapshot: Snapshot) -> bytes:
    import dns.message  # noqa: PLC0415  # as above
    import dns.rrset  # noqa: PLC0415  # only who counts octets needs it

    answer = snapshot.mx if kind == "MX" else _addresses(name, kind, snapshot)
    reply = dns.message.make_response(dns.message.make_query(name, kind, use_edns=0), our_payload=1232)
    if isinstance(answer, Found):
        records = [_text(record) for record in answer.records]
        reply.answer.append(dns.rrset.from_text(f"{name}.", answer.ttl_s, "IN", kind, *records))
    return reply.to_wire(max_size=65535)


def _addresses(name: str, kind: str, snapshot: Snapshot) -> Answer[Any] | None:
    facts = snapshot.hosts.get(name)
    return None if facts is None else facts.a if kind == "A" else facts.aaaa


def _text(record: object) -> str:
    return f"{record.preference} {record.exchange}." if isinstance(record, Mx) else str(record)
