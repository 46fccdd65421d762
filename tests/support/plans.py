"""Planned records as snapshots, and a sender made of the lists it may follow."""

import asyncio
from collections import Counter
from fractions import Fraction
from functools import cache
from ipaddress import ip_address

from postroad.dns import ZoneResolver, parse_zones
from postroad.examine.troubles import checker
from postroad.gather import gather
from postroad.planning import Conditions, Mix, Records, advise
from postroad.routing import decide
from postroad.rules import Evidence
from postroad.simulation import MIXES, SENDERS
from postroad.simulation.case import Case, Example, Forecast, Questions, Step
from postroad.words.faults import Mode
from postroad.words.outcome import Result

HEAD = "$ORIGIN example.com.\n$TTL 300\n"
T1 = "@ MX 10 mail1\n@ MX 10 mail2\nmail1 A 192.0.2.11\nmail2 A 192.0.2.12\n"
T2 = "@ MX 10 mail\nmail A 192.0.2.11\nmail A 192.0.2.12\n"
T3 = T1 + "mail1 A 192.0.2.12\nmail2 A 192.0.2.11\n"
T4 = "@ MX 10 a\n@ MX 10 b\n@ MX 20 c\n@ MX 30 d\na A 192.0.2.11\nb A 192.0.2.12\nc A 192.0.2.11\nd A 192.0.2.12\n"
T5 = "@ MX 10 a\n@ MX 20 b\na A 192.0.2.11\nb A 192.0.2.12\n"
INTERNET = Conditions(Mix("internet", {name: SENDERS[name] for name in MIXES["internet"]}, MIXES["internet"]))


@cache
def planned(text, domain="example.com"):
    """The snapshot of a zone of a few lines."""
    return asyncio.run(gather(domain, ZoneResolver(parse_zones({"zone": HEAD + text}))))


@cache
def records(text, domain="example.com"):
    """What such a zone's records are; what is forecast of them is kept with them, whichever story asks first."""
    return Records.of(planned(text, domain))


def only(*names, **circumstances):
    """A view of some senders with the same weight."""
    weights = dict.fromkeys(names, Fraction(1, len(names)))
    return Conditions(Mix("", {name: SENDERS[name] for name in names}, weights), **circumstances)


SEVERAL = only("exim", "postfix", "rfc5321", "ipv4-only")  # they differ in all that most advice hangs on


def advised(known, view=SEVERAL, *allowed):
    """What is advised for records that `check` looks at too."""
    return advise(known, view, check_of(known), frozenset(allowed))


def check_of(known):
    """What `check` finds in records, or in others in their place."""
    return checker(Evidence(known.snapshot, decide(known.snapshot), 0.0))


def at(*last):
    """The set of the addresses 192.0.2.N."""
    return frozenset(ip_address(f"192.0.2.{number}") for number in last)


def listed(snapshot, *lists):
    """Forecasts of a sender that follows one of these lists of addresses 192.0.2.N, each as often."""

    def foresee(machines):
        lost = {address for machine in machines for address in machine.addresses}
        took = Counter(next((each for each in way if not at(each) <= lost), None) for way in lists)
        accepted = {address: Fraction(took[each], len(lists)) for each in took if each for address in at(each)}
        delivered = sum(accepted.values(), Fraction(0))
        outcome = {Result.DELIVERED: delivered, Result.DEFERRED: 1 - delivered}
        nothing = Questions(Fraction(0), Fraction(0), Fraction(0))
        counts = [len([each for each in way if at(each) <= lost]) for way in lists]
        mean = Fraction(sum(counts), len(lists))
        steps = tuple(Step("", *at(each), 10, Mode.REFUSE, 0.0, 0.0) for each in lists[0])
        example = Example(Fraction(1), steps, Result.DEFERRED)
        examples = () if delivered else (example,)
        case = Case(snapshot, "listed")
        return Forecast(case, {}, accepted, {}, outcome, mean, max(counts), 0.0, 0.0, nothing, examples)

    return foresee
