"""`postroad simulate`: shares, survival and waits of real senders, from records that nobody published yet."""

import json
import sys
from itertools import product
from math import ceil

import pytest
from tests.support.examples import some
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.simulation.own import sums
from postroad.words.phrasebook import seconds

ZONE = """$ORIGIN example.com.
$TTL 300
@      MX 10 mail1
@      MX 10 mail2
@      MX 20 backup
mail1  A 192.0.2.11
mail2  A 192.0.2.12
backup A 198.51.100.13
backup AAAA 2001:db8::13
"""
KEYS = {
    "sender",
    "dns_order",
    "down",
    "first",
    "accepted",
    "outcome",
    "attempts",
    "delay_s",
    "delivered_after_s",
    "dns_questions",
    "order_examples",
}


@pytest.fixture(scope="module")
def simulate(tmp_path_factory):
    """A function that runs `postroad simulate` on a zone, and gives its exit status and what it said."""
    zone = tmp_path_factory.mktemp("zones") / "example.zone"
    zone.write_text(ZONE)

    def run(*arguments, stderr=False, named=None):
        place = [named] if named else ["--zone", str(zone)]
        done = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"}).invoke(app, ["simulate", *place, *arguments])
        return done.exit_code, done.stderr if stderr else done.stdout

    return run


@pytest.fixture(scope="module")
def by_default(simulate):
    """The JSON of one that is asked for nothing in particular."""
    return json.loads(simulate("--json")[1])


@pytest.mark.parametrize(("mode", "sender"), some(product(["r450", "e451"], ["postroad", "exim", "postfix"]), 4))
def test_json_has_the_times_of_the_headline(simulate, sender, mode):
    """How long mail takes that gets through, also where only a part of ours does.

    Every fourth of them; all in a whole run.
    """
    arguments = ["--sender", sender, "--down", f"mail1:{mode}", "--down", "mail2:blackhole"]
    headline = simulate(*arguments)[1].splitlines()[0]
    shape = json.loads(simulate(*arguments, "--json")[1])
    after = shape["results"][0]["delivered_after_s"]
    assert after == shape["mix"]["delivered_after_s"]
    words = f"after {seconds(after['mean'])} on average, {seconds(after['worst'])} at worst" if after else "no mail"
    assert words in headline


def test_json_has_the_keys_of_the_contract(simulate):
    """Results by sender with shares, outcome, attempts, delay, questions and examples; servers; cut sets."""
    status, text = simulate("--sender", "postfix", "--json")
    shape = json.loads(text)
    (result,) = shape["results"]
    assert (0, 1, "example.com") == (status, shape["version"], shape["domain"])
    assert result.keys() == KEYS
    assert {"192.0.2.11": 0.5, "192.0.2.12": 0.5, "198.51.100.13": 0.0, "2001:db8::13": 0.0} == result["first"]
    assert {"delivered": 1.0, "deferred": 0.0, "failed": 0.0} == result["outcome"]
    assert ({"mean", "max"}, {"mean", "worst"}) == (result["attempts"].keys(), result["delay_s"].keys())
    assert {"mx": 1.0, "a": 3.0, "aaaa": 3.0, "mean": 7.0} == result["dns_questions"]
    assert [["192.0.2.11", "192.0.2.12", "198.51.100.13", "2001:db8::13"]] == shape["cut_sets"]["postfix"]
    assert "192.0.2.11" == shape["servers"][0]["address"]


def test_by_default_it_asks_ourselves_and_the_mix_with_its_senders(by_default):
    """Postroad first, then the senders of the mix, and last the mix itself."""
    senders = [each["sender"] for each in by_default["results"]]
    assert ("postroad", "internet") == (senders[0], senders[-1])
    assert "exim" in senders


@pytest.mark.parametrize(
    ("down", "expected"),
    some(
        [
            ("mail1", {"192.0.2.11": "refuse"}),
            ("mail1.example.com:blackhole", {"192.0.2.11": "blackhole"}),
            ("192.0.2.12:r450", {"192.0.2.12": "r450"}),
            ("2001:db8::13", {"2001:db8::13": "refuse"}),
            ("[2001:db8::13]:close", {"2001:db8::13": "close"}),
            ("backup:g554", {"198.51.100.13": "g554", "2001:db8::13": "g554"}),
        ],
        2,
        1,
    ),
)
def test_a_server_is_down_by_address_or_name(simulate, down, expected):
    """SERVER is an address of either family or a name, with or without a mode. Every second; all in a whole run."""
    shape = json.loads(simulate("--sender", "rfc5321", "--down", down, "--json")[1])
    assert expected == shape["results"][0]["down"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--down", "mail9"], "no exchanger"),
        (["--down", "mail1:asleep"], "there is no mode"),
        (["--down", "192.0.2.99"], "no server"),
        (["--down", "mail1:refuse", "--down", "192.0.2.11:r450"], "192.0.2.11 is down in two ways, refuse and r450"),
        (["--down", ":r450"], "write SERVER or SERVER:MODE"),
        (["--sender", "pigeon"], "there is no sender 'pigeon'"),
        (["--mix", "moon"], "no mix 'moon'"),
        (["--dns-order", "sideways"], "no order 'sideways'"),
        (["--plot", "picture.gif"], ".png"),
    ],
)
def test_bad_input_ends_with_two_and_what_there_is(simulate, arguments, words):
    """The error names what was wrong, and what would be right."""
    status, said = simulate(*arguments, stderr=True)
    assert 2 == status
    assert words in said


def test_what_cannot_be_is_refused_before_anything_is_forecast(simulate, monkeypatch):
    """Of a large domain the forecasts take a while."""
    monkeypatch.setattr("postroad.planning.measure", None)
    for slip in (
        ["--plot", "picture.gif"],
        ["--trials", "10000000", "--retries", "1m"],
        ["--outage", "mail9@1h-3h"],
        ["--replies", "200"],
    ):
        assert 2 == simulate(*slip)[0]


def test_wrong_replies_are_refused_before_any_trial(simulate, monkeypatch):
    """Millions of messages take longer than forecasts."""
    monkeypatch.setattr("postroad.cli.workload.run_trials", None)
    assert 2 == simulate("--trials", "30", "--replies", "250,x")[0]


def test_status_one_where_a_sender_has_no_chance(simulate):
    """Mail of a sender that keeps to one record stops with its server."""
    assert 1 == simulate("--sender", "slimta", "--down", "mail1")[0]
    assert 0 == simulate("--sender", "postfix", "--down", "mail1")[0]


def test_status_three_where_the_records_cannot_be_told(simulate, tmp_path):
    """What is delegated to other name servers no file can tell."""
    (tmp_path / "up.zone").write_text("$ORIGIN example.com.\n@ MX 10 a\nsub NS ns.example.net.\n")
    status, said = simulate("--domain", "sub.example.com", named=str(tmp_path / "up.zone"), stderr=True)
    assert (3, True) == (status, "cannot be looked up now" in said)


def test_the_first_line_is_the_whole_story(simulate):
    """One sentence: machines, the busiest with its share, what gets through."""
    status, text = simulate("--sender", "dns-order", "--down", "mail1")
    assert 0 == status
    assert (
        "example.com: 3 machines, 192.0.2.11 down (refuse); of dns-order 100 % of first contacts go to "
        "mail1.example.com [192.0.2.11], 100 % of mail gets through in the first attempt"
    ) == text.splitlines()[0]
    assert "\x1b" not in text


def test_the_first_line_tells_the_time_of_mail_that_gets_through(simulate, tmp_path):
    """With five of six addresses silent an Exim needs up to five timeouts of 2.2 min, or gives up, which counts not."""
    zone = tmp_path / "six.zone"
    hosts = [
        f"@ MX 10 {name}\n{name} A 192.0.2.{n}\n{name} A 192.0.2.{n + 1}\n"
        for name, n in zip("abc", (1, 3, 5), strict=True)
    ]
    zone.write_text("$ORIGIN six.test.\n$TTL 300\n" + "".join(hosts))
    silent = [word for n in range(1, 6) for word in ("--down", f"192.0.2.{n}:blackhole")]
    status, text = simulate("--sender", "exim", *silent, named=str(zone))
    assert (0, "six.test: 6 machines, 5 addresses down (blackhole)") == (status, text.partition(";")[0])
    assert "83.3 % of mail gets through in the first attempt, after 4.5 min on average, 8.9 min at worst\n" in text


def test_the_first_line_says_that_nothing_gets_through(simulate):
    """No share of nothing, and no time after which it comes; a server that accepts is not down."""
    down = [word for name in ("mail1", "mail2", "backup") for word in ("--down", name)]
    status, text = simulate("--sender", "postfix", *down)
    assert (1, True) == (status, text.splitlines()[0].endswith(", no mail gets through in the first attempt"))
    assert "down" not in simulate("--sender", "postfix", "--down", "mail1:accept")[1].splitlines()[0]


def test_a_null_mx_has_no_server(tmp_path):
    """Nothing is contacted; what senders make of it is told."""
    zone = tmp_path / "null.zone"
    zone.write_text("$ORIGIN example.com.\n@ MX 0 .\n")
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["simulate", str(zone), "--sender", "postfix"])
    assert 1 == done.exit_code
    assert "example.com: no machine takes its mail" == done.stdout.splitlines()[0]


def test_reference_set_ups_have_names(simulate):
    """t1 to t6 stand in place of a domain."""
    shape = json.loads(simulate("--sender", "postfix", "--json", named="t6")[1])
    assert 9 == len(shape["servers"])


def test_senders_and_mixes_of_ones_own(simulate, tmp_path):
    """A file adds senders and mixes; what is wrong in it is told with its place."""
    own = tmp_path / "own.toml"
    own.write_text('[senders.ours]\nlike = "postfix"\n[mixes.both]\nours = 75\nexim = 25\n')
    shape = json.loads(simulate("--senders", str(own), "--mix", "both", "--json")[1])
    assert ["ours", "exim", "both"] == [each["sender"] for each in shape["results"]]
    assert ("both", {"ours": 0.75, "exim": 0.25}) == (shape["mix"]["name"], shape["mix"]["weights"])
    assert ["ours"] == shape["mix"]["assumed"]
    assert {"low": 0.5, "high": 0.5} == shape["mix"]["range"]["first"]["192.0.2.11"]  # its weights are given
    own.write_text('[senders.ours]\nlike = "pigeon"\n')
    status, said = simulate("--senders", str(own), stderr=True)
    assert (2, True) == (status, "senders.ours.like" in said)


def test_trials_follow_messages_with_intervals(simulate):
    """A seed makes the same trial again; each figure has its interval."""
    once, again = (
        json.loads(simulate("--sender", "postfix", "--trials", "500", "--seed", "7", "--json")[1])["trials"]
        for _ in range(2)
    )
    first = once[0]["first"]["192.0.2.11"]
    assert once == again
    assert first["low"] < 0.5 < first["high"]
    assert "Trials: 500 messages" in simulate("--sender", "postfix", "--trials", "500")[1]


def test_what_is_of_a_sample_says_so_in_the_text_the_json_and_the_page(simulate, tmp_path, monkeypatch):
    """Where the ways of an attempt are more than may be counted, whoever reads the figures is told."""
    monkeypatch.setattr(sums, "MOST_STEPS", 0)
    page, asked = tmp_path / "page.html", ("--sender", "postroad", "--down", "mail1:blackhole")
    said = simulate(*asked, "--html", str(page), named="t1")[1]
    shape = json.loads(simulate(*asked, "--trials", "50", "--json", named="t1")[1])
    told = "An attempt can go in too many ways to follow each: figures of postroad come from a sample."
    assert told in " ".join(said.split())
    assert told in page.read_text()
    assert (True, False) == (shape["results"][0]["sampled"], shape["trials"][0]["sampled"])


def test_without_numpy_trials_say_what_to_install_and_the_forecast_needs_none(simulate, monkeypatch):
    """NumPy is an extra: whoever relays mail does not need it, and whoever follows messages is told its name."""
    monkeypatch.setitem(sys.modules, "postroad.simulation.trials.play", None)
    status, said = simulate("--sender", "postfix", "--trials", "500", stderr=True)
    assert (2, True) == (status, "pip install 'postroad[simulate]'" in said), said
    assert 0 == simulate("--sender", "postfix")[0]


def test_trials_that_would_take_hours_are_refused_with_a_number_that_goes(tmp_path, simulate):
    """A hundred servers, all down: each try is a hundred contacts, and each message is tried for days."""
    zone = tmp_path / "hundred.zone"
    hosts = "".join(f"@ 300 MX 10 m{n}\nm{n} 300 A 192.0.2.{n}\n" for n in range(1, 101))
    zone.write_text(f"$ORIGIN example.com.\n{hosts}")
    down = [word for n in range(1, 101) for word in ("--down", f"192.0.2.{n}")]
    asked = ["--trials", "100000", "--sender", "rfc5321", *down]
    status, said = simulate(*asked, named=str(zone), stderr=True)
    assert 2 == status
    assert "100,000 messages of rfc5321 may be tried 40 times each, with 100 contacts a try" in said
    assert "250,000,000 contacts in all are the most: try " in said


def test_the_mix_has_a_range_and_no_single_number(simulate, by_default):
    """Nobody knows how much mail each sender sends: what is told of the mix holds for every plausible one."""
    found = by_default["mix"]["range"]
    first, delivered = found["first"]["192.0.2.11"], found["delivered"]
    assert ({"low": 1.0, "high": 1.0}, 0.5) == (delivered, first["low"])
    assert 0.55 < first["high"] < 0.75
    text = " ".join(simulate()[1].split())
    assert f"of the mix internet 50 to {ceil(first['high'] * 100)} % of first contacts go to" in text
    assert "100 % of mail gets through in the first attempt" in text


@pytest.mark.parametrize(
    ("flags", "told"),
    some(
        [
            (["--burst", "300/1.4s"], "60,000 messages of each sender over 1.4 s; 300 from each of 200 sending hosts"),
            (["--burst", "30/1.4s", "--trials", "300"], "300 messages of each sender over 1.4 s; 30 from each of 10"),
            (
                ["--rate", "1/s", "--sources", "2", "--trials", "600"],
                "600 messages of each sender over 5 min; 300 from",
            ),
            (["--greylist", "5m", "--trials", "300"], "24 h; 1 from each of 300 sending hosts; greylisted for 5 min"),
            (["--greylist", "5m", "--greylist-apart", "--trials", "300"], "by each server for itself"),
            (["--outage", "mail1:r450@1h-3h", "--trials", "300"], "192.0.2.11 down (r450) from 60 min to 3 h"),
            (["--outage", "2001:db8::13@30m-", "--trials", "300"], "2001:db8::13 down (refuse) from 30 min on"),
            (["--retries", "gmail", "--trials", "300"], "retries as gmail"),
            (["--retries", "5m,30m,2h", "--trials", "300"], "retries as given"),
        ],
        2,
    ),
)
def test_trials_are_about_the_mail_that_is_asked_for(simulate, flags, told):
    """Bursts, rates, greylisting, timed outages and timetables of retries are flags, and are told with the result.

    Every second of them; all in a whole run.
    """
    status, text = simulate("--sender", "postfix", *flags)
    assert (0, True) == (status, told in " ".join(text.split()))


def test_trials_say_what_their_columns_are_and_count_in_the_singular(simulate):
    """Shares under an address are first contacts, and one message is not several."""
    text = simulate("--sender", "postfix", "--trials", "1")[1]
    assert "Trials: 1 message of each sender" in text
    assert "Under each address its share of first contacts;" in text


def test_a_sender_without_a_way_has_the_keys_of_the_others(simulate, tmp_path):
    """Exact and played: an outcome has all results, and what nobody counted is null, not nought."""
    zone = tmp_path / "six.zone"
    zone.write_text("$ORIGIN six.test.\n$TTL 300\n@ MX 10 a\na AAAA 2001:db8::1\n")
    shape = json.loads(simulate("--sender", "ipv4-only", "--trials", "5", "--json", named=str(zone))[1])
    (exact,), (played,) = shape["results"], shape["trials"]
    assert ({"delivered", "deferred", "failed"}, None) == (exact["outcome"].keys(), played["dns_questions"])
    assert exact["outcome"] == {result: each["value"] for result, each in played["outcome"].items()}
    assert ("unable" in exact) == ("unable" in played)


def test_webmail_waits_longer_for_a_greylist_than_postfix(simulate):
    """Gmail comes back from seven machines, each of them a stranger: several tries for a delay of five minutes."""

    def tries(name):
        shape = json.loads(
            simulate("--sender", "postfix", "--greylist", "5m", "--retries", name, "--trials", "100", "--json")[1]
        )
        return shape["trials"][0]["tries"]["value"]

    assert 2 == tries("postfix") < 3 < tries("gmail")


def test_a_burst_tells_how_far_one_machine_strays(simulate):
    """Kept connections attract mail: one machine is far from the mean of many."""
    burst = ["--burst", "100/470ms", "--session", "15ms", "--sources", "10"]
    assert "One host with postfix-reuse sends " in simulate("--sender", "postfix-reuse", *burst)[1]
    assert "One host" not in simulate("--sender", "postfix", *burst)[1]


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--burst", "x"], "--burst x: write messages and a time"),
        (["--burst", "3/0s"], "--burst 3/0s: over_s: 0.0 is below 0.001 s"),
        (["--rate", "3/s", "--burst", "3/s"], "give only one of them"),
        (["--outage", "mail1"], "write SERVER[:MODE]@FROM-UNTIL"),
        (["--outage", "mail1@3h-1h"], "the outage of mail1 must end after it begins"),
        (["--outage", "mail9@1h-3h"], "'mail9': no exchanger of example.com has this name"),
        (["--trials", "7", "--burst", "3/1s"], "--trials: 7 is not a whole number of bursts of 3; write 6 or 9"),
        (["--trials", "500", "--burst", "10000000/1s"], "bursts of 10,000,000; write 10,000,000, or leave it out"),
        (["--trials", "6", "--burst", "3/1s", "--sources", "9"], "9 hosts with a burst of 3 each send 27 messages"),
        (["--greylist-apart"], "--greylist-apart needs --greylist TIME"),
        (["--greylist", "0s"], "--greylist: 0.0 is not above 0 s"),
        (["--retries", "fastmail"], "--retries fastmail: there is no such timetable; choose one of postroad, "),
        (["--retries", "5m,soon"], '--retries: "soon" is not a time'),
        (["--retries", "0s"], "--retries: 0.0 is below 1 s"),
        (["--retries", "1ms", "--greylist", "5m"], "--retries: 0.001 is below 1 s"),
        (["--retries", "1s"], "--retries: mail would be tried 432,001 times within 5 d; 10,000 is the maximum"),
        (["--trials", "99999999999"], "--trials: 99999999999 is more than 10,000,000, the most allowed"),
        (["--trials", "9000000", "--retries", "1m"], "1,000,000,000 tries in all are the most"),
        (["--burst", f"{10**20}/1s"], "is more than 10,000,000, the most allowed"),
        (["--burst", f"{'9' * 5000}/1s"], "is more than 10,000,000, the most allowed"),
        (["--burst", "10/1s", "--sources", "1000001"], "--sources: 1000001 is more than 1,000,000, the most allowed"),
        (["--burst", "1000/1s", "--sources", "1000000"], "are more than 10,000,000 messages, the maximum"),
        (["--greylist", "99999d"], "is longer than ten years"),
        (["--greylist", "367 days"], "--greylist: 31708800.0 is more than 31,622,400 s, the most allowed"),
        (["--session", "2d"], "--session: 172800.0 is more than 86,400 s"),
        (["--outage", "mail1:zzz@1h-2h"], "there is no mode 'zzz'; choose one of accept, refuse, "),
        (["--outage", "mail1@1h-3h", "--outage", "mail1:r450@2h-4h"], "is down in two ways at the same time"),
        (["--down", "mail1", "--outage", "mail1:r450@2h-4h"], "is down in two ways at the same time"),
    ],
)
def test_a_trial_that_cannot_be_is_refused(simulate, flags, why):
    """With what is wrong, where, and what to write instead."""
    status, said = simulate("--sender", "postfix", *flags, stderr=True)
    assert (2, True) == (status, why in " ".join(said.split()))


def test_pictures_go_into_files(simulate, tmp_path):
    """One page and one figure, as they are named."""
    page, figure = tmp_path / "look.html", tmp_path / "look.svg"
    assert 0 == simulate("--sender", "postfix", "--html", str(page), "--plot", str(figure))[0]
    assert "mail1" in page.read_text()
    assert "<svg" in figure.read_text()


def test_a_zone_with_two_domains_wants_to_know_which(tmp_path):
    """One zone file may hold several domains with MX records."""
    zone = tmp_path / "two.zone"
    zone.write_text(ZONE + "other.example.com. MX 10 mail1\n")
    said = CliRunner().invoke(app, ["simulate", "--zone", str(zone)])
    assert (2, True) == (said.exit_code, "--domain" in said.stderr)
    told = CliRunner().invoke(app, ["simulate", "--zone", str(zone), "--domain", "other.example.com", "--json"])
    assert 0 == told.exit_code


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\nb A 192.0.2.2\n", "Losing fewer servers delays no mail."),
        (
            "@ MX 10 a\na AAAA 2001:db8::1\n",
            "Some mail does not get through as things are: ipv4-only (33.3 % of mail). "
            "Losing fewer servers delays no other mail.",
        ),
        (
            "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(1, 9)),
            "Some mail waits once 5 machines are down: senders that draw an address (postfix; 33.3 % of mail).",
        ),
    ],
    ids=["all mail tries both", "senders without IPv6", "a limit of five"],
)
def test_that_no_mail_waits_is_worked_out(tmp_path, zone, told):
    """It is said only where it is so: not of mail that reaches no machine, nor of a sender that tries five of eight."""
    file = tmp_path / "example.zone"
    file.write_text(f"$ORIGIN example.com.\n$TTL 300\n{zone}")
    senders = [part for name in ("rfc5321", "ipv4-only", "postfix") for part in ("--sender", name)]
    done = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"}).invoke(app, ["simulate", str(file), *senders])
    assert told in " ".join(done.stdout.split())
    assert ("No mail waits" in done.stdout) == told.startswith("No mail waits")


@pytest.mark.parametrize("command", ["route", "check", "simulate", "advise"])
def test_what_nobody_can_look_up_now_is_3_for_every_command(tmp_path, command):
    """The exchangers are in zones nobody gave: no command calls that a refusal, nor good."""
    zone = tmp_path / "far.zone"
    zone.write_text("$ORIGIN far.example.\n@ MX 10 mx1.other.example.\n@ MX 20 mx2.other.example.\n")
    assert 3 == CliRunner().invoke(app, [command, str(zone)]).exit_code


@pytest.mark.parametrize("command", ["lookup", "route", "check", "simulate", "advise"])
def test_a_domain_that_the_zone_does_not_have_is_1_as_the_help_says(tmp_path, command):
    """No usage is wrong: there is no such domain."""
    (tmp_path / "some.zone").write_text(ZONE)
    asked = ["other.example"] if command == "check" else ["--domain", "other.example"]
    assert 1 == CliRunner().invoke(app, [command, *asked, "--zone", str(tmp_path / "some.zone")]).exit_code
    said = " ".join(CliRunner().invoke(app, [command, "--help"]).stdout.split())
    assert "or the zone does not have the domain" in said


def test_the_help_names_the_status_of_an_answer_that_cannot_be_written():
    """Scripts meet 74 on a full disk."""
    assert "74 if its answer cannot be written" in " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["t1", "--zone", "some.zone"], "t1 is a reference set-up with records of its own"),
        (["t1", "--outage", "mail1@1h-1h"], "must end after it begins"),
        (["t1", "--trials", "abc"], "'abc' is not a whole number."),
        (["t1", "--seed", "abc"], "'abc' is not a whole number."),
        (["t1", "--mix", "moon"], "there is no mix 'moon'; there is internet"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_plain_words(arguments, why):
    """Nothing is dropped without a word."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["simulate", *arguments])
    assert (2, True) == (done.exit_code, why in done.stderr)


def test_a_time_without_a_unit_is_in_seconds(simulate):
    """As in the settings."""
    asked = ["--trials", "10", "--sender", "postfix", "--json"]
    assert simulate(*asked, "--greylist", "5s") == simulate(*asked, "--greylist", "5")


@pytest.mark.parametrize(
    ("setup", "sender", "is_told"), [("t2", "postroad", True), ("t1", "postroad", False), ("t2", "exim", False)]
)
def test_a_relay_that_turns_addresses_is_told_from_a_single_message(simulate, tmp_path, setup, sender, is_told):
    """Else half of the mail for the second address contradicts `postroad route`, which begins with the first."""
    page = tmp_path / "page.html"
    text = simulate("--sender", sender, "--html", str(page), named=setup)[1]
    told = "as a relay uses the addresses of a name in turn"
    assert (is_told, is_told) == (told in text, told in page.read_text())


def test_one_relay_turns_addresses_strictly(simulate):
    """As it does: of a hundred messages each of two addresses gets fifty, whatever the seed."""
    arguments = ["--sender", "postroad", "--trials", "100", "--sources", "1", "--json"]
    for seed in "123":
        shape = json.loads(simulate(*arguments, "--seed", seed, named="t2")[1])
        assert [0.5, 0.5] == [each["value"] for each in shape["trials"][0]["first"].values()]


NAMED_ADDRESS = "$ORIGIN ex.test.\n@ MX 10 192.0.2.7.\n@ MX 20 b\nb A 192.0.2.2\n"


def test_an_address_that_a_record_names_is_a_server_in_every_figure(simulate, tmp_path):
    """Some senders deliver there: it has its share, its part in trials, its loss, and can be down."""
    (zone := tmp_path / "named.zone").write_text(NAMED_ADDRESS)
    shape = json.loads(simulate("--trials", "20", "--json", named=str(zone))[1])
    assert [1.0] * len(shape["results"]) == [sum(each["first"].values()) for each in shape["results"]]
    assert ["192.0.2.7", "192.0.2.2"] == [each["address"] for each in shape["servers"]]
    first = {each["sender"]: each["first"] for each in shape["results"]}
    tried = {each["sender"]: {at: found["value"] for at, found in each["first"].items()} for each in shape["trials"]}
    assert tried == {name: {at: first[name][at] for at in found} for name, found in tried.items()}
    few = [word for name in ("postroad", "postfix", "exim", "haraka") for word in ("--sender", name)]
    text = simulate("--trials", "20", "--down", "192.0.2.7", *few, named=str(zone))[1]
    assert "too many" not in text
    assert "no machine took" not in text
    assert {name for name, found in first.items() if found["192.0.2.7"]} >= {"postfix", "haraka"}
    assert "192.0.2.7 down" in text


@pytest.mark.parametrize(
    "flag", ["--mix", "--greylist", "--session", "--burst", "--rate", "--retries", "--outage", "--resolver"]
)
def test_an_empty_word_is_not_the_same_as_none(simulate, flag):
    """A shell variable that is not set would silently ask for something else."""
    status, said = simulate(flag, "", stderr=True)
    assert (2, True) == (status, bool(said))


@pytest.mark.parametrize("command", ["route", "lookup", "check", "simulate", "advise"])
def test_a_name_server_is_read_also_where_nobody_asks_it(command):
    """The zone answers, but the slip would come to light on the day that the zone is left out."""
    done = CliRunner().invoke(app, [command, "t1", "--resolver", "NaN"])
    assert (2, True) == (done.exit_code, "'NaN'" in done.stderr)


def test_a_sender_is_not_called_as_a_mix(simulate, tmp_path):
    """The rows of an answer are by name: that of the mix took the place of the sender's."""
    (own := tmp_path / "internet.toml").write_text('like = "highest-first"\n')
    for arguments in (["--sender", str(own)], ["--sender", str(own), "--mix", "internet"]):
        status, said = simulate(*arguments, stderr=True)
        assert (2, True) == (status, "internet: a sender and a mix cannot have the same name" in said)
    several = tmp_path / "own.toml"
    several.write_text('[senders.mine]\nlike = "exim"\n[mixes.mine]\nmine = 100\n')
    assert 2 == simulate("--senders", str(several))[0]


LOOPBACK = "a loopback address reaches only this machine"


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ("@ MX 10 a\na A 127.0.0.1\n", [f"a.ex.test [127.0.0.1]: {LOOPBACK}", "--allow-loopback"]),
        ("@ MX 10 a\n@ MX 10 b\na A 127.0.0.1\nb A 192.0.2.1\n", [LOOPBACK, "--allow-loopback"]),
        ("@ MX 10 gone\n@ MX 10 b\nb A 192.0.2.1\n", ["gone.ex.test: the name does not exist (NXDOMAIN)"]),
        ("@ MX 10 a\n@ MX 10 b\na A 0.0.0.0\nb A 192.0.2.1\n", ["a.ex.test [0.0.0.0]: the unspecified address"]),
        ("@ MX 0 .\n", ["accepts no mail: its only MX is the null MX"]),
        ("@ MX 10 mail.elsewhere.test.\n", ["mail.elsewhere.test: "]),
    ],
)
def test_what_is_left_out_is_named_with_the_reason(simulate, tmp_path, records, said):
    """As `postroad route` names it: else two exchangers become one machine without a word."""
    (zone := tmp_path / "left.zone").write_text(f"$ORIGIN ex.test.\n{records}")
    text = simulate("--sender", "exim", named=str(zone))[1]
    assert [] == [each for each in said if each not in text]
    if "--allow-loopback" in said:
        assert "--allow-loopback" not in simulate("--sender", "exim", "--allow-loopback", named=str(zone))[1]


def test_a_page_replaces_nothing_but_a_page(simulate, tmp_path):
    """A slip on the command line must not cost a zone; a page of yesterday makes room."""
    (zone := tmp_path / "mine.zone").write_text(ZONE)
    (own := tmp_path / "mine.toml").write_text('like = "exim"\n')
    (page := tmp_path / "page.html").write_text("<!DOCTYPE html>old")
    for precious in (zone, own):
        before = precious.read_text()
        status, said = simulate("--sender", str(own), "--html", str(precious), named=str(zone), stderr=True)
        assert (2, before) == (status, precious.read_text())
        assert "a file of another kind" in said
    assert (0, False) == (simulate("--sender", "exim", "--html", str(page))[0], "old" in page.read_text()[:20])


def test_a_page_goes_to_standard_output_by_a_dash(simulate, tmp_path, monkeypatch):
    """As everywhere: alone, and into no file of that name."""
    monkeypatch.chdir(tmp_path)
    status, text = simulate("--sender", "exim", "--html", "-")
    assert (0, True, True) == (status, text.startswith("<!DOCTYPE html>"), text.endswith("</html>\n"))
    assert not (tmp_path / "-").exists()
    assert 2 == simulate("--sender", "exim", "--html", "-", "--json")[0]


@pytest.mark.parametrize("flag", ["--html", "--plot"])
def test_a_full_disk_is_no_usage_error(simulate, tmp_path, flag):
    """74, as of any answer that cannot be written."""
    (full := tmp_path / "full.svg").symlink_to("/dev/full")
    assert 74 == simulate("--sender", "exim", flag, str(full))[0]


@pytest.mark.parametrize(
    ("sender", "order", "is_told"), [("slimta", "random", True), ("slimta", "fixed", False), ("exim", "random", False)]
)
def test_trials_say_why_they_differ_from_the_exact_figures(simulate, sender, order, is_told):
    """A sender that keeps the MX set has one order in a TTL, which is what a forecast of one attempt sees."""
    text = simulate("--sender", sender, "--dns-order", order, "--trials", "20", named="t1")[1]
    assert is_told == (f"each host with {sender} keeps one order of the MX records" in text)


def test_a_timetable_without_retries_is_called_so(simulate):
    """Nobody retries as "none" does."""
    text = simulate("--sender", "exim", "--trials", "20", "--retries", "none", named="t1")[1]
    assert (True, False) == ("; no retries;" in text, "retries as none" in text)


def test_a_server_may_be_named_as_people_write_it(simulate, tmp_path):
    """The domain may be in Unicode, so its exchangers may."""
    (zone := tmp_path / "idn.zone").write_text("$ORIGIN ex.test.\n@ MX 10 xn--mil-qla\nxn--mil-qla A 192.0.2.1\n")
    for name in ("m\u00e4il", "m\u00e4il.ex.test", "xn--mil-qla", "XN--MIL-QLA.ex.test."):
        assert "192.0.2.1 down" in simulate("--sender", "exim", "--down", name, named=str(zone))[1]


def test_every_flag_that_names_a_server_takes_it_as_people_write_it(simulate, tmp_path):
    """One function reads them: what --down knows, --outage knows."""
    (zone := tmp_path / "idn.zone").write_text("$ORIGIN ex.test.\n@ MX 10 xn--mil-qla\nxn--mil-qla A 192.0.2.1\n")
    for name in ("m\u00e4il", "m\u00e4il.ex.test", "xn--mil-qla", "192.0.2.1"):
        said = simulate("--sender", "exim", "--trials", "20", "--outage", f"{name}@1h-3h", named=str(zone))[1]
        assert "192.0.2.1 down (refuse) from 60 min to 3 h" in said


def test_trials_say_how_many_hosts_send(simulate):
    """Also where each sends one message."""
    text = simulate("--sender", "postfix", "--rate", "10/1s", "--trials", "500", named="t1")[1]
    assert "500 messages of each sender over 100 ms; 1 from each of 500 sending hosts" in text


def test_an_empty_sender_file_is_no_sender(simulate, tmp_path):
    """It counted as rfc5321: a file that was not written is not what anybody measured."""
    (own := tmp_path / "mine.toml").write_text("")
    status, said = simulate("--sender", str(own), stderr=True)
    assert (2, True) == (status, "it says nothing" in said)


POLICY = "version: STSv1\nmode: enforce\nmx: mail1.example.com\nmx: mail2.example.com\nmax_age: 86400\n"
SIGNED = f"@ DNSKEY 257 3 13 {'A' * 86}==\n_25._tcp.mail1 TLSA 3 1 1 {'ab' * 32}\n"


def test_policy_that_leaves_out_the_backup_shows_who_would_refuse_it(simulate, tmp_path):
    """In words and in JSON: the senders, their part of the mail, and what stops it."""
    policy = tmp_path / "mta-sts.txt"
    policy.write_text(POLICY)
    given = ["--sender", "exchange-online", "--sender", "postfix", "--sts-policy", str(policy)]
    text = simulate(*given)[1]
    assert "The MTA-STS policy is enforced by exchange-online (50 % of mail)." in text
    assert "With backup.example.com not listed in the MTA-STS policy, exchange-online (50 % of mail) passes it" in text
    found = json.loads(simulate(*given, "--json")[1])["tls"]
    (refusal,) = found["refusals"]
    assert ("enforce", []) == (found["sts"]["mode"], found["tlsa"])
    assert {
        "exchange": "backup.example.com",
        "cause": "unlisted",
        "senders": ["exchange-online"],
        "part": {"low": 0.5, "high": 0.5},
        "stops": ["192.0.2.11", "192.0.2.12"],
        "waits": False,
    } == refusal


def test_exchanger_may_be_left_out_of_the_policy_by_a_word(simulate):
    """Without a policy one that lists all others is taken, and the trials count it as the forecast does."""
    given = ["--sender", "exchange-online", "--down", "backup:uncovered", "--down", "mail1", "--down", "mail2"]
    status, text = simulate(*given, "--trials", "200", "--json")
    shape = json.loads(text)
    assert (1, 1.0, 1.0) == (
        status, shape["results"][0]["outcome"]["deferred"],
        1 - shape["trials"][0]["accepted"].get("198.51.100.13", {"value": 0.0})["value"],
    )  # fmt: skip
    assert shape["tls"]["refusals"][0]["waits"]
    assert json.loads(simulate("--sender", "postfix", "--json")[1])["tls"] is None


def test_tlsa_records_of_a_signed_zone_count(simulate, tmp_path):
    """A certificate that does not match is refused by who looks at DANE."""
    zone = tmp_path / "signed.zone"
    zone.write_text(ZONE + SIGNED)
    given = ["--sender", "exim", "--sender", "postfix", "--down", "mail1:tls-mismatch"]
    text = simulate(*given, named=str(zone))[1]
    assert "The TLSA records of mail1.example.com are enforced by exim (50 % of mail)." in text
    assert "As mail1.example.com does not prove what is published for it, exim (50 % of mail) passes it over" in text
    assert "Nothing published is known that makes a sender look at a certificate" in simulate(*given)[1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read"),
        ("mode: enforce\n", "is not a valid MTA-STS policy: it has no line `version: STSv1`"),
        ("version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n", "is not a valid MTA-STS policy: line 3"),
    ],
)
def test_policy_that_cannot_be_used_is_told(simulate, tmp_path, text, why):
    """With its file and line."""
    policy = tmp_path / "mta-sts.txt"
    if text is not None:
        policy.write_text(text)
    status, said = simulate("--sts-policy", str(policy), stderr=True)
    assert (2, True) == (status, why in " ".join(said.split()))


def test_zone_file_publishes_nothing_that_could_be_asked_for(simulate):
    """The error says what to give."""
    status, said = simulate("--published", stderr=True)
    assert (2, True) == (status, "give the MTA-STS policy with --sts-policy" in " ".join(said.split()))
