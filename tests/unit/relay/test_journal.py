"""The log: one line for each event, for people or for programs, of what is worth it."""

import errno
import io
import json
import os
import re
import select
import threading
from contextlib import suppress
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.deliver.disposition import judge
from postroad.pace import RetrySchedule
from postroad.relay import journal as module
from postroad.relay.journal import LEVELS, Journal, Style, is_journald, stderr_piece, write_stderr
from postroad.spool import Parcel, StoredMail
from postroad.words.mail import Envelope, Recipient, parse_mailbox
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.trace import Event
from postroad.words.trail import Attempt, Contact, Target

NOON = 1_700_000_000.0
TARGET = Target("mail.example.com", ip_address("192.0.2.1"), 10)
OK = Outcome(Result.DELIVERED, Scope.MESSAGE, "250 2.0.0 taken", "2.0.0", Phase.DOT)
NEVER = Outcome(Result.FAILED, Scope.RECIPIENT, "550 no", "5.1.1", Phase.RCPT)
LATER = Outcome(Result.DEFERRED, Scope.RECIPIENT, "450 later\r\nforged line", "4.2.0", Phase.RCPT)


def attempted(*outcomes, contacts=None):
    """The event of an attempt that ended so."""
    who = tuple(Recipient(parse_mailbox(f"{name}@example.com")) for name in ("ann", "bob")[: len(outcomes)])
    envelope = Envelope(parse_mailbox("me@example.net"), who)
    parcel = Parcel(1, "example.com", StoredMail("M1", envelope, NOON, 7, 10), NOON)
    contact = Contact(TARGET, 0, 5, outcomes[0].phase, None, {0: outcomes[0]}, tls="TLSv1.3 X")
    done = Attempt("example.com", outcomes, (contact,) if contacts is None else contacts, 7, 12.34)
    verdict = judge(parcel, done, RetrySchedule(jitter=0), NOON, Random(1))
    return Event("deliver.parcel.complete", {"parcel": parcel, "attempt": done, "verdict": verdict})


def lines(*events, form="console", level="info"):
    """What is written of these events."""
    return written(*events, style=Style(form, level)).decode().splitlines()


def written(*events, style):
    """The octets that are written of these events."""
    out = io.BytesIO()
    journal = Journal(out.write, style)
    journal.take([(NOON, event) for event in events if journal.wants(event)])
    return out.getvalue()


def test_attempt_is_one_line_of_json():
    """Who, where to, by whom, and what became of it: flat, so that any tool can ask for it."""
    (line,) = lines(attempted(OK), form="json")
    assert json.loads(line) == {
        "at": "2023-11-14T22:13:20.000Z",
        "level": "info",
        "event": "deliver.attempt.complete",
        "id": "M1",
        "from": "me@example.net",
        "to": ["ann@example.com"],
        "destination": "example.com",
        "attempt": 1,
        "ms": 12.3,
        "result": "delivered",
        "exchange": "mail.example.com",
        "address": "192.0.2.1",
        "contacts": 1,
        "tls": "TLSv1.3 X",
        "status": "2.0.0",
        "text": "250 2.0.0 taken",
    }


def test_deferred_attempt_says_when_it_is_tried_again():
    """With the status and the words of the host."""
    (line,) = lines(attempted(LATER), form="json")
    shape = json.loads(line)
    assert ("deferred", "4.2.0", "2023-11-14T22:18:20.000Z") == (shape["result"], shape["status"], shape["due"])


def test_attempt_without_contacts_names_none():
    """All hosts were unhealthy, or there is no route."""
    (line,) = lines(attempted(LATER, contacts=()), form="json")
    assert "exchange" not in json.loads(line)


@pytest.mark.parametrize("form", ["console", "json"])
def test_nobody_forges_a_line(form):
    """What others say, line ends and all, stays within the line that quotes it."""
    forged = Event("receive.message.failed", {"why": "x\n2023-11-14T22:13:20.000Z relay.drained", "user": None})
    assert [1, 1] == [len(lines(attempted(LATER), form=form)), len(lines(forged, form=form))]


def test_line_for_people_quotes_what_has_spaces():
    """Each word has its name; nothing is told of what is not there."""
    (line,) = lines(Event("relay.reload.failed", {"why": 'a "bad" file', "where": None, "count": 3}))
    assert '2023-11-14T22:13:20.000Z relay.reload.failed why="a \\"bad\\" file" count=3' == line


@pytest.mark.parametrize(("said", "shown"), [
    ('a"b', '"a\\"b"'), ("a=b", '"a=b"'), ("a b", '"a b"'), ("a\nb", '"a\\nb"'), ("a,b", "a,b"),
])  # fmt: skip
def test_word_that_could_be_read_as_two_is_quoted(said, shown):
    """A blank, a quotation mark, an equals sign, a control; nothing else."""
    (line,) = lines(Event("relay.reload.failed", {"why": said}))
    assert f"2023-11-14T22:13:20.000Z relay.reload.failed why={shown}" == line


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (Event("receive.session.started", {}), "debug"),
        (Event("receive.message.complete", {}), "info"),
        (attempted(OK), "info"),
        (attempted(LATER), "warning"),
        (Event("receive.message.failed", {}), "warning"),
        (Event("deliver.host.failed", {}), "warning"),
        (Event("receive.tls.failed", {}), "warning"),
        (Event("relay.worker.failed", {}), "warning"),
        (Event("relay.events.lost", {}), "warning"),
        (Event("relay.pickup.complete", {}), "info"),
        (Event("deliver.host.recovered", {}), "info"),
        (Event("deliver.report.failed", {}), "warning"),
        (Event("deliver.spool.failed", {}), "error"),
        (Event("relay.spool.failed", {}), "error"),
    ],
)
def test_each_event_has_its_level(event, level):
    """It is written at its level and at every lower one."""
    told = [each for each in LEVELS if lines(event, level=each)]
    assert list(LEVELS)[: list(LEVELS).index(level) + 1] == told
    (line,) = lines(event, level=level, form="json")
    assert level == json.loads(line)["level"]


def test_bug_is_told_with_its_parcel():
    """The message it befell, and the error."""
    parcel = attempted(OK).fields["parcel"]
    (line,) = lines(Event("deliver.parcel.broken", {"parcel": parcel, "error": ValueError("a bug")}))
    assert """deliver.parcel.broken id=M1 error="ValueError('a bug')\"""" in line


class Pipe:
    """What a log is written to: `fates` says of each write how much it takes, or that it fails; then it takes all."""

    def __init__(self, fates=()):
        self.fates = list(fates)
        self.octets = b""
        self.writes = []

    def write(self, octets):
        """Take some."""
        fate = self.fates.pop(0) if self.fates else None
        if fate == "fails":
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = octets if fate is None else octets[:fate]
        self.octets += taken
        self.writes.append(taken)
        return len(taken)


def numbered(number):
    """An event that can be told from others in the log."""
    return NOON, Event("a.thing.complete", {"number": number})


@given(fates=st.lists(st.sampled_from(["fails", 1, 10, 40, 200, None]), max_size=30), batches=st.integers(1, 12))
def test_log_that_cannot_be_written_loses_whole_lines_and_says_how_many(fates, batches):
    """However writes fail or stop half-way: no line is glued to another, and told are those written and those lost."""
    pipe = Pipe(fates)
    journal = Journal(pipe.write)
    for number in range(batches):
        journal.take([numbered(3 * number + each) for each in range(3)])
    pipe.fates.clear()
    journal.take([numbered("last")])
    whole = re.compile(r"2023-11-14T22:13:20.000Z a.thing.complete number=(\w+)")
    told = re.compile(r'2023-11-14T22:13:20.000Z relay.log.lost lines=(\d+) why="No space left on device"')
    lines = pipe.octets.decode().splitlines()
    written = [match[1] for line in lines if (match := whole.fullmatch(line))]
    confessed = sum(int(match[1]) for line in lines if (match := told.fullmatch(line)))
    assert "last" == written[-1]
    assert written[:-1] == sorted(written[:-1], key=int)
    assert all("2023-11-14T22:13:20.000Z".startswith(line[:24]) and line.count("2023") <= 1 for line in lines)
    assert (3 * batches + 1 - len(written), journal.lost) == (journal.lost, confessed)


def test_writes_are_few_and_whole_for_a_pipe():
    """A batch leaves in writes that a pipe takes in one piece, each of whole lines; a longer line leaves alone."""
    pipe = Pipe()
    long = NOON, Event("a.thing.complete", {"text": "x" * 2 * select.PIPE_BUF})
    Journal(pipe.write).take([*(numbered(number) for number in range(200)), long, numbered(200)])
    assert [True] * len(pipe.writes) == [each.endswith(b"\n") for each in pipe.writes]
    sizes = [len(each) for each in pipe.writes]
    assert (201, 5) == (pipe.octets.count(b"number="), len(sizes))
    assert [True, True, True, False, True] == [size <= select.PIPE_BUF for size in sizes]


@pytest.mark.parametrize(("kind", "writes"), [("file", 1), ("pipe", 4), ("closed", 4)])
def test_file_takes_a_batch_in_one_write(kind, writes, monkeypatch, tmp_path):
    """Whoever else writes to it; each write is a wait for the mail to let the log go on."""
    descriptors = list(os.pipe()) if kind == "pipe" else [os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)]
    monkeypatch.setattr(module, "STDERR", descriptors[-1])
    if kind == "closed":
        os.close(descriptors.pop())
    pipe = Pipe()
    Journal(pipe.write, None, stderr_piece()).take([numbered(number) for number in range(250)])
    for each in descriptors:
        os.close(each)
    assert (250, writes) == (pipe.octets.count(b"number="), len(pipe.writes))


@pytest.mark.parametrize(("form", "level", "begins"), [
    ("console", "info", "<6>2023"), ("console", "warning", "<4>2023"), ("console", "error", "<3>2023"),
    ("console", "debug", "<7>2023"), ("json", "error", '{"at"'),
])  # fmt: skip
def test_journald_has_the_level_in_front(form, level, begins):
    """As sd-daemon(3) numbers it; JSON has a key for it instead."""
    name = {"warning": "receive.auth.failed", "error": "relay.bug.caught", "debug": "receive.session.started"}.get(
        level, "a.b.c"
    )
    style = Style(form, "debug", is_prefixed=True)
    assert written(Event(name), style=style).decode().startswith(begins)


def test_journald_is_known_by_its_device_and_inode(monkeypatch, tmp_path):
    """$JOURNAL_STREAM may be inherited by who writes elsewhere."""
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(module, "STDERR", log.fileno())
        status = os.fstat(log.fileno())
        said = []
        for stream in (f"{status.st_dev}:{status.st_ino}", f"{status.st_dev}:1", ""):
            monkeypatch.setenv("JOURNAL_STREAM", stream)
            said.append(is_journald())
    assert [True, False, False] == said
    assert not is_journald()  # it is closed


def test_stderr_that_takes_nothing_now_is_waited_for(monkeypatch):
    """Another process may have made it non-blocking, and what does not fit now is written when it does."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    monkeypatch.setattr(module, "STDERR", write_end)
    fill = 0
    with suppress(BlockingIOError):
        while True:
            fill += os.write(write_end, b"x" * 4096)
    writing = threading.Thread(target=write_stderr, args=(b"line\n",))
    writing.start()
    rest = b""
    while not rest.endswith(b"line\n"):
        rest += os.read(read_end, 65536)
    writing.join()
    os.close(read_end)
    os.close(write_end)
    assert fill + len(b"line\n") == len(rest)


def test_event_that_cannot_be_told_takes_no_other_with_it():
    """It is a bug of ours, and stands as one between the others."""
    out = io.BytesIO()
    Journal(out.write).take([numbered(1), (NOON, Event("deliver.parcel.complete", {})), numbered(2)])
    names = [line.split()[1] for line in out.getvalue().decode().splitlines()]
    assert ["a.thing.complete", "relay.bug.caught", "a.thing.complete"] == names


def test_report_that_fails_is_a_line_of_its_own():
    """A double bounce: which, to whom and why."""
    lost = {"id": "B1", "recipients": ["me@example.net"], "why": "failed: 550 no", "origin": None}
    assert [
        '2023-11-14T22:13:20.000Z deliver.report.failed id=B1 recipients=me@example.net why="failed: 550 no"'
    ] == lines(Event("deliver.report.failed", lost))


def test_line_names_the_host_whose_words_it_quotes():
    """Not the one that was contacted last, for somebody else."""
    other = Target("other.example.com", ip_address("192.0.2.2"), 20)
    contacts = (Contact(TARGET, 0, 5, Phase.RCPT, None, {0: NEVER}), Contact(other, 5, 9, Phase.RCPT, None, {1: LATER}))
    (line,) = lines(attempted(NEVER, LATER, contacts=contacts), form="json")
    assert ("mail.example.com", "550 no") == (json.loads(line)["exchange"], json.loads(line)["text"])
