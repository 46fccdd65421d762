"""Forecasts by hand: pictures do not care who worked them out."""

from fractions import Fraction
from ipaddress import ip_address

from postroad.planning.scorecard import FAULTS
from postroad.simulation.case import Case, DnsOrder, Example, Forecast, Questions, Step
from postroad.views.html import answer
from postroad.views.pictures.picture import Picture
from postroad.views.text.sections import HEADLINE, AnswerSection, NamedPicture, ZoneLines
from postroad.words.facts import Found, HostFacts, Mx, NoData
from postroad.words.faults import Mode
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot

HALF = Fraction(1, 2)


def snapshot(*records, domain="example.com"):
    """`snapshot((10, "mail1", "192.0.2.11"), ...)`: names below the domain, any number of addresses."""
    hosts = {}
    for _, name, *addresses in records:
        parsed = [ip_address(address) for address in addresses]
        v4, v6 = ([each for each in parsed if each.version == version] for version in (4, 6))
        families = (Found(tuple(each)) if each else NoData() for each in (v4, v6))
        hosts[f"{name}.{domain}"] = HostFacts(*families)
    return Snapshot(domain, Found(tuple(Mx(each[0], f"{each[1]}.{domain}") for each in records)), hosts)


T1 = snapshot((10, "mail1", "192.0.2.11"), (10, "mail2", "192.0.2.12"))


def forecast(first, outcome=(1, 0, 0), facts=T1, down=None, **fields):
    """A forecast with these shares of first contact by address, and of delivered, deferred, failed."""
    shares = {ip_address(address): Fraction(share) for address, share in first.items()}
    results = dict(zip(Result, map(Fraction, outcome), strict=True))
    faults = {ip_address(address): mode for address, mode in (down or {}).items()}
    rest = {
        "attempts_mean": Fraction(1), "attempts_max": 1, "delay_mean_s": 0.05, "delay_worst_s": 0.05,
        "questions": Questions(Fraction(1), Fraction(2), Fraction(2)),
    } | fields  # fmt: skip
    return Forecast(Case(facts, "postfix", DnsOrder.FIXED, faults), shares, shares, {}, results, **rest)


def unable(why, facts=T1):
    """A sender that cannot use the records."""
    return forecast({}, (0, 0, 0), facts, unable=why)


def step(name, address, met, at_s, waited_s, preference=10):
    """One contact with an exchanger of example.com."""
    return Step(f"{name}.example.com", ip_address(address), preference, met, at_s, waited_s)


WAITS = Example(
    HALF,
    (
        step("mail1", "192.0.2.11", Mode.BLACKHOLE, 0.0, 30.0),
        step("mail2", "192.0.2.12", Mode.ACCEPT, 30.0, 0.08),
    ),
    Result.DELIVERED,
)


RACE = Example(
    Fraction(1, 6),
    (
        step("mail1", "192.0.2.11", Mode.REFUSE, 0.0, 0.0),
        step("mail1", "2001:db8:85a3:8d3:1319:8a2e:370:7348", Mode.BLACKHOLE, 0.001, 0.3),
        step("mail2", "192.0.2.12", Mode.G421, 0.251, 0.1),
        step("mail3", "192.0.2.13", Mode.BLACKHOLE, 0.351, 300.0, 20),
        step("mail4", "192.0.2.14", Mode.R550, 300.351, 0.2, 20),
    ),
    Result.FAILED,
)


def t1_forecasts():
    """Two equals, as five senders see them."""
    even = {"192.0.2.11": HALF, "192.0.2.12": HALF}
    return {
        "postroad": forecast(even),
        "postfix": forecast(even),
        "dns-order": forecast({"192.0.2.11": 1, "192.0.2.12": 0}),
        "first-mx-only": forecast({"192.0.2.11": Fraction(3, 4), "192.0.2.12": Fraction(1, 4)}),
        "ipv6-only": unable("no exchanger has an IPv6 address"),
    }


def t1_faults():
    """The first of the two at fault in three ways; postfix and exim do alike."""
    down = {mode: {"192.0.2.11": mode} for mode in (Mode.REFUSE, Mode.BLACKHOLE, Mode.G554)}
    even = {"192.0.2.11": HALF}
    return {
        mode: {
            "postroad": forecast(even, down=down[mode], delay_worst_s=0.3),
            "postfix": forecast(even, down=down[mode], delay_worst_s=waits_s),
            "exim": forecast(even, down=down[mode], delay_worst_s=waits_s),
            "dns-order": forecast({"192.0.2.11": 1}, outcome, down=down[mode], delay_worst_s=4.5 * waits_s),
            "ipv6-only": unable("no exchanger has an IPv6 address"),
        }
        for mode, waits_s, outcome in (
            (Mode.REFUSE, 0.0, (1, 0, 0)),
            (Mode.BLACKHOLE, 30.1, (HALF, HALF, 0)),
            (Mode.G554, 0.0, (0, 0, 1)),
        )
    }


def picture(**fields):
    """Two equals, whole."""
    given = {
        "title": "Two equal exchangers",
        "summary": "Mail is spread evenly by senders that draw, and survives the loss of either server.",
        "domain": "example.com",
        "forecasts": t1_forecasts(),
        "faults": t1_faults(),
        "at_fault": "mail1.example.com [192.0.2.11]",
        "example": WAITS,
        "sender": "postfix",
        "records": ("@ MX 10 mail1", "@ MX 10 mail2", "mail1 A 192.0.2.11", "mail2 A 192.0.2.12"),
    }
    return Picture(**(given | fields))


def page(*pictures):
    """All that there is to see of some pictures, as a page under the title of the first."""
    return answer.page(pictures[0].title, [each for at, one in enumerate(pictures) for each in _sections(one, at)])


def _sections(one, at):
    yield AnswerSection(f"p{at}", "", ((one.summary, HEADLINE),))
    yield from (AnswerSection(f"p{at}-{name}", "", (NamedPicture(name, one),)) for name in one.names)
    if one.records:
        yield AnswerSection(f"p{at}-records", "Records", (ZoneLines(one.records),))


def crowd(senders, columns):
    """A picture of many senders and servers with long names."""
    addresses = [f"2001:db8:85a3:8d3:1319:8a2e:370:{index:x}" for index in range(1, columns + 1)]
    facts = snapshot(*(
        (10 * (1 + index % 3), f"exchanger-number-{index}.mail.cluster-{index % 4}", address)
        for index, address in enumerate(addresses)
    ))  # fmt: skip
    rows = {f"sender-with-a-long-name-{row}": forecast(_uneven(addresses, row), facts=facts) for row in range(senders)}
    faults = {
        mode: {
            name: forecast({}, (Fraction(row % 5, 5), 1 - Fraction(row % 5, 5), 0), facts, {addresses[0]: mode})
            for row, name in enumerate(rows)
        }
        for mode in FAULTS
    }
    return picture(title="A crowd", forecasts=rows, faults=faults)


def _uneven(addresses, row):
    weights = [1 + (index * row) % 7 for index in range(len(addresses))]
    return {address: Fraction(weight, sum(weights)) for address, weight in zip(addresses, weights, strict=True)}
