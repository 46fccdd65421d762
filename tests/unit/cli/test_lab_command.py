"""`postroad lab up`, `fault` and `faults`: a lab that runs, is told otherwise, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import smtplib
import socket
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.support import forked
from tests.support.json_schema import wrong_with
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.views.json.schema import schema

SCHEMA = schema()


def said(*words):
    """A command's exit status, answer and error."""
    done = CliRunner().invoke(app, ["lab", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def is_shaped(command, told):
    """A line of JSON, as the schema has it."""
    assert [] == wrong_with(told, SCHEMA["answers"][command], SCHEMA["$defs"])
    return told


@contextmanager
def ending(process, number):
    """Whatever happens meanwhile, it has this signal then."""
    try:
        yield
    finally:
        os.kill(process, number)


def test_a_lab_is_told_otherwise_while_it_runs(tmp_path):
    """Mail is saved and shown; a fault set by name makes the next message fail; a closed terminal leaves no socket."""
    control, options = tmp_path / "c", ["--control", tmp_path / "c"]
    words = ["--show", "-v", "--json", "--save", tmp_path / "mail", *options]
    reading, writing = os.pipe()
    process = forked.begin(["lab", "up", *words], stdout=writing)
    os.close(writing)
    with os.fdopen(reading) as lines, ending(process, signal.SIGHUP):
        up = is_shaped("lab up", json.loads(lines.readline()))
        place = next(place for written, place in up["moved"].items() if written == "192.0.2.12")
        assert "r450" in said("fault", "mail2", "r450", *options)[1]
        told = is_shaped("lab fault", json.loads(said("fault", "mail1", "g421", *options, "--json")[1]))
        assert ["127.0.2.11"] == told["changed"]
        assert is_shaped("lab faults", json.loads(said("faults", *options, "--json")[1]))["exchangers"][-1:] == [
            {"name": "mail2.example.com", "address": place, "written": "192.0.2.12", "fault": "r450"}
        ]
        with smtplib.SMTP(place, up["port"]) as client:
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("me@example.net", ["user@example.com"], "Subject: one\r\n\r\n")
            assert (0, "") == said("fault", "all", "none", *options)[::2]
            client.sendmail("me@example.net", ["user@example.com"], "Subject: =?utf-8?q?tw=C3=B6?=\r\n\r\n")
        shown = next(told for told in map(json.loads, lines) if told["event"] == "lab.message")
        assert ("tw\xf6", "mail2.example.com") == (is_shaped("lab up --show", shown)["subject"], shown["exchanger"])
        assert "user@example.com" in Path(shown["file"]).read_text()
        assert 2 == said("fault", "mail3", "r450", *options)[0]
        assert "another lab answers there" in said("up", *options)[2]
    assert 0 == forked.wait(process)
    assert not control.exists()


def test_a_slip_is_told_with_its_fix(tmp_path):
    """A port in use, a folder that is a file, a fault that there is not, a socket that nobody answers."""
    (tmp_path / "file").write_text("")
    (tmp_path / "zone").write_text("$ORIGIN example.com.\n@ MX 10 mail1\nmail1 A 192.0.2.999\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cases = {
            ("up", "--dns-port", port): (
                3,
                f"cannot bind 127.0.0.1:{port}: Address already in use; choose another --d",
            ),
            ("up", "--save", tmp_path / "file"): (2, "mail cannot be saved in"),
            ("up", "--maildir"): (2, "add --save DIR"),
            ("up", "--fault", "mail9=refuse"): (
                2,
                "no exchanger of this lab is at mail9; did you mean mail2 or mail1?",
            ),
            ("up", "--fault", "mail1=refus"): (2, "did you mean refuse?"),
            ("up", "--fault", "refuse"): (2, "write NAME=FAULT or ADDRESS=FAULT, such as mail1=refuse"),
            ("up", "--certificate", "mail9=good"): (2, "no exchanger of this lab is at mail9"),
            ("up", "--control", tmp_path / "file"): (2, "this file is not a socket"),
            ("up", "--control", tmp_path / "no" / "c"): (2, "name a path in a folder that you may write"),
            ("up", "--control", tmp_path / ("x" * 99)): (2, "at most 100 octets"),
            ("up", "--zone", tmp_path / "zone"): (2, f"{tmp_path}/zone:3: "),
            ("faults", "--control", tmp_path / "c"): (2, "no lab answers at"),
        }
        told = {words: said(*words) for words in cases}
    assert {} == {words: told[words] for words, (code, text) in cases.items() if not _is(told[words], code, text)}


def _is(told, code, text):
    return (code, True) == (told[0], text in told[2])


def test_only_a_lab_of_ones_own_is_asked(tmp_path, monkeypatch):
    """None, one and several are told apart; a socket that a killed lab left is passed over."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert "no lab of yours is running" in said("faults")[2]
    (folder,) = tmp_path.iterdir()
    with closing(_listening(folder / "1.sock")), closing(_listening(folder / "2.sock")):
        assert "2 labs are running; choose one with --control PATH" in said("faults")[2]
    assert "no lab of yours is running" in said("faults")[2]
    folder.chmod(0o755)
    assert "is not yours alone" in said("faults")[2]


def _listening(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    return sock


def test_what_is_no_lab_is_said_to_be_none(tmp_path):
    """Whatever answers at the socket."""

    async def whole():
        async def garbage(reader, writer):
            await reader.readline()
            writer.write(b"220 hello\r\n")
            writer.close()

        async with await asyncio.start_unix_server(garbage, tmp_path / "c"):
            return await asyncio.to_thread(said, "faults", "--control", tmp_path / "c")

    assert "is not a lab" in asyncio.run(whole())[2]
