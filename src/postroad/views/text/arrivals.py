"""A message that a lab took: a line, and its header."""

from __future__ import annotations

from collections.abc import Iterator
from email import errors, header

from postroad.lab import Received
from postroad.words.phrasebook import moment, octets

MOST_TO = 3  # recipients that a line has


def summary(received: Received, exchanger: str) -> str:
    """When, who took it, from whom, to whom, how large, and the subject."""
    envelope = received.envelope
    to = [str(each.mailbox) for each in envelope.recipients]
    more = f" and {len(to) - MOST_TO} more" if len(to) > MOST_TO else ""
    told = (
        moment(received.at),
        exchanger,
        f"<{envelope.reverse_path or ''}> to {', '.join(to[:MOST_TO])}{more}",
        octets(len(received.content)),
        subject(received.content),
    )
    return "  ".join(each for each in told if each)


def subject(content: bytes) -> str:
    """The subject, decoded as far as it can be."""
    text = next((value for name, value in fields(content) if name.lower() == "subject"), "")
    try:
        return str(header.make_header(header.decode_header(text)))
    except (errors.HeaderParseError, LookupError, UnicodeError, ValueError):
        return text


def fields(content: bytes) -> Iterator[tuple[str, str]]:
    """The fields of the header, each with its value in one line; what is no field ends it."""
    name, value = "", ""
    for line in content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n"):
        if line[:1] in (" ", "\t") and name:
            value += " " + line.strip()
            continue
        if name:
            yield name, value
        name, colon, value = line.partition(":")
        if not colon:
            return
        value = value.strip()
    if name:
        yield name, value
