"""The alerts, the dashboard and the filter of docs/examples/monitoring fit the numbers and lines there are."""

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.docs.generate import metrics
from tests.support.patience import PATIENCE_S

from postroad.relay.journal import Journal
from postroad.words.trace import Event

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docs" / "examples" / "monitoring"
PROMTOOL = shutil.which("promtool") or str(ROOT / ".peers" / "usr" / "bin" / "promtool")
KINDS = dict(re.findall(r"^\| `(postroad_\w+)` \| (\w+) ", metrics(), re.MULTILINE))


def _asked(texts):
    names = {name for text in texts for name in re.findall(r"postroad_\w+", text)}
    return {
        name.removesuffix("_bucket") if KINDS.get(name.removesuffix("_bucket")) == "histogram" else name
        for name in names
    }


def _rules():
    return yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]


def _panels():
    return json.loads((MONITORING / "grafana.json").read_text())["panels"]


def test_alerts_and_dashboard_ask_for_numbers_that_there_are():
    """A metric that was renamed would leave an alert that never fires."""
    alerts = _asked(rule["expr"] for rule in _rules())
    panels = _asked(target["expr"] for panel in _panels() for target in panel["targets"])
    assert set() == (alerts | panels) - set(KINDS)
    assert set() == {rule["alert"] for rule in _rules() if not rule["annotations"].get("action")}


def test_panels_lie_side_by_side():
    """No two panels share a place of the grid."""
    taken = [(x, y) for panel in _panels() for x, y in _cells(**panel["gridPos"])]
    assert len(taken) == len(set(taken))


def _cells(x, y, w, h):
    return [(x + right, y + down) for right in range(w) for down in range(h)]


@pytest.mark.skipif(not Path(PROMTOOL).exists(), reason="no promtool: `make peers` unpacks one")
def test_alerts_fire_when_they_should():
    """As Prometheus itself judges, by the series in alerts-test.yml."""
    done = subprocess.run(
        [PROMTOOL, "test", "rules", MONITORING / "alerts-test.yml"],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr), done.stdout


def _banned(event):
    """The address that the filter of fail2ban takes from the line of an event; its own date is cut off before."""
    filter_ = configparser.RawConfigParser()
    filter_.read(MONITORING / "fail2ban" / "postroad.conf")
    pattern = filter_["Definition"]["failregex"].replace("<ADDR>", "(?P<who>[0-9a-f.:]+)")
    lines = []
    Journal(lambda octets: lines.append(octets) or len(octets)).take([(0.0, event)])
    found = re.search(pattern, lines[0].decode().partition("Z")[2])
    return found and found["who"]


def test_fail2ban_bans_who_guesses_and_nobody_else():
    """Whatever a client calls itself, only its own address is read."""
    hostile = "x receive.auth.failed peer=198.51.100.9:25 "
    assert "192.0.2.7" == _banned(Event("receive.auth.failed", {"peer": "192.0.2.7:50312", "user": hostile}))
    assert "2001:db8::7" == _banned(Event("receive.auth.failed", {"peer": "[2001:db8::7]:50312", "user": "root"}))
    assert "192.0.2.7" == _banned(
        Event("receive.protocol.failed", {"peer": "192.0.2.7:1", "said": hostile, "why": "-"})
    )
    assert _banned(Event("receive.message.failed", {"peer": "192.0.2.7:1", "sender": hostile, "why": "-"})) is None
