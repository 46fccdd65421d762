"""`postroad senders`: who can be simulated, what each one does, and a file of one's own."""

import json

import pytest
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.models import SENDERS, read_sender


def run(*arguments):
    """The result of `postroad ARGUMENTS`."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))


def test_senders_are_listed_by_what_they_rest_on():
    """Each has its line, with the version that was measured."""
    result = run("senders")
    assert 0 == result.exit_code
    assert [] == [name for name in SENDERS if f"  {name} " not in result.stdout]
    assert result.stdout.index("Exim 4.96") < result.stdout.index("Habits that are assumed")


def test_each_sender_is_shown_with_its_sources():
    """And with what it does after each fault."""
    for name, sender in SENDERS.items():
        result = run("senders", name)
        assert (name, 0) == (name, result.exit_code), result.output
        assert [] == [source for source in sender.sources if source not in result.stdout]
        assert ("starttls-220-close" in result.stdout) is not sender.ours, name


@pytest.mark.parametrize("arguments", [(), ("opensmtpd",)])
def test_no_line_in_a_pipe_ends_with_blanks(arguments):
    """Those that fill the last column of a table are for a terminal."""
    assert [] == [line for line in run("senders", *arguments).stdout.splitlines() if line.endswith(" ")]


def test_a_sender_speaks_json():
    """The keys are those of its file."""
    shape = json.loads(run("senders", "exim", "--json").stdout)["sender"]
    assert ("v6-pass", 5, "next-address") == (
        shape["families"],
        shape["limits"]["addresses"],
        shape["reactions"]["mute"],
    )
    assert list(SENDERS) == [each["name"] for each in json.loads(run("senders", "--json").stdout)["senders"]]


def test_the_file_of_a_sender_can_be_taken_and_changed():
    """What --toml prints is read back as the same sender."""
    names = sorted(SENDERS.keys() - {"postroad"})
    again = {name: read_sender(name, run("senders", name, "--toml").stdout) for name in names}
    assert {name: (SENDERS[name].reactions, SENDERS[name].limits) for name in names} == {
        name: (each.reactions, each.limits) for name, each in again.items()
    }


def test_a_file_of_ones_own_is_a_sender(tmp_path):
    """It has the name of the file, and stands beside those that are known."""
    own = tmp_path / "gateway.toml"
    own.write_text('like = "postfix"\nreactions = { not-now = "defer" }\n')
    done = run("simulate", "t5", "--sender", str(own), "--sender", "postfix", "--down", "a:r450", "--json")
    assert {"gateway": 1.0, "postfix": 0.0} == {
        each["sender"]: each["outcome"]["deferred"] for each in json.loads(done.stdout)["results"]
    }
    assert "like postfix" in run("senders", str(own)).stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('unit = "planet"', "gateway.toml: unit: 'planet' is not one of host, address"),
        ('[reactions]\nmute = "sulk"', "gateway.toml: reactions.mute: 'sulk' is not one of"),
        ('like = "pigeon"', "gateway.toml: like: there is no sender 'pigeon'"),
        ('procedure = "rfc1"', "gateway.toml: procedure: 'rfc1' is not one of"),
        ("[retry]\nintervals_s = [0]", "gateway.toml: retry.intervals_s: 0.0 is below 1 s"),
        ("[retry]\ngrowth = 5", "gateway.toml: retry.growth: write the first wait"),
        ("sources = 5", "gateway.toml: sources: write a list here"),
        ("a = [", "gateway.toml: TOML: "),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(tmp_path, text, words):
    """The file, the key, and what could stand there."""
    own = tmp_path / "gateway.toml"
    own.write_text(text)
    done = run("simulate", "t5", "--sender", str(own))
    assert 2 == done.exit_code
    assert words in done.stderr


def test_a_file_that_is_not_there_or_hides_another_is_wrong_usage(tmp_path):
    """So is a name that nobody has, with what was perhaps meant."""
    assert (2, 2, 2) == tuple(
        run("simulate", "t5", "--sender", name).exit_code for name in (str(tmp_path / "x.toml"), "exim.toml", "posfix")
    )
    assert "did you mean postfix" in run("senders", "posfix").stderr
    assert "has no file" in run("senders", "postroad", "--toml").stderr


def test_recipients_are_answered_one_by_one():
    """Postfix goes on with the one told to wait; what is refused is returned, by chasquid later."""
    done = run("simulate", "t5", "--sender", "postfix", "--sender", "chasquid", "--replies", "250,450,550")
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith(("postfix ", "chasquid "))}
    assert "delivered  delivered by 192.0.2.12  returned" in lines["postfix"]
    late = "With chasquid, a refused one is returned when no other waits."
    assert late in done.stdout
    assert late not in run("simulate", "t1", "--sender", "chasquid", "--replies", "250,450").stdout


def test_recipients_speak_json():
    """Each with its reply, its end and who took the mail."""
    done = run("simulate", "t5", "--sender", "opensmtpd", "--replies", "250,450", "--json")
    told = json.loads(done.stdout)["recipients"]
    assert ["192.0.2.11"] == told["servers"]
    assert [1.0, 0.0] == [each["outcome"]["delivered"] for each in told["results"][0]["recipients"]]


@pytest.mark.parametrize("text", ["", "200", "250,", ",".join(["250"] * 101)])
def test_replies_that_cannot_be_are_wrong_usage(text):
    """Only 250, 450 and 550, and no more recipients than a message may have."""
    done = run("simulate", "t5", "--replies", text)
    assert (2, True) == (done.exit_code, "--replies" in done.stderr)


def test_a_file_of_ones_own_is_printed_and_its_timetable_said(tmp_path):
    """It is a file, and its waits are its own: nothing is left blank."""
    file = tmp_path / "gateway.toml"
    file.write_text('like = "postfix"\nretry = { intervals_s = [300, 600], then_s = 3600, expiry_s = 432000 }\n')
    assert file.read_text() == run("senders", str(file), "--toml").stdout
    said = "after 5 min, 10 min, then every 60 min; gives up after 5 d"
    assert said in run("senders", str(file)).stdout
