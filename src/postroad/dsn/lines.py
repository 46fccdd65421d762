"""Makes foreign text safe for a line of a report: no control characters, no line breaks, nothing too long."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime

from postroad.words.mail import Mailbox

# Line breaks of any kind, signs that turn the reading direction, and halves of characters.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")

LONGEST_WORD = 980  # octets, so that a line has no more than 998 (RFC 5322 section 2.1.1)


def plain(text: str) -> str:
    """Text on one line, with spaces for what must not be there."""
    return _CONTROL.sub(" ", text).strip()


def said(text: str, limit: int = 2000) -> str:
    """What a host said, of which only the first `limit` characters are kept (SMTP sets none).

    Words are cut so that one of them, written in any of our ways, fits a line of 998 octets (RFC 5322 section 2.1.1).
    Only a space ends one: lines are folded at no other blank, such as U+00A0.
    """
    short = plain(text if len(text) <= limit else text[:limit] + "...")
    return re.sub(rf"[^ ]{{{400 if short.isascii() else 80}}}(?=[^ ])", r"\g<0> ", short)


def escape(text: str) -> str:
    r"""Text in ASCII, with \x{..} for all else, as RFC 6533 section 3 writes it in addresses."""
    return "".join(char if char.isascii() else f"\\x{{{ord(char):02X}}}" for char in text)


def field(name: str, value: str) -> str:
    """One header field, folded in front of spaces (RFC 5322 section 2.2.3): unfolded it is the same text again.

    A word that fits no line is broken by spaces, so that no line is too long whatever a stranger wrote.
    """
    lines = [f"{name}:"]
    longest = LONGEST_WORD if value.isascii() else LONGEST_WORD // 4
    fitting = re.sub(rf"[^ ]{{{longest}}}(?=[^ ])", r"\g<0> ", plain(value))
    for piece in re.split(r"(?<=[^ ])(?= )", f" {fitting}"):
        if len(lines[-1]) + len(piece) > 78 and len(lines[-1]) > len(name) + 1:
            lines.append("")
        lines[-1] += piece
    return "\r\n".join(lines)


def address(mailbox: Mailbox) -> str:
    """A mailbox as text; that of the postmaster may have no domain (RFC 5321 section 4.5.1)."""
    return plain(str(mailbox) if mailbox.domain else mailbox.local)


def date(at: float) -> str:
    """Wall time as mail writes it, in UTC."""
    return format_datetime(datetime.fromtimestamp(int(at), tz=UTC))
