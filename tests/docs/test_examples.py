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
import yaml
from tests.docs.generate import commands
from tests.support.patience import PATIENCE_S
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.config import load, rewriting_of
from postroad.config.values import read_duration, read_endpoint
from postroad.rewrite import SenderIdentity
from postroad.routing import by_domain, pick
from postroad.words.mail import parse_mailbox
from postroad.words.moments import parse_moment

WAIT_S = 20.0  # of a relay for its database
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


def test_example_of_rewriting_does_what_its_page_says():
    """Each row of the table, the blocks of settings, and who may send as whom."""
    page = (EXAMPLES.parent / "howto" / "rewrite.md").read_text()
    file = EXAMPLES / "rewrite.toml"
    blocks = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert [] == [block for block in blocks if block.strip() not in file.read_text()]
    config = load(file)
    rewriting = rewriting_of(config.rewrite, config.relay.senders, "web3")
    rows = re.findall(r"^\| `(.*?@.*?)` \| `(.*?)` \|", page, re.MULTILINE)
    assert dict(rows) == {was: str(rewriting.rules.rewritten(parse_mailbox(was))) for was, _ in rows}
    refused = rewriting.of(SenderIdentity(user="web")).refusal(parse_mailbox("boss@example.com"))
    assert str(refused) in page
    assert None is rewriting.of(SenderIdentity(local_user="www-data")).refusal(parse_mailbox("a@eu.shop.example.com"))
    texts = re.findall(r'`"?([^`"]+)"?`', page.partition("sendmail --at` takes")[2].partition(", in the time")[0])
    assert [] == [text for text in texts if not isinstance(parse_moment(text, 1.7e9), float)]
    assert 7 == len(texts)


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
@pytest.mark.parametrize(
    "names", [{"postroad.service": "", "postroad.socket": ""}, {"cluster/postroad@.service": "postroad@node-1.service"}]
)
def test_example_units_are_well_formed(tmp_path, names):
    """Every key of the units is one that systemd knows."""
    units = [tmp_path / (instance or name) for name, instance in names.items()]
    for name, unit in zip(names, units, strict=True):
        unit.write_text((EXAMPLES / name).read_text().replace("/usr/bin/postroad", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
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


CLUSTER = EXAMPLES / "cluster"


def test_relays_of_a_cluster_share_a_database_and_no_name():
    """The two files differ in the hostname alone, which is a relay's name in the spool."""
    one, two = (load(CLUSTER / f"node-{number}.toml") for number in (1, 2))
    assert one.spool == two.spool
    assert ("relay-1.example.net", "relay-2.example.net") == (one.hostname, two.hostname)
    assert None is one.spool.node
    assert (CLUSTER / "node-2.toml").read_text() == (CLUSTER / "node-1.toml").read_text().replace("relay-1", "relay-2")


def test_a_unit_of_a_cluster_is_that_of_one_machine_without_its_spool():
    """Each runs the settings of its own name, is left as long to drain, and may do as little."""
    one, many = _unit("postroad.service")["Service"], _unit("cluster/postroad@.service")["Service"]
    assert one["ExecStart"].replace("postroad.toml", "%i.toml") == many["ExecStart"]
    assert {"StateDirectory", "StateDirectoryMode"} == set(one) - set(many)
    assert {"ExecStart"} == {key for key in many if many[key] != one.get(key)}
    assert read_duration(many["TimeoutStopSec"]) > load(CLUSTER / "node-1.toml").drain


def test_the_compose_file_starts_relays_with_names_of_their_own():
    """Its relays have the port and the database of their settings, and enough time to drain."""
    services = yaml.safe_load((CLUSTER / "compose.yaml").read_text())["services"]
    config, relays = load(CLUSTER / "compose.toml"), [services["relay-1"], services["relay-2"]]
    assert [each["hostname"] for each in relays] == ["relay-1.example.net", "relay-2.example.net"]
    assert {config.listen[0].port} == {int(port.rpartition(":")[2]) for each in relays for port in each["ports"]}
    assert all(read_duration(each["stop_grace_period"]) > config.drain for each in relays)
    database = services["database"]["environment"]
    assert config.spool.url == f"postgresql://{database['POSTGRES_USER']}@database/{database['POSTGRES_DB']}"
    assert relays[0]["environment"]["PGPASSWORD"] == database["POSTGRES_PASSWORD"]


def test_the_pooler_of_a_cluster_gives_each_transaction_a_connection():
    """It has the port that the settings name, and lets go when a relay does."""
    pooler = configparser.ConfigParser()
    pooler.read(CLUSTER / "pgbouncer.ini")
    assert ("transaction", "6432") == (pooler["pgbouncer"]["pool_mode"], pooler["pgbouncer"]["listen_port"])
    assert float(pooler["pgbouncer"]["query_wait_timeout"]) == WAIT_S
    assert f"port {pooler['pgbouncer']['listen_port']}" in (CLUSTER / "node-1.toml").read_text()
