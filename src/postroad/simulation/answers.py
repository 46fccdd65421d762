"""What the documents ask of their set-ups, answered with the numbers of the simulation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from postroad.senders import SENDERS
from postroad.simulation.compare import Goal, numbers, whom
from postroad.simulation.crowd import View
from postroad.simulation.nouns import Case, DnsOrder, Forecast
from postroad.simulation.phrases import listing, named, percent, seconds
from postroad.simulation.records import Server
from postroad.simulation.setups import SETUPS
from postroad.simulation.shares import forecast
from postroad.simulation.standing import Standing
from postroad.simulation.traffic import Traffic, traffic
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.outcome import Result

Standings = Mapping[str, Standing]

DOCUMENTS = ("t1", "t2", "t3", "t4", "t5", "t6")


@dataclass(frozen=True, slots=True)
class Answered:
    """A question of the documents, and its answer: sentences."""

    question: str
    answer: tuple[str, ...]


def answers(known: Standings, view: View) -> tuple[Answered, ...]:
    """Every question of the documents, answered for this crowd of senders."""
    asked = {
        "Which set-up balances and fails over best, and why?": _best(known),
        "Does the second set-up, one name with two addresses, fail over?": _second(known, view),
        "Does the third set-up cost twice the DNS traffic of the first?": _third(known),
        "What do the order of answers, and caches, do to the balance?": _orders(known, view),
        "Do the backups of the fourth set-up, 20 c and 30 d, add fail-over?": _fourth(known, view),
        "Do several addresses behind each name spread the load further?": _sixth(known["t6"], view),
        "What does a sender do that uses the first MX record only?": _first_only(known),
        "What about several names for one address?": _names(known),
        "What does a filter service in front, by preference, change, and how does spam walk round it?": _filter(
            known["filter"]
        ),
    }
    return tuple(Answered(question, tuple(answer)) for question, answer in asked.items())


def ranked(known: Standings) -> list[Standing]:
    """The documents' set-ups, the best first: fail-over and balance decide, then DNS cost and simplicity."""
    return sorted((known[name] for name in DOCUMENTS), key=_rank)


def _rank(standing: Standing) -> tuple[float, ...]:
    """Whole per cents of fail-over, tenths of an even share: finer differences are the mix's, not the records'."""
    kept, tilt = round(float(standing.kept), 2), round(float(standing.tilt), 1)
    return (-kept, tilt, standing.shared, float(standing.octets))


def _best(known: Standings) -> Iterator[str]:
    first = ranked(known)[0]
    yield f"{first.name}, {SETUPS[first.name].title}: {numbers(Goal.BALANCE, first)}; {numbers(Goal.FAILOVER, first)}."
    yield (
        "A random choice among equal MX records is every sender's duty (RFC 5321 section 5.1), and most keep it. The "
        "addresses of one name are tried in the order given, so balance behind a name is left to DNS and its caches."
    )
    for name in DOCUMENTS:
        if name != first.name:
            yield f"{name}: {_against(known[name])}."


def _against(standing: Standing) -> str:
    """What to hold against a set-up, in numbers."""
    even = percent(Fraction(1, len(standing.servers)))
    shared = f", {named(standing.shared, 'server')} with several names" if standing.shared else ""
    return (
        f"{percent(standing.load)} of first contacts on the busiest server (even: {even}), {seconds(standing.wait_s)} "
        f"with it silent, {float(standing.octets):.0f} octets of DNS a message, "
        f"{named(len(standing.lines), 'record')}{shared}"
    )


def _second(known: Standings, view: View) -> Iterator[str]:
    standing = known["t2"]
    busiest = _busiest(standing).address
    refused = standing.lost[busiest]
    yield (
        f"Yes: with its first address refusing, {percent(refused.delivered)} of mail gets through at once over the "
        "second, for every address of a host is to be tried (RFC 5321 section 5.1)."
    )
    stuck = _stuck(refused.by)
    if stuck:
        yield f"No for {whom(stuck, view)}: their mail waits for the next attempt."
    greeted = view.look(standing.snapshot, {busiest: Mode.G421})
    apart = view.look(known["t1"].snapshot, {_busiest(known["t1"]).address: Mode.G421})
    stopped = [name for name in _stuck(greeted.by) if name not in _stuck(apart.by)]
    yield (
        f"With its first address greeting with 421, {percent(greeted.delivered)} gets through at once; of the first "
        f"set-up {percent(apart.delivered)}."
    )
    if stopped:
        yield f"To {whom(stopped, view)} the addresses of one name are one exchanger: two names would save that mail."


def _third(known: Standings) -> Iterator[str]:
    first, third = known["t1"], known["t3"]
    yield (
        f"No: {float(first.questions):.1f} questions a message for the first and {float(third.questions):.1f} for the "
        f"third, and {float(first.octets):.0f} and {float(third.octets):.0f} octets: "
        f"{percent(third.octets / first.octets - 1)} more. It is names that are asked for, and both have two; each "
        "further address is 16 octets in an answer."
    )
    for name, kind in (
        ("postfix", "Who asks for every exchanger"),
        ("chasquid", "Who asks only for those it contacts"),
    ):
        one, two = (_cost(each, name) for each in (first, third))
        yield (
            f"{kind} ({name}): {float(one.questions):g} and {float(two.questions):g} questions, "
            f"{float(one.octets):.0f} and {float(two.octets):.0f} octets."
        )
    told = ", ".join(f"{name} {known[name].most_questions}" for name in DOCUMENTS)
    yield f"Through one cache, whatever the amount of mail, the zone is asked at most this often a TTL: {told}."


def _cost(standing: Standing, name: str) -> Traffic:
    sender = SENDERS[name]
    return traffic(forecast(Case(standing.snapshot, name), sender, examples=0), sender.asks)


def _orders(known: Standings, view: View) -> Iterator[str]:
    yield (
        "The busiest server's part of first contacts, by the order of DNS answers. Cached: over all resolvers; each "
        "one keeps its order for the TTL, and all mail through it then goes as in a fixed order."
    )
    for name in DOCUMENTS:
        standing = known[name]
        loads = {order: replace(view, dns_order=order).look(standing.snapshot) for order in DnsOrder}
        told = ", ".join(
            f"{order} {percent(max(loads[order].mix.first.values(), default=Fraction(0)))}" for order in DnsOrder
        )
        yield f"{name}: {told} (even: {percent(Fraction(1, len(standing.servers)))})."
    yield "Only between names do senders draw themselves: t1 needs no help of DNS; t2 balances no better than DNS does."


def _fourth(known: Standings, view: View) -> Iterator[str]:
    first, fourth = known["t1"], known["t4"]
    same = all(old.stops == new.stops for old, new in zip(first.survivals, fourth.survivals, strict=True))
    yield (
        f"No: what stops all mail is {'the same as' if same else 'not the same as'} in the first set-up. "
        + " ".join(fate.text for fate in fourth.fates if fate.kind == "no-backup")
    )
    rotated = replace(view, dns_order=DnsOrder.ROTATE).look(fourth.snapshot)
    load = max(rotated.mix.first.values(), default=Fraction(0))
    if load > Fraction(51, 100):
        yield (
            "They harm the balance where DNS rotates: of the four turns three have a before b, and "
            f"{percent(load)} of first contacts go to a."
        )
    yield (
        f"They cost {float(fourth.questions):.1f} questions a message instead of {float(first.questions):.1f}, and "
        "senders that do not notice contact each dead server twice."
    )


def _sixth(standing: Standing, view: View) -> Iterator[str]:
    alone = standing.servers[-1]
    yield (
        "Not as the number of servers suggests: each name has the same chance, whatever stands behind it. "
        f"{alone} alone gets {percent(standing.whole.first(alone.address))} of first contacts, where even is "
        f"{percent(Fraction(1, len(standing.servers)))}."
    )
    even = Fraction(1, len(standing.servers))
    flat = [name for name, each in standing.whole.by.items() if set(each.first.values()) == {even}]
    if flat:
        yield f"Even only for {whom(flat, view)}."
    idle = [
        server for server in standing.servers if not any(_gets(each, server) for each in standing.whole.by.values())
    ]
    fixed = [server for server in standing.servers if standing.whole.first(server.address) < even / 2]
    yield (
        f"{len(fixed)} of {len(standing.servers)} servers get less than half an even share"
        f"{f', {len(idle)} nothing' if idle else ''}: the later ones in an answer wait for the earlier to fail."
    )


def _first_only(known: Standings) -> Iterator[str]:
    sender = SENDERS["first-mx-only"]
    for name in ("t1", "t2", "t3", "t5"):
        snapshot = known[name].snapshot
        fixed = forecast(Case(snapshot, sender.name), sender, examples=0)
        turned = forecast(Case(snapshot, sender.name, DnsOrder.ROTATE), sender, examples=0)
        top = max(fixed.first, key=lambda address: fixed.first[address])
        down = {mode: _gets_through(_first_only_with(known[name], top, mode)) for mode in (Mode.REFUSE, Mode.G421)}
        yield (
            f"{name}: {percent(fixed.first[top])} of first contacts on one server in a fixed order, "
            f"{percent(max(turned.first.values()))} where DNS rotates; with that server refusing "
            f"{percent(down[Mode.REFUSE])} gets through at once, with a 421 greeting {percent(down[Mode.G421])}."
        )


def _first_only_with(standing: Standing, address: Address, mode: Mode) -> Forecast:
    """The sender that uses the first MX record only, with one server down."""
    sender = SENDERS["first-mx-only"]
    return forecast(Case(standing.snapshot, sender.name, down={address: mode}), sender, examples=0)


def _names(known: Standings) -> Iterator[str]:
    shared = [f"{name} ({known[name].shared} servers)" for name in DOCUMENTS if known[name].shared]
    yield (
        f"{listing(shared)} have several names for one address. A receiver that wants the address of a client to lead "
        "to a name and back (Postfix: reject_unknown_client_hostname) is content with any name that leads back. But a "
        "reverse name is one record by custom: where the same machines also send, it must be the name they greet with."
    )


def _filter(standing: Standing) -> Iterator[str]:
    front = standing.servers[0]
    own = [server for server in standing.servers if server.preference > front.preference]
    yield (
        f"{percent(standing.whole.first(front.address))} of honest mail goes to the filter first; the balance between "
        "the domain's own servers is the filter's business from then on."
    )
    lost = standing.lost[front.address]
    past = sum((lost.mix.accepted.get(server.address, Fraction(0)) for server in own), Fraction(0))
    yield (
        f"With the filter down {percent(past)} of mail passes it by, unfiltered, to "
        f"{listing(str(each) for each in own)}: fail-over is what the preference asks for."
    )
    yield f"Spam walks round it while all is well: {'; '.join(_round(standing, own))}."
    yield (
        "Preference asks, it does not keep out. Take the own servers out of the records, or let them accept mail from "
        "the filter alone; then mail waits while the filter is down."
    )


def _round(standing: Standing, own: Iterable[Server]) -> Iterator[str]:
    """How much of the first contacts of senders that care for no preference misses the filter."""
    for name in ("highest-first", "node-sendmail"):
        sender = SENDERS[name]
        parts = {}
        for order in (DnsOrder.FIXED, DnsOrder.ROTATE):
            found = forecast(Case(standing.snapshot, name, order), sender, examples=0)
            parts[order] = sum((found.first.get(server.address, Fraction(0)) for server in own), Fraction(0))
        fixed, turned = (percent(part) for part in parts.values())
        yield f"{sender.title} ({name}): {fixed} in a fixed order of DNS answers, {turned} where they rotate"


def _busiest(standing: Standing) -> Server:
    return standing.busiest or standing.servers[0]


def _stuck(by: Mapping[str, Forecast]) -> list[str]:
    return [name for name, each in by.items() if _gets_through(each) < 1]


def _gets_through(each: Forecast) -> Fraction:
    return each.outcome.get(Result.DELIVERED, Fraction(0))


def _gets(each: Forecast, server: Server) -> bool:
    return each.first.get(server.address, Fraction(0)) > 0
