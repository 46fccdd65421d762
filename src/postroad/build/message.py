"""A message and its envelope, from a program or the command line, made ready for SMTP."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.errors import MessageError
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias

from postroad.words.addresslist import addresses_in
from postroad.words.inputs import InputError, readable
from postroad.words.mail import Envelope, Mailbox, Recipient, TlsWish, parse_mailbox, tls_wish_of
from postroad.words.names import Unreadable

if TYPE_CHECKING:
    from email.message import Message as ParsedMessage

    from postroad.dialogue import Message

Content: TypeAlias = "bytes | str | ParsedMessage[Any, Any]"
"""A message as programs have it: octets, text, or an object of `email`, such as EmailMessage or MIMEText."""

_HIDDEN = re.compile(rb"(?:\A|\n)(?:resent-)?bcc[ \t]*:", re.IGNORECASE)


def build_message(
    content: Content,
    sender: str | EllipsisType | None,
    recipients: str | Iterable[str] | None,
    *,
    require_tls: bool = False,
) -> Message:
    """A message with its envelope. Bare line ends become CRLF, NULs and Bcc fields go.

    A `sender` of ... is the one of the header, `recipients` of None are those of To, Cc and Bcc. Without `require_tls`
    the header may have a wish of its own (RFC 8689 section 3).

    Raises:
        InputError: an address cannot be read, or there is no recipient.

    """
    given = octets_of(content)
    reverse_path, mailboxes = envelope_of(given, sender, recipients)
    from postroad.dialogue import Message  # noqa: PLC0415  # 100 ms, for who only asks

    octets = without_hidden(given)
    needs_utf8 = any(box.needs_smtputf8 for box in (*mailboxes, reverse_path) if box)
    unique = tuple(Recipient(mailbox) for mailbox in dict.fromkeys(mailboxes))
    wish = TlsWish.REQUIRED if require_tls else tls_wish_of(octets)
    envelope = Envelope(reverse_path, unique, smtputf8=needs_utf8, eight_bit=not octets.isascii(), tls=wish)
    return Message(envelope, octets)


def envelope_of(
    octets: bytes, sender: str | EllipsisType | None, recipients: str | Iterable[str] | None, hostname: str = ""
) -> tuple[Mailbox | None, list[Mailbox]]:
    """Who sends it, None for nobody, and to whom; what is not given is read from the header.

    With a `hostname` names without a domain are users of this machine.

    Raises:
        InputError: an address cannot be read, or there is no recipient.

    """
    from postroad.build.draft import parse_draft  # noqa: PLC0415  # only where something is sent

    if isinstance(sender, EllipsisType):
        sender = parse_draft(octets).sender()
    reverse_path = _mailbox(sender, "sender", hostname) if sender else None
    if recipients is None:
        named: Iterable[str] = parse_draft(octets).recipients()
    else:
        named = (recipients,) if isinstance(recipients, str) else recipients
    mailboxes = [_mailbox(each, "recipients", hostname) for each in named]
    if not mailboxes:
        where = "To, Cc or Bcc; add one, or give recipients" if recipients is None else "recipients; give one"
        raise InputError(f"there is no recipient in {where}")
    return reverse_path, mailboxes


def without_hidden(octets: bytes) -> bytes:
    """The message as SMTP takes it: with CRLF, without NULs, and with nothing of who else gets a blind copy."""
    from postroad.build.draft import parse_draft  # noqa: PLC0415  # as above
    from postroad.smtp import canonical  # noqa: PLC0415  # as above

    whole = canonical(octets)
    return parse_draft(whole).shown if _HIDDEN.search(whole.partition(b"\r\n\r\n")[0]) else whole


def octets_of(content: Content) -> bytes:
    """The octets of a message, whatever it is made with.

    Raises:
        InputError: it cannot be written.

    """
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        try:
            return content.encode()
        except UnicodeEncodeError:
            fix = "open the file as bytes, and give those"
            raise InputError(f"message: the text contains lone surrogates, which are not characters: {fix}") from None
    return _flattened(content)


def _flattened(content: ParsedMessage[Any, Any]) -> bytes:
    """A message object, written by the policy that it was made with: whoever made it knows why."""
    from email.generator import BytesGenerator  # noqa: PLC0415  # only where there is one
    from io import BytesIO  # noqa: PLC0415  # as above

    written = BytesIO()
    policy: Any = content.policy
    if getattr(policy, "utf8", True) is False and _has_international_address(content):
        policy = policy.clone(utf8=True)  # RFC 6531; in ASCII there is no way to write such an address
    try:
        BytesGenerator(written, mangle_from_=False, policy=policy.clone(linesep="\r\n")).flatten(content)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError) as problem:
        fix = "message.as_bytes() fails as well; correct the field or the part that it names"
        raise InputError(f"message: it cannot be written: {problem}; {fix}") from problem
    return written.getvalue()


def _has_international_address(content: ParsedMessage[Any, Any]) -> bool:
    """Whether an address of the header can only be written in UTF-8."""
    fields = [field for name in ("from", "sender", "to", "cc", "bcc") for field in content.get_all(name, [])]
    mailboxes = [each for field in fields for each in getattr(field, "addresses", ())]
    return any(not each.addr_spec.isascii() for each in mailboxes)


def _mailbox(text: str, where: str, hostname: str) -> Mailbox:
    """An address, also with a name, as in `Ann <ann@example.com>`.

    Raises:
        InputError: it cannot be read, or is not one.

    """
    bare = parse_mailbox(f"{text}@{hostname}" if hostname and "@" not in text else text)
    if isinstance(bare, Mailbox):
        return bare
    found = addresses_in(text) if "<" in text else []
    if not isinstance(found, Unreadable) and len(found) == 1:
        return readable(parse_mailbox(found[0]))
    raise InputError(f"{where}: {bare}{_hint(text, where)}")


def _hint(text: str, where: str) -> str:
    """What somebody may have meant."""
    if text.startswith("=?"):  # what MIMEText makes of a name beyond ASCII, the address included
        return "; the address is encoded with its name: use EmailMessage, or email.utils.formataddr"
    return "; give several as a list, one address each" if where == "recipients" and "," in text else ""
