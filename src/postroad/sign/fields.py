"""A header taken apart into its fields, or nothing: readers differ in what they make of lines that are no field."""

from __future__ import annotations

import re
from collections.abc import Mapping

# RFC 5322 section 2.2 and the folds of 2.2.3, with the blanks in front of the colon of section 4.5
_FIELD = re.compile(rb"([!-9;-~]+)([ \t]*):([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+)\r\n")

Field = tuple[bytes, bytes, bytes]
"""The name as written, the blanks in front of the colon, and the value with its folds and without its last CRLF."""

Fields = Mapping[bytes, list[Field]]
"""The fields by their names in lower case, each name's from the top down."""


def fields_of(header: bytes) -> Fields | None:
    """The fields of a header, which ends with the CRLF of its last line; None if a line of it belongs to none."""
    fields = _FIELD.findall(header)
    length = 0
    by_name: dict[bytes, list[Field]] = {}
    for field in fields:
        name, blanks, value = field
        length += len(name) + len(blanks) + len(value) + 3
        by_name.setdefault(name.lower(), []).append(field)
    return by_name if length == len(header) else None
