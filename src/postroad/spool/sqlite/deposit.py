"""One message put into a spool by a program that then ends: no loop, no thread."""

from __future__ import annotations

from pathlib import Path

from postroad.spool.base import StoredMail
from postroad.spool.calls import CompleteMessage
from postroad.spool.group import RECIPIENT, SHORT, CallKind, CommitGroup
from postroad.spool.sqlite import keeping
from postroad.spool.sqlite.opening import open_folder

_ADD = CallKind(keeping.add, SHORT, enters=True)


def keep_one(folder: Path, mail: StoredMail, octets: bytes, *, reserve: int = 0) -> None:
    """Keep a message in the spool of a folder, for whoever delivers from there; on return it is durable.

    With less than `reserve` octets of room on the disk it is refused, as a relay refuses it.

    Raises:
        SpoolError: the spool cannot take it now: missing, newer, corrupt, read-only, full.

    """
    opened = open_folder(folder, "", reserve, readers=0)
    group = CommitGroup()
    group.take(_ADD, CompleteMessage(mail, octets), len(octets) + (len(mail.envelope.recipients) - 1) * RECIPIENT)
    try:
        problem = opened.commits.end(group)[0].problem
    finally:
        opened.commits.close()
    if problem:
        raise problem
