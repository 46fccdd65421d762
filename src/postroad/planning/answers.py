"""What people ask of the reference set-ups, answered from the numbers of the simulation: no answer is known before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from postroad.models import Sender
from postroad.planning.goals import Goal, balance, dns_cost, numbers, silence, verdict
from postroad.planning.mix import Conditions, Forecasts, Mix, part_delivered, share
from postroad.planning.records import Machine, Records
from postroad.planning.scorecard import Scorecard
from postroad.planning.setups import SETUPS
from postroad.simulation import SENDERS, DnsOrder, Forecast
from postroad.words.faults import Mode
from postroad.words.phrasebook import counted, listing, percent

Cards = Mapping[str, Scorecard]

ASKED = ("t1", "t2", "t3", "t4", "t5", "t6")
NOTICED = Fraction(1, 100)  # of mail: what differs by less is alike
ROUGH = Fraction(1, 20)  # the same where figures are rounded


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question about the reference set-ups, and its answer: sentences."""

    question: str
    answer: tuple[str, ...]


def answer_all(known: Cards, view: Conditions) -> tuple[AnsweredQuestion, ...]:
    """Every question, answered for this mix of senders."""
    asked = {
        "Which set-up balances and fails over best, and why?": _best(known, view),
        "Does the second set-up, one name with two addresses, fail over?": _second(known, view),
        "Does the third set-up cost twice the DNS traffic of the first?": _third(known, view),
        "What do the order of answers, and caches, do to the balance?": _orders(known, view),
        "Do the backups of the fourth set-up, 20 c and 30 d, add fail-over?": _fourth(known, view),
        "Do several addresses behind each name spread the load further?": _sixth(known["t6"], view),
        "What does a sender do that uses the first MX record only?": _first_only(known),
        "What about several names for one address?": _names(known),
        "What does a filter service in front, by preference, change, and how does spam walk round it?": _filter(
            known["filter"], view
        ),
    }
    return tuple(AnsweredQuestion(question, tuple(answer)) for question, answer in asked.items())


def ranked(known: Cards) -> list[Scorecard]:
    """The set-ups of the questions, the best first: fail-over and balance decide, then DNS cost and simplicity."""
    goals = (Goal.FAILOVER, Goal.BALANCE, Goal.SIMPLICITY, Goal.DNS_COST)
    left, order = {name: known[name] for name in ASKED}, []
    while left:
        best = list(left)
        for goal in goals:
            best = list(verdict(goal, [left[name] for name in best]).best)
        order.append(left.pop(best[0]))
    return order


def _best(known: Cards, view: Conditions) -> Iterator[str]:
    first = ranked(known)[0]
    if not first.whole.delivered:
        yield "None: no mail of these senders gets through to the first choice."
    yield f"{first.name}, {SETUPS[first.name].title}: {balance(first)}; {numbers(Goal.FAILOVER, first)}."
    yield _who_draws(known, view)
    for name in ASKED:
        if name != first.name:
            yield f"{name}: {balance(known[name])}; {silence(known[name])} for a message that finds it silent; \
{dns_cost(known[name])}; {numbers(Goal.SIMPLICITY, known[name])}."


def _who_draws(known: Cards, view: Conditions) -> str:
    """Who of these senders chooses at random among equal records, as RFC 5321 section 5.1 demands, and how evenly."""
    records = known["t6"].records
    kinds: dict[_Draws, list[str]] = {each: [] for each in _Draws}
    for name, each in replace(view, dns_order=DnsOrder.FIXED).look(records).by.items():
        if each.hosts:
            kinds[_drawn(each, records)].append(name)
    if not kinds[_Draws.EVENLY] and not kinds[_Draws.UNEVENLY]:
        return "None of these senders draws among equal MX records: the order of DNS decides where mail goes."
    told = [f"{kind} by {view.mix.whom(names)}" for kind, names in kinds.items() if names]
    return f"Of three equal MX records, as in t6, the first is drawn (RFC 5321 section 5.1) {'; '.join(told)}."


class _Draws(StrEnum):
    """How a sender chooses among equals."""

    EVENLY = "evenly"
    UNEVENLY = "unevenly"
    NEVER = "not at all"


def _drawn(each: Forecast, records: Records) -> _Draws:
    """Whether a sender draws among equals when DNS never turns its answers: each name, or each machine, as often."""
    names = {place.exchange for place in records.places}
    by_name = {each.hosts.get(name, Fraction(0)) for name in names}
    by_machine = {share(each.first, machine) for machine in records.machines}
    if max(by_name) == 1:
        return _Draws.NEVER
    return _Draws.EVENLY if len(by_name) == 1 or len(by_machine) == 1 else _Draws.UNEVENLY


def _second(known: Cards, view: Conditions) -> Iterator[str]:
    second, first = known["t2"], known["t1"]
    with_refusal = _down(second, view, Mode.REFUSE)
    yield (
        f"{_yes(with_refusal.delivered)}: with its busiest address refusing, "
        f"{view.mix.percent(with_refusal.delivered)} of mail gets through at once{_stuck(with_refusal, view)}."
    )
    greeted, apart = (_down(card, view, Mode.G421) for card in (second, first))
    yield (
        f"With that address greeting with 421, {view.mix.told(greeted.delivered_by)} gets through at once; "
        f"in the first set-up {view.mix.told(apart.delivered_by)}."
    )
    saved = [
        name
        for name in view.mix.senders
        if part_delivered(apart.by[name]) - part_delivered(greeted.by[name]) >= NOTICED
    ]
    if saved:
        yield f"For {view.mix.whom(saved)} the addresses of one name are one exchanger: two names would save that mail."


def _third(known: Cards, view: Conditions) -> Iterator[str]:
    first, third = known["t1"], known["t3"]
    ratio = third.marks.octets / first.marks.octets if first.marks.octets else Fraction(0)
    more = third.marks.questions - first.marks.questions
    yield (
        f"{'Yes' if ratio >= 2 else 'No'}: {dns_cost(first)} for the first, {dns_cost(third)} for the third: "
        f"{_change(ratio - 1)} octets, {'more' if more > 0 else 'fewer' if more < 0 else 'as many'} questions."
    )
    kinds = {True: "Who asks for every exchanger", False: "Who asks only for those it contacts"}
    for eager, kind in kinds.items():
        names = [name for name, each in view.mix.senders.items() if each.asks.eager is eager]
        if names:
            one, two = (card.traffics[names[0]] for card in (first, third))
            yield (
                f"{kind} (such as {names[0]}): {float(one.questions):g} and {float(two.questions):g} questions, "
                f"{float(one.octets):.0f} and {float(two.octets):.0f} octets."
            )
    told = ", ".join(f"{name} {known[name].most_questions}" for name in ASKED)
    yield f"Through one cache, whatever the amount of mail, the zone is asked at most this often a TTL: {told}."


def _orders(known: Cards, view: Conditions) -> Iterator[str]:
    yield "The busiest machine's share of first contacts, by the order of DNS answers:"
    steady = []
    for name in ASKED:
        records, even = known[name].records, known[name].even
        loads = {order: view.load(records, order) for order in DnsOrder}
        told = ", ".join(f"{order} {view.mix.percent(load)}" for order, load in loads.items())
        yield f"{name}: {told} (even: {percent(even)})."
        if max(loads.values()) - min(loads.values()) < _notice(view):
            steady.append(name)
    if steady:
        yield f"The order of answers makes no difference to {listing(steady)}."
    yield (
        "Cached is the mean over all resolvers; each one keeps its order for the TTL, and all mail through it then "
        "goes as in a fixed order."
    )


def _fourth(known: Cards, view: Conditions) -> Iterator[str]:
    first, fourth = known["t1"], known["t4"]
    gain = fourth.marks.kept - first.marks.kept
    same = all(
        {each.addresses for each in old.stops} == {each.addresses for each in new.stops}
        for old, new in zip(first.survivals, fourth.survivals, strict=True)
    )
    adds = gain >= _notice(view) or not same
    yield (
        f"{'Yes' if adds else 'No'}: with one machine lost {view.mix.percent(fourth.marks.kept)} of mail gets through "
        f"at once, {'as' if gain == 0 else f'{view.mix.percent(first.marks.kept)}'} in the first set-up; "
        f"what stops all mail is {'the same' if same else 'not the same'}. "
        + " ".join(fate.text for fate in fourth.fates if fate.kind == "no-backup")
    )
    loads = [view.load(card.records, DnsOrder.ROTATE) for card in (first, fourth)]
    if loads[1] - loads[0] >= _notice(view):
        yield (
            f"Where DNS rotates they harm the balance: {view.mix.percent(loads[1])} of first contacts go to one "
            f"machine, in the first set-up {view.mix.percent(loads[0])}; a turn of the answer that begins with a "
            "backup has the same equal in front as the next."
        )
    yield f"They cost {dns_cost(fourth)}, the first set-up {dns_cost(first)}."


def _sixth(card: Scorecard, view: Conditions) -> Iterator[str]:
    even, machines = card.even, card.records.machines
    shares = {machine: card.whole.first(machine) for machine in machines}
    busiest, least = max(machines, key=shares.__getitem__), min(machines, key=shares.__getitem__)
    yield (
        f"{'Yes' if shares[busiest] - even < _notice(view) else 'Not evenly'}: {busiest} gets "
        f"{view.mix.percent(shares[busiest])} of first contacts, {least} {view.mix.percent(shares[least])}; an even "
        f"share is {percent(even)}."
    )
    flat = [name for name, each in card.whole.by.items() if _is_flat(each, machines, even)]
    yield f"It is even for {view.mix.whom(flat)}." if flat else "It is even for none of these senders."
    low = [machine for machine in machines if shares[machine] < even / 2]
    idle = [machine for machine in machines if not shares[machine]]
    if low:
        none = f", {len(idle)} of them nothing" if idle else ""
        yield f"{len(low)} of {len(machines)} machines get less than half an even share{none}."


def _first_only(known: Cards) -> Iterator[str]:
    one = _alone(SENDERS["first-mx-only"])
    for name in ("t1", "t2", "t3", "t5"):
        records = known[name].records
        fixed = one.look(records)
        top = max(records.machines, key=fixed.first)
        kept = [percent(one.look_without(records, [top], fixed, mode).delivered) for mode in (Mode.REFUSE, Mode.G421)]
        yield (
            f"{name}: {percent(fixed.first(top))} of first contacts on one machine in a fixed order, "
            f"{percent(one.load(records, DnsOrder.ROTATE))} where DNS rotates; with that machine refusing "
            f"{kept[0]} gets through at once, with a 421 greeting {kept[1]}."
        )


def _names(known: Cards) -> Iterator[str]:
    shared = {name: sum(len(machine.exchangers) > 1 for machine in known[name].records.machines) for name in ASKED}
    told = [f"{name} ({counted(count, 'machine')})" for name, count in shared.items() if count]
    if not told:
        yield "None of the set-ups has several names for one address."
        return
    yield (
        f"{listing(told)} have several names for one address. A receiver that wants the address of a client to lead "
        "to a name and back (Postfix: reject_unknown_client_hostname) accepts any name that leads back. But a "
        "reverse name is one record by custom: where the same machines also send, it must be the name they greet with."
    )


def _filter(card: Scorecard, view: Conditions) -> Iterator[str]:
    front, *own = card.records.machines
    told = listing(map(str, own))
    yield f"{view.mix.percent(card.whole.first(front))} of first contacts go to the filter, {front}."
    past = sum((card.lost[front].accepted(machine) for machine in own), Fraction(0))
    yield f"With the filter down {view.mix.percent(past)} of mail passes it by, unfiltered, to {told}."
    yield f"Senders that ignore preference go round it even while all is well: {'; '.join(_round(card, own))}."
    yield (
        "Preference is a request: it keeps nobody out. Take the own servers out of the records, or let them accept "
        "mail from the filter alone; then mail waits while the filter is down."
    )


def _round(card: Scorecard, own: Iterable[Machine]) -> Iterator[str]:
    """How much of the first contacts of senders that ignore preference misses the filter."""
    for name in ("highest-first", "node-sendmail"):
        looks = [
            replace(_alone(SENDERS[name]), dns_order=order).look(card.records)
            for order in (DnsOrder.FIXED, DnsOrder.ROTATE)
        ]
        fixed, turned = (percent(sum(map(look.first, own), Fraction(0))) for look in looks)
        yield f"{SENDERS[name].title} ({name}): {fixed} in a fixed order of DNS answers, {turned} where they rotate"


def _alone(sender: Sender) -> Conditions:
    return Conditions(Mix("", {sender.name: sender}, {sender.name: Fraction(1)}))


def _down(card: Scorecard, view: Conditions, mode: Mode) -> Forecasts:
    """The forecasts with the busiest machine misbehaving."""
    return view.look_without(card.records, [card.busiest] if card.busiest else [], card.whole, mode)


def _notice(view: Conditions) -> Fraction:
    """A difference that shows in the figures of the mix."""
    return ROUGH if view.mix.is_rough else NOTICED


def _yes(part: Fraction) -> str:
    """The answer to whether it fails over, by the part of mail for which it does."""
    if part == 1:
        return "Yes"
    return "No" if part < NOTICED else "Not for all mail"


def _stuck(looked: Forecasts, view: Conditions) -> str:
    """Whose mail does not all get through at once."""
    stuck = [name for name, each in looked.by.items() if part_delivered(each) < 1]
    return f"; some of {view.mix.whom(stuck)} does not" if stuck and len(stuck) < len(looked.by) else ""


def _change(part: Fraction) -> str:
    if not part:
        return "as many"
    return f"{percent(abs(part))} {'more' if part > 0 else 'fewer'}"


def _is_flat(each: Forecast, machines: Iterable[Machine], even: Fraction) -> bool:
    return all(share(each.first, machine) == even for machine in machines)
