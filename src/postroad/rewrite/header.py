"""The header of a message, field by field: those of the sender are rewritten, others are set or left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from postroad.rewrite.spans import AddressSpan, address_spans
from postroad.words.mail import Mailbox, parse_mailbox
from postroad.words.names import Unreadable

HEADER_SIZE = 128 * 1024
"""Octets of a header that is rewritten; a message with a longer one is refused. Postfix passes on 100 KiB."""

LONGEST_LINE = 998  # RFC 5322 section 2.1.1

ReadableFrom = tuple[Mailbox, ...] | None
"""The authors of a message; None if a From cannot be read, or there is none."""

# Those that Postfix calls of the sender too, without what only asks for receipts
_SENDER_FIELDS = frozenset({b"from", b"sender", b"reply-to", b"resent-from", b"resent-sender", b"resent-reply-to"})
_FIXED_FIELDS = frozenset({b"from", b"sender"})
_UNIT = re.compile(rb"[^\n]*+\n(?:[ \t][^\n]*+\n?)*+|[^\n]++\Z")
# RFC 5322 section 2.2, with the blanks in front of the colon of section 4.5
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")

Change = Callable[[Mailbox], Mailbox]


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """What is done to a header. `values` has the new value of each field by its name, "" to leave it out.

    `fixed` is the address that From and Sender have, whatever they had; `keeps_reply_to`: the old From becomes Reply-To
    if there is none. `hostname` is the domain of an address without one.
    """

    change: Change
    hostname: str
    values: tuple[tuple[str, str], ...] = ()
    fixed: Mailbox | None = None
    keeps_reply_to: bool = False
    names: frozenset[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """The names of the fields that are set or left out, in lower case."""
        object.__setattr__(self, "names", frozenset(name.lower().encode() for name, _ in self.values))


def edited(octets: bytes, edits: HeaderEdits) -> bytes | None:
    """The message, or as much of it as there is, with its header edited; None if the header is too long for that."""
    head, rest = _split(octets)
    if len(head) > HEADER_SIZE:
        return None
    units = [unit for unit in _UNIT.findall(head) if _name(unit) not in edits.names]
    added = _fix_authors(units, edits) if edits.fixed else []
    units = [_rewritten(unit, edits) if _name(unit) in _SENDER_FIELDS else unit for unit in units]
    added += [f"{name}: {value}\r\n".encode() for name, value in edits.values if value]
    if added and units and not units[-1].endswith(b"\n"):
        units.append(b"\r\n")
    if added and rest and not rest.startswith(b"\r\n"):
        rest = b"\r\n" + rest  # it is text from the first line on
    return b"".join([*units, *added, rest])


def readable_from(octets: bytes, hostname: str) -> ReadableFrom:
    """The authors of a message, of each From field it has."""
    units = [unit for unit in _UNIT.findall(_split(octets)[0]) if _name(unit) == b"from"]
    read = [_mailboxes(_value(unit)[1], hostname) for unit in units]
    if not read or None in read:
        return None
    return tuple(mailbox for each in read for _, mailbox in each or ())


def _split(octets: bytes) -> tuple[bytes, bytes]:
    """The header with the end of its last line, and the rest from the empty line on."""
    if not _NAME.match(octets):
        return b"", octets
    end = octets.find(b"\r\n\r\n")
    return (octets, b"") if end < 0 else (octets[: end + 2], octets[end + 2 :])


def _name(unit: bytes) -> bytes:
    found = _NAME.match(unit)
    return found[1].lower() if found else b""


def _value(unit: bytes) -> tuple[bytes, str, bytes]:
    """A field in three parts: up to its colon, its value, the end of its last line."""
    name, colon, value = unit.partition(b":")
    bare = value.removesuffix(b"\r\n")
    return name + colon, bare.decode("latin-1"), value[len(bare) :]


def _mailboxes(value: str, hostname: str) -> list[tuple[AddressSpan, Mailbox]] | None:
    """The addresses of a value and where they stand; None if there is none, or one of them cannot be read."""
    found = []
    for span in address_spans(value) or ():
        try:
            text = span.text.encode("latin-1").decode()
        except UnicodeDecodeError:
            return None
        mailbox = parse_mailbox(text if "@" in text else f"{text}@{hostname}")
        if isinstance(mailbox, Unreadable):
            return None
        found.append((span, mailbox))
    return found or None


def _rewritten(unit: bytes, edits: HeaderEdits) -> bytes:
    begin, value, end = _value(unit)
    read = _mailboxes(value, edits.hostname)
    if read is None:
        return unit
    fixed = edits.fixed if _name(unit) in _FIXED_FIELDS else None
    changes = [(span, new) for span, old in read if (new := fixed or edits.change(old)) != old]
    if not changes:
        return unit
    whole = begin + _replaced(value, changes, "").encode("latin-1") + end
    if max(map(len, whole.split(b"\r\n"))) > LONGEST_LINE:  # blanks and folds may stand in front of any address
        whole = begin + _replaced(value, changes, "\r\n ").encode("latin-1") + end
    return whole


def _replaced(value: str, changes: list[tuple[AddressSpan, Mailbox]], fold: str) -> str:
    parts, place = [], 0
    for span, new in changes:
        parts += [value[place : span.start], fold, new.text.encode().decode("latin-1")]
        place = span.end
    return "".join([*parts, value[place:]])


def _fix_authors(units: list[bytes], edits: HeaderEdits) -> list[bytes]:
    """Make each From one that can be fixed; what is added to the header for it."""
    assert edits.fixed  # noqa: S101  # asked for only then
    added, authors = list(_reply_to(units, edits)), 0
    for place, unit in enumerate(units):
        if _name(unit) in _FIXED_FIELDS:
            authors += _name(unit) == b"from"
            if _mailboxes(_value(unit)[1], edits.hostname) is None:
                units[place] = unit.partition(b":")[0] + f": {edits.fixed}\r\n".encode()
    return added if authors else [f"From: {edits.fixed}\r\n".encode(), *added]


def _reply_to(units: list[bytes], edits: HeaderEdits) -> Iterator[bytes]:
    names = [_name(unit) for unit in units]
    if not edits.keeps_reply_to or b"reply-to" in names or names.count(b"from") != 1:
        return
    unit = units[names.index(b"from")]
    old = _mailboxes(_value(unit)[1], edits.hostname)
    if old and all(edits.fixed not in (mailbox, edits.change(mailbox)) for _, mailbox in old):
        _, value, _ = _value(_rewritten_plainly(unit, edits))
        yield f"Reply-To:{value}\r\n".encode("latin-1")


def _rewritten_plainly(unit: bytes, edits: HeaderEdits) -> bytes:
    """As the rules have it, not the fixed address."""
    return _rewritten(unit, HeaderEdits(edits.change, edits.hostname))
