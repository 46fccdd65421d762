"""Every command where its answer cannot be written: no traceback, and the exit status that other tools have."""

import asyncio
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support import forked
from tests.support.examples import some
from tests.support.patience import PATIENCE_S
from tests.support.signing import ed25519_pem
from typer.main import get_command

from postroad.cli import door, main
from postroad.cli.root import app
from postroad.spool.sqlite import SqliteSpool

ROOT = Path(__file__).parents[3]
ZONE = ["--zone", f"{ROOT}/docs/examples/example.com.zone"]
SPOOL = ["--spool", "SPOOL"]
ONE = ["--sender", "rfc5321"]

# Words that make each command answer at once. SPOOL, HERE: a spool, and a folder, of the test
CASES = {
    "advise": ["t1", *ONE],
    "check": ["example.com", *ZONE, "--quick"],
    "compare": ["t1", "t2", *ONE],
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
    "lab run": [f"{ROOT}/tests/scenarios/t1-healthy"],
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
    "setups": ONE,
    "simulate": ["t1", *ONE],
    "spool check": SPOOL,
    "spool migrate": ["--dry-run", *SPOOL],
    "spool move": ["--help"],
    "tls": ["example.com", *ZONE],
    "tls-report": SPOOL,
}
ALL = {**CASES, "": ["--help"], "--version": [], "rules --json": []}

FEW = 12  # more files than are open while a command starts, fewer than it takes to ask anybody
MESSAGE = b"Subject: x\n\nx\n"
RAISE = "raise the limit, with `ulimit -n` in the shell or LimitNOFILE= in the systemd unit"
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
def commands(tmp_path_factory):
    """The words of each command, with a spool, keys and settings that are there; `kept` is mail that is kept."""
    folder = tmp_path_factory.mktemp("streams")
    (key := folder / "keys" / "example.com" / "s1.pem").parent.mkdir(parents=True)
    key.touch(mode=0o600)
    key.write_bytes(ed25519_pem())
    (folder / "zone").write_text("example.org. IN MX 10 mx.example.org.\nmx.example.org. IN A 127.0.0.1\n")
    asyncio.run(_make_spool(folder))
    (folder / "postroad.toml").write_text(f'[spool]\npath = "{folder}"\n')
    kept = ["sendmail", "-C", "HERE/postroad.toml", "-f", "a@example.net", "-v", "b@example.org"]
    cases = {name: [*name.split(), *words] for name, words in ALL.items()} | {"kept": kept}
    return {name: [re.sub("SPOOL|HERE", str(folder), word) for word in words] for name, words in cases.items()}


async def _make_spool(folder):
    await (await SqliteSpool.open(folder, node="relay")).close()


@pytest.fixture(scope="module")
def endings(commands, tmp_path_factory):
    """How each command ended where stdout is full, and where few files may be open: (status, what it said).

    Every sixth command for the one, and others for the other; all in a whole run.
    """
    folder = tmp_path_factory.mktemp("told")

    def end_all():
        full, few = (dict(some(commands.items(), 6, first)) for first in (0, 3))
        few["kept"] = commands["kept"]
        told = {"full": {name: _ended(words, "/dev/full", folder / "said") for name, words in full.items()}}
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))
        told["few"] = {name: _ended(words, os.devnull, folder / "said") for name, words in few.items()}
        (folder / "told").write_text(json.dumps(told))

    assert (0, "", "") == forked.run([], MESSAGE, command=end_all)
    told = json.loads((folder / "told").read_text())
    return {how: {name: tuple(end) for name, end in ends.items()} for how, ends in told.items()}


def _ended(words, where, said):
    """How a command ends that writes there, in this process: for each a new one would take twice as long."""
    os.lseek(0, 0, os.SEEK_SET)
    for number, path in ((1, Path(where)), (2, said)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    forked.open_streams()
    sys.argv = ["postroad", *words]
    status = forked.flushed(forked.status_of(main))
    return status, said.read_text()


@contextmanager
def _spoiled(how):
    """A file that cannot be written, or none."""
    reading, writing = os.pipe()
    os.close(reading)
    with Path("/dev/full").open("wb") as full:
        try:
            yield {"full": full.fileno(), "unread": writing, "closed": forked.CLOSED}[how]
        finally:
            os.close(writing)


@pytest.fixture
def end(commands):
    """How a command ends, in a process of its own, whose stdout is spoiled: (status, what it said)."""

    def end(command, how):
        with _spoiled(how) as out:
            ended = forked.run(commands[command], MESSAGE, stdout=out)
        return ended.status, ended.stderr

    return end


@pytest.mark.parametrize(
    ("name", "how", "unbuffered"),
    some(
        [(name, how, "") for name in ("stdout", "stderr") for how in ("full", "closed")]
        + [("stdout", "unread", ""), ("stderr", "full", "1")],
        3,
    ),
)
def test_a_fork_ends_as_a_process_that_is_new(name, how, unbuffered):
    """The other tests here have forks: what Python itself does with such streams at its start and end is the same.

    Every third of them; all in a whole run.
    """
    number, words = (1, "rules mx-single") if name == "stdout" else (2, "route --nope")
    env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with _spoiled(how) as file:
        redirected = f"{number}>&{'-' if file == forked.CLOSED else file}"
        done = subprocess.run(
            [shutil.which("bash"), "-c", f"exec {sys.executable} -m postroad {words} {redirected}"],
            capture_output=True, text=True, env=env, check=False, timeout=PATIENCE_S, pass_fds={file} - {forked.CLOSED},
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == forked.run(words.split(), env=env, **{name: file})


def test_a_full_disk_is_an_input_output_error(endings):
    """EX_IOERR of sysexits.h, and one sentence."""
    sentence = "standard output cannot be written: No space left on device"
    told = {command: end for command, end in endings["full"].items() if command != "kept"}
    assert dict.fromkeys(told, (74, "")) == {
        command: (status, _without(said, sentence)) for command, (status, said) in told.items()
    }


@pytest.mark.parametrize("command", some(SOME, 3, 2))
def test_nobody_reading_ends_a_command_by_the_signal(command, end):
    """As `git log | head -1` ends: by SIGPIPE, without a word. Every third command; each of SOME in a whole run."""
    status, said = end(command, "unread")
    assert (-signal.SIGPIPE, "") == (status, _without(said))


@pytest.mark.parametrize("command", some(SOME, 3, 1))
def test_a_closed_stdout_is_an_input_output_error(command, end):
    """No file that is opened later gets its number, and is written instead.

    Every third command; each of SOME in a whole run.
    """
    status, said = end(command, "closed")
    assert (74, "") == (status, _without(said, "standard output cannot be written: Bad file descriptor"))


@pytest.mark.parametrize("number", range(3))
def test_a_slow_other_end_is_waited_for(number):
    """Whoever gave us a stream may have it return at once: then a message is cut off, or what is said of it."""
    ours, (late, end) = os.dup(number), os.pipe()
    given = end if number else late
    os.set_blocking(given, False)
    os.dup2(given, number)
    try:
        door.through(lambda: None)
        assert os.get_blocking(number)
    finally:
        os.dup2(ours, number)
        for each in (ours, late, end):
            os.close(each)


def test_too_few_files_are_named_before_anything_is_begun(endings):
    """A command that needs more than it may open says so in a sentence, and how to change it; the others just work."""
    needs_more = f"this process may open 12 files at once, but needs 64: {RAISE}"
    expected = {"": 0, f"postroad: {needs_more}": 2, f"sendmail: {needs_more}": 75}
    told = endings["few"]
    assert {command: expected.get(_without(said)) for command, (_, said) in told.items()} == {
        command: status for command, (status, _) in told.items()
    }
    assert {0, 2, 75} == {status for status, _ in told.values()}


@pytest.mark.parametrize("how", ["full", "unread", "closed"])
def test_mail_that_is_kept_is_kept_whoever_hears_that(how, end):
    """`sendmail -v` says so on stdout; another status than 0 would make its caller send the message again."""
    assert (0, "") == end("kept", how)


@pytest.mark.parametrize(
    ("words", "how", "unbuffered"),
    some(
        [
            *(
                (words, "full", "")
                for words in ("route nosuch..name", "badcmd", "--nope", "route --nope", "queue no --json")
            ),
            *((words, "full", "1") for words in ("route nosuch..name", "route --nope", "queue no --json")),
            *((words, "closed", "") for words in ("route nosuch..name", "route --nope", "queue no --json")),
        ],
        4,
    ),
)
def test_a_full_or_closed_stderr_leaves_the_exit_status(words, how, unbuffered):
    """What is wrong cannot be told, but that something is; also where Python finds out at its end only.

    Every fourth of them; all in a whole run.
    """
    with _spoiled(how) as err:
        ended = forked.run(words.split(), stderr=err, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    assert 2 == ended.status


def _without(said, *sentences):
    """What was said besides these sentences, and warnings about the settings."""
    known = ("postroad: warning: ", *(f"postroad: {sentence}" for sentence in sentences))
    return "\n".join(line for line in said.splitlines() if not line.startswith(known))
