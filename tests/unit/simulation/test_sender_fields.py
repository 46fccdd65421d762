"""Every field of a sender file is obeyed: by the forecast and by trials alike, or by trials if only time shows it."""

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import get_type_hints

import pytest
from tests.support.examples import some
from tests.support.plans import planned

from postroad.models import SCHEDULES, SENDERS, Sender, read_sender
from postroad.simulation import Case, DnsOrder, forecast
from postroad.simulation.trials import Outage, Trial, Workload, run
from postroad.words.facts import Found, NoName, Tlsa
from postroad.words.faults import Mode
from postroad.words.names import parse_address
from postroad.words.outcome import Result
from postroad.words.policies import DaneFacts, Published, StsPolicy

FIRST, SECOND, THIRD = "192.0.2.1", "192.0.2.2", "192.0.2.3"
EQUALS = "@ MX 10 a\n@ MX 10 b\n@ MX 20 c\na A 192.0.2.1\nb A 192.0.2.2\nc A 192.0.2.3\n"
LEVELS = "@ MX 20 a\n@ MX 10 b\na A 192.0.2.1\nb A 192.0.2.2\n"
SPREAD = "@ MX 10 a\na A 192.0.2.1\na A 192.0.2.2\na AAAA 2001:db8::1\na AAAA 2001:db8::2\n@ MX 20 c\nc A 192.0.2.3\n"
SHARED = "@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\na A 192.0.2.2\nb A 192.0.2.1\nb A 192.0.2.2\n"
NAME_TWICE = "@ MX 10 a\n@ MX 20 a\n@ MX 30 b\na A 192.0.2.1\nb A 192.0.2.2\n"
DEAD = "@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\nb TXT dead\n"
NULL_BESIDE = "@ MX 0 .\n@ MX 10 a\na A 192.0.2.1\n"
LITERAL = "@ MX 10 192.0.2.1.\n@ MX 20 b\nb A 192.0.2.2\n"
NO_MX = "@ A 192.0.2.1\n"
SIGNED = DaneFacts(True, "a.example.com", Found((Tlsa(3, 1, 1, b"k" * 32),), authentic=True))  # noqa: FBT003  # a fact
NO_NAME = "; said of the MX, where the A is there\n" + NO_MX


@dataclass(frozen=True)
class Shown:
    """Where a field makes a difference: a file without it, the file with it, and what is met there."""

    file: str
    changed: str
    zone: str = EQUALS
    down: str = ""  # the modes of 192.0.2.1, .2 and .3
    order: DnsOrder = DnsOrder.FIXED
    published: Published | None = None


IN_ORDER = 'equals = "given"\n'
ASKS_TWICE = "drops_duplicates = false\n"
ONE_HOST = 'families = "v4-first"\nreactions.connect = "next-address"\n'
TWO_AT_MOST = ONE_HOST + 'limits.addresses = 2\nlimits.later = "nothing"\n'
EVERY = 'equals = "given"\nlimits.addresses = "none"\n'
ENDS_LAST = EVERY + 'exhausted = "last"\nreactions.greeting = "next-address"\nrefusals = ["g554"]\n'

BOTH = {
    "unit": Shown("", 'unit = "address"', "@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\na A 192.0.2.3\nb A 192.0.2.2\n"),
    "equals": Shown("", IN_ORDER),
    "inside": Shown("", 'inside = "random"', SPREAD),
    "families": Shown("", 'families = "v4-first"', SPREAD),
    "preference": Shown("", 'preference = "descending"', LEVELS),
    "limits.addresses": Shown(EVERY, EVERY.replace('"none"', "1"), EQUALS, "refuse accept refuse"),
    "limits.hosts": Shown(EVERY, EVERY + "limits.hosts = 1", EQUALS, "refuse accept refuse"),
    "limits.sessions": Shown(
        EVERY + 'limits.later = "nothing"', EVERY + 'limits.later = "nothing"\nlimits.sessions = 1', EQUALS, "r450"
    ),
    "limits.later": Shown(
        "limits.addresses = 1", 'limits.addresses = 1\nlimits.later = "nothing"', LEVELS, "accept refuse"
    ),
    "limits.family_share": Shown(
        TWO_AT_MOST, TWO_AT_MOST + "limits.family_share = true", SPREAD, "refuse refuse"
    ),
    "reactions": Shown("", 'reactions.refuse = "defer"', EQUALS, "refuse"),
    "races": Shown("", 'races.refuse = "defer"', EQUALS, "refuse"),
    "refusals": Shown(ENDS_LAST, ENDS_LAST.replace("g554", "g421"), EQUALS, "g554 g554 g554"),
    "keeps": Shown(ENDS_LAST, ENDS_LAST + 'keeps = ["g421"]', EQUALS, "g421 g421 g554"),
    "exhausted": Shown(ENDS_LAST, ENDS_LAST.replace('"last"', '"defer"'), EQUALS, "g554 g554 g554"),
    "waits.connect_s": Shown("", "waits.connect_s = 7", LEVELS, "accept blackhole"),
    "waits.greeting_s": Shown("", "waits.greeting_s = 7", LEVELS, "accept mute"),
    "waits.per_host": Shown(ONE_HOST, ONE_HOST + "waits.per_host = true", SPREAD, "blackhole accept"),
    "waits.fallback_s": Shown(ONE_HOST, ONE_HOST + "waits.fallback_s = 0.3", SPREAD, "blackhole blackhole"),
    "waits.hurry_s": Shown(ONE_HOST, ONE_HOST + "waits.hurry_s = 1", SPREAD, "blackhole accept"),
    "waits.overlap_s": Shown(EVERY, EVERY + "waits.overlap_s = 2", EQUALS, "blackhole accept"),
    "waits.most_silent": Shown(
        EVERY + "waits.overlap_s = 2", EVERY + "waits.overlap_s = 2\nwaits.most_silent = 1", EQUALS,
        "blackhole blackhole accept",
    ),
    "waits.spacing_s": Shown(IN_ORDER, IN_ORDER + "waits.spacing_s = 2", EQUALS, "refuse accept"),
    "drops_duplicates": Shown("", "drops_duplicates = false", SHARED, "refuse refuse"),
    "drops_names": Shown(ASKS_TWICE, ASKS_TWICE + "drops_names = true", NAME_TWICE, "refuse"),
    "asks.mx": Shown("", "asks.mx = 2"),
    "asks.domain_a": Shown("", "asks.domain_a = 2"),
    "asks.domain_aaaa": Shown("", "asks.domain_aaaa = 2"),
    "asks.a": Shown("", "asks.a = 2"),
    "asks.aaaa": Shown("", "asks.aaaa = 2"),
    "asks.eager": Shown("", "asks.eager = false"),
    "implicit_on_nodata": Shown("", "implicit_on_nodata = false\nrefused.no-address = 'failed'", NO_MX),
    "implicit_on_nxdomain": Shown(
        "refused.no-such-domain = 'deferred'",
        "refused.no-such-domain = 'deferred'\nimplicit_on_nxdomain = false",
        NO_NAME,
    ),
    "literals": Shown("", 'literals = "used"', LITERAL),
    "mixed_null_is_null": Shown("", "mixed_null_is_null = true", NULL_BESIDE),
    "empty_name_fails": Shown("", "empty_name_fails = true", DEAD),
    "refused": Shown("", 'refused.null-mx = "deferred"', "@ MX 0 .\n"),
    "fails_on_equals": Shown("", "fails_on_equals = true"),
    "sts": Shown("", "sts = true", EQUALS, published=Published(StsPolicy("enforce", ("b.example.com",)))),
    "dane": Shown("", "dane = true", EQUALS, "tls-mismatch", published=Published(dane={"a.example.com": SIGNED})),
}  # fmt: skip
"""Fields that decide of a single attempt: in the forecast and in trials."""


@dataclass(frozen=True)
class Lasting:
    """Where a field makes a difference in time: a file without it, the file with it, and what happens meanwhile."""

    file: str
    changed: str
    more: dict = field(default_factory=dict)
    every_s: float = 2.0
    messages: int = 25


AN_HOUR = {"outages": tuple(Outage(parse_address(each), until_s=3600.0) for each in (FIRST, SECOND, THIRD))}
ONE_DOWN = {"outages": (Outage(parse_address(FIRST), Mode.BLACKHOLE),)}
NO_STARTTLS = {"outages": tuple(Outage(parse_address(each), Mode.BROKEN_STARTTLS) for each in (FIRST, SECOND))}
TWO_SILENT = {
    "outages": (
        *(Outage(parse_address(each), Mode.BLACKHOLE) for each in (FIRST, THIRD)),
        Outage(parse_address(SECOND), until_s=300.0),
    )
}
AT_ONCE = 'equals = "given"\nwaits = { overlap_s = 2, spacing_s = 2 }\n'
REMEMBERS = 'memory = { modes = ["blackhole"], for_s = 60 }\n'
KEEPS = "reuse = { messages = 50, idle_s = 60, for_s = 60 }\n"
IN_RUNS = "retry = { then_s = 900, spread_s = 300 }\n"
DEFERS_BROKEN = 'reactions.starttls = "defer"\n'
CLEAR = DEFERS_BROKEN + 'clear_later = { modes = ["broken-starttls"], after_s = 300 }\n'

IN_TIME = {
    "memory.modes": Lasting("memory.for_s = 60", REMEMBERS, more=ONE_DOWN),
    "memory.for_s": Lasting(REMEMBERS, REMEMBERS.replace("60", "6"), more=ONE_DOWN, every_s=8.0),
    "reuse.messages": Lasting(KEEPS, KEEPS.replace("50", "5")),
    "reuse.for_s": Lasting(KEEPS, KEEPS.replace("for_s = 60", "for_s = 6")),
    "reuse.idle_s": Lasting(KEEPS, KEEPS.replace("idle_s = 60", "idle_s = 0.5")),
    "reuse.busy_only": Lasting(KEEPS, KEEPS.replace("}", ", busy_only = true }")),
    "reuse.drawn": Lasting(KEEPS, KEEPS.replace("}", ", drawn = true }")),
    "reuse.by_server": Lasting(KEEPS, KEEPS.replace("}", ", by_server = true }"), every_s=0.05),
    "picks.queue_run": Lasting(IN_RUNS, IN_RUNS + "picks.queue_run = true", more=AN_HOUR),
    "picks.for_s": Lasting("", "picks.for_s = 20"),
    "picks.connected_rest_s": Lasting(KEEPS, KEEPS + "picks.connected_rest_s = 5", messages=50),
    "picks.closed_rest_s": Lasting(KEEPS, KEEPS + "picks.closed_rest_s = 3", messages=50),
    "rounds.whole_s": Lasting("", "rounds.whole_s = 60", more=AN_HOUR),
    "rounds.first_s": Lasting(AT_ONCE, AT_ONCE + "rounds.first_s = 15", more=TWO_SILENT),
    "rounds.then_s": Lasting(
        AT_ONCE + "rounds.first_s = 15", AT_ONCE + "rounds = { first_s = 15, then_s = 20 }", more=TWO_SILENT
    ),
    "clear_later.modes": Lasting(DEFERS_BROKEN, CLEAR, more=NO_STARTTLS),
    "clear_later.after_s": Lasting(CLEAR, CLEAR.replace("300", "3000"), more=NO_STARTTLS),
    "caches_mx": Lasting(IN_ORDER, IN_ORDER + "caches_mx = true", more={"dns_order": DnsOrder.ROTATE}),
    "retry": Lasting("", "retry.then_s = 7200", more=AN_HOUR),
}
"""Fields that decide of what passes from one attempt, or one message, to another: in trials alone."""

OF_NO_ATTEMPT = {
    **dict.fromkeys(("name", "title", "kind", "version", "sources"), "says whose file it is"),
    **dict.fromkeys(("recipients.alone", "recipients.told"), "test_recipients.py: here a message has one recipient"),
}


def given_sender(text):
    """The sender of a file; of one that says nothing, what the format takes for granted."""
    sender = read_sender("mine", text or "procedure = 'rfc5321'")
    assert isinstance(sender, Sender), sender
    return sender


def leaves(kind=Sender, path=""):
    """Every field of the format, those within a field by themselves."""
    hints = get_type_hints(kind)
    for each in fields(kind):
        if is_dataclass(hints[each.name]) and each.name != "retry":
            yield from leaves(hints[each.name], f"{path}{each.name}.")
        else:
            yield f"{path}{each.name}"


def records(shown):
    """The snapshot of its zone."""
    found = replace(planned(shown.zone), published=shown.published)
    return replace(found, mx=NoName()) if shown.zone is NO_NAME else found


def faults(shown):
    """The mode of each address."""
    modes = [Mode(word) for word in shown.down.split()]
    return {
        parse_address(address): mode
        for address, mode in zip((FIRST, SECOND, THIRD), modes, strict=False)
        if mode != Mode.ACCEPT
    }


def exactly(sender, shown):
    """The exact figures that trials estimate too."""
    told = forecast(Case(records(shown), sender.name, shown.order, faults(shown)), sender, examples=0)
    shares = {address: float(share) for address, share in told.first.items() if share}
    asked = tuple(map(float, (told.questions.mx, told.questions.a, told.questions.aaaa)))
    ends = {result: float(share) for result, share in told.outcome.items() if share}
    return shares, ends, float(told.attempts_mean), asked if told.first else (), told.unable, told.delay_mean_s


def tried(sender, shown):
    """The same, tried out; the mean delay only where all mail is delivered at once."""
    outages = tuple(Outage(address, mode) for address, mode in faults(shown).items())
    load = Workload(1000, sources=1000)
    trial = Trial(records(shown), sender, load, shown.order, 0.0, outages, schedule=SCHEDULES["none"])
    told = run(trial, 1)
    shares = {address: share.value for address, share in told.first.items() if share.value}
    asked = tuple(round(each, 9) for each in (told.questions.mx, told.questions.a, told.questions.aaaa))
    ends = {result: share.value for result, share in told.outcome.items() if share.value}
    delay_s = told.delay.mean.value if told.delay else None
    return shares, ends, told.contacts.value, asked if told.first else (), told.unable, delay_s


@pytest.mark.parametrize("field", some(BOTH, 2))
def test_a_field_of_one_attempt_is_obeyed_by_forecast_and_trials(field):
    """The forecast changes with the field, and trials have the same figures: of every other, all in a whole run."""
    shown = BOTH[field]
    before, after = (given_sender(text) for text in (shown.file, shown.changed))
    exact = [exactly(sender, shown) for sender in (before, after)]
    assert exact[0] != exact[1]
    for sender, (shares, ends, contacts, asked, unable, delay_s) in zip((before, after), exact, strict=True):
        found = tried(sender, shown)
        assert pytest.approx(shares, abs=0.07) == found[0]
        assert pytest.approx(ends, abs=0.07) == found[1]
        assert pytest.approx(contacts, abs=0.07) == found[2]
        assert pytest.approx(asked, abs=0.1) == found[3]
        assert unable == found[4]
        if ends == {Result.DELIVERED: 1.0}:
            assert pytest.approx(delay_s, rel=0.05) == found[5]


def figures(text, shown):
    """All that a trial tells."""
    load = Workload(shown.messages, shown.messages * shown.every_s, sources=1)
    told = run(Trial(planned(EQUALS), given_sender(text), load, **shown.more), 1)
    return {each.name: getattr(told, each.name) for each in fields(told) if each.name != "trial"}


@pytest.mark.parametrize("name", some(IN_TIME, 2))
def test_a_field_of_many_attempts_is_obeyed_by_trials(name):
    """The same mail fares otherwise: shown of every other, and of each in a whole run."""
    shown = IN_TIME[name]
    assert figures(shown.file, shown) != figures(shown.changed, shown)


def test_every_field_of_a_sender_file_is_shown():
    """Whoever adds a field shows here that it is obeyed, or why it decides of no attempt."""
    assert sorted(leaves()) == sorted([*BOTH, *IN_TIME, *OF_NO_ATTEMPT])


def test_mail_of_one_second_makes_the_same_pick():
    """Measured: ten of ten messages of a Courier within a second or so went to one of two equals."""
    sender = given_sender("picks.for_s = 20")
    told = [run(Trial(planned(EQUALS), sender, Workload(10, 19.9, sources=1)), seed).first for seed in range(20)]
    taken = [{address for address, share in each.items() if share.value} for each in told]
    assert [1] * 20 == [len(each) for each in taken]
    assert 2 == len(set().union(*taken))


def test_mail_goes_in_clear_once_it_is_old():
    """Measured of Postfix: the second attempt meets the fault again, and delivers over a third connection."""
    outages = tuple(Outage(parse_address(each), Mode.STARTTLS_220_CLOSE) for each in (FIRST, SECOND))
    trial = Trial(planned("@ MX 10 a\na A 192.0.2.1\n"), SENDERS["postfix"], Workload(10, sources=10), outages=outages)
    told = run(trial, 1)
    assert (1.0, 2, 3.0) == (told.outcome[Result.DELIVERED].value, told.tries_max, told.contacts.value)


def test_courier_comes_back_a_minute_after_all_were_away():
    """In the same attempt; its timetable would have it wait for five minutes."""
    outages = tuple(Outage(parse_address(each), until_s=100.0) for each in (FIRST, SECOND))
    trial = Trial(planned("@ MX 10 a\na A 192.0.2.1\n"), SENDERS["courier"], Workload(1, 1e-6), outages=outages)
    told = run(trial, 1)
    assert (1, 120.0) == (told.tries_max, pytest.approx(told.delay.worst_s, abs=1e-3))
