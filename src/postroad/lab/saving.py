"""Messages that a lab took, as files: a folder of .eml files, or a Maildir. Each is there as a whole, or not at all."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from postroad.lab.sink import Received
from postroad.words.inputs import InputError

PARTS = ("tmp", "new", "cur")  # of a Maildir


class MailFolder:
    """A folder that is given messages: `.eml` files, or a Maildir where it is one already or is to become one.

    The octets are those that came, below the fields that a delivery adds (RFC 5321 section 4.4): Return-Path,
    Delivered-To for each recipient, and Received. A Maildir has lines as Unix has them.
    """

    def __init__(self, path: Path, *, maildir: bool = False, named: Callable[[Received], str] | None = None) -> None:
        self.path = path
        self.is_maildir = maildir or all((path / part).is_dir() for part in PARTS)
        self._named = named or (lambda received: str(received.address))
        self._numbers = itertools.count(1)

    def open(self) -> None:
        """Make it, if it is not there, and see that files can be written.

        Raises:
            InputError: it is no folder, or not ours to write.

        """
        try:
            for folder in [self.path / part for part in PARTS] if self.is_maildir else [self.path]:
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".postroad-{os.getpid()}"
                probe.touch()
                probe.unlink()
        except OSError as problem:
            why = f"mail cannot be saved in {self.path}: {problem.strerror or problem}"
            raise InputError(f"{why}; name a folder that you may write, or one that does not exist yet") from None

    def keep(self, received: Received) -> Path:
        """Save a message, and say where.

        Raises:
            OSError: it cannot be; nothing of it is left.

        """
        name, octets = self._name(received), self._fields(received) + received.content
        if self.is_maildir:
            return _write(self.path / "tmp" / name, self.path / "new" / name, octets.replace(b"\r\n", b"\n"))
        return _write(self.path / f".{name}.tmp", self.path / f"{name}.eml", octets)

    def _name(self, received: Received) -> str:
        if self.is_maildir:  # time, what is unique on this machine, and its name: https://cr.yp.to/proto/maildir.html
            host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
            return f"{int(received.at)}.M{int(received.at % 1 * 1e6)}P{os.getpid()}Q{next(self._numbers)}.{host}"
        at = datetime.fromtimestamp(received.at, UTC).strftime("%Y%m%dT%H%M%S.%f")
        return f"{at}-{os.getpid()}-{next(self._numbers):04}"

    def _fields(self, received: Received) -> bytes:
        envelope, tls = received.envelope, "S" if received.tls else ""
        date = format_datetime(datetime.fromtimestamp(received.at, UTC))
        to = [f"Delivered-To: {recipient.mailbox}" for recipient in envelope.recipients]
        client = f"{received.client_name or 'unknown'} ([{received.peer.address}])"
        trace = f"Received: from {client}\r\n\tby {self._named(received)} with ESMTP{tls}; {date}"
        return "".join(f"{line}\r\n" for line in (f"Return-Path: <{envelope.reverse_path or ''}>", *to, trace)).encode()


def _write(draft: Path, place: Path, octets: bytes) -> Path:
    try:
        draft.write_bytes(octets)
        draft.rename(place)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return place
