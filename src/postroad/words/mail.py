"""Mailboxes, recipients and envelopes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from enum import StrEnum

from postroad.words.light import light
from postroad.words.names import MAX_NAME, AddressLiteral, Destination, Unreadable, cut, parse_destination

MAX_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1

# Atom of RFC 5322 section 3.2.3, widened by RFC 6531 section 3.3 to any character beyond ASCII.
# Said by what it has not: a class that reaches to the last character costs 5 ms to compile.
_ATOM = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f]+'
_DOT_STRING = re.compile(rf"{_ATOM}(\.{_ATOM})*\Z")
# Quoted-string of RFC 5321 section 4.1.2: qtextSMTP and quoted-pairSMTP, no controls, so no CR or LF can hide in it.
_QUOTED = re.compile(r'"(?:[^\x00-\x1f"\\\x7f]|\\[\x20-\x7e])*"\Z')

# Nearly every mailbox there is, as two groups, the local part and the domain: what `parse_mailbox` looks at step by
# step, seen at once. No name that ends with a digit: it may be an address. The groups are atomic: one that repeats
# possessively keeps, before Python 3.11.5, the dot of a turn that failed.
_PLAIN_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_PLAIN_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}+(?<!-)"
PLAIN_MAILBOX = (
    rf"(?=[^@]{{1,{MAX_LOCAL}}}@)({_PLAIN_ATOM}(?>(?:\.{_PLAIN_ATOM})*))"
    rf"@(?![A-Za-z0-9_.-]{{{MAX_NAME + 1}}})({_PLAIN_LABEL}(?>(?:\.{_PLAIN_LABEL})*))(?<![0-9])"
)
_PLAIN = re.compile(PLAIN_MAILBOX)


# RFC 8689 section 3, with the blanks that RFC 5322 section 4.5.8 lets stand in front of the colon
_TLS_REQUIRED = re.compile(rb"(?im:^tls-required[ \t]*:)((?:.*\r?\n[ \t])*.*)")


@light(frozen=True, slots=True)
class Mailbox:
    """An address `local@domain`: the local part as written (its case is the receiver's, RFC 5321 section 2.4)."""

    local: str
    domain: Destination
    text: str = field(init=False, repr=False, compare=False)
    """As it is written: read more often than a mailbox is made."""

    def __post_init__(self) -> None:
        """Write it."""
        object.__setattr__(self, "text", f"{self.local}@{self.domain}")

    def __str__(self) -> str:
        return self.text

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a server with SMTPUTF8 can take it (RFC 6531): a domain has A-labels, a local part has none."""
        return not self.local.isascii()


@light(frozen=True, slots=True)
class Recipient:
    """One forward-path, with what RFC 3461 asks about notifications: NOTIFY words and the original recipient."""

    mailbox: Mailbox
    notify: frozenset[str] = frozenset()  # of NEVER, SUCCESS, FAILURE, DELAY; empty: not said
    orcpt: str | None = None  # "rfc822;user@example.org", xtext decoded


class TlsWish(StrEnum):
    """What the sender of a message asks of TLS on its whole way, whatever domains ask of it (RFC 8689)."""

    REQUIRED = "required"  # REQUIRETLS: only over connections that are proven, to hosts that promise the same
    OPTIONAL = "optional"  # `TLS-Required: No`: rather delivered than protected


@light(frozen=True, slots=True)
class Envelope:
    """The reverse-path, the recipients, and what is asked of the transport.

    A reverse-path of None is the null one, `<>`: such mail is never bounced. `tls` is the wish of the sender, if any.
    `release_at` is when the next host may deliver it first, by the time of mail (RFC 4865); None: at once.
    """

    reverse_path: Mailbox | None
    recipients: tuple[Recipient, ...]
    smtputf8: bool = False
    eight_bit: bool = False
    ret: str | None = None  # FULL or HDRS, RFC 3461 section 4.3
    envid: str | None = None  # RFC 3461 section 4.4, xtext decoded
    tls: TlsWish | None = None
    release_at: float | None = None

    @property
    def must_be_protected(self) -> bool:
        """Whether it is rather not delivered than unprotected.

        RFC 8689 section 4.2.1 knows a bounce by its null reverse-path alone, and section 5 has it rather delivered:
        nobody could be told that it was not.
        """
        return self.tls is TlsWish.REQUIRED and self.reverse_path is not None


def parse_mailbox(text: str) -> Mailbox | Unreadable:
    """Read `local@domain`, `"quoted local"@domain` or `local@[192.0.2.1]`; angle brackets around it are taken off."""
    if plain := _PLAIN.fullmatch(text):
        return Mailbox(plain[1], plain[2].lower())
    bare = text.strip()
    if bare.startswith("<") and bare.endswith(">"):
        bare = bare[1:-1]
    local, at, domain = bare.rpartition("@")
    if not at or not local:
        return Unreadable(text, "write an address as user@domain")
    if not (_DOT_STRING.match(local) or _QUOTED.match(local)):
        return Unreadable(text, f"the part before the @, {cut(local)!r}, has a character that needs quoting")
    try:
        octets = local.encode()
    except UnicodeEncodeError:  # how Python has an octet of a file, or of a word of the shell
        return Unreadable(text, "the part before the @ is not valid UTF-8; write it in UTF-8 or ASCII")
    if len(octets) > MAX_LOCAL:
        return Unreadable(text, f"the part before the @ is longer than {MAX_LOCAL} octets")
    destination = parse_destination(domain)
    if isinstance(destination, Unreadable):
        return Unreadable(text, destination.why)
    return Mailbox(local, destination)


def distinct(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """Each mailbox once, in the order they came: what was first said of it holds.

    Domains are compared as `parse_destination` writes them, so in any case; local parts octet by octet, for whether
    their case counts is the receiver's business (RFC 5321 section 2.4).
    """
    first: dict[Mailbox, Recipient] = {}
    for recipient in recipients:
        first.setdefault(recipient.mailbox, recipient)
    return tuple(first.values())


def domain_of(mailbox: Mailbox) -> str:
    """The destination as text: what groups recipients into one attempt."""
    return str(mailbox.domain) if isinstance(mailbox.domain, AddressLiteral) else mailbox.domain


def needs_smtputf8(envelope: Envelope, content: bytes) -> bool:
    """Whether only hosts with SMTPUTF8 can take it: an address or a header beyond ASCII (RFC 6531 section 3.3).

    A client may say SMTPUTF8 of any message; `content` may be cut off behind its header.
    """
    mailboxes = [recipient.mailbox for recipient in envelope.recipients]
    if envelope.reverse_path:
        mailboxes.append(envelope.reverse_path)
    header = content.partition(b"\r\n\r\n")[0]
    return any(mailbox.needs_smtputf8 for mailbox in mailboxes) or not header.isascii()


def tls_wish_of(content: bytes) -> TlsWish | None:
    """What the header of a message asks of TLS, if that is anything (RFC 8689 section 3).

    The field has one value, and stands in a header once: otherwise nobody knows what is meant, and it is ignored.
    `content` may be cut off behind its header.
    """
    fields = _TLS_REQUIRED.findall((b"\r\n" + content).partition(b"\r\n\r\n")[0])
    return TlsWish.OPTIONAL if [field.strip().lower() for field in fields] == [b"no"] else None
