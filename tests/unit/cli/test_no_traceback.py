"""Whatever stands in a file, a flag, a folder of the lab or a call: an answer, or a sentence; never a traceback."""

import asyncio
import math
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some
from typer.testing import CliRunner

import postroad
from postroad.cli.root import app
from postroad.dns import ZoneResolver, load_zones
from postroad.lab import Lab, NoExchangerError
from postroad.models import Sender, read_sender, read_senders
from postroad.scenarios import Scenario, load_scenario
from postroad.simulation.trials import Downtime, Pulse, TrialOptions
from postroad.words.inputs import InputError
from postroad.words.names import Unreadable

SENDER = (files("postroad.models") / "postfix.toml").read_text("utf-8")
SCENARIO = Path(__file__).parents[2] / "scenarios" / "t1-one-blackholed"
STRANGE = [
    "-1", "0", "1", "1e308", "-1e308", "inf", "nan", "9" * 20, "9" * 400, "9" * 5000, "true", '"x"', '""', "[]", "[1]",
    "{}",
    "1979-05-27", "[-5]", '"\\u0000\\u001b[31m"', "[1e308, 1e308]", '["x"]', "{a = 1}", "none", "0.0001", "²", "٣",
]  # fmt: skip
WORDS = st.sampled_from(
    [*STRANGE, "1ms", "1s", "5 days", "9999999d", "10/1s", "1/0s", f"{10**20}/1s", "mail1", "mail1:zzz"]
)
TEXTS = WORDS | st.text(max_size=12)
CHOICES = [
    "a",
    "mail1",
    "192.0.2.11",
    "::1",
    "[::1]:r450",
    "mail1@1h-3h",
    "mail1:mute@-",
    "gmail",
    "5m,1h",
    ":",
    "@",
    "t1",
]
FLAGS = [
    "--trials",
    "--burst",
    "--rate",
    "--sources",
    "--session",
    "--greylist",
    "--outage",
    "--retries",
    "--seed",
    "--down",
]
FLAGS += ["--sender", "--senders", "--mix", "--dns-order", "--replies", "--domain", "--zone"]
QUIET = settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture])


def tried(make):
    """What was made, or the sentence that says why not: anything but a ValueError goes on."""
    try:
        return make(), ""
    except (ValueError, NoExchangerError) as wrong:
        return None, str(wrong)


@st.composite
def mutated(draw, text, separator):
    """A text of lines, of which one or two say something else."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(lines) - 1))
        key, found, _value = lines[place].partition(separator)
        lines[place] = f"{key}{found or separator}{draw(TEXTS)}"
    return "\n".join(lines)


@settings(max_examples=examples(100))
@given(mutated(SENDER, " = ") | st.builds(lambda key, value: f"{key} = {value}", st.text(max_size=5), TEXTS))
def test_any_file_of_a_sender_is_one_or_says_why_not(text):
    """And what it makes is a sender that can be asked."""
    found = read_sender("own", text)
    assert isinstance(found, Sender | Unreadable)
    assert isinstance(read_senders(text), Unreadable | object)


def test_any_value_of_any_key_of_a_sender_is_taken_or_refused():
    """Each key of the measured sender, with values nobody means. Every seventh; all in a whole run."""
    lines = SENDER.splitlines()
    for (place, line), value in some(product(enumerate(lines), STRANGE), 7):
        key, found, _ = line.partition(" = ")
        if found:
            text = "\n".join([*lines[:place], f"{key} = {value}", *lines[place + 1 :]])
            assert isinstance(read_sender("own", text), Sender | Unreadable), text


NUMBERED = [
    f"{part}.{name} = {value}"
    for part, names in {
        "limits": ("addresses", "hosts", "sessions"),
        "waits": ("connect_s", "greeting_s", "fallback_s", "hurry_s", "overlap_s", "most_silent", "spacing_s"),
        "memory": ("for_s",), "reuse": ("messages", "for_s", "idle_s"), "rounds": ("first_s", "then_s", "whole_s"),
        "picks": ("for_s", "connected_rest_s", "closed_rest_s"), "clear_later": ("after_s",),
        "asks": ("mx", "a", "aaaa"),
        "retry": ("then_s", "expiry_s", "spread_s", "jitter", "machines"),
    }.items()
    for name in names
    for value in ("0", "0.5", "1", "1000", "86400")
]  # fmt: skip


@QUIET
@given(
    st.lists(st.sampled_from(NUMBERED), min_size=1, max_size=6, unique_by=lambda line: line.partition(" ")[0]).map(
        "\n".join
    )
)
def test_a_sender_that_is_taken_can_be_simulated(tmp_path, text):
    """With trials and greylisting: within its bounds nothing is divided by nothing, and nothing goes on for ever."""
    if isinstance(read_sender("own", text), Unreadable):
        return
    file = tmp_path / "own.toml"
    file.write_text(text)
    options = postroad.SimulateOptions(senders=[str(file)])
    trials = TrialOptions(messages=20, greylist_s=300)
    found, why = tried(lambda: postroad.simulate("t1", options=options, trials=trials))
    assert found or why


@QUIET
@example(flag="--burst", value=f"{10**20}/1s")
@example(flag="--trials", value="99999999999")
@example(flag="--outage", value="mail1:zzz@1h-2h")
@example(flag="--seed", value="-1")
@given(st.sampled_from(FLAGS), TEXTS | st.sampled_from(CHOICES))
def test_any_value_of_any_flag_is_taken_or_refused(flag, value):
    """The exit status says which; a sentence on stderr says why."""
    words = ["simulate", "t1", "--sender", "postfix", "--trials", "20", flag, value]
    if flag == "--trials" and value.isascii() and value.isdigit() and int(value[:18]) > 1000:
        words[-1] = "99999999999"  # ten million messages are no fault, but take a while
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code in (0, 1) or done.stderr.strip()


@QUIET
@given(st.sampled_from(["zone", "send", "expect", "faults"]), st.data())
def test_any_folder_of_the_lab_is_a_scenario_or_says_why_not(tmp_path, name, data):
    """And what it makes is a lab, or one that says which exchanger it has not."""
    for file in SCENARIO.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(data.draw(mutated(text, " ")), errors="surrogatepass")
    scenario, why = tried(lambda: load_scenario(tmp_path))
    assert isinstance(scenario, Scenario) or str(tmp_path) in why
    zones = load_zones([scenario.zone]) if scenario else None
    if isinstance(zones, ZoneResolver):
        lab, why = tried(lambda: Lab(zones.zone_data, faults=scenario.faults))
        assert lab or "no exchanger of this lab is at" in why


# What a program passes

NUMBERS = [
    -1,
    0,
    1,
    1.5,
    math.nan,
    math.inf,
    -math.inf,
    10**20,
    10**400,
    True,
    "x",
    None,
    b"1",
    [],
    (1,),
    Pulse(1, 1.0),
]
FIELDS = [
    "messages",
    "burst",
    "rate",
    "sources",
    "session_s",
    "at_once",
    "greylist_s",
    "greylist_apart",
    "outages",
    "retries",
]


@pytest.mark.parametrize("field", FIELDS)
def test_options_of_trials_are_right_or_a_value_error(field):
    """With the field and the limit; what is taken can be tried. Every third value; all in a whole run."""
    for value in some(NUMBERS, 3, len(field)):
        options, why = tried(lambda value=value: TrialOptions(**{"messages": 10, field: value}))
        assert options or len(why.split()) > 2, value
        if options and options.workload.messages <= 1000:
            found = postroad.simulate("one", options=postroad.SimulateOptions(senders=["postfix"]), trials=options)
            assert found.trials["postfix"].tries.value, value


@pytest.mark.parametrize(
    "make",
    [
        lambda value: Pulse(value, 1.0),
        lambda value: Pulse(1, value),
        lambda value: Downtime("a", from_s=value),
        lambda value: Downtime("a", until_s=value),
        Downtime,
        lambda value: Downtime("a", value),
    ],
)
def test_parts_of_trials_are_right_or_a_value_error(make):
    """No TypeError from within, and no infinity that never ends."""
    assert [] == [value for value in NUMBERS if not any(tried(lambda value=value: make(value)))]


WRONG = [
    None,
    3,
    b"t1",
    "t9",
    "",
    " ",
    "x" * 300,
    "\0",
    "/",
    "a b",
    ["t1"],
    math.nan,
    "no/such.zone",
    Path("none.zone"),
    object(),
]


@pytest.mark.parametrize("ask", ["route", "lookup", "check", "simulate", "advise", "compare"])
def test_what_is_asked_about_is_right_or_an_input_error(ask):
    """The same for all doors: a sentence for whoever called. Every second value; all in a whole run."""
    for wrong in some(WRONG, 2, len(ask)):
        with pytest.raises(InputError) as caught:
            getattr(postroad, ask)(*(("t1", wrong) if ask == "compare" else (wrong,)))
        assert str(caught.value), wrong


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: postroad.route("t1", seed="x"),
        lambda: postroad.route("t1", seed=-1),
        lambda: postroad.route("t1", own="me"),
        lambda: postroad.route("example.com", zones="example.zone"),
        lambda: postroad.lookup("example.com", resolvers="127.0.0.1"),
        lambda: postroad.simulate("t1", down="mail1"),
        lambda: postroad.simulate("t1", down=[3]),
        lambda: postroad.simulate("t1", seed=math.nan),
        lambda: postroad.SimulateOptions(senders="postfix"),
        lambda: postroad.SimulateOptions(senders=[3]),
        lambda: postroad.SimulateOptions(zones="a.zone"),
        lambda: postroad.SimulateOptions(mix=3),
        lambda: postroad.SimulateOptions(dns_order=None),
        lambda: postroad.SendOptions(port=0),
        lambda: postroad.SendOptions(port=math.inf),
        lambda: postroad.SendOptions(own="me"),
        lambda: asyncio.run(postroad.send("x", sender=3, recipients=["a@b.example"])),
        lambda: asyncio.run(postroad.send("x", sender=None, recipients=["a@b.example", 3])),
        lambda: asyncio.run(postroad.send(3, sender=None, recipients=["a@b.example"])),
        lambda: postroad.compare(["t1", "t2"]),
        lambda: postroad.compare("t1"),
    ],
)
def test_arguments_of_another_type_are_input_errors(wrong):
    """A list that was forgotten, a number where a name belongs: a sentence with the argument."""
    with pytest.raises(InputError) as caught:
        wrong()
    assert str(caught.value)
