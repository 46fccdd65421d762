"""Files that people name: never read without an end, never a traceback, secrets only from where others cannot write."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postroad import files
from postroad.cli.root import app
from postroad.dns import ZoneProblem, load_zones, parse_zones
from postroad.dns.master import MOST_GENERATED
from postroad.words.names import Unreadable
from postroad.words.toml import DEEPEST, parse_toml

DEEP = 2000


def test_a_device_without_an_end_is_an_error():
    """It is read up to the bound, and no further."""
    assert Unreadable("/dev/zero", "has more than 1000 octets") == files.read_octets("/dev/zero", 1000)
    assert "/dev/zero: has more than" in str(load_zones(["/dev/zero"]))


@pytest.mark.parametrize("read", [files.read_octets, files.plain_octets, files.private_octets, files.trusted_text])
def test_nothing_is_read_of_a_file_that_is_too_long(read, tmp_path, monkeypatch):
    """Its length says so: a relay that looks at its settings needs no 64 MB for it."""
    monkeypatch.setattr(files, "read_stream", None)
    path = tmp_path / "long"
    path.write_bytes(b"x" * 1001)
    path.chmod(0o600)
    assert Unreadable(str(path), "has more than 1000 octets") == read(path, 1000)


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_what_is_no_file_is_an_error(name, tmp_path):
    """Missing, a folder, a name that no file has."""
    assert isinstance(files.read_text(tmp_path / name), Unreadable)


def test_a_pipe_or_a_device_is_no_plain_file(tmp_path):
    """It is not waited for, nor read: nobody writes into the pipe."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert Unreadable(str(path), "is not a regular file") == files.plain_octets(path) == files.trusted_text(path)


def test_what_has_nothing_yet_is_an_error_where_nobody_waits(tmp_path):
    """Some files of /proc, which call themselves plain, are so."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    ours = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    with os.fdopen(ours, "rb", buffering=0) as file:
        assert Unreadable("it", "cannot be read: Resource temporarily unavailable") == files.read_stream(file, "it")


@pytest.mark.parametrize("made", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
@pytest.mark.parametrize(
    "setting",
    [
        "[aliases]\nfile = 'odd'",
        "[relay]\nusers = 'odd'",
        "[tls]\ncertificate = 'odd'",
        "[tls]\ncertificate = 'plain'\nkey = 'odd'",
        "[dns]\nzones = ['odd']",
        "[[route]]\ndomains = ['*']\nnext_hop = 'a.example:587'\ntls = 'verify'\nca_file = 'odd'",
        "[[route]]\ndomains = ['*']\nnext_hop = 'a.example:587'\ntls = 'verify'\n"
        "auth = {user = 'u', password_file = 'odd'}",
    ],
)
def test_what_a_setting_names_is_a_plain_file(made, setting, tmp_path):
    """`config check` waits for nobody at a pipe, reads no device, and says which file it is."""
    made(tmp_path / "odd")
    (tmp_path / "plain").write_text("")
    (tmp_path / "postroad.toml").write_text(f'spool.path = "{tmp_path}"\n{setting}\n')
    done = CliRunner().invoke(app, ["config", "check", str(tmp_path / "postroad.toml")])
    assert (2, True) == (done.exit_code, f"{tmp_path / 'odd'} is not a regular file; " in done.output)


@pytest.mark.parametrize(("mode", "words"), [(0o600, ""), (0o640, ""), (0o660, ""), (0o644, ""), (0o602, "chmod o-w")])
def test_who_may_write_a_secret_may_use_it(mode, words, tmp_path):
    """A file that every user can change is refused, with the command that makes it good."""
    path = tmp_path / "users"
    path.write_text("x")
    path.chmod(mode)
    read = files.trusted_text(path)
    assert (bool(words), True) == (isinstance(read, Unreadable), words in str(read))


@pytest.mark.parametrize(
    "text",
    [
        f"a = {'[' * DEEP}{']' * DEEP}",
        f"a = {'{a=' * DEEP}1{'}' * DEEP}",
        f"{'a.' * DEEP}a = 1",
        f"[{'a.' * DEEP}a]\nb = 1",
        "a = 1\n" * 2,
    ],
    ids=["lists", "inline tables", "dots", "a table", "a key twice"],
)
def test_toml_of_any_depth_is_read_or_refused(text):
    """However it is nested: an answer, and no recursion without an end."""
    assert isinstance(parse_toml(text), Unreadable)


def test_toml_as_deep_as_anybody_writes_it_is_read():
    """The bound is beyond what people need."""
    assert {"a": 1} == parse_toml("a = 1")
    assert not isinstance(parse_toml(f"{'a.' * (DEEPEST - 1)}a = 1"), Unreadable)


@pytest.mark.parametrize(
    "command", [["config", "check", "FILE"], ["config", "show", "--config", "FILE"], ["setups", "--senders", "FILE"]]
)
def test_a_command_names_the_file_that_is_nested(command, tmp_path):
    """Which file, what is wrong with it, and exit status 2."""
    path = tmp_path / "deep.toml"
    path.write_text(f"a = {'[' * DEEP}{']' * DEEP}")
    done = CliRunner().invoke(app, [str(path) if word == "FILE" else word for word in command])
    assert (2, True, True) == (done.exit_code, str(path) in done.output, "nested more than 32 deep" in done.output)


@pytest.mark.parametrize(
    "lines",
    [
        "$GENERATE 1-3000000 h$ A 192.0.2.1",
        "$GENERATE 1-3000000 h A 192.0.2.1",
        "$GENERATE 0-65535 h$ A 192.0.2.1\n$GENERATE 1-3000000 i$ A 192.0.2.1",
    ],
)
def test_generated_records_have_a_bound(lines, monkeypatch):
    """The line and the limit are named, for one line as for many."""
    monkeypatch.setattr("postroad.dns.master.MOST_GENERATED", 500)
    problem = parse_zones({"zone": f"$ORIGIN example.\n{lines}\n"})
    assert isinstance(problem, ZoneProblem)
    assert "$GENERATE makes more than 500 records" in problem.faults[0].why
    assert 2 == problem.faults[0].line


def test_a_network_of_reverse_names_can_be_generated():
    """The limit leaves room for a /16."""
    assert 2**16 <= MOST_GENERATED
    zones = parse_zones({"zone": "$ORIGIN example.\n$GENERATE 1-300 h$ A 192.0.2.1\na A 192.0.2.1\nb A 192.0.2.1\n"})
    assert 302 == len(zones.lines)


def test_a_relay_takes_no_users_from_a_file_that_all_can_change(tmp_path):
    """`config check` says so with the command that makes it good, and a relay does not start with it."""
    (tmp_path / "users").write_text("")
    (tmp_path / "users").chmod(0o666)
    (tmp_path / "postroad.toml").write_text(f'[relay]\nusers = "users"\n[spool]\npath = "{tmp_path}"\n')
    done = CliRunner().invoke(app, ["config", "check", str(tmp_path / "postroad.toml")])
    assert (2, True) == (done.exit_code, f"chmod o-w {tmp_path / 'users'}" in done.output)
