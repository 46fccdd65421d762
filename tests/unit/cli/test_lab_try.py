"""`postroad lab try`: a sender of a few lines, in a namespace of its own."""

import ctypes
import errno
import json
import sys
import tomllib

import pytest
from tests.support import forked
from tests.support.json_schema import wrong_with
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.lab import namespace
from postroad.views.json.schema import schema

SCHEMA = schema()
SENDER = """
import socket, sys
name = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[1].split("."))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.sendto(bytes.fromhex("000101000001000000000000") + name + bytes.fromhex("00000f0001"), ("127.0.0.1", 53))
    asking.recv(512)
commands = ["HELO x", "MAIL FROM:<me@home.try.test>", f"RCPT TO:<{sys.argv[2]}>", "DATA", sys.stdin.read() + "."]
for host in "ab":
    try:
        with socket.create_connection((f"{host}.{sys.argv[1]}", 25)).makefile("rw", newline="\\r\\n") as lines:
            for command in [*commands, "QUIT"]:
                if not lines.readline().startswith(("2", "3")):
                    raise OSError
                print(command, file=lines, flush=True)
            break
    except OSError:
        pass
else:
    sys.exit(75)
"""


def test_a_sender_is_watched_and_described():
    """Every attempt is seen, refused ones too, and in order; the answer has its shape, and a file that is TOML."""
    words = ["lab", "try", "--only", "met-refuse", "--only", "same-address", "--settle", "0.1", "--json", "--"]
    done = forked.run([*words, sys.executable, "-I", "-S", "-c", SENDER, "{domain}", "{to}"])
    if done.status == 3:
        pytest.skip(f"no network namespaces here: {done.stderr}")
    told = json.loads(done.stdout)
    schema = SCHEMA["answers"]["lab try"]
    assert [] == wrong_with(told, schema, SCHEMA["$defs"])
    seen = {
        each["name"]: [
            ([contact["address"] for contact in message["contacts"]], message["result"], message["status"])
            for message in each["messages"]
        ]
        for each in told["situations"]
    }
    met, same = [(["11", "12", "13"], "delivered", 0)] * 2, [(["11", "11"], "deferred", 75)] * 2
    assert {"met-refuse": met, "same-address": same} == seen
    file = tomllib.loads(told["file"])
    assert ("next-address", False) == (file["reactions"]["refuse"], file["drops_duplicates"])
    assert {1} == {message["asked"]["MX"] for each in told["situations"] for message in each["messages"]}
    assert 0 == done.status


def test_a_slip_is_told_before_anything_is_begun(monkeypatch):
    """A command that is not there or names no recipient, a situation there is none of, a machine that forbids it."""
    monkeypatch.setattr(namespace, "_libc", _Forbidding)
    cases = {
        (): (2, "give the command that sends a message"),
        ("--", "no-such-command", "{to}"): (2, "no-such-command: there is no such command"),
        ("--", "true"): (2, "the command does not say whom to send to; put {to} in it"),
        ("--only", "equal", "--", "true", "{to}"): (2, "there is no such situation; did you mean equals?"),
        ("--only", "x", "--", "true", "{to}"): (2, "there is no such situation; there are equals,"),
        ("--daemon", "'", "--", "true", "-t"): (2, "quote it as in a shell"),
        ("--daemon", "no-such-daemon", "--", "true", "-t"): (2, "no-such-daemon: there is no such command"),
        ("--", "true", "-t"): (
            3,
            "no network namespace can be made here: Operation not permitted; run it as root, or let users make",
        ),
    }
    told = {words: CliRunner().invoke(app, ["lab", "try", *words]) for words in cases}
    assert {} == {
        words: (done.exit_code, done.stderr)
        for words, done in told.items()
        if done.exit_code != cases[words][0] or cases[words][1] not in done.stderr
    }


class _Forbidding:
    """A C library on a machine that allows no namespaces."""

    def unshare(self, _spaces):
        """Refuse."""
        ctypes.set_errno(errno.EPERM)
        return -1
