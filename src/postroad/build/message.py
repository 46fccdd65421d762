"""A message and its envelope, from a program or the command line, made ready for SMTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from postroad.words.inputs import InputError, readable
from postroad.words.mail import Envelope, Recipient, TlsWish, parse_mailbox, tls_wish_of

if TYPE_CHECKING:
    from email.message import EmailMessage

    from postroad.dialogue import Message


def build_message(
    content: bytes | str | EmailMessage, sender: str | None, recipients: Iterable[str], *, require_tls: bool = False
) -> Message:
    """A message with its envelope. Bare line ends become CRLF, NULs go: SMTP takes neither.

    Without `require_tls` the header may have a wish of its own (RFC 8689 section 3).

    Raises:
        InputError: an address cannot be read, or there is no recipient.

    """
    reverse_path = readable(parse_mailbox(sender)) if sender else None
    mailboxes = [readable(parse_mailbox(recipient)) for recipient in recipients]
    if not mailboxes:
        raise InputError("no recipient is given")
    from postroad.dialogue import Message  # noqa: PLC0415  # 100 ms, for who only asks
    from postroad.smtp import canonical  # noqa: PLC0415  # as above

    octets = canonical(_octets(content))
    needs_utf8 = any(box.needs_smtputf8 for box in (*mailboxes, reverse_path) if box)
    unique = tuple(Recipient(mailbox) for mailbox in dict.fromkeys(mailboxes))
    wish = TlsWish.REQUIRED if require_tls else tls_wish_of(octets)
    envelope = Envelope(reverse_path, unique, smtputf8=needs_utf8, eight_bit=not octets.isascii(), tls=wish)
    return Message(envelope, octets)


def _octets(content: bytes | str | EmailMessage) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    from email.policy import SMTP  # noqa: PLC0415  # as above

    return content.as_bytes(policy=SMTP)
