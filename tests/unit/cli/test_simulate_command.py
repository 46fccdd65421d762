"""`postroad simulate`: shares, survival and waits of real senders, from records that nobody published yet."""

import json

import pytest
from typer.testing import CliRunner

from postroad.cli.root import app

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
    "dns_questions",
    "order_examples",
}


@pytest.fixture
def simulate(tmp_path):
    """A function that runs `postroad simulate` on a zone, and gives its exit status and what it said."""
    zone = tmp_path / "example.zone"
    zone.write_text(ZONE)

    def run(*arguments, stderr=False, named=None):
        place = [named] if named else ["--zone", str(zone)]
        done = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"}).invoke(app, ["simulate", *place, *arguments])
        return done.exit_code, done.stderr if stderr else done.stdout

    return run


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


def test_by_default_it_asks_ourselves_and_the_mix_with_its_senders(simulate):
    """Postroad first, then the senders of the mix, and last the mix itself."""
    senders = [each["sender"] for each in json.loads(simulate("--json")[1])["results"]]
    assert ("postroad", "internet") == (senders[0], senders[-1])
    assert "exim" in senders


@pytest.mark.parametrize(
    ("down", "expected"),
    [
        ("mail1", {"192.0.2.11": "refuse"}),
        ("mail1.example.com:blackhole", {"192.0.2.11": "blackhole"}),
        ("192.0.2.12:r450", {"192.0.2.12": "r450"}),
        ("2001:db8::13", {"2001:db8::13": "refuse"}),
        ("[2001:db8::13]:close", {"2001:db8::13": "close"}),
        ("backup:g554", {"198.51.100.13": "g554", "2001:db8::13": "g554"}),
    ],
)
def test_a_server_is_down_by_address_or_name(simulate, down, expected):
    """SERVER is an address of either family or a name, with or without a mode."""
    shape = json.loads(simulate("--sender", "rfc5321", "--down", down, "--json")[1])
    assert expected == shape["results"][0]["down"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--down", "mail9"], "no exchanger"),
        (["--down", "mail1:asleep"], "no such mode"),
        (["--down", "192.0.2.99"], "no server"),
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


def test_status_one_where_a_sender_has_no_chance(simulate):
    """Mail of a sender that keeps to one record stops with its server."""
    assert 1 == simulate("--sender", "slimta", "--down", "mail1")[0]
    assert 0 == simulate("--sender", "postfix", "--down", "mail1")[0]


def test_status_three_where_the_records_cannot_be_told(simulate):
    """A domain no zone file knows is not told now."""
    status, said = simulate("--domain", "elsewhere.example", stderr=True)
    assert (3, True) == (status, "cannot be told now" in said)


def test_the_first_line_is_the_whole_story(simulate):
    """One sentence: servers, the busiest with its share, what gets through."""
    status, text = simulate("--sender", "dns-order", "--down", "mail1")
    assert 0 == status
    assert (
        "example.com: 4 servers, 192.0.2.11 down (refuse); of dns-order 100 % of first contacts go to "
        "mail1.example.com [192.0.2.11], 100 % of mail gets through in the first attempt"
    ) == text.splitlines()[0]
    assert "\x1b" not in text


def test_a_null_mx_has_no_server(tmp_path):
    """Nothing is contacted; what senders make of it is told."""
    zone = tmp_path / "null.zone"
    zone.write_text("$ORIGIN example.com.\n@ MX 0 .\n")
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["simulate", str(zone), "--sender", "postfix"])
    assert 1 == done.exit_code
    assert "example.com: no server takes its mail" == done.stdout.splitlines()[0]


def test_set_ups_of_the_documents_have_names(simulate):
    """t1 to t6 stand in place of a domain."""
    shape = json.loads(simulate("--sender", "postfix", "--json", named="t6")[1])
    assert 9 == len(shape["servers"])


def test_senders_and_mixes_of_ones_own(simulate, tmp_path):
    """A file adds senders and mixes; what is wrong in it is told with its place."""
    own = tmp_path / "own.toml"
    own.write_text('[senders.ours]\nlike = "postfix"\n[mixes.both]\nours = 3\nexim = 1\n')
    shape = json.loads(simulate("--senders", str(own), "--mix", "both", "--json")[1])
    assert ["ours", "exim", "both"] == [each["sender"] for each in shape["results"]]
    assert {"name": "both", "weights": {"ours": 0.75, "exim": 0.25}} == shape["mix"]
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


def test_pictures_go_into_files(simulate, tmp_path):
    """One page and one figure, as they are named."""
    pytest.importorskip("matplotlib")
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
