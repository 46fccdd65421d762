"""The header of a message: what is read from it, and the fields put in front of it. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from time import gmtime
from typing import NamedTuple

from postroad.words.mail import Mailbox, TlsWish, tls_wish_of
from postroad.words.names import Address, AddressLiteral

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# RFC 5322 section 2.2, with the blanks of its section 4.5.8; or the empty line
_BEGINNING = re.compile(rb"[!-9;-~]+[ \t]*:|\r\n")
# RFC 5322 section 4.5.8: blanks in front of the colon, obsolete, and taken by all
_RECEIVED = re.compile(rb"\nreceived[ \t]+:")
_DATE, _MESSAGE_ID = re.compile(rb"\ndate[ \t]+:"), re.compile(rb"\nmessage-id[ \t]+:")
# What may stand in a Received field as it was said: a name or an address literal, and no comment or fold of its own
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,253}\Z|\[[A-Za-z0-9:.]{1,60}\]\Z")

_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9_.-]+\Z")


class Head(NamedTuple):
    """What the header says, as far as a relay needs to know."""

    hops: int
    has_date: bool
    has_message_id: bool
    tls: TlsWish | None
    begins_with_field: bool  # else the first line is text, and what stands in front must end with an empty line


class Hop:
    """The client and protocol of a hop, the same for all messages of a connection. `client` is the name it gave itself.

    `opening` is the Received field up to what each message has of its own (RFC 5321 section 4.4).
    """

    __slots__ = ("hostname", "opening")

    def __init__(self, client: str, address: Address, hostname: str, protocol: str, tls: str | None = None) -> None:
        literal = AddressLiteral(address)
        name = client if _NAME.match(client) else literal
        by = f"{hostname} with {protocol} ({tls})" if tls else f"{hostname} with {protocol}"
        self.hostname = hostname
        self.opening = f"Received: from {name} ({literal})\r\n\tby {by}\r\n\tid "


class Stamp(NamedTuple):
    """What a message has of its own: its id, and when it came."""

    id: str
    at: float
    recipient: Mailbox | None = None  # where there is one only: the others are nobody's business
    sender: Mailbox | None = None  # as the client said it, where it was rewritten


def read_head(message: bytes) -> Head:
    """Read the header at the beginning of a message, or of as much of it as there is."""
    end = message.find(b"\r\n\r\n")
    lower = b"\n" + (message if end < 0 else message[:end]).lower()
    return Head(
        lower.count(b"\nreceived:") + len(_RECEIVED.findall(lower)),
        b"\ndate:" in lower or _DATE.search(lower) is not None,
        b"\nmessage-id:" in lower or _MESSAGE_ID.search(lower) is not None,
        tls_wish_of(message) if b"\ntls-required" in lower else None,
        _BEGINNING.match(message) is not None,
    )


def prefix(head: Head, hop: Hop, stamp: Stamp, *, completes: bool) -> bytes:
    """The fields to put in front: Received, and what is missing of Date and Message-ID (RFC 6409 section 8)."""
    text = received(hop, stamp)
    if completes and not head.has_date:
        text += f"Date: {format_date(int(stamp.at))}\r\n"
    if completes and not head.has_message_id:
        text += f"Message-ID: <{stamp.id}@{hop.hostname}>\r\n"
    return text.encode() if head.begins_with_field else text.encode() + b"\r\n"


def received(hop: Hop, stamp: Stamp) -> str:
    """The Received field, CRLF included."""
    id_, at, recipient, sender = stamp
    to = f"\r\n\tfor <{recipient.text}>" if recipient else ""
    # As a comment in Exim's words; where it could end one, or needs quotes, the log has it alone
    was = f"\r\n\t(envelope-from <{sender.text}>)" if sender and _PLAIN.match(sender.text) else ""
    return f"{hop.opening}{id_}{to}{was}; {format_date(int(at))}\r\n"


def protocol(*, extended: bool, tls: bool, authenticated: bool, smtputf8: bool) -> str:
    """What stands behind "with": RFC 3848, and RFC 6531 section 4.3 for a message with SMTPUTF8."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if smtputf8 else "ESMTP") + ("S" if tls else "") + ("A" if authenticated else "")


@lru_cache(maxsize=8)
def format_date(at: int) -> str:
    """A moment as RFC 5322 section 3.3 writes it, in UTC."""
    t = gmtime(at)
    clock = f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year} {clock} +0000"
