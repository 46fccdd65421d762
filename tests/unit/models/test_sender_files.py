"""A file of one's own senders and mixes: what differs is said, all else is as it is known."""

from fractions import Fraction
from importlib.resources import files
from typing import get_args, get_type_hints

import pytest

from postroad.models import SENDERS, Basis, Schedule, model, read_sender, read_senders
from postroad.models.bounds import BOUNDS
from postroad.models.model import Then, Unit
from postroad.words.faults import Mode
from postroad.words.names import Unreadable


def test_a_sender_says_what_differs_from_one_that_is_known():
    """Tables and mappings are changed key by key; the rest stays."""
    own = read_senders("""
        [senders.gateway]
        like = "postfix"
        unit = "host"
        limits = { addresses = 3, sessions = "none" }
        reactions = { r450 = "defer" }
        refusals = ["g554"]
    """)
    gateway, postfix = own.senders["gateway"], SENDERS["postfix"]
    assert (Unit.HOST, 3, None, True) == (
        gateway.unit, gateway.limits.addresses, gateway.limits.sessions, gateway.limits.family_share
    )  # fmt: skip
    assert (Then.DEFER, Then.NEXT_ADDRESS) == (gateway.after(Mode.R450), gateway.after(Mode.D451))
    assert (postfix.waits, "gateway") == (gateway.waits, gateway.name)


def test_a_sender_may_be_like_a_neighbour_in_its_file():
    """Whichever of both stands first."""
    own = read_senders("[senders.b]\nlike = 'a'\n[senders.a]\nlike = 'postfix'\nunit = 'host'")
    assert ["b", "a"] == list(own.senders)
    assert Unit.HOST is own.senders["b"].unit


def test_a_file_of_several_senders_is_not_read_as_one():
    """The other flag is named."""
    assert "give the file to --senders" in read_sender("gateway", "[senders.a]\nlike = 'postfix'").why


@pytest.mark.parametrize("whole", [1, 100])
def test_the_parts_of_a_mix_are_percentages_or_fractions(whole):
    """They may name senders of the same file, and be rounded."""
    own = read_senders(f"[senders.a]\n[mixes.m]\na = {whole / 4}\nexim = {whole / 2}\npostfix = {whole / 4}")
    assert {"a": Fraction(1, 4), "exim": Fraction(1, 2), "postfix": Fraction(1, 4)} == own.mixes["m"]
    thirds = read_senders("[mixes.m]\nexim = 33.3\npostfix = 33.3\nsendmail = 33.3")
    assert {Fraction(1, 3)} == set(thirds.mixes["m"].values())


WRONG = [
    ("[senders", "TOML", "Expected"),
    ("[sender.a]", "sender", "did you mean senders?"),
    ("[senders.postfix]", "senders.postfix", "exists"),
    ('[senders.a]\nlike = "qmail"', "senders.a.like", "no sender 'qmail'"),
    ("[senders.a]\nspeed = 1", "senders.a.speed", "no such key"),
    ("[senders.a]\nunitt = 'host'", "senders.a.unitt", "did you mean unit"),
    ("[senders.a]\nlike = 'postfx'", "senders.a.like", "did you mean postfix"),
    ("[senders.a]\nlike = 'exim'\nprocedure = 'rfc974'", "senders.a.procedure", "write only one of them"),
    ("[senders.a]\nlike = 'b'\n[senders.b]\nlike = 'a'", "senders.a.like", "back to itself: a -> b -> a"),
    ("[senders.a.reactions]\nconect = 'defer'", "senders.a.reactions.conect", "did you mean connect"),
    ("[senders.a.reactions]\nxyz = 'defer'", "senders.a.reactions.xyz", "there are connect, greeting, starttls"),
    ("like = 'postfix'", "", "give the file to --sender"),
    ('[senders.a]\nunit = "planet"', "senders.a.unit", "not one of host, address"),
    ("[senders.a]\nlimits = 5", "senders.a.limits", "write a table here"),
    ("[senders.a]\nlimits = { addresses = -1 }", "senders.a.limits.addresses", "-1 is below 1"),
    ("[senders.a]\nlimits = { sessions = 0 }", "senders.a.limits.sessions", "0 is below 1"),
    (
        "[senders.a]\nwaits = { connect_s = 1e308 }",
        "senders.a.waits.connect_s",
        "1e+308 is more than 86,400 s, the most",
    ),
    ("[senders.a]\nwaits = { connect_s = nan }", "senders.a.waits.connect_s", "nan is not a number"),
    (
        f"[senders.a]\nwaits = {{ connect_s = {'9' * 400} }}",
        "senders.a.waits.connect_s",
        "a number of 400 digits is more",
    ),
    (f"[senders.a]\nx = {'9' * 5000}", "TOML", "a value cannot be read"),
    (
        "[senders.a.retry]\nthen_s = 1",
        "senders.a.retry.then_s",
        "tried 432,001 times within 5 d; 10,000 is the maximum",
    ),
    ("[senders.a.retry]\ngrowth = [1, 1.0, 1000000000]", "senders.a.retry.growth", "write the first wait"),
    ("[senders.a.retry]\ngrowth = [1, 1000, 100]", "senders.a.retry.growth", "longer than a year"),
    ("[senders.a.rounds]\nfirst_s = 0", "senders.a.rounds.first_s", "0.0 is below 1 s"),
    ("[senders.a]\nlimits = { addresses = true }", "senders.a.limits.addresses", "a whole number or none"),
    ('[senders.a]\nreactions = { r450 = "shrug" }', "senders.a.reactions.r450", "not one of accepted"),
    ('[senders.a]\nrefusals = "g554"', "senders.a.refusals", "write a list here"),
    ("[mixes.m]\nqmail = 1", "mixes.m.qmail", "no such sender"),
    ("[mixes.m]\nexim = 0", "mixes.m", "above 0"),
    ("[mixes.m]\nexim = -1", "mixes.m.exim", "-1 is below 0; a part of a mix is a percentage"),
    ("[mixes.m]\nexim = nan", "mixes.m.exim", "nan is not a number"),
    ("[mixes.m]\nexim = true", "mixes.m.exim", "true is not a number"),
    (
        "[mixes.m]\nexim = 60\npostfix = 60",
        "mixes.m",
        "sum to 120 instead of 100 or 1; to scale them, write exim = 50, postfix = 50",
    ),
    ("[mixes.internet]\nexim = 1", "mixes.internet", "exists"),
]


def test_what_cannot_be_read_says_where_and_why():
    """Never an exception: the key, and what could stand there."""
    answers = [(read_senders(text), text, where, why) for text, where, why in WRONG]
    assert [] == [text for answer, text, _, _ in answers if not isinstance(answer, Unreadable)]
    assert [(text, where) for _, text, where, _ in answers] == [(text, answer.text) for answer, text, _, _ in answers]
    assert [] == [(text, answer.why) for answer, text, _, why in answers if why not in answer.why]


def test_every_number_of_a_sender_has_bounds():
    """One table has them all: a field that is added without is found here."""
    parts = [model.AttemptLimits, model.Waits, model.Memory, model.Reuse, model.Rounds, model.Picks, model.ClearLater]
    parts += [model.Asks, model.Recipients, Schedule, model.Sender]
    numbers = {
        (part.__name__, name)
        for part in parts
        for name, hint in get_type_hints(part).items()
        if {int, float} & {hint, *get_args(hint)}
    }
    assert numbers == {(part, name) for part, fields in BOUNDS.items() for name in fields}


def test_a_phase_stands_for_its_modes_and_a_mode_for_itself():
    """Whatever the order of the keys."""
    own = read_sender("own", '[reactions]\ng554 = "fail"\ngreeting = "defer"\n')
    assert [Then.DEFER, Then.FAIL, Then.DEFER] == [own.after(mode) for mode in (Mode.G421, Mode.G554, Mode.MUTE)]


def test_nobody_has_measured_a_sender_of_ones_own():
    """It does not inherit the sources of the one it is like, unless it says its own."""
    own = read_sender("own", 'like = "exim"')
    assert (Basis.ASSUMED, "", ("a file of yours, like exim",)) == (own.kind, own.version, own.sources)


def test_a_timetable_may_grow_by_a_factor():
    """And is said as a whole: nothing of another stays."""
    own = read_sender("own", 'like = "exim"\n[retry]\ngrowth = [60, 2, 3]')
    assert ((60.0, 120.0, 240.0), None, "own") == (own.retry.intervals_s, own.retry.then_s, own.retry.name)


def test_each_sender_says_what_it_is_and_where_from():
    """A title and a source; whoever was measured, which version."""
    known = SENDERS.values()
    assert {"chasquid", "sendmail"} >= {each.name for each in known if each.title == each.name}
    assert [] == [each.name for each in known if not each.source]
    assert [] == [each.name for each in known if (each.kind is Basis.MEASURED) != bool(each.version)]


def test_the_files_are_part_of_the_package():
    """What is read beside the code is what an installed wheel has."""
    assert {f"{name}.toml" for name in SENDERS if name != "postroad"} | {"schedules.toml"} == {
        each.name for each in files("postroad.models").iterdir() if each.name.endswith(".toml")
    }


@pytest.mark.parametrize("line", ["equals = ['random']", "families = {}", "like = []", "[reactions]\ng554 = ['fail']"])
def test_list_where_a_word_belongs_is_named(line):
    """Where it stands, and that it is none of the words."""
    answer = read_sender("own", line)
    assert isinstance(answer, Unreadable)
    assert any(said in answer.why for said in ("is not one of", "there is no sender"))


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ('families = "v4-only"', (1, 0)),
        ('families = "v6-only"', (0, 1)),
        ('like = "ipv4-only"\nfamilies = "v6-first"', (1, 1)),
        ('families = "v4-only"\n[asks]\naaaa = 1', (1, 1)),
    ],
)
def test_who_uses_one_family_asks_for_no_other(text, asked):
    """Unless the file says so; whoever uses both again asks for both."""
    asks = read_sender("own", text).asks
    assert asked == (asks.a, asks.aaaa)


def test_a_file_that_says_nothing_is_no_sender():
    """Nor are a title and a source: they are not what a sender does."""
    said = [read_sender("own", text) for text in ("", "# later", 'title = "mine"\nsources = ["me"]')]
    assert ["it says nothing of what the sender does"] * 3 == [each.why.partition(";")[0] for each in said]
    several = [read_senders(text) for text in ("", "# later", "[senders]\n[mixes]")]
    assert ["it has no senders and no mixes"] * 3 == [each.why.partition(";")[0] for each in several]
