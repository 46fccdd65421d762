"""`postroad route --config`: as a relay with these settings routes, and what is wrong with them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postroad.cli.root import app

ZONE = """
$TTL 60
$ORIGIN example.com.
@ MX 10 a
@ MX 20 here
a A 192.0.2.1
here A 192.0.2.2
smart A 192.0.2.9
"""
ROUTES = """
hostname = "here.example.com"
[[route]]
name = "own"
exchangers = ["a.example.com"]
next_hop = "smart.example.com:587"
auth = {user = "me", password_file = "/nobody/can/read/this"}
on_reject = {match = ["550", "blocked"], route = "plain"}
[[route]]
name = "plain"
direct = true
"""


@pytest.fixture
def route(tmp_path):
    """A function that runs the command on a domain of the zone, with the text of a settings file."""
    (tmp_path / "example.com.zone").write_text(ZONE)

    def call(text, *arguments):
        file = Path(tmp_path / "relay.toml")
        file.write_text(text)
        command = ["route", "example.com", "--zone", str(tmp_path / "example.com.zone"), "--seed", "1"]
        return CliRunner().invoke(app, [*command, "--config", str(file), *arguments])

    return call


def test_the_route_of_the_settings_is_shown(route):
    """With the exchangers that decide, and what follows a refusal; no password is read for that."""
    told = route(ROUTES)
    assert 0 == told.exit_code
    assert "smart.example.com  192.0.2.9  100 %" in told.stdout
    assert 'the route "own" takes it, because mail for it goes to a.example.com, which is named there' in told.stdout
    assert 'Mail that is refused for good (550, blocked) takes the route "plain"' in told.stdout


def test_the_answer_has_it_for_programs(route):
    """As `by`, which is null where no route is taken."""
    assert {"name": "own", "on_reject": {"match": ["550", "blocked"], "route": "plain"}} == json.loads(
        route(ROUTES, "--json").stdout
    )["by"]
    assert None is json.loads(route("hostname = 'me.example.com'", "--json").stdout)["by"]


def test_the_relay_knows_itself(route):
    """The name in the settings cuts the list, as that of --own does."""
    assert ["a.example.com"] == [
        each["name"]
        for level in json.loads(route("hostname = 'here.example.com'", "--json").stdout)["levels"]
        for each in level["exchangers"]
    ]


def test_explanation_says_it_in_sentences(route):
    """Why this route, and what a refusal leads to."""
    told = route(ROUTES, "--explain").stdout
    assert "A route in the settings names the hosts it goes to." in told
    assert told.rstrip().endswith('Mail that is refused for good (550, blocked) takes the route "plain".')
