"""One grammar of arguments: a domain, a zone file or a reference set-up mean the same in every command."""

from itertools import product

import pytest
from tests.support.examples import some
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.planning import SETUPS, SETUPS_BY_NAME

GOOD = "$ORIGIN example.org.\n@ MX 10 mail\nmail A 192.0.2.1\n"
COMMANDS = ["route", "lookup", "check", "simulate", "compare", "advise"]
QUICK = {
    "simulate": ["--sender", "postfix"],
    "compare": ["t1", "--sender", "postfix"],
    "advise": ["--sender", "postfix"],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with zone files, of which one is called as a domain."""
    (tmp_path / "good.zone").write_text(GOOD)
    (tmp_path / "example.org").write_text(GOOD)
    (tmp_path / "bad.zone").write_text("$ORIGIN example.org.\n@ MX mail\nmail A 192.0.2\n")
    (tmp_path / "two.zone").write_text(GOOD + "sub MX 10 mail\n")
    (tmp_path / "plain.zone").write_text("$ORIGIN example.org.\n@ A 192.0.2.1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSTROAD_CONFIG", raising=False)
    return tmp_path


def run(command, *arguments):
    """The finished command, about as little as it can be."""
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(
        app, [command, *arguments, *QUICK.get(command, [])]
    )


NAMED = ["good.zone", "./good.zone", "example.org", "t1", "filter", "plain.zone"]


@pytest.mark.parametrize(("what", "command"), some(product(NAMED, COMMANDS), 5))
def test_a_zone_file_and_a_set_up_are_taken_by_all(what, command):
    """By its ending, its slash, or because it is there; no command asks DNS. Every fifth; all in a whole run."""
    domain = "example.com" if what in ("t1", "filter") else "example.org"
    name = what.removeprefix("./").removesuffix(".zone")  # compare calls a file by what sets it apart
    done = run(command, what)
    assert (True, "") == (done.exit_code in (0, 1), done.stderr)
    assert (name if command == "compare" else domain) in done.stdout


@pytest.mark.parametrize(
    ("command", "setup"),
    some([*((each, "t1") for each in COMMANDS), *(("lookup", each) for each in SETUPS_BY_NAME if each != "t1")], 3, 1),
)
def test_a_file_called_as_a_set_up_is_a_file_only_by_its_slash(command, setup, here):
    """Else a page of somebody's called t1 would silently stand for the reference in every comparison.

    Every third of them; all in a whole run.
    """
    (here / setup).write_text("<p>hello</p>\n")
    done = run(command, setup, "--json")
    assert (True, "") == ("192.0.2." in done.stdout, done.stderr)
    (here / setup).write_text(GOOD)
    assert "example.org" in run(command, f"./{setup}", "--json").stdout


def test_a_set_up_is_known_in_capitals(here):
    """As a domain is, which it is written in place of."""
    small, large = (run("lookup", name, "--json").stdout for name in ("two-equal", "Two-Equal"))
    assert small == large


def test_no_file_changes_the_comparison_of_the_set_ups(here):
    """It takes none, so it reads none."""
    for setup in SETUPS_BY_NAME:
        (here / setup).write_text("<p>hello</p>\n")
    done = run("setups", "--sender", "rfc5321")
    assert (0, "") == (done.exit_code, done.stderr)
    assert all(f"\n{setup}\n" in done.stdout for setup in SETUPS.values())


CANNOT_BE = [
    ("nope.zone", "nope.zone: cannot be read: No such file or directory"),
    ("no/such/file", "no/such/file: cannot be read: No such file or directory"),
    ("/", "/: cannot be read: Is a directory"),
    ("t9", "there is no reference set-up 't9'; choose one of t1, t2, t3, t4, t5, t6, one, filter"),
    ("https://example.com/path?x=1", "'https://example.com/path?x=1' is not a domain; did you mean example.com?"),
    ("http://user@www.example.com:8080/", "did you mean example.com?"),
    ("example.com/path", "example.com/path: no such file; did you mean example.com?"),
    ("mailto:bob@example.com?subject=hi", "did you mean example.com?"),
    ("Bob <bob@example.com>", "did you mean example.com?"),
    ("@example.com", "did you mean example.com?"),
    ("example.com:25", "did you mean example.com?"),
    ("example.com,", "did you mean example.com?"),
    ("192.0.2.1", "an IP address; write it in brackets: [192.0.2.1]"),
    ("a" * 300, "longer than 253 characters"),
    ("", "a domain name is missing"),
    ("bad.zone", "bad.zone:2: '@ MX mail' is not a valid MX record"),
    ("bad.zone", "bad.zone:3: 'mail A 192.0.2' is not a valid A record"),
]


@pytest.mark.parametrize(("case", "command"), some(product(CANNOT_BE, COMMANDS), 5))
def test_what_it_cannot_be_is_told_by_all_alike(case, command):
    """With exit status 2, and what was meant; nothing is asked of DNS. Every fifth; all in a whole run."""
    what, said = case
    done = run(command, what)
    assert (2, True) == (done.exit_code, said in done.stderr), done.stderr


@pytest.mark.parametrize("command", [each for each in COMMANDS if each != "check"])
def test_a_zone_with_two_domains_asks_which(command):
    """`check` checks both; the others take one, named by --domain."""
    done = run(command, "two.zone")
    assert (2, True) == (done.exit_code, "which domain? two.zone has example.org and sub.example.org" in done.stderr)
    if command != "compare":
        assert run(command, "two.zone", "--domain", "sub.example.org").exit_code in (0, 1)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each != "compare"])
@pytest.mark.parametrize("what", ["example.net", "bob@example.net"])
def test_a_domain_that_is_not_in_the_zone_is_an_answer(command, what):
    """The zone's own are named, and the exit status is 1: nothing is going to change by waiting."""
    done = run(command, what, "--zone", "two.zone")
    assert (1, True) == (
        done.exit_code,
        "example.net is not in two.zone; there are example.org and sub.example.org" in done.stderr,
    )


def test_a_file_of_the_zone_and_more_zones_answer_together(here):
    """The file says which domain; the exchanger's address may stand in another zone."""
    (here / "mx.zone").write_text("$ORIGIN example.org.\n@ MX 10 mail.example.net.\n")
    (here / "hosts.zone").write_text("$ORIGIN example.net.\nmail A 192.0.2.7\n")
    assert "192.0.2.7" in run("route", "mx.zone", "--zone", "hosts.zone").stdout


def test_one_address_is_no_plural():
    """Where a domain has one."""
    assert "1 MX, 1 address, TTL" in CliRunner().invoke(app, ["lookup", "one"]).stdout
