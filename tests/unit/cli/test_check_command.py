"""`postroad check`: its forms, its exit status, accepted findings, bulk runs that go on."""

import json

import pytest
from tests.support.examples import some
from typer.testing import CliRunner

from postroad.cli.root import app

BROKEN = "$ORIGIN broken.example.\n@ MX 10 nowhere\n@ MX 20 192.0.2.1.\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Run from a folder of our own, where a postroad.toml may stand; with a zone that is broken and one that is not."""
    (tmp_path / "broken.zone").write_text(BROKEN)
    (tmp_path / "good.zone").write_text("$ORIGIN good.example.\n@ MX 0 .\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSTROAD_CONFIG", raising=False)
    return tmp_path


def check(*arguments, **more):
    """The finished command."""
    return CliRunner().invoke(app, ["check", *map(str, arguments)], **more)


def rules_in(done):
    """The ids of the errors in JSON."""
    (domain,) = json.loads(done.stdout)["domains"]
    return {each["rule"] for each in domain["findings"] if each["severity"] == "error" and not each["inconclusive"]}


def test_a_zone_file_is_red_where_mail_is_lost():
    """No exchanger of the zone can be reached: exit status 1, and the lines of the file are named."""
    done = check("--zone", "broken.zone")
    assert 1 == done.exit_code
    assert "broken.zone:2" in done.stdout


def test_nothing_wrong_is_silent_and_green():
    """A domain that takes no mail on purpose has nothing to fail for."""
    assert 0 == check("--zone", "good.zone").exit_code


@pytest.mark.parametrize("form", some(["text", "json", "ndjson", "csv", "markdown", "html", "sarif", "junit"], 3))
def test_every_form_has_the_same_exit_status(form):
    """The form of the report changes nothing about the result. Every third; all in a whole run."""
    done = check("--zone", "broken.zone", "--format", form)
    assert 1 == done.exit_code
    assert "broken.example" in done.stdout


def test_a_zone_of_which_no_exchanger_could_be_looked_at_is_not_called_good(here):
    """All exchangers are in zones nobody gave: nothing was found because nothing was seen."""
    (here / "far.zone").write_text("$ORIGIN far.example.\n@ MX 10 mx1.other.example.\n@ MX 20 mx2.other.example.\n")
    done, nagios = check("far.zone"), check("far.zone", "--format", "nagios")
    assert (3, 3) == (done.exit_code, nagios.exit_code)
    assert "2 inconclusive" in done.stdout


def test_a_loop_of_aliases_is_an_error_with_a_fix(here):
    """It is written in the zone, so no name server has to answer first."""
    (here / "loop.zone").write_text("$ORIGIN loop.example.\n@ MX 10 a\na CNAME b\nb CNAME a\n")
    done = check("loop.zone")
    assert 1 == done.exit_code
    assert "; remove: a.loop.example. IN CNAME b.loop.example." in done.stdout


def test_nagios_has_codes_of_its_own():
    """A monitor wants 2 for critical, and one line."""
    done = check("--zone", "broken.zone", "--format", "nagios")
    assert 2 == done.exit_code
    assert done.stdout.startswith("MX CRITICAL")


def test_fail_on_never_only_reports():
    """The findings are there, the exit status is 0."""
    assert 0 == check("--zone", "broken.zone", "--fail-on", "never").exit_code


def test_ignored_rules_and_accepted_findings_do_not_fail(here):
    """What is ignored is gone, what is accepted is shown with its reason; what has expired counts again."""
    found = rules_in(check("--zone", "broken.zone", "--json"))
    ignored = [word for rule in found for word in ("--ignore", rule)]
    assert 0 == check("--zone", "broken.zone", *ignored).exit_code
    tables = "".join(
        f'[[check.accept]]\nrule = "{rule}"\nreason = "moves in May"\nuntil = "2999-01-01"\n' for rule in found
    )
    (here / "postroad.toml").write_text(tables)
    accepted = check("--zone", "broken.zone")
    assert 0 == accepted.exit_code
    assert "moves in May" in accepted.stdout
    (here / "postroad.toml").write_text(tables.replace("2999", "2020"))
    expired = check("--zone", "broken.zone")
    assert 1 == expired.exit_code
    assert "counts again: moves in May" in expired.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "give a domain"),
        (("--zone", "good.zone", "--ignore", "no-such-rule"), "no-such-rule"),
        (("example.com", "--deep"), "--yes"),
        (("-f", "missing.txt"), "missing.txt"),
        (("--zone", "missing.zone"), "missing.zone"),
        (("--snapshot", "good.zone"), "good.zone"),
        (("example.com", "--smtp", "--control", "mail.example"), "--control"),
    ],
)
def test_wrong_usage_is_2_with_a_sentence(arguments, why):
    """Before anything is asked."""
    done = check(*arguments)
    assert 2 == done.exit_code
    assert why in done.stderr


def test_what_cannot_be_seen_is_3():
    """Nobody answers at the resolver: neither green nor red."""
    assert 3 == check("example.com", "--resolver", "127.0.0.1:9", "--quick").exit_code


def test_a_bulk_run_goes_on_where_it_ended(here):
    """Domains of the file are checked once; a second run has nothing left to do."""
    (here / "domains.txt").write_text("broken.example\n# a comment\n\nBROKEN.example\nother.broken.example\n")
    done = here / "done.ndjson"
    arguments = ("-f", "domains.txt", "--zone", "broken.zone", "--resume", done)
    first = check(*arguments)
    assert "2 checked, 0 done before" in first.stderr
    assert {"broken.example", "other.broken.example"} == {
        json.loads(line)["domain"] for line in done.read_text().splitlines()
    }
    assert "0 checked, 2 done before" in check(*arguments).stderr
    assert 2 == len(done.read_text().splitlines())


def test_domains_come_by_stdin_too():
    """`-f -` reads them from a pipe."""
    done = check("-f", "-", "--zone", "broken.zone", "--format", "ndjson", input="broken.example\n")
    assert "broken.example" == json.loads(done.stdout)["domain"]


def test_a_line_that_is_no_domain_stops_nobody():
    """It is named with its line, the others are checked; a finding counts more than it, all else less."""
    lines = "a..b\nhttps://www.good.example/x\ngood.example\n"
    done = check("-f", "-", "--zone", "good.zone", "--format", "ndjson", input=lines)
    assert (2, "good.example") == (done.exit_code, json.loads(done.stdout)["domain"])
    assert "-:1: 'a..b': an empty label" in done.stderr
    assert "-:2: 'https://www.good.example/x' is not a domain; did you mean good.example?" in done.stderr
    assert 1 == check("-f", "-", "--zone", "broken.zone", input="a..b\nbroken.example\n").exit_code


def test_each_zone_file_is_checked_by_itself(here):
    """Two files with the same domain, now and planned, are two sets of records."""
    (here / "planned.zone").write_text("$ORIGIN broken.example.\n@ MX 0 .\n")
    domains = json.loads(check("broken.zone", "planned.zone", "--json").stdout)["domains"]
    assert [("broken.example", True), ("broken.example", False)] == [
        (each["domain"], any(found["severity"] == "error" for found in each["findings"])) for each in domains
    ]


def test_domains_that_the_zone_does_not_have_are_named(here):
    """The zone's own are named, the others are checked, and the exit status is 1."""
    done = check("good.example", "elsewhere.example", "--zone", "good.zone", "--json")
    assert (1, 1) == (done.exit_code, len(json.loads(done.stdout)["domains"]))
    assert "elsewhere.example is not in good.zone; there is good.example" in done.stderr


def test_a_zone_without_mx_records_is_checked_too(here):
    """Mail goes to the address of the domain (RFC 5321 section 5.1)."""
    (here / "plain.zone").write_text("$ORIGIN plain.example.\n@ A 192.0.2.9\n")
    done = check("--zone", "plain.zone", "--json")
    assert ["plain.example"] == [each["domain"] for each in json.loads(done.stdout)["domains"]]


def test_before_and_after(here):
    """What a look-up saved is checked as it was."""
    saved = CliRunner().invoke(app, ["lookup", "broken.example", "--zone", "broken.zone", "--json"]).stdout
    (here / "before.json").write_text(saved)
    assert 1 == check("--snapshot", "before.json").exit_code


def test_the_lab_is_checked_with_probes(postroad_lab):
    """Over real name server and exchangers: one is down, and is told; port 25 is open since the other answers."""
    zone = "$ORIGIN example.com.\n@ MX 10 a\n@ MX 20 b\na A 127.0.0.11\nb A 127.0.0.12\n"
    lab = postroad_lab(zone, faults={"127.0.0.12": "refuse"})
    host, port = lab.resolver
    done = check(
        "example.com", "--resolver", f"{host}:{port}", "--port", lab.port, "--dns-port", port, "--smtp", "--json"
    )
    (domain,) = json.loads(done.stdout)["domains"]
    assert "probe" in domain["looked"]
    found = [each for each in domain["findings"] if each["address"] == "127.0.0.12" and not each["inconclusive"]]
    assert any("refused" in each["seen"] for each in found)
