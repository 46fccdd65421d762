"""Whether a loopback address is a target is said by whoever asks, and means the same at every door."""

import json
from itertools import product

import pytest
from tests.support.examples import some
from typer.testing import CliRunner

import postroad
from postroad.cli.root import app

ZONES = {
    "alone": "@ MX 10 a\na A 127.0.0.1\n",
    "beside another": "@ MX 10 a\n@ MX 10 b\na A 127.0.0.1\nb A 192.0.2.2\n",
    "in IPv6": "@ MX 10 a\na AAAA ::1\n",
}
LOOPBACK = {"127.0.0.1", "::1"}
SENDERS = ("--sender", "rfc5321")
CASES = list(product(ZONES, (False, True)))


def _asked(*arguments):
    return json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)


def _machines(shape):
    return {address for machine in shape["machines"] for address in machine["addresses"]} & LOOPBACK


def _routed(shape):
    levels = (each["addresses"] for level in shape["levels"] for each in level["exchangers"])
    return {each["address"] for addresses in levels for each in addresses} & LOOPBACK


@pytest.fixture
def zone(name, tmp_path):
    """A zone with a loopback address."""
    file = tmp_path / "looped.zone"
    file.write_text(f"$ORIGIN looped.example.\n$TTL 300\n@ NS ns1.example.net.\n{ZONES[name]}")
    return str(file)


@pytest.mark.parametrize(("name", "allowed"), some(CASES, 3))
def test_every_command_counts_loopback_where_the_route_does(zone, allowed):
    """What `route` sends mail to is a machine to simulate, compare and advise, and no error to check.

    Every third of them; all in a whole run.
    """
    flag = ["--allow-loopback"] if allowed else []
    expected = _routed(_asked("route", zone, *flag))
    assert allowed == bool(expected)
    assert expected == _machines(_asked("simulate", zone, *SENDERS, *flag))
    assert [expected] * 2 == [_machines(each) for each in _asked("compare", zone, zone, *SENDERS, *flag)["sets"]]
    assert expected == _machines(_asked("advise", zone, *SENDERS, *flag)["before"])
    found = {each["rule"] for each in _asked("check", zone, *flag)["domains"][0]["findings"]}
    assert bool(expected) != ("mx-target-loopback" in found)


@pytest.mark.parametrize(("name", "allowed"), some(CASES, 3, 2))
def test_python_asks_as_the_command_line_does(zone, allowed):
    """`allow_loopback` is the flag. Every third of them; all in a whole run."""
    options = postroad.SimulateOptions(senders=["rfc5321"], allow_loopback=allowed)
    expected = _machines(_asked("simulate", zone, *SENDERS, *(["--allow-loopback"] if allowed else [])))
    found = postroad.simulate(zone, options=options)
    assert bool(expected) == any(address.is_loopback for address in found.first)
    cards = [*postroad.compare(zone, zone, options=options).cards, postroad.advise(zone, options=options).before]
    assert [bool(expected)] * 3 == [
        any(address.is_loopback for each in card.records.machines for address in each.addresses) for card in cards
    ]
