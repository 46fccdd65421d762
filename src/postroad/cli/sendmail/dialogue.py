"""SMTP on standard input and output (`sendmail -bs`), as Symfony, Laravel and other programs speak it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BufferedReader
from typing import TYPE_CHECKING, cast

from postroad.build import mail_sent, origin_of
from postroad.cli.door import send
from postroad.cli.sendmail import OK
from postroad.cli.sendmail.handing import Deposited, hand_over
from postroad.config import hostname_of
from postroad.smtp import (
    BodyComplete,
    BodyPiece,
    BodyRefused,
    Closed,
    Rcpt,
    Server,
    ServerConfig,
    ServerEvent,
    ServerState,
)
from postroad.spool import SpoolError, Trouble
from postroad.words.inputs import InputError
from postroad.words.reply import Reply
from postroad.words.visible import defused

if TYPE_CHECKING:
    from postroad.build import SubmissionRules
    from postroad.config import Brief

PIECE = 64 * 1024
LONGEST_TEXT = 400  # characters of ours in a reply: RFC 5321 section 4.5.3.1.5 has 512 octets for its line

_NO_ROOM = Reply(452, ("4.3.1 insufficient disk space, try again later",))


class Dialogue:
    """An SMTP session with the program that started us. A message is durable before its 250."""

    def __init__(self, config: Brief, rules: SubmissionRules, full_name: str = "") -> None:
        self._config = config
        self._rules = rules
        self._full_name = full_name
        self._hostname = hostname_of(config)
        hold_s = int(rules.hold_s)  # offered up to a full minute, as at a port
        until = int(time.time() + hold_s) // 60 * 60 if hold_s else 0
        offer = ServerConfig(self._hostname, size=config.message_size, hold_s=hold_s, hold_until=until)
        self._server = Server(offer)
        self._pieces: list[bytes] = []

    @property
    def state(self) -> ServerState:
        """What may come next."""
        return self._server.state

    def greet(self) -> bytes:
        """The first words."""
        return self._server.greet()

    def hear(self, octets: bytes) -> bytes:
        """The replies to what has come; b"" for the end of input."""
        replies = []
        event = self._server.receive(octets)
        while event and not isinstance(event, Closed):
            replies.append(self._reply(event))
            has_more = self._server.has_more and self._server.state is not ServerState.CLOSED
            event = self._server.receive() if has_more else None
        return b"".join(replies)

    def _reply(self, event: ServerEvent) -> bytes:
        if isinstance(event, BodyPiece):
            self._pieces.append(event.data)
            return b""
        if isinstance(event, BodyComplete):
            return self._server.reply(self._keep(event.data))
        if isinstance(event, BodyRefused):
            self._pieces.clear()
        refusal = self._rules.aliases.refusal(event.recipient.mailbox, None) if isinstance(event, Rcpt) else None
        return self._server.reply(refusal) if refusal else self._server.agree()

    def _keep(self, rest: bytes) -> Reply:
        octets, origin = b"".join([*self._pieces, rest]), origin_of(self._hostname, self._full_name)
        self._pieces.clear()
        asked, envelope = self._server.transaction.mail, self._server.transaction.envelope
        if asked.hold_for or asked.hold_until:
            envelope = replace(envelope, release_at=asked.hold_until or origin.at + (asked.hold_for or 0))
        try:
            mail, content = mail_sent(octets, envelope, origin, self._rules, "sendmail")
            done = hand_over(mail, content, self._config)
        except InputError as problem:
            return _said(550, f"5.7.1 {problem}")
        except SpoolError as trouble:
            return _NO_ROOM if trouble.kind is Trouble.FULL else _said(451, f"4.3.0 {trouble.why}")
        return _refusal(done) if done.refused else Reply(250, (f"2.0.0 Ok: queued as {done.id}",))


def converse(config: Brief, rules: SubmissionRules, full_name: str) -> int:
    """Hold the session to its end; the exit status."""
    dialogue = Dialogue(config, rules, full_name)
    send(dialogue.greet())
    for octets in _heard(cast("BufferedReader", sys.stdin.buffer), lambda: dialogue.state):
        send(dialogue.hear(octets))
        if dialogue.state is ServerState.CLOSED:
            break
    return OK


def _heard(file: BufferedReader, state: Callable[[], ServerState]) -> Iterator[bytes]:
    """Octets as they come, a command at a time: a file may have all of them, and its writer waited for no answer.

    A client whose first line ends with a bare LF ends all its lines so, as a person at a terminal does: it is given
    CRLF. Any other has to keep to CRLF: a line end that it does not know for one may stand in a stranger's text that
    it quotes, and would let that stranger end the message and begin another.
    """
    first = file.readline(PIECE)
    is_unix = first.endswith(b"\n") and not first.endswith(b"\r\n")
    lines = [first]
    while any(lines):
        yield b"".join([_with_crlf(line) for line in lines] if is_unix else lines)
        now = state()
        if now is ServerState.CHUNKS:  # its end need not be that of a line
            lines = [file.read1(PIECE)]
        else:
            lines = list(_body_lines(file)) if now is ServerState.BODY else [file.readline(PIECE)]


def _body_lines(file: BufferedReader) -> Iterator[bytes]:
    """Some lines of a message, none behind its end."""
    octets = 0
    while octets < PIECE and (line := file.readline(PIECE)):
        yield line
        octets += len(line)
        if line.rstrip(b"\r\n") == b".":
            return


def _with_crlf(line: bytes) -> bytes:
    return line[:-1] + b"\r\n" if line.endswith(b"\n") and not line.endswith(b"\r\n") else line


def _refusal(done: Deposited) -> Reply:
    """What a relay's port has refused. Whom it took the message for has it all the same, as with many recipients."""
    said = "; ".join(f"{mailbox}: {outcome.text}" for mailbox, outcome in done.refused)
    return _said(550, f"5.0.0 {said}") if done.is_for_good else _said(451, f"4.3.0 {said}")


def _said(code: int, text: str) -> Reply:
    shown = defused(text).encode("ascii", "backslashreplace").decode()
    return Reply(code, (shown if len(shown) <= LONGEST_TEXT else f"{shown[:LONGEST_TEXT]}...",))
