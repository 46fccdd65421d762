"""`postroad queue`: the mail that waits, seen and changed."""

import asyncio
import json
import sqlite3
import time
from base64 import b64decode
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.terminal import shown_at
from tests.support.waiting import NOW, lay
from tests.support.waiting import mail as _mail
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.spool.sqlite import SqliteSpool


@pytest.fixture
def spool(tmp_path, monkeypatch):
    """A spool with a message to two domains, tried at one of them just now, and a report."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    return lay(tmp_path)


@pytest.fixture
def queue(spool):
    """A function that runs `postroad queue`, and gives its exit status and what it said."""

    def run(*arguments, stderr=False):
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["queue", *arguments, "--spool", str(spool)])
        return done.exit_code, done.stderr if stderr else done.stdout

    return run


def _json(answer):
    return json.loads(answer[1])


def test_list_has_a_line_for_each_destination(queue):
    """One message to two domains waits twice: each with its own state, tries and last answer."""
    status, text = queue("list")
    lines = [line.split() for line in text.splitlines()]
    assert (0, ["ONE", "ONE", "TWO"]) == (status, [words[0] for words in lines[1:]])
    assert "in 60 min" in text
    assert "450 4.2.0 try later" in text


@pytest.fixture
def at_terminal(spool, monkeypatch):
    """A function that runs `postroad queue` at a terminal of this width, and gives the lines it shows."""
    return lambda width, *words: shown_at(width, ["queue", *words, "--spool", spool], monkeypatch)


@pytest.mark.parametrize("width", [60, 80])
def test_a_parcel_takes_two_lines_of_a_terminal(width, at_terminal, spool):
    """Mail for a later time did not fit 60 columns; what it waits for is in its second line."""
    _add(spool, "LATER", b"x\r\n", release_at=4102444800.0)
    shown = at_terminal(width, "list")
    assert 1 + 2 * 4 == len(shown)
    assert width >= max(map(len, shown))
    [later] = [place for place, line in enumerate(shown) if line.startswith("LATER")]
    assert "not before 2100-01-01 00:00:00 UTC" in at_terminal(200, "list")[later + 1]
    assert " in " in shown[later]


def test_a_long_answer_stands_behind_its_label(at_terminal):
    """At 60 columns the answers of hosts began in the column of the labels."""
    labels = {"message", "from", "received", "size", "envid", "seed", "to"}
    shown = at_terminal(60, "show", "ONE")
    assert set() == {line.split()[0] for line in shown if not line.startswith(" " * 10)} - labels
    assert 60 >= max(map(len, shown))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["ONE"], ["example.com", "example.org"]),
        (["--destination", "Example.org."], ["example.org"]),
        (["--sender", "<>"], ["example.net"]),
        (["--sender", "me@example.net"], ["example.com", "example.org"]),
        (["--state", "held"], []),
        (["TWO", "--destination", "example.org"], []),
    ],
)
def test_list_can_be_narrowed(queue, filters, expected):
    """Every condition given must hold; nothing found is exit status 1."""
    answer = queue("list", "--json", *filters)
    assert expected == sorted(parcel["destination"] for parcel in _json(answer)["parcels"])
    assert (0 if expected else 1) == answer[0]


def test_list_says_that_there_is_more(queue):
    """A limit is told."""
    assert _json(queue("list", "--limit", "2", "--json"))["more"]
    assert not _json(queue("list", "--limit", "3", "--json"))["more"]
    assert "only the first 2 are shown" in queue("list", "--limit", "2", stderr=True)[1]


def test_show_tells_each_recipient(queue):
    """What was tried has its last answer and next attempt, the other is due."""
    status, text = queue("show", "ONE")
    lines = [line.strip() for line in text.splitlines()]
    assert 0 == status
    assert (
        "to        a@example.org: waiting after 1 attempt, next try in 60 min;"
        " last answer: deferred (4.2.0): mail.example.org [192.0.2.1]: 450 4.2.0 try later"
    ) in lines
    assert "to        b@example.com: waiting, due now" in lines


def test_show_has_the_whole_envelope_for_programs(queue):
    """Of the message, and of its parts that wait."""
    shape = _json(queue("show", "ONE", "--json"))
    assert (["a@example.org", "b@example.com"], 2, 1, None) == (
        shape["to"],
        len(shape["parcels"]),
        shape["attempts"],
        shape["finished_at"],
    )
    assert None is _json(queue("show", "TWO", "--json"))["from"]


def test_show_has_the_last_answer_to_each_recipient_for_programs(queue):
    """With the host that gave it; null for who was not tried yet."""
    told = _json(queue("show", "ONE", "--json"))["recipients"]
    assert None is told["b@example.com"]
    assert ("deferred", "mail.example.org", "192.0.2.1") == tuple(
        told["a@example.org"][key] for key in ("result", "exchange", "address")
    )


def test_trace_has_every_contact(queue):
    """The record of each attempt, read again."""
    status, text = queue("trace", "ONE")
    assert 0 == status
    assert "mail.example.org [192.0.2.1]  deferred at rcpt in 12 ms: 450 4.2.0 try later" in text
    shape = _json(queue("trace", "ONE", "--json"))["attempts"][0]
    assert ("example.org", "192.0.2.1", "deferred") == (
        shape["destination"],
        shape["contacts"][0]["address"],
        shape["recipients"]["a@example.org"]["result"],
    )


def test_trace_of_an_untried_message_says_so(queue):
    """Nothing went wrong, nothing was tried."""
    assert (0, "no attempt yet\n") == queue("trace", "TWO")


@pytest.mark.parametrize("command", ["show", "trace"])
def test_an_unknown_message_is_not_found(queue, command):
    """Exit status 1, and a sentence."""
    assert 1 == queue(command, "NONE")[0]
    assert "no message NONE" in queue(command, "NONE", stderr=True)[1]


def test_held_mail_waits_for_its_release(queue):
    """Held, listed as held, released; what is not waiting cannot be held again."""
    assert (0, "2 held\n") == queue("hold", "ONE")
    assert 1 == queue("hold", "ONE")[0]
    assert {"held"} == {parcel["state"] for parcel in _json(queue("list", "ONE", "--json"))["parcels"]}
    assert (0, "2 released\n") == queue("release", "--all")


def test_retry_makes_mail_due(queue):
    """What waited for an hour is due now."""
    assert (0, "1 due now\n") == queue("retry", "--destination", "example.org")
    assert "  now " in queue("list", "--destination", "example.org")[1]


def test_retry_leaves_word_for_relays_that_know_its_hosts_as_dead(queue, spool):
    """They ask those at once."""
    queue("retry", "--all")
    with closing(sqlite3.connect(spool / "spool.db")) as db, db:
        assert [("retry",)] == db.execute("SELECT kind FROM lesson").fetchall()


def test_delete_forgets_mail(queue):
    """A finished message is still known, but waits nowhere."""
    assert (0, "2 deleted\n") == queue("delete", "--sender", "me@example.net")
    assert 1 == queue("list", "ONE")[0]
    text = queue("show", "ONE")[1]
    assert "b@example.com: deleted" in text
    assert "finished  " in text


@pytest.mark.parametrize("command", ["retry", "hold", "release", "delete"])
def test_all_mail_is_changed_only_when_it_is_said(queue, command):
    """Without a condition nothing is done: --all says that all is meant."""
    assert 2 == queue(command)[0]
    assert "say which mail you mean" in queue(command, stderr=True)[1]


def test_mail_under_way_is_left_alone(queue, spool):
    """What a relay has in its hands is not deleted, and that is told."""

    async def claim():
        relay = await SqliteSpool.open(spool, node="relay")
        await relay.claim(time.time(), 1, each=1, skip=("example.net",))
        await relay.close()

    asyncio.run(claim())
    assert (0, "1 deleted; 1 under way, left alone\n") == queue("delete", "ONE")


def test_stats_count(queue):
    """Messages, states, destinations."""
    shape = _json(queue("stats", "--json"))
    assert (2, 3, 2, 0, {"example.com": 1, "example.net": 1, "example.org": 1}) == (
        shape["messages"],
        shape["waiting"],
        shape["due"],
        shape["held"],
        shape["destinations"],
    )
    assert "waiting  3, 2 of them due" in queue("stats")[1].splitlines()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--state", "lost"], "no state 'lost'; choose one of waiting, claimed, held"),
        (["--destination", "a..b"], "an empty label"),
        (["--sender", "nobody"], "write an address as user@domain"),
    ],
)
def test_what_cannot_be_read_is_told(queue, arguments, said):
    """Wrong usage is exit status 2."""
    assert 2 == queue("list", *arguments)[0]
    assert said in queue("list", *arguments, stderr=True)[1]


def test_without_a_spool_it_says_where_it_looked(tmp_path):
    """Exit status 2, and the folder."""
    done = CliRunner().invoke(app, ["queue", "list", "--spool", str(tmp_path / "none")])
    assert 2 == done.exit_code
    assert "there is no spool" in done.stderr
    assert str(tmp_path / "none") in done.stderr


def test_the_settings_say_where_the_spool_is(spool):
    """As for the relay."""
    (spool / "p.toml").write_text(f'[spool]\npath = "{spool}"')
    done = CliRunner().invoke(app, ["queue", "stats", "--config", str(spool / "p.toml")])
    assert "2 messages" in done.output


def _waits(said=""):
    from postroad.spool import Listed, Parcel, State

    mail = _mail("01KD3P0V8Q4M2ZX7A", "", "a@example.org")
    return [Listed(Parcel(1, "example.org", mail, mail.received_at + 3590.0), State.WAITING, said=said)]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_terminal_has_two_lines_for_each_parcel(width):
    """What decides stands in the first and is never cut: id, state, age, tries, next try."""
    from postroad.views.text.queue import listed

    parcels = _waits("x" * 300)
    lines = [
        line if isinstance(line, str) else line[0]
        for line in listed(parcels, parcels[0].parcel.mail.received_at + 5000.0, width)
    ]
    assert 3 == len(lines)
    assert all(len(line) <= width for line in lines)
    assert ["01KD3P0V8Q4M2ZX7A", "waiting", "83.3", "min", "0", "now"] == lines[1].split()
    assert lines[2].endswith("x…")


def test_a_pipe_has_one_line_for_each_parcel_and_nothing_is_cut():
    """For grep and awk: whatever a host said stands there whole."""
    from postroad.views.text.queue import listed

    parcels = _waits("x" * 300)
    lines = list(listed(parcels, parcels[0].parcel.mail.received_at, None))
    assert 2 == len(lines)
    assert lines[1].endswith(f"-> a@example.org: {'x' * 300}")
    assert "in 59.8 min" in lines[1]


def test_a_spool_of_somebody_else_is_told(queue, monkeypatch):
    """The spool is its user's alone; others hear whom to be."""
    real = Path.stat

    def refuse(path, **options):
        if path.name == "spool.db":
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    assert 2 == queue("list")[0]
    assert "run this as the user of the relay, or as root" in queue("list", stderr=True)[1]


def test_show_has_the_message_itself(queue, spool, capfdbinary):
    """As queued, below the envelope; nothing in it is obeyed by a terminal, unless it goes into a pipe with --raw."""
    hostile = "Subject: \x1b[31mred\r\n\r\na\tb \x1b]0;x\x07 ü \\n ".encode() + b"\xff\r\n\r\nend"
    _add(spool, "THREE", hostile)
    status, text = queue("show", "THREE", "--content")
    assert (0, "message   THREE") == (status, text.splitlines()[0])
    assert text.endswith("\n\nSubject: \\x1b[31mred\n\na\tb \\x1b]0;x\\x07 ü \\n \\xff\n\nend\n")
    assert hostile == b64decode(_json(queue("show", "THREE", "--content", "--json"))["content"])
    assert 2 == queue("show", "THREE", "--raw", "--json")[0]
    assert 0 == queue("show", "THREE", "--raw")[0]
    assert hostile == capfdbinary.readouterr().out
    queue("delete", "THREE")
    assert (1, "") == queue("show", "THREE", "--content")
    assert "message THREE is finished: its content was deleted" in queue("show", "THREE", "--content", stderr=True)[1]


def _add(spool, id_, body, release_at=None):
    async def add():
        queue = await SqliteSpool.open(spool, node="relay")
        mail = replace(_mail(id_, "me@example.net", "c@example.com"), size=len(body), release_at=release_at)
        await queue.add(mail, body)
        await queue.close()

    asyncio.run(add())


def test_bounce_gives_up_and_tells_the_sender(queue, spool):
    """Now, with the attempts made so far; a report that fails tells nobody, and what is under way is left alone."""
    shape = _json(queue("bounce", "ONE", "--destination", "example.org", "--json"))
    assert ("given up", 1, 0, 1) == tuple(shape[key] for key in ("change", "parcels", "under_way", "reports"))
    assert (0, "1 given up, 0 reports queued\n") == queue("bounce", "TWO")
    assert 1 == queue("bounce", "TWO")[0]
    waiting = _json(queue("list", "--json"))["parcels"]
    assert [("ONE", ["b@example.com"]), (waiting[-1]["id"], ["me@example.net"])] == [
        (parcel["id"], parcel["to"]) for parcel in waiting
    ]
    report = queue("show", waiting[-1]["id"], "--content")[1]
    assert "gave the message up before its time had run out" in " ".join(report.split())
    assert all(text in report for text in ("450 4.2.0 try later", "Action: failed", "Status: 5.0.0"))
    told = CliRunner().invoke(app, ["explain", "ONE", "--spool", str(spool)]).stdout
    assert "By hand, " in told
    assert "So it failed: given up by hand, before its time had run out." in told


def test_move_takes_mail_another_way(queue, spool):
    """To a host, to a route of the settings, and back: held or not, it is due at once."""
    settings = spool / "p.toml"
    settings.write_text('[[route]]\nname = "ses"\ndomains = ["x.example"]\nnext_hop = "smtp.example.net:587"\n')
    queue("hold", "ONE")
    moved = (
        queue("move", "ONE", "--route", "Smtp.example.net")[1],
        queue("move", "ONE", "--to-route", "ses", "--config", str(settings))[1],
        queue("move", "ONE", "--usual")[1],
        queue("move", "ONE", "--route", "[2001:db8::1]:2525")[1],
    )
    assert (
        "2 moved to the route smtp.example.net:25\n", "2 moved to the route ses\n", "2 moved to the usual route\n",
        "2 moved to the route [2001:db8::1]:2525\n",
    ) == moved  # fmt: skip
    shapes = _json(queue("list", "ONE", "--json"))["parcels"]
    assert {("waiting", "[2001:db8::1]:2525")} == {(each["state"], each["route"]) for each in shapes}
    assert [0, 1] == sorted(each["attempts"] for each in shapes)
    assert {'deferred: moved to the route "[2001:db8::1]:2525" by hand'} == {each["said"] for each in shapes}


NOWHERE = [
    (["ONE"], "give one of --route HOST[:PORT], --to-route NAME and --usual"),
    (["ONE", "--usual", "--route", "x.example"], "give one of"),
    (["--usual"], "say which mail you mean"),
    (["ONE", "--route", "a..b"], "--route: "),
    (["ONE", "--route", "x.example:465"], "port 465 starts TLS at once; write a [[route]] for it"),
    (["ONE", "--to-route", "ses"], 'no [[route]] with the name "ses": no route has a name'),
]


def test_a_way_that_leads_nowhere_is_told(queue):
    """Exit status 2, and nothing is moved."""
    answers = [queue("move", *words, stderr=True) for words, _ in NOWHERE]
    assert [(2, said) for _, said in NOWHERE] == [
        (status, said if said in told else told) for (status, told), (_, said) in zip(answers, NOWHERE, strict=True)
    ]
    assert {None} == {parcel["route"] for parcel in _json(queue("list", "--json"))["parcels"]}
