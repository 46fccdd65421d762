"""OpenDKIM judges what we sign: by way of the relay and a real Postfix, and what `postroad.send` signs itself."""

import re
import subprocess

import pytest
from tests.interop import places
from tests.interop.letters import BODIES, hand_over, message
from tests.interop.packages import PEERS, environment
from tests.interop.servers import SELECTORS
from tests.support.examples import some
from tests.support.patience import PATIENCE_S
from tests.support.signing import record

from postroad.build import load_keys

PROGRAM = PEERS / "usr/sbin/opendkim"
PASSES = ["pass"] * len(SELECTORS)


@pytest.fixture
def judge(relay, tmp_path):
    """A function: what OpenDKIM says of each signature of a message, in its Authentication-Results."""
    if not PROGRAM.exists():
        pytest.skip("OpenDKIM is not here: run `make peers`")
    records = [f"{key.name} {record(key).decode()}\n" for key in load_keys(relay.keys)]
    (tmp_path / "records").write_text("".join(records))
    (tmp_path / "conf").write_text(f"Mode v\nSyslog no\nTestPublicKeys {tmp_path / 'records'}\n")

    def say(content):
        (tmp_path / "message").write_bytes(content)
        command = [PROGRAM, "-x", tmp_path / "conf", "-vv", "-t", tmp_path / "message"]
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
        return re.findall(r"\bdkim=(\w+)", done.stdout)

    return say


@pytest.mark.parametrize("name", some(BODIES, 2, first=1))
def test_opendkim_believes_what_came_through_postfix(postfix, relay, box, ports, judge, name):
    """Relay, Postfix, mailbox: both signatures hold, whatever is in the message. Every second body."""
    hand_over((places.RELAY, ports.relay), [to := f"signed-{name}@postfix.example"], message(name))
    [kept] = box.wait(to)
    assert PASSES == judge(kept.content)


def test_opendkim_believes_our_reports(postfix, relay, box, ports, judge):
    """They are of the relay itself, which has a key."""
    hand_over((places.RELAY, ports.relay), ["gone@postfix.example"], sender="signed-report@home.example")
    [report] = box.wait("signed-report@home.example")
    assert PASSES == judge(report.content)


def test_opendkim_notices_a_rewriter(relay, box, ports, judge):
    """A tag in the subject, another word in the body: as a mailing list would."""
    hand_over((places.RELAY, ports.relay), ["rewritten@home.example"], message("plain"))
    [kept] = box.wait("rewritten@home.example")
    assert PASSES == judge(kept.content)
    for old, new in ((b"Subject: ", b"Subject: [list] "), (b"Hello.", b"Hullo.")):
        assert ["fail"] * len(SELECTORS) == judge(kept.content.replace(old, new))
