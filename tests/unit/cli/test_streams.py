"""Every command where its answer cannot be written: no traceback, and the exit status that other tools have."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.patience import PATIENCE_S
from tests.support.signing import ed25519_pem
from typer.main import get_command

from postroad.cli.root import app
from postroad.spool.sqlite import SqliteSpool

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ZONE = ["--zone", "docs/examples/example.com.zone"]
SPOOL = ["--spool", "SPOOL"]

# Words that make each command answer at once. SPOOL, HERE: a spool, and a folder, of the test
CASES = {
    "advise": ["t1"],
    "check": ["example.com", *ZONE, "--quick"],
    "compare": ["t1", "t2"],
    "config check": ["HERE/postroad.toml"],
    "config hash": ["alice"],
    "config show": [],
    "demo": ["--help"],
    "dkim check": ["--keys", "HERE/keys", *ZONE],
    "dkim new": ["example.com", "--keys", "HERE/keys", "--type", "ed25519"],
    "dkim record": ["--keys", "HERE/keys"],
    "dkim rotate": ["--help"],
    "explain": ["--help"],
    "import": ["--help"],
    "lab fault": ["--help"],
    "lab faults": ["--words"],
    "lab run": ["tests/scenarios/t1-healthy"],
    "lab try": ["--help"],
    "lab up": [],
    "lookup": ["example.com", *ZONE],
    "queue bounce": ["--all", *SPOOL],
    "queue delete": ["--all", *SPOOL],
    "queue hold": ["--all", *SPOOL],
    "queue list": SPOOL,
    "queue move": ["--all", "--usual", *SPOOL],
    "queue release": ["--all", *SPOOL],
    "queue retry": ["--all", *SPOOL],
    "queue show": ["--help"],
    "queue stats": SPOOL,
    "queue trace": ["--help"],
    "relay": ["--help"],
    "route": ["example.com", *ZONE],
    "rules": [],
    "send": ["--from", "a@example.net", "--to", "b@example.org", "--zone", "HERE/zone", "--port", "1", "-"],
    "sendmail": ["--help"],
    "senders": [],
    "setups": ["--sender", "rfc5321"],
    "simulate": ["t1"],
    "spool check": SPOOL,
    "spool migrate": ["--dry-run", *SPOOL],
    "spool move": ["--help"],
    "tls": ["example.com", *ZONE],
    "tls-report": SPOOL,
}
ALL = {**CASES, "": ["--help"], "--version": [], "rules --json": []}

WAYS = ["full", "few"]
RAISE = "raise the limit, with `ulimit -n` in the shell or LimitNOFILE= in the systemd unit"
OTHER_WAYS = ["unread", "closed"]
SOME = ("", "--version", "route", "queue list", "send", "config hash")  # of each kind of command: all write by one door


def _commands():
    def walk(words, command):
        children = getattr(command, "commands", {})
        if not children:
            yield " ".join(words)
        for name, child in children.items():
            yield from walk((*words, name), child)

    return set(walk((), get_command(app)))


def test_every_command_is_tried():
    """A new command has its words here."""
    assert set(CASES) == _commands()


@pytest.fixture(scope="module")
def endings(tmp_path_factory):
    """How each command ended in each way: {(command, way): (status, what it said)}."""
    folder = tmp_path_factory.mktemp("streams")
    (key := folder / "keys" / "example.com" / "s1.pem").parent.mkdir(parents=True)
    key.touch(mode=0o600)
    key.write_bytes(ed25519_pem())
    (folder / "zone").write_text("example.org. IN MX 10 mx.example.org.\nmx.example.org. IN A 127.0.0.1\n")
    asyncio.run(_make_spool(folder))
    (folder / "postroad.toml").write_text(f'[spool]\npath = "{folder}"\n')
    places = {"SPOOL": str(folder), "HERE": str(folder)}
    cases = [
        {
            "words": [*name.split(), *(_placed(word, places) for word in words)],
            "ways": WAYS + OTHER_WAYS * (name in SOME),
        }
        for name, words in ALL.items()
    ]
    kept = ["sendmail", "-C", f"{folder}/postroad.toml", "-f", "a@example.net", "-v", "b@example.org"]
    (folder / "cases.json").write_text(json.dumps([{"words": kept, "ways": WAYS + OTHER_WAYS}, *cases]))
    done = subprocess.run(
        [sys.executable, HERE / "behind_the_door.py", folder / "cases.json"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    told = zip(["kept", *ALL], json.loads(done.stdout), strict=True)
    return {(name, how): tuple(end) for name, ends in told for how, end in ends.items()}


async def _make_spool(folder):
    await (await SqliteSpool.open(folder, node="relay")).close()


def _placed(word, places):
    for name, place in places.items():
        word = word.replace(name, place)
    return word


def test_a_full_disk_is_an_input_output_error(endings):
    """EX_IOERR of sysexits.h, and one sentence."""
    sentence = "standard output cannot be written: No space left on device"
    told = {command: endings[command, "full"] for command in ALL}
    assert dict.fromkeys(ALL, (74, "")) == {
        command: (status, _without(said, sentence)) for command, (status, said) in told.items()
    }


@pytest.mark.parametrize("command", SOME)
def test_nobody_reading_ends_a_command_by_the_signal(command, endings):
    """As `git log | head -1` ends: by SIGPIPE, without a word."""
    assert (-signal.SIGPIPE, "") == (endings[command, "unread"][0], _without(endings[command, "unread"][1]))


@pytest.mark.parametrize("command", SOME)
def test_a_closed_stdout_is_an_input_output_error(command, endings):
    """No file that is opened later gets its number, and is written instead."""
    status, said = endings[command, "closed"]
    assert (74, "") == (status, _without(said, "standard output cannot be written: Bad file descriptor"))


def test_too_few_files_are_named_before_anything_is_begun(endings):
    """A command that needs more than it may open says so in a sentence, and how to change it; the others just work."""
    needs_more = f"this process may open 12 files at once, but needs 64: {RAISE}"
    expected = {"": 0, f"postroad: {needs_more}": 2, f"sendmail: {needs_more}": 75}
    told = {command: endings[command, "few"] for command in (*ALL, "kept")}
    assert {command: expected.get(_without(said)) for command, (_, said) in told.items()} == {
        command: status for command, (status, _) in told.items()
    }


@pytest.mark.parametrize("how", ["full", "unread", "closed"])
def test_mail_that_is_kept_is_kept_whoever_hears_that(how, endings):
    """`sendmail -v` says so on stdout; another status than 0 would make its caller send the message again."""
    assert (0, "") == endings["kept", how]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize("words", ["route nosuch..name", "badcmd", "--nope", "route --nope", "queue badcmd --json"])
def test_a_full_or_closed_stderr_leaves_the_exit_status(words, where, unbuffered):
    """What is wrong cannot be told, but that something is; also where Python finds out at its end only."""
    command = [shutil.which("bash"), "-c", f"{sys.executable} -m postroad {words} {where}"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": unbuffered}, check=False)
    assert 2 == done.returncode


def _without(said, *sentences):
    """What was said besides these sentences, and warnings about the settings."""
    known = ("postroad: warning: ", *(f"postroad: {sentence}" for sentence in sentences))
    return "\n".join(line for line in said.splitlines() if not line.startswith(known))
