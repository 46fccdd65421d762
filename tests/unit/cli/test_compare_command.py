"""`postroad compare`, `advise` and `setups`: records side by side, and what to make of them."""

import json
import re
from functools import cache

import pytest
from tests.support.examples import some
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.planning import Goal
from postroad.views.json import rounded


@cache
def run(*arguments):
    """The exit status and what was said: once for all tests that ask the same."""
    done = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*arguments])
    return done.exit_code, done.stdout


def test_text_has_the_verdict_first_then_the_numbers_and_the_meaning():
    """One line says who does best; below come the table, the lines and the sentences."""
    status, text = run("compare", "t1", "t5", "--sender", "rfc5321")
    assert 0 == status
    assert text.splitlines()[0].startswith("Best at balance: t1;")
    assert "- example.com. 300 IN MX 10 mail1.example.com." in text
    assert "b.example.com [192.0.2.12] gets 0 % of first contacts, before 50 %." in text
    told = run("compare", "t1", "t5", "--sender", "rfc5321", "--verbose")[1]
    assert "First contacts of every sender: a.example.com [192.0.2.11] rises from 50 % to 100 %; b" in told


PIPED = [("compare", "t1", "t4"), ("advise", "t3"), ("simulate", "t1", "--trials", "50")]


@pytest.mark.parametrize("arguments", some(PIPED, 2))
def test_in_a_pipe_nothing_is_wrapped_or_cut(arguments):
    """COLUMNS says how wide pictures are, and nothing else: every line and cell stands whole.

    Every second of them; all in a whole run.
    """
    wide, narrow = (
        CliRunner(env={"COLUMNS": width, "NO_COLOR": "1"}).invoke(app, [*arguments, "--sender", "exim"]).stdout
        for width in ("1000", "20")
    )
    begins = "Trials: " if "simulate" in arguments else "example.com: " if "advise" in arguments else "Best at"
    assert wide[wide.index(begins) :] == narrow[narrow.index(begins) :]
    assert "\u2026" not in narrow


def test_markdown_is_fit_for_a_pull_request():
    """A table, a diff block and a list."""
    text = run("compare", "t1", "t3", "--sender", "exim", "--format", "markdown")[1]
    assert "| t1 | 2 |" in text
    assert "```diff\n+ mail1.example.com. 300 IN A 192.0.2.12" in text
    assert "\n- " in text


def test_no_name_of_a_file_is_markup_in_a_pull_request(tmp_path):
    """A stroke would add a column, and a tag be one."""
    (zone := tmp_path / "a|b <i>.zone").write_text("$ORIGIN ex.test.\n@ MX 10 a\na A 192.0.2.1\n")
    text = run("compare", "t1", str(zone), "--sender", "exim", "--format", "markdown")[1]
    assert ("| a\\|b &lt;i>" in text, "<i>" in text) == (True, False)


def test_html_is_one_page_that_fetches_nothing():
    """No script, no link, no name from DNS without escaping."""
    text = run("compare", "t1", "t2", "--sender", "exim", "--format", "html")[1]
    assert text.startswith("<!DOCTYPE html>")
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text


@pytest.mark.parametrize("form", [["--json"], ["--format", "json"]])
def test_json_has_sets_verdicts_and_differences(form):
    """The same for programs."""
    shape = json.loads(run("compare", "t1", "t2", "t4", "--sender", "exim", *form)[1])
    assert ["t1", "t2", "t4"] == [each["name"] for each in shape["sets"]]
    assert list(Goal) == [each["goal"] for each in shape["verdicts"]]
    assert [("t1", "t2"), ("t1", "t4")] == [(each["before"], each["after"]) for each in shape["differences"]]


def test_zone_files_are_compared(tmp_path):
    """What stands in DNS now, and what is planned."""
    now, planned = tmp_path / "now.zone", tmp_path / "planned.zone"
    now.write_text("$ORIGIN example.com.\n@ MX 10 a\na A 192.0.2.1\n")
    planned.write_text("$ORIGIN example.com.\n@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\nb A 192.0.2.2\n")
    status, text = run("compare", str(now), str(planned), "--sender", "exim")
    assert 0 == status
    assert "No longer: There is one machine" in text


def test_one_set_cannot_be_compared():
    """It takes two."""
    assert 2 == run("compare", "t1")[0]


def test_advice_shows_lines_before_and_after_with_proof():
    """The change, both zones, and for each sender what it did and does."""
    status, text = run("advise", "t2", "--allow", "split", "--sender", "rfc5321")
    assert 1 == status
    assert "example.com: change 3 lines." == text.splitlines()[0]
    assert "  + example.com. 300 IN MX 10 mail2.example.com." in text
    assert ["rfc5321", "100 %", "50 %", "100 %", "100 %", "3.0", "5.0"] in [
        re.split(r"  +", line) for line in text.splitlines()
    ]


def test_no_advice_is_told_with_its_reason():
    """A sane zone: status 0 and why."""
    status, text = run("advise", "t1")
    assert 0 == status
    assert text.startswith(
        "example.com: nothing to change.\ndelivery: all mail gets through at once.\n"
        "fail-over: with either machine refusing, the other takes all its mail at once.\n"
    )


def test_advice_fails_where_check_does(tmp_path):
    """No change to propose, and an error of `check`: the exit status says so, and what was found stands below."""
    zone = tmp_path / "dead.zone"
    zone.write_text("$ORIGIN example.com.\n@ 300 MX 10 gone\n")
    status, text = run("advise", str(zone))
    assert (1, True) == (status, "check finds mx-none-usable: the only MX record, gone.example.com" in text)


def test_advice_on_aliases_that_loop_is_to_fix_them(tmp_path):
    """What stands in the zone will not be looked up later either: 1 as of check, and the words of check."""
    zone = tmp_path / "loop.zone"
    zone.write_text("$ORIGIN loop.example.\n@ 300 MX 10 a\na CNAME b\nb CNAME a\n")
    status, text = run("advise", str(zone))
    assert (1, "loop.example: no machine takes its mail; first fix what check finds.") == (
        status,
        text.splitlines()[0],
    )


def test_rotation_is_not_asked_for_where_its_figure_reads_the_same():
    """Rounded shares that are alike are no reason: 30 % rotated against 30 % in a fixed order."""
    assert "rotate the addresses" not in run("advise", "t6")[1]


def test_advice_is_a_page_and_markdown_too(tmp_path):
    """Lines that change, records to be copied, what gets better and worse: in each form that `compare` has."""
    advice = "advise", "t3", "--sender", "exim"
    page, marked = (run(*advice, "--format", form)[1] for form in ("html", "markdown"))
    assert ("<h1>Advice for example.com</h1>", True) == (re.search("<h1>.*</h1>", page)[0], "<svg" in page)
    assert "```diff\n- mail1.example.com. 300 IN A 192.0.2.12\n" in marked
    assert "### After\n\n```\nexample.com. 300 IN MX 10 mail1.example.com.\n" in marked
    assert json.loads(run(*advice, "--format", "json")[1]) == json.loads(run(*advice, "--json")[1])


def test_advice_in_json():
    """The edits with their reasons, both measures, and the meaning."""
    shape = json.loads(run("advise", "t3", "--sender", "exim", "--json")[1])
    assert (True, 2) == (shape["change"], len(shape["edits"]))
    assert shape["before"]["dns"]["octets"] > shape["after"]["dns"]["octets"]


def test_setups_answers_what_people_ask():
    """Fail-over of the second, DNS traffic of the third, and the way round a filter, each with its numbers."""
    status, text = run("setups", "--sender", "rfc5321", "--sender", "exim")
    assert 0 == status
    assert "  t1, two equal MX, one address each:" in text
    assert "Does the second set-up, one name with two addresses, fail over?\n  Yes:" in text
    assert "Does the third set-up cost twice the DNS traffic of the first?\n  No:" in text
    assert "highest-first): 100 % in a fixed order" in text


def test_setups_in_json():
    """All set-ups, verdicts, and each question with its answer."""
    shape = json.loads(run("setups", "--sender", "exim", "--json")[1])
    assert ["t1", "t2", "t3", "t4", "t5", "t6", "one", "filter"] == [each["name"] for each in shape["sets"]]
    assert 9 == len(shape["answers"])


def test_what_has_no_figures_is_said_with_its_reason(tmp_path):
    """In each answer that has figures without it, in words and in JSON: the same reasons as of `route`."""
    zone = tmp_path / "half.zone"
    zone.write_text("$ORIGIN half.example.\n@ MX 10 a\n@ MX 10 b\n@ MX 20 gone\na A 127.0.0.1\nb A 192.0.2.1\n")
    route, simulated, compared, advised = (
        json.loads(run(*words, "--json")[1])
        for words in (
            ("route", str(zone)),
            ("simulate", str(zone), "--sender", "exim"),
            ("compare", str(zone), "t1", "--sender", "exim"),
            ("advise", str(zone), "--sender", "exim"),
        )
    )
    reasons = ["no-such-name", "loopback"]
    assert reasons == sorted((each["reason"] for each in route["dropped"]), reverse=True)
    for shape in (simulated, compared["sets"][0], advised["before"]):
        assert (route["dropped"], None) == (shape["dropped"], shape["refusal"])
    for words in (("simulate", str(zone)), ("compare", str(zone), "t1")):
        text = run(*words, "--sender", "exim")[1]
        assert [True] * 2 == [each["text"] in text for each in route["dropped"]]


def test_numbers_are_equally_exact():
    """Six digits at most, wherever a number stands; what is there at all is not rounded to nothing."""
    for words in (("simulate", "t6", "--trials", "30"), ("compare", "t6", "t4"), ("advise", "t6")):
        assert [] == re.findall(r"\d\.\d{7,}", run(*words, "--sender", "haraka", "--json")[1])
    assert [0.333333, 1e-09, 0.0, 3] == rounded([1 / 3, 1e-9, 0.0, 3])


def test_a_file_that_is_missing_is_told_as_one():
    """What has a slash is no domain: the name of the file comes back, with what is wrong with it."""
    done = CliRunner().invoke(app, ["compare", "t1", "/nowhere/now.zone"])
    assert (2, True) == (done.exit_code, "/nowhere/now.zone: cannot be read" in done.output)


@pytest.mark.parametrize(
    ("sets", "status"),
    [
        (("t1", "none"), 1),
        (("t1", "t2", "later"), 3),
        (("t1", "later", "none"), 1),
        (("none", "t1"), 0),
        (("t1", "t2"), 0),
    ],
)
def test_the_exit_status_is_of_what_is_planned(tmp_path, sets, status):
    """As of `simulate`: 1 where a sender gets no mail through, 3 where nobody knows now. The first may be broken."""
    for name, target in (("none", "."), ("later", "far.example.net.")):
        (tmp_path / f"{name}.zone").write_text(f"$ORIGIN example.com.\n@ MX 0 {target}\n")
    paths = [each if each.startswith("t") else str(tmp_path / f"{each}.zone") for each in sets]
    assert status == run("compare", *paths)[0]


@pytest.mark.parametrize(
    ("zone", "why"),
    some(
        [
            ("@ MX 0 .", "its only MX is the null MX"),
            ("@ MX 10 far.example.net.", "its addresses cannot be looked up now"),
            ("www A 192.0.2.1", "the name has no address"),
        ],
        2,
    ),
)
def test_a_set_without_mail_says_why_it_wins_nothing(tmp_path, zone, why):
    """It asks the fewest questions, which nobody wants to hear of a name that is mistyped.

    Every second of them; all in a whole run.
    """
    file = tmp_path / "other.zone"
    file.write_text(f"$ORIGIN other.example.\n@ NS ns1.example.net.\n{zone}\n")
    _, text = run("compare", "t1", str(file), "--sender", "rfc5321")
    assert "No mail reaches other, so it is best at nothing, however cheap: " in text
    assert why in text
