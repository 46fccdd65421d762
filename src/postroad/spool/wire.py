"""Two processes of a relay over a socketpair: calls, results and events, and the types of the spool as plain tuples.

What one turn of the loop says is one write: a length, and the tuples as `marshal` has them. That takes a twentieth of
the time of pickle, and is safe here alone: the other end is our own child or parent, on the same interpreter, and
nobody else can have the descriptor, for it has no name.
"""

from __future__ import annotations

import asyncio
import marshal
import socket
import struct
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any, Self, cast

from postroad.spool.base import (
    Lesson,
    Listed,
    Parcel,
    Record,
    Reroute,
    Settlement,
    SpoolError,
    State,
    StoredMail,
    Story,
    Trouble,
)
from postroad.words.mail import Envelope, Mailbox, Recipient, TlsWish
from postroad.words.names import AddressLiteral

Row = tuple[Any, ...]
Words = Mapping[str, Callable[..., Any]]
"""What the other end may say: a function for each word. One that is called returns something to await."""

_LENGTH = struct.Struct("<I")
_NEWS = 0  # in the place of the number of a call; its answer has the number below zero
_TROUBLE, _BUG = "trouble", "bug"
_CLOSED = SpoolError(Trouble.CLOSED, "the spool is closed: the process that has it has ended")


class Link(asyncio.Protocol):
    """One end of the connection between two processes of a relay.

    `hear` has the words of the other one, `lost` is called when that has gone.

    A SpoolError crosses as itself, any other exception as a RuntimeError with its text: it is a bug.
    """

    def __init__(self, hear: Words, lost: Callable[[], None] = lambda: None) -> None:
        self._hear = hear
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outbox: list[Row] = []
        self._parts: list[bytes] = []  # of what has come in part
        self._have = self._need = 0  # octets of them, and when to look again
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._count = 0

    @classmethod
    async def open(cls, sock: socket.socket, hear: Words, lost: Callable[[], None] = lambda: None) -> Self:
        """Speak over a socket, and close it in the end."""
        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: cls(hear, lost), sock=sock)
        return link

    @property
    def unsent(self) -> int:
        """Octets the other end has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def tell(self, word: str, *values: Any) -> None:  # noqa: ANN401  # whatever marshal takes
        """Say something that wants no answer."""
        self._say((_NEWS, word, values))

    def call(self, word: str, *values: Any) -> asyncio.Future[Any]:  # noqa: ANN401  # whatever marshal takes
        """Ask; the future has the answer. SpoolError: the other end's, or it has gone."""
        answer = self._loop.create_future()
        if self._transport is None:
            answer.set_exception(_CLOSED)
        else:
            self._count += 1
            self._calls[self._count] = answer
            self._say((self._count, word, values))
        return answer

    def close(self) -> None:
        """Say no more; what was said before still goes out."""
        if self._transport:
            self._flush()
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # however it ended
        """See asyncio.Protocol."""
        self._transport = None
        self._lost()  # first: it may be all that is to be done
        calls, self._calls = self._calls, {}
        for answer in calls.values():
            if not answer.done():
                answer.set_exception(_CLOSED)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        start, end = 0, len(data)
        while (size := _size(data, start)) <= end - start:
            said = marshal.loads(memoryview(data)[start + _LENGTH.size : start + size])  # noqa: S302  # said above
            start += size
            for one in said:
                self._take(*one)
        if start < end:
            self._parts.append(data[start:])
            self._have, self._need = end - start, size

    def _say(self, row: Row) -> None:
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(row)

    def _flush(self) -> None:
        said, self._outbox = self._outbox, []
        if said and self._transport:
            octets = marshal.dumps(said)
            self._transport.write(_LENGTH.pack(len(octets) + _LENGTH.size) + octets)

    def _take(self, number: int, word: str, values: Row) -> None:
        if number < _NEWS:
            self._answered(-number, word, values)
            return
        try:
            answer = self._hear[word](*values)
        except Exception as bug:  # noqa: BLE001  # what else was said must not be lost with it
            about = {"message": f"{word} from the other process", "exception": bug}
            self._loop.call_exception_handler(about)
            if number:
                self._say((-number, _BUG, (repr(bug),)))
        else:
            if number:
                asyncio.ensure_future(answer).add_done_callback(partial(self._answer, number))

    def _answer(self, number: int, done: asyncio.Future[Any]) -> None:
        problem = asyncio.CancelledError() if done.cancelled() else done.exception()
        if problem is None:
            self._say((-number, "", (done.result(),)))
        elif isinstance(problem, SpoolError):
            self._say((-number, _TROUBLE, (problem.kind.value, problem.why)))
        else:
            self._say((-number, _BUG, (repr(problem),)))

    def _answered(self, number: int, word: str, values: Row) -> None:
        answer = self._calls.pop(number)
        if answer.done():  # nobody waits for it any more
            return
        if word == _TROUBLE:
            answer.set_exception(SpoolError(Trouble(values[0]), values[1]))
        elif word == _BUG:
            answer.set_exception(RuntimeError(values[0]))
        else:
            answer.set_result(values[0])


def _size(data: bytes, start: int) -> int:
    """How long the next one is with its length in front; just that, as long as it is not known."""
    known = len(data) - start >= _LENGTH.size
    return int(_LENGTH.unpack_from(data, start)[0]) if known else _LENGTH.size


def pack_mail(mail: StoredMail) -> Row:
    """A message as a plain tuple."""
    it = mail.envelope
    sender, recipients = it.reverse_path and _pack_mailbox(it.reverse_path), pack_recipients(it.recipients)
    envelope = (sender, recipients, it.smtputf8, it.eight_bit, it.ret, it.envid, it.tls and it.tls.value)
    return mail.id, envelope, mail.received_at, mail.seed, mail.size, mail.origin, mail.release_at


def unpack_mail(row: Row) -> StoredMail:
    """The message."""
    id_, (sender, recipients, smtputf8, eight_bit, ret, envid, tls), received_at, seed, size, origin, release_at = row
    reverse_path = sender and _unpack_mailbox(sender)
    wish = tls and TlsWish(tls)
    envelope = Envelope(reverse_path, unpack_recipients(recipients), smtputf8, eight_bit, ret, envid, wish)
    return StoredMail(id_, envelope, received_at, seed, size, origin, release_at)


def pack_parcel(parcel: Parcel) -> Row:
    """A parcel as a plain tuple."""
    it = parcel
    return it.number, it.destination, pack_mail(it.mail), it.due_at, it.attempts, it.warned, it.routes


def unpack_parcel(row: Row) -> Parcel:
    """The parcel."""
    number, destination, mail, due_at, attempts, warned, routes = row
    return Parcel(number, destination, unpack_mail(mail), due_at, attempts, warned, routes)


def pack_settlement(one: Settlement) -> Row:
    """A settlement as a plain tuple, which names its parcel by the number; `left` is None if that is everybody."""
    left: Row | None = ()
    if one.left:
        left = None if one.left is one.parcel.mail.envelope.recipients else pack_recipients(one.left)
    reports = tuple([(pack_mail(mail), body) for mail, body in one.reports]) if one.reports else ()
    again = one.reroute and (pack_recipients(one.reroute.recipients), one.reroute.routes, one.reroute.said)
    rest = (one.due_at, one.record, one.counts, one.warned, one.waits_for_host, one.said, reports, again)
    return one.parcel.number, left, *rest


def unpack_settlement(row: Row, parcel: Parcel) -> Settlement:
    """The settlement of this parcel."""
    _, rows, due_at, record, counts, warned, waits_for_host, said, reports, again = row
    left = parcel.mail.envelope.recipients if rows is None else unpack_recipients(rows) if rows else ()
    mails = tuple([(unpack_mail(mail), body) for mail, body in reports]) if reports else ()
    reroute = again and Reroute(unpack_recipients(again[0]), again[1], again[2])
    return Settlement(parcel, left, due_at, record, counts, warned, waits_for_host, said, mails, reroute)


def pack_story(story: Story | None) -> Row | None:
    """All about a message as a plain tuple."""
    if story is None:
        return None
    listed = tuple([(pack_parcel(one.parcel), one.state.value, one.node, one.said) for one in story.parcels])
    records = tuple([(one.destination, one.at, one.text, one.node) for one in story.records])
    return pack_mail(story.mail), listed, records, story.finished_at


def unpack_story(row: Row | None) -> Story | None:
    """All about a message."""
    if row is None:
        return None
    mail, listed, records, finished_at = row
    parcels = tuple([Listed(unpack_parcel(parcel), State(state), *rest) for parcel, state, *rest in listed])
    return Story(unpack_mail(mail), parcels, tuple([Record(*one) for one in records]), finished_at)


def pack_lesson(one: Lesson) -> Row:
    """A lesson as a plain tuple: its fields, in their order."""
    return one.kind, one.key, one.text, one.count, one.at


def pack_recipients(recipients: tuple[Recipient, ...]) -> Row:
    """Recipients as plain tuples."""
    return tuple([(_pack_mailbox(one.mailbox), one.notify, one.orcpt) for one in recipients])


def unpack_recipients(rows: Row) -> tuple[Recipient, ...]:
    """The recipients."""
    return tuple([Recipient(_unpack_mailbox(mailbox), notify, orcpt) for mailbox, notify, orcpt in rows])


def _pack_mailbox(mailbox: Mailbox) -> Row:
    domain = mailbox.domain
    return mailbox.local, domain if isinstance(domain, str) else domain.address.packed


def _unpack_mailbox(row: Row) -> Mailbox:
    local, domain = row
    return Mailbox(local, domain if isinstance(domain, str) else AddressLiteral(ip_address(domain)))
