"""Explains a route, a plan or an attempt in sentences, with the sections of the RFCs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from postroad.routing.order import Plan, odds
from postroad.routing.policy import EqualsPolicy, RoutePolicy
from postroad.routing.rules import Dropped, Level, Refusal, Route, Source
from postroad.words.names import Address, to_unicode
from postroad.words.outcome import Outcome, Phase, Result
from postroad.words.phrasebook import counted, listing, percent, seconds
from postroad.words.tls import TlsLevel, in_words
from postroad.words.trail import Attempt, Contact

_SOURCES = {
    Source.MX: "It has MX records; the lowest preference is tried first (RFC 5321 section 5.1).",
    Source.IMPLICIT: "It has no MX record, so its own addresses are used as if it were its only exchanger"
    " (RFC 5321 section 5.1).",
    Source.LITERAL: "It is an address literal: DNS is not asked (RFC 5321 section 4.1.3).",
    Source.STATIC: "A route in the settings names the hosts it goes to.",
}


def explain_route(answer: Route | Refusal, policy: RoutePolicy) -> list[str]:
    """Why mail for a destination goes where it goes, or nowhere: one sentence an item."""
    left_out = [_left_out(drop) for drop in answer.dropped]
    notes = [f"Note: {note.text}." for note in answer.notes]
    if isinstance(answer, Refusal):
        verdict = "retried later" if answer.result is Result.DEFERRED else "returned to its sender"
        return [f"No route: {answer.text}.", f"Mail is {verdict} ({answer.enhanced}).", *left_out, *notes]
    levels = [_level(level, place, policy) for place, level in enumerate(answer.levels)]
    return [
        _SOURCES[answer.source],
        *levels,
        *explain_demands(answer),
        *_first_contact(answer, policy),
        *left_out,
        *notes,
    ]


def explain_plan(plan: Plan, seed: int | None) -> list[str]:
    """One drawn order: which comes first, and that the draw can be had again."""
    if not plan.targets:
        return []
    order = ", then ".join(str(target) for target in plan.targets[:6])
    more = f", and {len(plan.targets) - 6} more" if len(plan.targets) > 6 else ""
    drawn = f"With seed {seed} the order is" if seed is not None else "The order is"
    return [f"{drawn} {order}{more}.", *(_left_out(drop) for drop in plan.dropped)]


def explain_attempt(attempt: Attempt, recipients: Sequence[str] = ()) -> list[str]:
    """The story of an attempt: each contact in its order, then what became of each recipient, and who said so.

    Without their names, recipients are called by their number.
    """
    names = recipients or [f"recipient {number}" for number in range(1, len(attempt.outcomes) + 1)]
    story = [sentence for place, contact in enumerate(attempt.contacts) for sentence in _contact(contact, place, names)]
    fates: dict[tuple[Outcome, str], list[int]] = {}
    for index, outcome in enumerate(attempt.outcomes):
        source = attempt.source_of(index)
        fates.setdefault((outcome, f"{source.target}: " if source else ""), []).append(index)
    if len(fates) == 1:
        return [*story, *(_end(*fate) for fate in fates)]
    return [*story, *(_end(*fate, _whom(indices, names)) for fate, indices in fates.items())]


def _level(level: Level, place: int, policy: RoutePolicy) -> str:
    names = [to_unicode(exchanger.name) for exchanger in level.exchangers]
    when = "First" if place == 0 else "Only after every address before it failed:"
    if len(names) == 1:
        return f"{when} preference {level.preference}: {names[0]}{_addresses(level)}."
    order = "drawn at random" if policy.equals is EqualsPolicy.RANDOM else "in the order DNS gave them"
    if len({exchanger.weight for exchanger in level.exchangers}) > 1 and policy.equals is EqualsPolicy.RANDOM:
        order += " by their weight"
    return f"{when} preference {level.preference}: {listing(names)}, equals, {order} ({policy.source})."


def _addresses(level: Level) -> str:
    count = sum(len(exchanger.addresses) for exchanger in level.exchangers)
    return f", {counted(count, 'address', 'es')} in the order given (RFC 5321 section 5.1)" if count > 1 else ""


def _first_contact(route: Route, policy: RoutePolicy) -> list[str]:
    by_address: dict[Address, Fraction] = {}
    for (_name, address), share in odds(route, policy).addresses.items():
        by_address[address] = by_address.get(address, Fraction(0)) + share
    shares = [f"{address} {percent(share)}" for address, share in by_address.items() if share]
    return [f"First contact: {', '.join(shares)}."] if shares else ["Nobody is contacted: mail waits (deferred)."]


def explain_demands(route: Route) -> Iterator[str]:
    """What a connection to each exchanger has to be, where that is anything but the usual."""
    for each in dict.fromkeys(each for level in route.levels for each in level.exchangers):
        if not each.demand.is_usual:
            yield f"TLS at {to_unicode(each.name)}: {in_words(each.demand)}."


def _left_out(drop: Dropped) -> str:
    name = to_unicode(drop.exchange) or "."
    where = f"{name} [{drop.address}]" if drop.address else name
    return f"Left out: {where} at preference {drop.preference}, {drop.text}."


def _contact(contact: Contact, place: int, names: Sequence[str]) -> Iterator[str]:
    """One contact: a sentence for each answer, with those it was for unless it was for all."""
    took = seconds((contact.ended_ms - contact.started_ms) / 1000)
    begun = f"{'First,' if place == 0 else 'Then'} {contact.target}"
    if contact.clear_again:
        begun += " again, without TLS,"
    if contact.is_unused:
        at = seconds(contact.started_ms / 1000)
        yield f"{begun} was contacted after {at} and closed unused: another greeted first."
    for outcome, indices in contact.answers.items():
        whom = f" for {_whom(indices, names)}" if 0 < len(indices) < len(names) else ""
        if contact.phase is Phase.POLICY:
            yield f"{begun} was passed over{whom}: {outcome.text}."
        elif outcome.result is Result.DELIVERED:
            how = f" ({contact.proof.how})" if contact.proof and contact.proof.level is TlsLevel.PROVEN else ""
            secured = f" over {contact.tls}{how}" if contact.tls else ""
            yield f"{begun} accepted it{whom}{secured} in {took}: {outcome.text}."
        else:
            phase = contact.phase_of(outcome)
            at = "" if phase is Phase.CONNECT else f" at {phase}"
            yield f"{begun} did not accept it{whom} ({outcome.result}{at}, {took}): {outcome.text}."
        begun = "It"


def _end(outcome: Outcome, source: str, whom: str = "") -> str:
    if outcome.result is Result.DELIVERED:
        return f"So it was delivered{f' to {whom}' if whom else ''}."
    ended = "failed" if outcome.result is Result.FAILED else "was deferred"
    return f"So it {ended}{f' for {whom}' if whom else ''}: {source}{outcome.text}."


def _whom(indices: Sequence[int], names: Sequence[str]) -> str:
    """Those recipients by their names, the first three of many."""
    return listing((names[index] if index < len(names) else f"recipient {index + 1}" for index in indices), 3)
