"""The head of a message: what is read in it, and the fields put in front of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from time import gmtime

from postroad.words.mail import Mailbox
from postroad.words.names import Address, AddressLiteral

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")  # RFC 5322 section 2.2, with the blanks of its section 4.5.8
# What may stand in a Received field as it was said: a name or an address literal, and no comment or fold of its own
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,253}\Z|\[[A-Za-z0-9:.]{1,60}\]\Z")


@dataclass(frozen=True, slots=True)
class Head:
    """What the header says, as far as a relay needs to know."""

    hops: int
    has_date: bool
    has_message_id: bool
    begins_with_field: bool  # else the first line is text, and what stands in front must end with an empty line


@dataclass(frozen=True, slots=True)
class Hop:
    """What a Received field tells (RFC 5321 section 4.4). `client` is the name the client gave itself."""

    client: str
    address: Address
    hostname: str
    protocol: str
    id: str
    at: float
    tls: str | None = None
    recipient: Mailbox | None = None  # where there is one only: the others are nobody's business


def read_head(message: bytes) -> Head:
    """Read the header at the beginning of a message, or of as much of it as there is."""
    end = message.find(b"\r\n\r\n")
    lower = b"\n" + (message if end < 0 else message[:end]).lower()
    return Head(
        hops=lower.count(b"\nreceived:"),
        has_date=_has(lower, b"date"),
        has_message_id=_has(lower, b"message-id"),
        begins_with_field=message.startswith(b"\r\n") or _FIELD.match(message) is not None,
    )


def prefix(head: Head, hop: Hop, *, completes: bool) -> bytes:
    """The fields to put in front: Received, and what is missing of Date and Message-ID (RFC 6409 section 8)."""
    text = received(hop)
    if completes and not head.has_date:
        text += f"Date: {format_date(int(hop.at))}\r\n"
    if completes and not head.has_message_id:
        text += f"Message-ID: <{hop.id}@{hop.hostname}>\r\n"
    return text.encode() if head.begins_with_field else text.encode() + b"\r\n"


def received(hop: Hop) -> str:
    """The Received field, CRLF included (RFC 5321 section 4.4)."""
    literal = AddressLiteral(hop.address)
    name = hop.client if _NAME.match(hop.client) else literal
    tls = f" ({hop.tls})" if hop.tls else ""
    recipient = f"\r\n\tfor <{hop.recipient}>" if hop.recipient else ""
    return (
        f"Received: from {name} ({literal})\r\n"
        f"\tby {hop.hostname} with {hop.protocol}{tls}\r\n"
        f"\tid {hop.id}{recipient}; {format_date(int(hop.at))}\r\n"
    )


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


def _has(lower: bytes, name: bytes) -> bool:
    return b"\n" + name + b":" in lower or re.search(rb"\n" + name + rb"[ \t]+:", lower) is not None
