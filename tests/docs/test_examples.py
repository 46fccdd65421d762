"""The examples of settings and units are right, and agree with each other."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.generate import commands
from tests.support.patience import PATIENCE_S
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.config import load
from postroad.config.values import read_duration, read_endpoint
from postroad.routing import by_domain, pick

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def _unit(name):
    """A unit file, each key with its last value."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(EXAMPLES / name)
    return unit


def test_example_settings_are_right():
    """The example is read, and its routes lead where its comments say."""
    config = load(EXAMPLES / "postroad.toml")
    table = by_domain(config.route)
    assert [3, 1] == [host.weight for host in pick(table, "www.example.org").static_hosts]
    assert "verify" == pick(table, "partner.example").demand


def test_example_unit_runs_a_command_there_is():
    """ExecStart is a command with options it has."""
    words = shlex.split(_unit("postroad.service")["Service"]["ExecStart"])
    options = {
        option for names, command in commands() if names == (words[1],) for p in command.params for option in p.opts
    }
    assert [] == [word for word in words if word.startswith("--") and word not in options]


def test_example_unit_waits_for_the_drain():
    """A relay that is still draining is not killed, and the unit's state folder is the spool."""
    service, config = _unit("postroad.service")["Service"], load(EXAMPLES / "postroad.toml")
    assert read_duration(service["TimeoutStopSec"]) > config.drain
    assert Path("/var/lib", service["StateDirectory"]) == config.spool.path


def test_example_socket_has_the_ports_of_the_settings():
    """The sockets are those of the [[listen]] tables, in their order."""
    sockets = re.findall(r"^ListenStream=(.*)$", (EXAMPLES / "postroad.socket").read_text(), re.MULTILINE)
    config = load(EXAMPLES / "postroad.toml")
    assert [(port.address, port.port) for port in config.listen] == [read_endpoint(text) for text in sockets]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_example_units_are_well_formed(tmp_path):
    """Every key of the units is one that systemd knows."""
    for name in ("postroad.service", "postroad.socket"):
        (tmp_path / name).write_text((EXAMPLES / name).read_text().replace("/usr/bin/postroad", sys.executable))
    units = [tmp_path / "postroad.service", tmp_path / "postroad.socket"]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("domain", "name", "hosts"),
    [
        ("firm.example", "smarthost", ["smtp1.smarthost.example", "smtp2.smarthost.example"]),
        ("partner.example", None, ["partner-example.mail.protection.outlook.com"]),
        ("filtered.example", None, ["mx1-eu1.ppe-hosted.com", "filtered-example.mail.protection.outlook.com"]),
        ("other.example", None, ["mail.other.example"]),
    ],
)
def test_example_of_a_smarthost_leads_where_its_comments_say(domain, name, hosts):
    """By who receives: a provider's domains to the smarthosts, an exception and all others straight there."""
    files = ["--config", str(EXAMPLES / "smarthost.toml"), "--zone", str(EXAMPLES / "receivers.zone")]
    told = json.loads(CliRunner().invoke(app, ["route", domain, *files, "--json"]).stdout)
    assert name == told["by"]["name"]
    assert hosts == [each["name"] for level in told["levels"] for each in level["exchangers"]]
