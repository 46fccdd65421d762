"""Lines with their limits, the dots of a message body, and replies as bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from postroad.words.reply import Reply

END = b"\r\n.\r\n"
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much. RFC 5321 section 4.5.3.1 gives the least a server must take; extensions lengthen commands."""

    command_line: int = 4096
    reply_line: int = 4096
    reply_lines: int = 256
    errors: int = 50  # commands refused before the server hangs up


class Line(NamedTuple):
    """A line without its end. `fault` says why it must not be taken at its word."""

    octets: bytes
    fault: str | None = None


class LineBuffer:
    """Octets that become lines. Memory stays below the limit of a line and what one read brought."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._octets = b""
        self._at = 0  # what stands before is taken: nothing moves until more is fed
        self._is_skipping = False

    def __len__(self) -> int:
        return len(self._octets) - self._at

    def feed(self, data: bytes) -> None:
        """Octets have come."""
        self._octets = self._octets[self._at :] + data if self._at < len(self._octets) else data
        self._at = 0

    def take(self) -> Line | None:
        """The next whole line. A bare LF ends one too, but with a fault: nothing is smuggled past it."""
        end = self._octets.find(b"\n", self._at)
        if end < 0:
            if len(self) > self._limit:
                self._is_skipping = True
                self.clear()
            return None
        line = self._octets[self._at : end + 1]
        self._at = end + 1
        too_long, self._is_skipping = self._is_skipping or len(line) > self._limit, False
        if too_long:
            return Line(b"", "line too long")
        if line.endswith(b"\r\n") and line.count(b"\r") == 1:
            return Line(line[:-2])
        return Line(line.removesuffix(b"\n").removesuffix(b"\r"), "a bare CR or LF in a command")

    def take_octets(self, most: int) -> bytes:
        """Up to so many octets as they are."""
        taken = self._octets[self._at : self._at + most]
        self._at += len(taken)
        return taken

    def clear(self) -> bytes:
        """All that is left, forgotten here."""
        left = self._octets[self._at :]
        self._octets, self._at = b"", 0
        return left


class DotStuffer:
    """Doubles the dot at the beginning of a line, in pieces of any size (RFC 5321 section 4.5.2)."""

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last two octets sent: a body begins at the beginning of a line

    def stuff(self, piece: bytes) -> bytes:
        """The piece as it goes on the wire."""
        joined = self._tail + piece
        stuffed = joined.replace(b"\r\n.", b"\r\n..")[len(self._tail) :]
        self._tail = joined[-2:]
        return stuffed

    def end(self) -> bytes:
        """The final dot, behind a CRLF if the body did not end with one."""
        return b".\r\n" if self._tail == b"\r\n" else END


class DotReader:
    """Reads a body up to CRLF.CRLF and nothing else, undoing doubled dots. `has_ended`: the end has been read."""

    def __init__(self) -> None:
        self.has_ended = False
        self._held = b"\r\n"  # may be the beginning of END; at first, the CRLF of the DATA line, which is no content
        self._not_content = 2

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        """A piece of content; and, where that is the last one, the octets behind the end."""
        joined = self._held + data
        end = joined.find(END)
        if end >= 0:
            self.has_ended = True
            self._held = b""
            return self._content(joined[: end + 2]), joined[end + len(END) :]
        held = next(size for size in range(len(END) - 1, -1, -1) if joined.endswith(END[:size]))
        cut = len(joined) - held
        self._held = joined[cut:]
        return self._content(joined[:cut]), b""

    def _content(self, wire: bytes) -> bytes:
        content = wire.replace(b"\r\n.", b"\r\n")
        skipped = min(self._not_content, len(content))
        self._not_content -= skipped
        return content[skipped:]


class NewlineCheck:
    """Looks for a CR or LF that stands alone (RFC 5321 section 2.3.8), in octets that come in any pieces."""

    def __init__(self) -> None:
        self.ends_bare = False  # the last octet is a CR, and no LF has followed it yet

    def is_bare(self, piece: bytes) -> bool:
        """Whether one stands alone here, as far as can be seen. Without the pairs neither may be left: no regex."""
        if not piece:
            return False
        rest = (b"\r" + piece if self.ends_bare else piece).replace(b"\r\n", b"")
        self.ends_bare = rest.endswith(b"\r") and piece.endswith(b"\r")
        return b"\n" in rest or rest.find(b"\r", 0, len(rest) - self.ends_bare) >= 0


def canonical_newlines(message: bytes) -> bytes:
    """The message with each bare CR or LF as CRLF: bare ones must not be sent (RFC 5321 section 2.3.8)."""
    return _BARE.sub(b"\r\n", message)


def format_reply(reply: Reply) -> bytes:
    """A reply as lines: `250-first`, `250 last` (RFC 5321 section 4.2.1)."""
    if len(reply.lines) == 1:
        return f"{reply.code} {reply.lines[0]}\r\n".encode()
    *first, last = reply.lines or ("",)
    lines = [*(f"{reply.code}-{line}" for line in first), f"{reply.code} {last}"]
    return "".join(f"{line}\r\n" for line in lines).encode()


class ReplyReader:
    """Lines that become replies. `problem` is set once the peer has sent what is none; then nothing more is read."""

    def __init__(self, limits: Limits) -> None:
        self.problem: str | None = None
        self._limits = limits
        self._code = 0
        self._lines: list[str] = []

    def read(self, line: Line) -> Reply | None:
        """The reply that this line completes, if it does."""
        # Replies that end with a bare LF are taken, as all peers do: nothing can be smuggled in by a server.
        found = None if line.fault == "line too long" else _REPLY_LINE.match(line.octets)
        if not found:
            self.problem = line.fault or f"no reply: {line.octets[:60]!r}"
            return None
        code = int(found.group(1))
        if self._lines and code != self._code:
            self.problem = f"a reply that begins with {self._code} goes on with {code}"
            return None
        self._code = code
        self._lines.append((found.group(3) or b"").decode("utf-8", "replace").rstrip("\r"))
        if len(self._lines) > self._limits.reply_lines:
            self.problem = f"a reply of more than {self._limits.reply_lines} lines"
            return None
        if found.group(2) == b"-":
            return None
        reply, self._lines = Reply(code, tuple(self._lines)), []
        return reply
