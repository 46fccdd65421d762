"""Texts as PostgreSQL takes them: UTF-8 without NUL."""

from __future__ import annotations

import json

from postroad.spool.rows import text_of
from postroad.words.mail import Envelope

encode = json.JSONEncoder(separators=(",", ":")).encode
"""All ASCII: it may go into a text whatever is in it."""


def plain(text: str) -> str:
    """A text without what a text column does not take: U+FFFD is for what cannot be shown."""
    text = text_of(text)
    return text.replace("\0", "\ufffd") if "\0" in text else text


def sender_of(envelope: Envelope) -> str:
    """The reverse-path, as a selection has it."""
    return "<>" if envelope.reverse_path is None else plain(str(envelope.reverse_path))
