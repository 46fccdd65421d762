"""Puts messages into a spool: durable at once, delivered by the relay that works from it, now or when it runs again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING

from postroad.sending.given import check_given, must_not_run
from postroad.words.bounds import require
from postroad.words.inputs import InputError

if TYPE_CHECKING:
    from postroad.build import Content
    from postroad.config import Brief
    from postroad.spool import StoredMail


@dataclass(frozen=True, slots=True, repr=False)
class Queued:
    """The result of `enqueue`: the message is durable. Its `id` is the one that `postroad queue` and `explain` take.

    `recipients` are the addresses it goes to, those of aliases among them. `spool` is the place, without a password.
    """

    id: str
    recipients: tuple[str, ...]
    spool: str

    def __repr__(self) -> str:
        """In a line for people."""
        from postroad.words.phrasebook import listing  # noqa: PLC0415  # for few

        return f"<Queued: {self.id} to {listing(self.recipients, 3)} in {self.spool}>"


async def enqueue(
    message: Content,
    *,
    sender: str | EllipsisType | None = ...,
    recipients: str | Iterable[str] | None = None,
    spool: str | Path | None = None,
    config: str | Path | None = None,
    at: datetime | None = None,
) -> Queued:
    """Put a message into a spool; when this returns it is durable, whether a relay runs or not.

    Message, sender and recipients are as for `send`. `spool` is a folder or a `postgresql://` URL; left out, it is
    that of the settings. `config` is the file of the settings; left out, it is the one that `postroad` itself would
    take. They say how the message is completed, as mail of `postroad sendmail` is: missing Date, Message-ID and From,
    [aliases] for names of this machine, [dkim] signatures, the limit of its size. The relay retries it for days and
    reports failures to the sender. With `at` it is not delivered before that time, which is in the zone of this machine
    if it names none, and as far ahead as `limits.hold` allows.

        queued = await postroad.enqueue(message, spool="/var/spool/postroad")
        print(queued.id)

    Raises:
        InputError: the message, an address or the settings cannot be used.
        SpoolError: the spool cannot take it now: `kind` says why (full, read-only, locked, missing, newer, ...), the
            text says where and how to fix it. Nothing was kept.

    """
    import asyncio  # noqa: PLC0415  # who enqueues without a loop need not load it

    asked = await asyncio.to_thread(_prepared, (message, sender, recipients), spool, config, at)
    await _keep(asked)
    return asked.queued


def enqueue_sync(
    message: Content,
    *,
    sender: str | EllipsisType | None = ...,
    recipients: str | Iterable[str] | None = None,
    spool: str | Path | None = None,
    config: str | Path | None = None,
    at: datetime | None = None,
) -> Queued:
    """The same as `enqueue` for programs without an event loop, and for threads of those that have one. It blocks.

    Raises:
        InputError: as `enqueue`.
        SpoolError: as `enqueue`.
        RuntimeError: an event loop runs in this thread, and would stand still meanwhile.

    """
    must_not_run("enqueue")
    asked = _prepared((message, sender, recipients), spool, config, at)
    if isinstance(asked.place, Path):
        _keep_in_folder(asked)
    else:
        import asyncio  # noqa: PLC0415  # as above

        asyncio.run(_keep(asked))
    return asked.queued


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A message that is ready to be kept, and where."""

    place: Path | str
    reserve: int
    mail: StoredMail
    content: bytes

    @property
    def queued(self) -> Queued:
        """The answer, once it is kept."""
        from postroad.spool import shown_place  # noqa: PLC0415  # only where something is kept

        recipients = tuple(str(to.mailbox) for to in self.mail.envelope.recipients)
        return Queued(self.mail.id, recipients, shown_place(self.place))


_Given = tuple["Content", "str | EllipsisType | None", "str | Iterable[str] | None"]


def _prepared(given: _Given, spool: str | Path | None, config: str | Path | None, at: datetime | None) -> _Prepared:
    from postroad import build  # noqa: PLC0415  # as above
    from postroad.config import USUAL_FILE, aliases_of, find, hostname_of, load_brief  # noqa: PLC0415  # as above

    message, sender, recipients = given
    to = check_given(message, sender, recipients)
    require("spool", spool, str, Path)
    require("config", config, str, Path)
    require("at", at, datetime)
    file = Path(config) if config else find()
    brief = load_brief(file)
    octets = build.octets_of(message)
    if len(octets) > brief.message_size:
        raise InputError(f"the message is larger than limits.message_size, {brief.message_size} octets")
    hostname = hostname_of(brief)
    reverse_path, mailboxes = build.envelope_of(octets, sender, to, hostname)
    where = f"set an address for it in [aliases] of {file or USUAL_FILE}"
    rules = build.SubmissionRules(
        aliases_of(brief), build.build_signing(brief.dkim), where, brief.rewriting, brief.hold
    )
    from_whom = str(reverse_path) if reverse_path else ""
    to_whom, release_at = [str(each) for each in mailboxes], None if at is None else at.timestamp()
    submission = build.Submission(octets, to_whom, from_header=False, sender=from_whom, release_at=release_at)
    mail, content = build.mail_of(submission, build.origin_of(hostname), rules, "enqueue")
    return _Prepared(_place(spool, brief), brief.reserve, mail, content)


def _place(spool: str | Path | None, brief: Brief) -> Path | str:
    """The folder or the URL of a database."""
    from postroad.spool import place_of  # noqa: PLC0415  # as above

    if spool is None:
        return brief.spool
    if not str(spool):
        raise InputError('spool: "" is not a spool; write a folder, or a URL as "postgresql://user@host/database"')
    return spool if isinstance(spool, Path) else place_of(spool)


async def _keep(asked: _Prepared) -> None:
    import asyncio  # noqa: PLC0415  # as above

    from postroad.spool import open_place  # noqa: PLC0415  # as above

    if isinstance(asked.place, Path):
        await asyncio.to_thread(_keep_in_folder, asked)
        return
    spool = await open_place(asked.place, node="")
    try:
        await spool.add(asked.mail, asked.content)
    finally:
        await spool.close()


def _keep_in_folder(asked: _Prepared) -> None:
    from postroad.spool.sqlite import keep_one  # noqa: PLC0415  # as above

    assert isinstance(asked.place, Path)  # noqa: S101  # who calls it knows
    keep_one(asked.place, asked.mail, asked.content, reserve=asked.reserve)
