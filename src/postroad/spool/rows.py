"""Mail as columns of a row of a database, and back: rows are validated as if someone else had written them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from postroad.spool.base import Listed, Parcel, State, StoredMail
from postroad.words.mail import Envelope, Mailbox, Recipient, TlsWish
from postroad.words.names import AddressLiteral, parse_destination

T = TypeVar("T")
Row = tuple[Any, ...]


class Damaged(Exception):  # noqa: N818  # what a row is, not what failed here
    """The error that a row is not as we write it: something else has changed it."""


MAIL = "message.id, message.about, message.received_at, message.size"
"""The columns `read_mail` wants."""

PARCEL = (
    f"{MAIL}, parcel.recipients, parcel.number, parcel.destination, parcel.due_at, parcel.attempts, parcel.warned,"
    " parcel.routes"
)
"""The columns `read_parcel` wants."""

DAMAGED = "what the spool has of it is damaged"
"""What is said of a parcel that cannot be read."""

# All ASCII, whatever a client put into its names: a lone surrogate would not go into a column.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_quote = json.encoder.encode_basestring_ascii
_SMTPUTF8, _EIGHT_BIT = 1, 2
_WISH = 4  # and the bit above it
_WISHES = (None, TlsWish.OPTIONAL, TlsWish.REQUIRED, TlsWish.REQUIRED)
RELEASE = 16
"""Where the second of a release stands among the flags, the fourth of `message.about`: above the others; 0 for none.

An older Postroad reads over it and delivers such a message when it is due, which is then, unless it hastens it.
"""

_FAR = 1e11  # seconds: the year 5138, which calendars still have


def text_of(text: str) -> str:
    """A text that a database takes: a lone surrogate becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def write_about(mail: StoredMail) -> str:
    """What `message.about` holds."""
    envelope = mail.envelope
    reverse_path = envelope.reverse_path
    flags = _SMTPUTF8 * envelope.smtputf8 + _EIGHT_BIT * envelope.eight_bit
    if envelope.tls:
        flags += _WISH * _WISHES.index(envelope.tls)
    if mail.release_at:
        flags += RELEASE * int(mail.release_at)
    sender = "<>" if reverse_path is None else reverse_path.text
    wishes = "null,null" if envelope.ret is envelope.envid is None else _encode([envelope.ret, envelope.envid])[1:-1]
    recipients = write_recipients(envelope.recipients)
    return f"[{mail.seed},{_quote(mail.origin)},{_quote(sender)},{flags},{wishes},{recipients}]"


def write_recipients(recipients: Sequence[Recipient]) -> str:
    """What `parcel.recipients` holds."""
    return f"[{','.join(map(_written, recipients))}]"


def read_mail(row: Row) -> StoredMail:
    """A message from the columns MAIL.

    Raises:
        Damaged: it is none.

    """
    return _mail(row, None)


def read_parcel(row: Row) -> Parcel:
    """A parcel from the columns PARCEL.

    Raises:
        Damaged: it is none, or its message is not.

    """
    recipients, number, destination, due_at, attempts, warned, routes = row[4:11]
    mail = _mail(row, recipients if recipients is None else sound(recipients, str))
    taken = tuple(sound(routes, str).split())
    return Parcel(number, sound(destination, str), mail, moment(due_at), sound(attempts, int), bool(warned), taken)


def read_listed(row: Row) -> Listed:
    """A parcel and its state from the columns PARCEL, its node, whether it is held, what was said.

    Of a damaged one: what can be read of it.
    """
    node, held, said = row[11:14]
    state = State.CLAIMED if node is not None else State.HELD if held else State.WAITING
    try:
        return Listed(read_parcel(row), state, sound(node or "", str), sound(said, str))
    except Damaged as problem:
        return Listed(_rest(row), state, said=f"{DAMAGED} ({problem})")


def sound(value: object, kind: type[T]) -> T:
    """A value of this type, as it was written.

    Raises:
        Damaged: of another.

    """
    if isinstance(value, kind):
        return value
    raise Damaged(f"{type(value).__name__} instead of {kind.__name__}")


def moment(value: object) -> float:
    """A time, as it was written.

    Raises:
        Damaged: none that a clock shows.

    """
    if isinstance(value, float) and abs(value) < _FAR:
        return value
    raise Damaged(f"{value!r} instead of a time")


def _rest(row: Row) -> Parcel:
    """What is left of a damaged parcel, for people."""
    id_, received_at, size, number, destination, due_at = (row[place] for place in (0, 2, 3, 5, 6, 7))
    at, due = (time if isinstance(time, float) and abs(time) < _FAR else 0.0 for time in (received_at, due_at))
    mail = StoredMail(str(id_ or ""), Envelope(None, ()), at, 0, size if isinstance(size, int) else 0)
    return Parcel(number, str(destination), mail, due)


def _mail(row: Row, open_recipients: str | None) -> StoredMail:
    id_, about, received_at, size = row[:4]
    try:
        seed, origin, sender, flags, ret, envid, everybody = json.loads(sound(about, str))
        recipients = everybody if open_recipients is None else json.loads(open_recipients)
        envelope = Envelope(
            None if sender == "<>" else _mailbox(sender),
            tuple(map(_recipient, sound(recipients, list))),
            smtputf8=bool(flags & _SMTPUTF8),
            eight_bit=bool(flags & _EIGHT_BIT),
            ret=ret if ret is None else sound(ret, str),
            envid=envid if envid is None else sound(envid, str),
            tls=_WISHES[flags // _WISH & 3],
        )
    except (ValueError, TypeError, RecursionError) as problem:
        raise Damaged(str(problem)) from problem
    at, octets = moment(received_at), sound(size, int)
    mail = StoredMail(sound(id_, str), envelope, at, sound(seed, int), octets, sound(origin, str))
    return replace(mail, release_at=moment(float(flags // RELEASE))) if flags >= RELEASE else mail


def _written(recipient: Recipient) -> str:
    """A recipient as JSON: most are an address and nothing else."""
    if not recipient.notify and recipient.orcpt is None:
        return _quote(recipient.mailbox.text)
    return _encode([recipient.mailbox.text, sorted(recipient.notify), recipient.orcpt])


def _recipient(plain: str | list[Any]) -> Recipient:
    if isinstance(plain, str):
        return Recipient(_mailbox(plain))
    mailbox, notify, orcpt = sound(plain, list)
    wishes = frozenset(sound(wish, str) for wish in sound(notify, list))
    return Recipient(_mailbox(mailbox), wishes, orcpt if orcpt is None else sound(orcpt, str))


def _mailbox(text: str) -> Mailbox:
    """A mailbox that was one when it was written: only a literal needs reading again."""
    local, _, domain = sound(text, str).rpartition("@")
    if not local or not domain:
        raise Damaged("an address without @")
    literal = parse_destination(domain) if domain.startswith("[") else domain
    return Mailbox(local, literal if isinstance(literal, AddressLiteral) else domain)
