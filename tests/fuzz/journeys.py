"""Fuzzed: a message on its way. Whatever a host answers, nothing is delivered that was not sent and taken."""

import re
from collections import deque
from contextlib import suppress
from itertools import product

from postroad.build.draft import Origin
from postroad.build.draft import finish_draft as finish
from postroad.build.draft import parse_draft as parse
from postroad.smtp import (
    BodyComplete,
    Break,
    ClientEnd,
    Data,
    Done,
    Ehlo,
    Expect,
    Mail,
    More,
    Rcpt,
    Server,
    ServerConfig,
    Terms,
    Transaction,
    Write,
    canonical,
)
from postroad.smtp.client import UnsafeContent
from postroad.smtp.grammar import Bdat
from postroad.words.inputs import InputError
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.reply import Reply

CONTENT = b"Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n"
STUFFED = CONTENT.replace(b"\r\n.", b"\r\n..") + b".\r\n"
RECIPIENTS = tuple(Recipient(Mailbox(name, "example.com")) for name in ("ann", "bob", "cid"))
ENVELOPE = Envelope(Mailbox("me", "example.net"), RECIPIENTS)
LOST = Outcome(Result.DEFERRED, Scope.HOST, "lost", "4.4.2", Phase.MAIL)
ORIGIN = Origin("relay.example.net", "cron", 1000, "", "ID", 1_000_000_000.0)
UNSAFE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")
STEPS = 1000  # more than any transaction with three recipients has
FORMS = list(product([True, False], [True, False], [1, 100_000]))


class Conversation:
    """A host whose every octet is given beforehand, and what was said to it."""

    def __init__(self, octets, size):
        self.client = ClientEnd()
        self.sent = b""
        self._left, self._size = octets, size
        self._events = []

    def reply(self):
        """The next reply in step, or None: it will not come."""
        while not self._events:
            piece, self._left = self._left[: self._size], self._left[self._size :]
            self._events = self.client.receive(piece)
            if not piece and not self._events:
                return None
        event = self._events.pop(0)
        return event if isinstance(event, Reply) else None

    def greeted(self):
        """Whether the host greets, and answers EHLO."""
        self.client.receive(b"220 mx.example\r\n")
        self.client.send(Ehlo("me.example"))
        self.reply()
        return self.client.capabilities is not None and self.client.may_send(Mail)


def transaction(octets):
    """Delivered is only who was accepted, after the whole message was sent, by a 2yz that came for it."""
    for whole, rested, size in FORMS:
        host = Conversation(octets, size)
        if host.greeted():
            _carry_out(host, whole=whole, terms=Terms(rested=rested, resets=False))


def _carry_out(host, *, whole, terms):
    moved = Transaction(host.client, ENVELOPE, CONTENT if whole else len(CONTENT), (0, 1, 2), terms)
    heard, is_lost, pieces = [], False, [CONTENT[:7], CONTENT[7:], b""]
    step = moved.begin()
    for _ in range(STEPS):
        match step:
            case Write(written, then):
                host.sent += written
                step = then
            case More():
                step = moved.give(pieces.pop(0))
            case Expect():
                heard.append(reply := host.reply())
                step = moved.hear(deque([reply])) if reply else Break(LOST)
            case Break(outcome):
                is_lost = True
                moved.lose(outcome)
                break
            case Done():
                break
    else:
        raise AssertionError("it does not end")
    _judge(moved, heard, host.sent, is_lost=is_lost)


def _judge(moved, heard, sent, *, is_lost):
    told = {index for index, outcome in moved.told.items() if outcome.result is Result.DELIVERED}
    if told:
        assert heard[-1].code // 100 == 2
        assert sent.endswith((STUFFED, b" LAST\r\n" + CONTENT))
        assert all(heard[1 + index].code // 100 == 2 for index in told)
    if not is_lost:
        assert {0, 1, 2} == {*moved.told, *moved.carried}


def content(octets):
    """What a client sends a server has, by DATA and by BDAT, in pieces; a bare CR or LF or a NUL is never sent."""
    clean = canonical(octets)
    assert clean == _through(clean, 1, by_data=False)
    for size in (1, 7, max(len(clean), 1)):
        ended = clean if clean.endswith(b"\r\n") or not clean else clean + b"\r\n"
        assert ended == _through(clean, size, by_data=True)
    for by_data in (True, False):
        try:
            _through(octets, 5, by_data=by_data)
        except UnsafeContent:
            assert UNSAFE.search(octets)
        else:
            assert not UNSAFE.search(octets)


def _through(octets, size, *, by_data):
    """What comes out of a server of what goes into a client."""
    client, server = ClientEnd(), Server(ServerConfig("mx.example"))
    client.receive(server.greet())
    _ask(client, server, Ehlo("me.example"))
    _ask(client, server, Mail(None))
    _ask(client, server, Rcpt(RECIPIENTS[0]))
    if by_data:
        _ask(client, server, Data())
    sent = [] if by_data else [client.send(Bdat(len(octets), last=True))]
    pieces = [octets[start : start + size] for start in range(0, len(octets), size)]
    sent += [client.send_body(piece) if by_data else client.send_chunk(piece) for piece in pieces]
    if by_data:
        sent.append(client.end_body())
    received = b""
    for piece in sent:
        event = server.receive(piece)
        while event:
            received += event.data
            if isinstance(event, BodyComplete):
                return received
            event = server.receive()
    raise AssertionError("it does not end")


def _ask(client, server, command):
    assert command == server.receive(client.send(command))
    client.receive(server.agree())


def draft(octets):
    """Whatever sendmail is handed, what it makes of it can be sent, and no line has two fields."""
    made = parse(octets)
    assert len(made.fields) <= octets.count(b"\n") + 1
    with suppress(InputError):  # nobody can say who is meant
        made.recipients()
    finished = finish(made, ORIGIN, None)
    assert not UNSAFE.search(finished)
    assert b"\r\n\r\n" in finished
    again = parse(finished)
    assert finished.endswith(again.rest)
    assert not again.has("bcc", "resent-bcc")
