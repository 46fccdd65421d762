"""Every command that opens a spool, at every path where there can be none: one sentence, and exit status 2."""

import io
import os
from itertools import product

import pytest
from tests.support.examples import some
from tests.support.waiting import lay
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.cli.sendmail import run


def at_file(there):
    """A file in place of the folder."""
    (there / "file").write_text("x")
    return there / "file"


def below_file(there):
    """A folder below a file."""
    return at_file(there) / "spool"


def folder_in_circle(there):
    """A link to itself in place of the folder."""
    (there / "circle").symlink_to("circle")
    return there / "circle"


def below_circle(there):
    """A folder below such a link."""
    return folder_in_circle(there) / "spool"


def database_in_circle(there):
    """A link to itself in place of the database."""
    (there / "spool.db").symlink_to("spool.db")
    return there


def pipe(there):
    """A pipe in place of the database: who reads it waits for ever."""
    os.mkfifo(there / "spool.db")
    return there


def folder(there):
    """A folder in place of the database."""
    (there / "spool.db").mkdir()
    return there


def too_long(there):
    """No file system has such a name."""
    return there / ("x" * 300)


PLACES = [at_file, below_file, folder_in_circle, below_circle, database_in_circle, pipe, folder, too_long]
COMMANDS = [
    *(
        f"queue {rest}"
        for rest in ("list", "show X", "trace X", "retry --all", "hold --all", "release --all", "delete --all", "stats")
    ),
    "explain X",
    "tls-report",
    "relay",
    "spool check",
    "spool migrate",
    "spool migrate --dry-run",
]
OPENING = ("queue list", "relay", "spool check", "spool migrate")  # each in its own way


@pytest.fixture
def settings_with(tmp_path):
    """The settings of a relay whose spool is somewhere."""

    def written(place):
        file = tmp_path / "postroad.toml"
        file.write_text(
            f'hostname = "mail.example.net"\n[aliases]\nroot = "a@example.net"\n[spool]\npath = "{place}"\n'
        )
        return file

    return written


def complaint(done):
    """The last line of stderr, for those who try a command."""
    assert not done.exception or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "place"),
    [
        *some(product(OPENING, PLACES), 3),
        *some(product((each for each in COMMANDS if each not in OPENING), PLACES), 5),
    ],
)
def test_path_where_no_spool_can_be_is_a_usage_error(tmp_path, settings_with, place, command):
    """Said in one line with the path and what to set; nothing hangs.

    Every third place, and every fifth where a command opens it as `queue list` does; all of them in a whole run.
    """
    where = place(tmp_path)
    done = CliRunner().invoke(app, [*command.split(), "--config", str(settings_with(where))])
    said = complaint(done)
    assert (2, True, True) == (done.exit_code, str(where) in said, "set spool.path or --spool to a folder" in said), (
        said
    )


@pytest.mark.parametrize(("place", "is_from"), some(product(PLACES, [True, False]), 3))
def test_nothing_is_moved_from_there_nor_to_it(tmp_path, place, is_from):
    """With the path, and without a traceback; the other one stays as it is. Every third; all in a whole run."""
    (tmp_path / "there").mkdir()
    where = str(place(tmp_path / "there"))
    good = str(lay(tmp_path / "good"))
    done = CliRunner().invoke(app, ["spool", "move", *([where, good] if is_from else [good, where])])
    assert (2, True) == (done.exit_code, where in complaint(done)), done.stderr
    assert 0 == CliRunner().invoke(app, ["spool", "check", "--spool", good]).exit_code


@pytest.mark.parametrize("place", [each for each in PLACES if each not in (database_in_circle, pipe, folder)])
def test_config_check_knows_such_a_path_of_a_folder(tmp_path, settings_with, place):
    """Before the relay is started."""
    done = CliRunner().invoke(app, ["config", "check", str(settings_with(place(tmp_path)))])
    assert (2, True) == (done.exit_code, "spool.path: " in done.stderr), done.stderr


@pytest.mark.parametrize("place", PLACES)
def test_sendmail_says_it_too(tmp_path, settings_with, place, monkeypatch, capsys):
    """With no port of the relay to hand the message to: later, with the status that programs know."""
    file = settings_with(where := place(tmp_path))
    file.write_text(f'{file.read_text()}[[listen]]\naddress = "192.0.2.1"\n')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Subject: x\n\nx\n")))
    assert (75, True) == (run(["-C", str(file), "a@example.org"]), f"{where}" in (said := capsys.readouterr().err)), (
        said
    )


@pytest.mark.parametrize("command", some((each for each in COMMANDS if each != "relay"), 3))
def test_a_database_is_a_place_for_every_command(command):
    """It is asked, not taken for a folder; and nobody who reads the error learns the password.

    Every third command; all in a whole run.
    """
    url = "postgresql://ann:hunter2@127.0.0.1:1/mail"
    done = CliRunner().invoke(app, [*command.split(), "--spool", url])
    assert (3, True, False) == (done.exit_code, "cannot be reached" in complaint(done), "hunter2" in done.output)
