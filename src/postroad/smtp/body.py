"""The octets of a message on their way to a host: at once or piece by piece, after 354 or as a chunk (RFC 3030)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from postroad.smtp.client import ClientEnd
from postroad.smtp.grammar import Bdat
from postroad.smtp.steps import MORE, Break, Step, Write
from postroad.words.outcome import Outcome, Phase, Result, Scope

Piecewise = Generator[Step, Any, bytes]
"""Pieces of the content come in for More; its result are the last octets, which are not written yet."""


def at_once(client: ClientEnd, whole: bytes | None, *, chunks: bool, is_wanted: bool) -> bytes:
    """All that is to be sent of a message; nothing if it comes in pieces.

    An empty one to a host that says 354 though it refused all (RFC 2920 section 3.1).
    """
    if not (is_wanted or chunks):
        return client.end_body()
    if whole is None:
        return b""
    if chunks:
        return client.send(Bdat(len(whole), last=True)) + client.send_chunk(whole)
    return client.send_message(whole)


def piece_by_piece(client: ClientEnd, size: int, *, chunks: bool) -> Piecewise:
    """A message that comes in pieces, after 354 or as one chunk."""
    if not chunks:
        piece = yield MORE
        while piece:
            piece = yield Write(client.send_body(piece), MORE)
        return client.end_body()
    octets = client.send(Bdat(size, last=True))
    while client.owed:
        piece = yield Write(octets, MORE)
        if not piece:
            yield Break(_SHORT)
        octets = client.send_chunk(piece)
    return octets


_SHORT = Outcome(Result.DEFERRED, Scope.US, "the message is shorter now than when it was received", "4.3.0", Phase.DATA)
