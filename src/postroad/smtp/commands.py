"""Octets that become commands: by one look where they are written as usual, else by the whole grammar."""

from __future__ import annotations

import re

from postroad.smtp.grammar import (
    BadSyntax,
    Bdat,
    Command,
    Data,
    Ehlo,
    Helo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    parse_command,
)
from postroad.smtp.wire import LineBuffer
from postroad.words.mail import PLAIN_MAILBOX, Mailbox, Recipient
from postroad.words.reply import Reply

NOT_SMTP = Reply(221, ("2.7.0 this is a mail server, and that was not SMTP: goodbye",))

QUOTED = 60  # octets of a line that is not SMTP that are told to the application

# A whole line, as nearly all clients write it, in one look
PLAIN = re.compile(
    rf"(?:MAIL FROM:<(?:{PLAIN_MAILBOX})?>(?: SIZE=([0-9]{{1,20}}))?(?: BODY=(7BIT|8BITMIME))?"
    rf"|RCPT TO:<{PLAIN_MAILBOX}>|(DATA|RSET|NOOP|QUIT)|BDAT ([0-9]{{1,20}})( LAST)?"
    rf"|(EHLO|HELO) ([!-~]++))\r\n".encode()
)
_FIXED: dict[bytes, Command] = {b"DATA": Data(), b"RSET": Rset(), b"NOOP": Noop(), b"QUIT": Quit()}

# What browsers and web clients say, by script or by accident: a request, or a header line (as Postfix has it)
_FOREIGN = re.compile(rb"(?i:GET|POST|CONNECT)(?: |\Z)|[!-9;-~]+:|.* HTTP/[0-9.]+\Z")


class CommandReader(LineBuffer):
    """A buffer of octets that become commands. `is_ascii`: the last one was written in nothing else."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.is_ascii = True

    def command(self) -> Command | BadSyntax | None:
        """The next command, or line that is none; None: no line is whole."""
        found = None if self._is_skipping else PLAIN.match(self._octets, self._at)
        if found is None or found.end() - self._at > self._limit:
            return self._by_grammar()
        self._at = found.end()
        self.is_spent = self._at == len(self._octets)
        self.is_ascii = True
        sender, domain, size, body, recipient, destination, word, octets, last, hello, name = found.groups()
        if recipient:
            return Rcpt(Recipient(Mailbox(recipient.decode(), destination.lower().decode())))
        if word:
            return _FIXED[word]
        if octets:
            return Bdat(int(octets), last is not None)
        if hello:
            return Ehlo(name.decode()) if hello == b"EHLO" else Helo(name.decode())
        path = Mailbox(sender.decode(), domain.lower().decode()) if sender else None
        return Mail(path, int(size) if size else None, body.decode() if body else None)

    def _by_grammar(self) -> Command | BadSyntax | None:
        line = self.take()
        if line is None:
            return None
        self.is_ascii = line.isascii()
        read = BadSyntax(Reply(500, (f"5.5.2 {self.fault}",))) if self.fault else parse_command(line)
        if isinstance(read, BadSyntax) and _FOREIGN.match(line):
            return BadSyntax(NOT_SMTP, line[:QUOTED].decode("ascii", "backslashreplace"))
        return read
