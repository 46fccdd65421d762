"""Whether a loopback address is a target is said by whoever asks, and means the same at every door."""

import json

import pytest
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


def _asked(*arguments):
    return json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)


def _machines(shape):
    return {address for machine in shape["machines"] for address in machine["addresses"]} & LOOPBACK


def _routed(shape):
    levels = (each["addresses"] for level in shape["levels"] for each in level["exchangers"])
    return {each["address"] for addresses in levels for each in addresses} & LOOPBACK


@pytest.fixture(params=ZONES)
def zone(request, tmp_path):
    """A zone with a loopback address."""
    file = tmp_path / "looped.zone"
    file.write_text(f"$ORIGIN looped.example.\n$TTL 300\n@ NS ns1.example.net.\n{ZONES[request.param]}")
    return str(file)


@pytest.mark.parametrize("flag", [[], ["--allow-loopback"]], ids=["as it is", "allowed"])
def test_every_command_counts_loopback_where_the_route_does(zone, flag):
    """What `route` sends mail to is a machine to simulate, compare and advise, and no error to check."""
    expected = _routed(_asked("route", zone, *flag))
    assert bool(flag) == bool(expected)
    assert expected == _machines(_asked("simulate", zone, *SENDERS, *flag))
    assert [expected] * 2 == [_machines(each) for each in _asked("compare", zone, zone, *SENDERS, *flag)["sets"]]
    assert expected == _machines(_asked("advise", zone, *SENDERS, *flag)["before"])
    found = {each["rule"] for each in _asked("check", zone, *flag)["domains"][0]["findings"]}
    assert bool(expected) != ("mx-target-loopback" in found)


@pytest.mark.parametrize("allowed", [False, True])
def test_python_asks_as_the_command_line_does(zone, allowed):
    """`allow_loopback` is the flag."""
    options = postroad.SimulateOptions(senders=["rfc5321"], allow_loopback=allowed)
    expected = _machines(_asked("simulate", zone, *SENDERS, *(["--allow-loopback"] if allowed else [])))
    found = postroad.simulate(zone, options=options)
    assert bool(expected) == any(address.is_loopback for address in found.first)
    cards = [*postroad.compare(zone, zone, options=options).cards, postroad.advise(zone, options=options).before]
    assert [bool(expected)] * 3 == [
        any(address.is_loopback for each in card.records.machines for address in each.addresses) for card in cards
    ]
