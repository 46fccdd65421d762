"""The DKIM-Signature field: which fields it covers, its tags, its folds, and the signature itself."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from postroad.sign.canonical import Form, relaxed_field, simple_field
from postroad.sign.fields import Field, Fields
from postroad.sign.keys import SigningKey

SEALED = (
    *("From", "To", "Cc", "Subject", "Date", "Reply-To", "Message-ID"),
    *("Content-Type", "MIME-Version", "In-Reply-To", "References"),
)
"""Named once more than they are there (RFC 6376 section 8.15), so that nobody adds another one.

Not those that lists and relays add or change: List-*, Received, Return-Path, other signatures. Nor Bcc, which goes.
"""

SIGNED = ("Sender", "Content-Transfer-Encoding", "TLS-Report-Domain", "TLS-Report-Submitter")
"""Named as often as they are there. RFC 8460 has the last two."""

_LINE = 76  # characters, RFC 5322 section 2.1.1 less the comma of a margin
_PLACES = tuple((name, 1) for name in SEALED) + tuple((name, 0) for name in SIGNED)
_KEYS = tuple(name.lower().encode() for name, _ in _PLACES)

_ONE = rb"DKIM-Signature:[^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+\r\n"
_SEVERAL = re.compile(rb"%b((?:%b)+)" % (_ONE, _ONE))


class Covered(NamedTuple):
    """The part of a message that is signed: the tags c= and h=, and the fields of h= in their canonical form."""

    c: str
    h: str
    header: bytes
    canonical: Callable[[Field], bytes]


def covered(fields: Fields, header: Form, body: Form) -> Covered:
    """The fields that are signed; of several with one name the last comes first (RFC 6376 section 5.4.2)."""
    canonical = relaxed_field if header is Form.RELAXED else simple_field
    there = [fields.get(name, ()) for name in _KEYS]
    parts = [canonical(field) for of_name in there for field in of_name[::-1]]
    return Covered(header + "/" + body, _names(tuple(map(len, there))), b"".join(parts), canonical)


def surplus(message: bytes) -> tuple[int, int]:
    """Where our signatures behind the first stand, from its beginning on: those of others stand behind our Received."""
    found = _SEVERAL.match(message)
    return found.span(1) if found else (0, 0)


def signature_field(key: SigningKey, what: Covered, body_hash: bytes, at: int, valid_s: int) -> bytes:
    """The whole field. `at` is the time of the signature; `valid_s` how long it is good, 0 for ever."""
    times = f"t={at}; x={at + valid_s};" if valid_s else f"t={at};"
    begin = (
        f" v=1; a={key.algorithm}; c={what.c};\r\n\td={key.domain};\r\n\ts={key.selector}; {times}\r\n"
        f"\th={what.h};\r\n\tbh={b64encode(body_hash).decode()};\r\n\tb="
    ).encode()
    # RFC 6376 section 3.7: the field itself goes last, with an empty b= and without its CRLF
    unsigned = what.canonical((b"DKIM-Signature", b"", begin)).removesuffix(b"\r\n")
    signature = b64encode(key.sign(what.header + unsigned))
    lines = [signature[place : place + _LINE - 4] for place in range(0, len(signature), _LINE - 4)]
    return b"DKIM-Signature:%b%b\r\n" % (begin, b"\r\n\t".join(lines))


@lru_cache(maxsize=64)
def _names(counts: tuple[int, ...]) -> str:
    """The tag h=, folded at its colons. Most messages have one field of each name, or none."""
    lines = [""]
    for name in _each(counts):
        if len(lines[-1]) + len(name) > _LINE - 4:
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n\t ".join(lines).removesuffix(":")


def _each(counts: tuple[int, ...]) -> Iterator[str]:
    for (name, once_more), count in zip(_PLACES, counts, strict=True):
        yield from [name] * (count + once_more)
