"""What waits, and from when on, in words: each sentence says whose mail it is about."""

import pytest
from typer.testing import CliRunner

from postroad.cli.root import app

MIXED = "@ MX 10 a\n@ MX 10 b\na AAAA 2001:db8::1\nb A 192.0.2.2\n"


@pytest.mark.parametrize(
    ("zone", "senders", "told"),
    [
        ("@ MX 10 a\na A 192.0.2.1\n", ["ipv6-only"], "No mail gets through as things are."),
        (MIXED, ["rfc5321", "ipv4-only"], "No sender's mail waits until all of it stops."),
        (MIXED + "b A 192.0.2.3\n", ["ipv6-only", "ipv4-only"], "No sender's mail waits until all of it stops."),
    ],
    ids=["no mail", "one stop within another", "two stops"],
)
def test_what_waits_is_told_in_a_whole_sentence(tmp_path, zone, senders, told):
    """No mail at all, and mail that stops sender by sender, have sentences of their own."""
    file = tmp_path / "example.zone"
    file.write_text(f"$ORIGIN example.com.\n$TTL 300\n{zone}")
    chosen = [part for name in senders for part in ("--sender", name)]
    done = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"}).invoke(app, ["simulate", str(file), *chosen])
    assert told in " ".join(done.stdout.split())
