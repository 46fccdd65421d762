"""One door to the screen: nothing goes round it, and nothing that a stranger wrote is obeyed behind it."""

import ast
import io
import json
import re
import time
from contextlib import suppress
from ipaddress import ip_address
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import some
from tests.support.signing import rsa_pem
from tests.support.sources import files, nodes
from tests.support.terminal import shown_at
from tests.support.waiting import lay
from typer.testing import CliRunner

from postroad.cli import door, screen
from postroad.cli.root import app
from postroad.spool import Settlement, StoredMail
from postroad.spool.sqlite import SqliteSpool
from postroad.views.text.comparison import HEADS
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.record import attempt_record
from postroad.words.trace import Event
from postroad.words.trail import Attempt, Contact, Target
from postroad.words.visible import visible

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m [red]x[/red] \u202egnp.exe\u2066 a\u200bb\r\nTO  boss@example.org \x7f\x00"
SHOWN = visible(HOSTILE)

# Who may name a standard stream or rich's console, beside the door and the screen, and why
MAY = {
    "cli/door.py": "it is the door",
    "cli/screen.py": "it is what commands write by",
    "cli/lines.py": "the plain part of it",
    "cli/config.py": "reads the password from stdin",
    "cli/send.py": "reads the message from stdin",
    "cli/check_run.py": "reads domains from stdin",
    "cli/sendmail/__init__.py": "reads the message from stdin",
    "cli/sendmail/dialogue.py": "speaks SMTP to the program that started it",
    "relay/journal.py": "writes the log, escaped by its own form, to what it is handed",
    "relay/service.py": "hands stderr to the log, and tells the crew by a pipe that it is ready",
    "views/pictures/pen.py": "is told by rich what the terminal can show, and writes nothing",
}
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
STREAMS_NAMED = {"cli/door.py", "cli/lines.py", "cli/screen.py", "relay/service.py"}


WAYS_OUT = r"(?:print\(|typer\.s?echo|sys\.(?:__)?std|from rich\.|os\.write)"
KINDS = {ast.Call, ast.Attribute, ast.ImportFrom}


def _named(node):
    """What of the ways to a screen a piece of code names."""
    match node:
        case ast.Call(func=ast.Name(id="print")):
            return "print"
        case ast.Attribute(value=ast.Name(id="typer"), attr="echo" | "secho" | "echo_via_pager" as name):
            return f"typer.{name}"
        case ast.Attribute(value=ast.Name(id="sys"), attr=name) if name in STREAMS:
            return f"sys.{name}"
        case ast.ImportFrom(module=str(module)) if module.startswith("rich.") and module != "rich.text":
            return module
        case ast.Attribute(value=ast.Name(id="os"), attr="write" | "writev" as name):
            return f"os.{name}"
    return None


def test_only_the_screen_writes():
    """No room prints, echoes, or takes a standard stream or a console of rich, but those that are named here."""
    found = {
        (name, named)
        for path, name in files()
        for node in nodes(path, WAYS_OUT)
        if type(node) in KINDS and (named := _named(node))
    }
    assert set() == {(file, named) for file, named in found if file not in MAY}
    assert set() == {(file, named) for file, named in found if named in STREAMS and file not in STREAMS_NAMED}


def _seen(show, capsys):
    show()
    captured = capsys.readouterr()
    return captured.out + captured.err


WAYS = {
    "line": lambda text: screen.Screen().line(text),
    "styled": lambda text: screen.Screen().line((text, "bold red"), style="dim"),
    "lines": lambda text: screen.Screen().lines([text, text]),
    "cell": lambda text: screen.Screen().table(screen.Table(("a", "b"), [(text, (text, "red"))], frozenset("b"))),
    "grid": lambda text: screen.Screen().table(screen.Table((), [(text,)])),
    "say": screen.say,
    "remark": screen.remark,
    "json": lambda text: screen.print_json({text: [text]}),
    "ndjson": lambda text: screen.print_line({text: text}),
    "document": screen.document,
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_a_stranger_writes_is_obeyed(way, capsys):
    """By each function of the screen: no control, no mark of direction, nothing without width."""
    seen = _seen(lambda: WAYS[way](HOSTILE), capsys)
    assert seen.replace("\n", "").isprintable()
    assert "\\x1b]0;owned\\x07" in seen or "\\u001b]0;owned\\u0007" in seen


@pytest.mark.parametrize("way", ["line", "styled", "grid", "say"])
def test_a_line_is_one_line_and_markup_is_text(way, capsys):
    """No line break begins a line that was never written, and no word in brackets is a colour."""
    seen = _seen(lambda: WAYS[way](HOSTILE), capsys)
    assert SHOWN in seen
    assert [] == [line for line in seen.splitlines() if line.startswith("TO")]


def test_colours_are_added_behind_the_door(monkeypatch):
    """At a terminal a style paints the text, and the text paints nothing."""
    out = io.StringIO()
    out.isatty = lambda: True
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen.Screen().line(("\x1b[32mgreen", "red"))
    assert "\x1b[31m\\x1b[32mgreen\x1b[0m\n" == out.getvalue()


@pytest.mark.parametrize(
    "text", ["\x1b]0;x\x07", "\x1b[2J", "\x1b[1A", "\x1bc", "\x9b2J", "\r", "\x08", "\x1b[31;", "\u202e"]
)
def test_the_stream_obeys_nothing_but_colours(text):
    """Whatever writes to stdout, typer or rich, moves no cursor and sets no title; colours and lines stay."""
    out = io.StringIO()
    door.OutputStream(out, "it").write(f"\x1b[1;31ma{text}b\x1b[0m\n")
    written = out.getvalue()
    assert written.startswith("\x1b[1;31ma\\")
    assert written.endswith("b\x1b[0m\n")
    assert written.removeprefix("\x1b[1;31m").removesuffix("\x1b[0m\n").isprintable()


def test_what_draws_itself_anew_may_move_the_cursor():
    """A progress bar may, while it lasts; and never sets a title."""
    out = io.StringIO()
    stream = door.OutputStream(out, "it")
    with stream.moving():
        stream.write("\r\x1b[2K\x1b[1A\x1b[?25l\x1b]0;x\x07")
    stream.write("\r")
    assert "\r\x1b[2K\x1b[1A\x1b[?25l\\x1b]0;x\\x07\\r" == out.getvalue()


def test_a_screen_that_fails_holds_up_no_mail():
    """Who watches a delivery is told no more once the screen failed; the failure is raised at the end."""
    shown = []

    def show(event):
        shown.append(event.name)
        raise OSError(28, "full")

    watched = screen.Watched(show)
    for name in ("one", "two"):
        watched(Event(name, {}))
    assert ["one"] == shown
    with pytest.raises(OSError, match="full"):
        watched.end()


async def _hostile(path):
    """A spool with a message whose every text is a stranger's, tried once."""
    boxes = tuple(Recipient(Mailbox(f'"{HOSTILE}"', "example.org"), orcpt=f"rfc822;{HOSTILE}") for _ in range(1))
    body = b"Subject: x\r\n\r\nx\r\n"
    envelope = Envelope(Mailbox(HOSTILE, "example.net"), boxes, envid=HOSTILE)
    mail = StoredMail("ONE", envelope, time.time() - 300, 7, len(body), f"192.0.2.1 {HOSTILE} by ESMTP")
    said = Outcome(Result.DEFERRED, Scope.HOST, f"450 {HOSTILE}", "4.2.0", Phase.RCPT)
    contact = Contact(Target(HOSTILE, ip_address("192.0.2.1"), 10), 0.0, 1.0, Phase.RCPT, said, {0: said}, HOSTILE)
    done = Attempt("example.org", (said,), (contact,), 7, 1.0)
    record = json.dumps(attempt_record(done) | {"recipients": [str(each.mailbox) for each in boxes]})
    queue = await SqliteSpool.open(path, node="relay")
    (parcel,) = await queue.add(mail, body, claim=True)
    await queue.settle([Settlement(parcel, boxes, time.time() + 3600, record, said=f"450 {HOSTILE}")], time.time())
    await queue.close()


@pytest.fixture
def spool(tmp_path):
    """Such a spool."""
    return lay(tmp_path, _hostile)


@pytest.mark.parametrize("heads", [(), ("name", "value")])
def test_a_word_longer_than_its_cell_is_all_there(heads, monkeypatch):
    """A long address in `queue show` ended in an ellipsis."""
    written = io.StringIO()
    written.isatty = lambda: True
    monkeypatch.setattr("sys.stdout", written)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    screen.Screen().table(screen.Table(heads, [("to", "postmaster@" + "x" * 60)]))
    assert 60 == written.getvalue().count("x")


def test_a_cell_begins_no_row(capsys):
    """In a table a text takes the lines that it needs, and those are its own."""
    seen = _seen(lambda: screen.Screen().table(screen.Table(("id", "said"), [("1", "a\n2  b"), ("3", "c")])), capsys)
    assert ["id  said", "1   a\\n2  b", "3   c"] == [line.rstrip() for line in seen.splitlines()]


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_commands_show_a_strangers_texts_as_text(form, spool):
    """Reply, EHLO name, local parts, names of hosts: in no command do they reach the screen raw, nor begin a line."""
    for command in ("queue list", "queue show ONE", "queue trace ONE", "queue stats", "explain ONE"):
        result = CliRunner().invoke(app, [*command.split(), "--spool", str(spool), *form])
        assert (command, 0, None) == (command, result.exit_code, result.exception)
        assert result.output.replace("\n", "").isprintable(), command
        assert [] == [line for line in result.output.splitlines() if line.startswith("TO")], command


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["route", "--json"], 2),
        (["route", "--nope", "--json"], 2),
        (["simulate", "t1", "--sender", "nobody", "--json"], 2),
        (["compare", "t1", "--json"], 2),
        (["nosuch", "--json"], 2),
        (["rules", "nosuch", "--json"], 2),
        (["queue", "show", "X", "--spool", "/nowhere", "--json"], 2),
        (["route", "nosuch.example", "--zone", "docs/examples/example.com.zone", "--json"], 1),
    ],
)
def test_an_error_is_json_where_the_answer_would_be(words, status):
    """One object on stderr, nothing on stdout: whoever reads the one can read the other."""
    done = CliRunner().invoke(app, words)
    assert (status, "") == (done.exit_code, done.stdout)
    told = json.loads(done.stderr)
    assert {"version": 1, "exit_status": status} == {key: told[key] for key in ("version", "exit_status")}
    assert told["error"]


def test_without_json_an_error_is_a_sentence():
    """Also after a command that told its own in JSON."""
    CliRunner().invoke(app, ["route", "--json"])
    assert CliRunner().invoke(app, ["route"]).stderr.startswith("postroad: give a domain")


@pytest.mark.parametrize(("settings", "is_coloured"), [({"FORCE_COLOR": "1"}, True), ({}, False)])
@pytest.mark.parametrize("words", some([["check", "t1"], ["simulate", "t1", "--sender", "exim"], ["route", "t1"]], 2))
def test_colour_can_be_forced_into_a_pipe(words, settings, is_coloured):
    """FORCE_COLOR, for a log or a pager that shows it; NO_COLOR has the last word.

    Of every second command; of all in a whole run.
    """
    for more, expected in (({}, is_coloured), ({"NO_COLOR": "1"}, False)):
        bare = {"NO_COLOR": None, "FORCE_COLOR": None, "TERM": "xterm-256color"}
        done = CliRunner(env=bare | settings | more).invoke(app, words)
        assert expected == bool(re.search(r"\x1b\[[0-9;]*3[0-9]m|\x1b\[38;", done.stdout)) or words == ["route", "t1"]


CELLS = st.text("ab \\\t\né郵\x1b[]:x", max_size=8).map(str.rstrip)


@given(
    cells=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1),
    has_heads=st.booleans(),
    right=st.sets(st.sampled_from("rst")),
)
def test_a_pipe_shows_what_a_terminal_shows_without_its_paint(cells, has_heads, right):
    """Lines and tables are the same texts in the same columns, whichever of the two ways they are drawn."""
    table = screen.Table(tuple("rst") if has_heads else (), cells, frozenset(right) if has_heads else frozenset())

    def shown(**env):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", out := io.StringIO())
            for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"):
                patch.delenv(name, raising=False)
            for name, value in env.items():
                patch.setenv(name, value)
            screen.Screen().table(table)
            screen.Screen().line(*cells[0], style="red")
        return [line.rstrip() for line in door.COLOUR.sub("", out.getvalue()).split("\n")]

    assert shown(FORCE_COLOR="1", TERM="xterm") == shown()


@pytest.mark.parametrize(("width", "count"), some(product(range(70, 131, 6), [1, 2, 8]), 5))
def test_no_table_breaks_a_word_where_there_is_room_on_its_side(count, width, monkeypatch):
    """At 80 columns a comparison had "machine" in one line and "s" in the next. Every fifth; all in a whole run."""
    rows = [(f"t{number}", "2", "100 %", "about 2.2 min", "51 to 92 %", *["8"] * 5) for number in range(count)]
    written = io.StringIO()
    monkeypatch.setattr("sys.stdout", written)
    monkeypatch.setattr(written, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = screen.Screen()
    out.table(screen.Table(HEADS, rows, frozenset(HEADS[1:])))
    words = door.COLOUR.sub("", written.getvalue()).split()
    assert [] == [head for head in HEADS if head not in words]
    assert count == sum(word in {row[0] for row in rows} for word in words)


@pytest.fixture
def at_terminal(monkeypatch):
    """What a command shows at a terminal of this width, without its paint."""
    return lambda width, *words: shown_at(width, words, monkeypatch)


LONG = """$ORIGIN a-customer-with-a-long-name.example.
$TTL 3600
@ SOA ns1 host 1 2 3 4 5
@ NS ns1
ns1 A 203.0.113.53
@ MX 10 the-first-of-the-mail-servers
the-first-of-the-mail-servers A 203.0.113.11
"""
ONE = ("--sender", "rfc5321")  # the forecasts of more take longer, and are shown no other way
COPIED = re.compile(r"[-+; ]*[\w.-]+\.(?: \d+)? IN [A-Z]+ .*|; v=DKIM1.*")


@pytest.mark.parametrize(
    "words",
    some(
        [
            ("advise", "now", *ONE),
            ("compare", "now", "planned", *ONE),
            ("check", "now"),
            ("setups", *ONE),
            ("dkim", "record"),
        ],
        2,
    ),
    ids=" ".join,
)  # fmt: skip
def test_what_people_copy_is_never_broken(words, at_terminal, tmp_path):
    """Where a record was wrapped at 40 columns, the zone into which it was pasted could not be read.

    Every second of them; all in a whole run.
    """
    (tmp_path / "now.zone").write_text(LONG)
    (tmp_path / "planned.zone").write_text(LONG + "@ MX 20 the-backup-of-the-mail-servers.example.net.\n")
    keys = ["--keys", tmp_path] if "dkim" in words else []
    if keys:
        (key := tmp_path / "example.com" / "s1.pem").parent.mkdir()
        key.touch(mode=0o600)
        key.write_bytes(rsa_pem(2048))
    command = [tmp_path / f"{word}.zone" if word in ("now", "planned") else word for word in words]
    narrow, wide = at_terminal(40, *command, *keys), at_terminal(1000, *command, *keys)
    copied = [line for line in wide if COPIED.fullmatch(line.removeprefix("    fix     "))]
    assert copied
    assert [] == [line for line in copied if line not in narrow]


def test_a_table_without_room_is_told_in_sentences(at_terminal, tmp_path):
    """At 60 columns `advise` named a sender "postroa", and "d" below it."""
    (tmp_path / "now.zone").write_text(LONG)
    assert "postroad" in at_terminal(60, "advise", tmp_path / "now.zone")


class AtOnce:
    """A timer whose time has come."""

    def __init__(self, _seconds, act):
        self.start, self.cancel, self.join = act, lambda: None, lambda: None


@pytest.mark.parametrize(
    "words",
    some(
        [
            ("lookup", "t1"),
            ("route", "t1"),
            ("check", "t1"),
            ("tls", "t1"),
            ("simulate", "t1", *ONE),
            ("advise", "t1", *ONE),
            ("compare", "t1", "t2", *ONE),
            ("setups", *ONE),
        ],
        3,
    ),
    ids=" ".join,
)
def test_whoever_waits_sees_that_it_goes_on(words, monkeypatch):
    """A silent name server or a firewall took ten seconds, in which a terminal showed nothing.

    Every third of them; all in a whole run.
    """
    written = io.StringIO()
    written.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setattr("threading.Timer", AtOnce)
    monkeypatch.setenv("TERM", "xterm")
    with suppress(SystemExit):
        app([*words])
    assert "0:00:00" in written.getvalue()
