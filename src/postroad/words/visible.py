r"""Text from strangers, made safe to show: what a terminal or browser would obey is written out, as `\x1b`.

Replies, names, banners and certificates are written by others. A control character in them clears the screen, a line
break begins a line that we never wrote, a mark of direction turns a name round, a character without width hides in one.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Printable by Unicode, and still nothing is seen of them (Default_Ignorable_Code_Point of Unicode 15, section 5.21)
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WRITTEN = {written: char for char, written in _NAMED.items()}
_BEGINS = frozenset("\\nrtxuU")  # what follows a backslash in an escape
_ESCAPE = re.compile(r"\\(?:\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def defused(text: str, keep: str = "") -> str:
    r"""Text with what cannot be seen written out, but for the characters to `keep`; done twice it is the same."""
    if text.isprintable() and (text.isascii() or not _UNSEEN.search(text)):
        return text
    for char in keep:  # what is between is printable nearly always, and seen to be so at once
        if char in text:
            return char.join([defused(part, keep) for part in text.split(char)])
    return "".join(char if _is_seen(char) else _written(char) for char in text)


def visible(text: str) -> str:
    r"""Text on one line, from which `read_back` makes the same text again: a `\\` that could be misread is doubled."""
    if "\\" not in text:
        return defused(text)
    following = [*text[1:], "\\"]
    return "".join(
        "\\\\" if char == "\\" and (after in _BEGINS or not _is_seen(after)) else defused(char)
        for char, after in zip(text, following, strict=True)
    )


def read_back(text: str) -> str:
    """The text that `visible` was given."""
    return _ESCAPE.sub(lambda found: _read(found[0]), text)


def json_text(shape: Any, indent: int | None = None) -> str:  # noqa: ANN401  # any value of JSON
    """JSON in printable ASCII: the data is whole, and a terminal has nothing to obey (json leaves DEL as it is)."""
    return json.dumps(shape, indent=indent, default=str).replace("\x7f", "\\u007f")


def _read(escape: str) -> str:
    if escape == "\\\\":
        return "\\"
    return _WRITTEN.get(escape) or chr(int(escape.lstrip("\\xuU"), 16))


def _is_seen(char: str) -> bool:
    return char.isprintable() and not _UNSEEN.match(char)


def _written(char: str) -> str:
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
