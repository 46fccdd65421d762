"""Lines with their limits, the dots of a message body, and replies as bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from io import IncrementalNewlineDecoder

from postroad.words.reply import Reply

END = b"\r\n.\r\n"
_DOTTED = b"\r\n."
_LAST = b".\r\n"
TOO_LONG = "line too long"
NUL = b"\0"  # a receiver that strips it would read CRLF.CRLF in CRLF NUL.CRLF
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_dotted = re.compile(
    rb"\r\n\."
).search  # in half the time of `find`: lines are long, and it looks for the CR alone first
# It notes which line ends it has seen, in a fifth of the time that `replace` takes to take the pairs out
newline_decoder = partial(IncrementalNewlineDecoder, None, translate=False)
ALL_PAIRED = (None, "\r\n")  # what one has seen where no CR or LF stands alone
USUAL_READ = 512  # octets that a host answers to an envelope, or less
_PLAIN_REPLY = re.compile(rb"([2-5][0-9]{2})(?: ([^\r\n]*+))?\r\n")  # of one line: nearly all there are
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on lines, commands and errors.

    RFC 5321 section 4.5.3.1 gives the least a server must take; extensions lengthen commands.
    """

    command_line: int = 4096
    reply_line: int = 4096
    reply_lines: int = 256
    reply_kept: int = 4096  # octets of a reply's texts that are kept: a message may have a reply for each recipient
    errors: int = 50  # commands refused before the server hangs up


class LineBuffer:
    """A buffer of octets that become lines. Memory stays below the limit of a line and what one read brought.

    `fault` says why the last line must not be taken at its word, if it must not; `is_spent`: all has been taken.
    """

    def __init__(self, limit: int) -> None:
        self.fault = ""
        self.is_spent = True
        self._limit = limit
        self._octets = b""
        self._at = 0  # what stands before is taken: nothing moves until more is fed
        self._is_skipping = False

    @property
    def is_within(self) -> bool:
        """Whether some of a line is there, or was, and its end is not."""
        return self._is_skipping or not self.is_spent

    def feed(self, data: bytes) -> None:
        """Octets have come."""
        self._octets = data if self.is_spent else self._octets[self._at :] + data
        self._at = 0
        self.is_spent = not self._octets

    def take(self) -> bytes | None:
        """The next whole line, without its end. A bare LF ends one too, with a fault: nothing is smuggled past it."""
        start, octets = self._at, self._octets
        end = octets.find(b"\n", start)
        if end < 0:
            if len(octets) - start > self._limit:
                self._is_skipping = True
                self.clear()
            return None
        self._at = end + 1
        self.is_spent = self._at == len(octets)
        line = octets[start:end]
        if len(line) < self._limit and line.find(b"\r") == len(line) - 1 >= 0 and not self._is_skipping:
            self.fault = ""
            return line[:-1]
        return self._faulty(line)

    def take_octets(self, most: int) -> bytes:
        """Up to so many octets as they are."""
        taken = self._octets[self._at : self._at + most]
        self._at += len(taken)
        self.is_spent = self._at == len(self._octets)
        return taken

    def clear(self) -> bytes:
        """All that is left, forgotten here."""
        left = self._octets[self._at :]
        self._octets, self._at, self.is_spent = b"", 0, True
        return left

    def _faulty(self, line: bytes) -> bytes:
        too_long, self._is_skipping = self._is_skipping or len(line) >= self._limit, False
        self.fault = TOO_LONG if too_long else "a bare CR or LF in a command"
        return b"" if too_long else line.removesuffix(b"\r")


class DotStuffer:
    """An encoder that doubles the dot at the beginning of a line, in pieces of any size (RFC 5321 section 4.5.2)."""

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last two octets sent: a body begins at the beginning of a line

    def stuff(self, piece: bytes) -> bytes:
        """The piece as it goes on the wire."""
        joined = self._tail + piece
        before, self._tail = len(self._tail), joined[-2:]
        return joined.replace(b"\r\n.", b"\r\n..")[before:] if _dotted(joined) else piece

    def end(self) -> bytes:
        """The final dot, behind a CRLF if the body did not end with one."""
        return b".\r\n" if self._tail == b"\r\n" else END


def stuff_dots(message: bytes) -> bytes:
    """A whole message as it goes on the wire, the final dot included: what a DotStuffer makes of it."""
    end = b".\r\n" if message.endswith(b"\r\n") or not message else END
    if message.startswith(b"."):
        message = b"." + message
    return (message.replace(b"\r\n.", b"\r\n..") if _dotted(message) else message) + end


class DotReader:
    """A decoder that reads a body up to CRLF.CRLF and nothing else, and undoes doubled dots.

    `has_ended`: the end has been read.
    """

    __slots__ = ("_held", "_not_content", "has_ended")

    def __init__(self) -> None:
        self.has_ended = False
        self._held = b"\r\n"  # may be the beginning of END; at first, the CRLF of the DATA line, which is no content
        self._not_content = 2

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        """A piece of content; and, where that is the last one, the octets behind the end."""
        if data and self._not_content == len(self._held) and not data.startswith(b"."):
            self._held, self._not_content = b"", 0  # no dot at the very beginning: the body as it is, and no copy of it
        joined = self._held + data
        if not self._not_content and joined.endswith(END) and joined.rfind(_DOTTED, 0, -len(_LAST)) < 0:
            self.has_ended = True  # nearly always, the first line that begins with a dot is the last one
            return joined[: -len(_LAST)], b""
        return self._read_dotted(joined)

    def _read_dotted(self, joined: bytes) -> tuple[bytes, bytes]:
        dotted = _dotted(joined) if joined.rfind(_DOTTED) >= 0 else None  # from behind in half the time: mostly none
        end = joined.find(END, dotted.start()) if dotted else -1
        if end >= 0:
            self.has_ended = True
            cut, behind = end + 2, joined[end + len(END) :]
        else:
            cut, behind = len(joined) - _beginning_of_end(joined), b""
            self._held = joined[cut:]
        skipped = min(self._not_content, cut)
        self._not_content -= skipped
        if dotted and dotted.start() < cut - 2:
            return joined[:cut].replace(_DOTTED, b"\r\n")[skipped:], behind
        return joined[skipped:cut], behind


def _beginning_of_end(octets: bytes) -> int:
    """How many octets at the end may be the first ones of END."""
    for size in range(len(END) - 1, 0, -1):
        if octets.endswith(END[:size]):
            return size
    return 0


class NewlineCheck:
    """A check for a CR or LF that stands alone (RFC 5321 section 2.3.8), in pieces of any size."""

    def __init__(self) -> None:
        self._decoder = newline_decoder()

    def is_bare(self, piece: bytes) -> bool:
        """Whether one stands alone in what has come so far, as far as can be seen."""
        self._decoder.decode(piece.decode("latin-1"))
        return self._decoder.newlines not in ALL_PAIRED

    @property
    def ends_bare(self) -> bool:
        """Whether the last octet is a CR, and no LF has followed it yet: the decoder keeps it back."""
        return self._decoder.getstate()[1] & 1 == 1


def has_bare(message: bytes) -> bool:
    """Whether a CR or LF stands alone in a whole message."""
    decoder = newline_decoder()
    decoder.decode(message.decode("latin-1"), final=True)
    return decoder.newlines not in ALL_PAIRED


def canonical(message: bytes) -> bytes:
    """The message without NULs (RFC 2045 section 2.8), each bare CR or LF as CRLF (RFC 5321 section 2.3.8)."""
    return _BARE.sub(b"\r\n", message.replace(NUL, b""))


def format_reply(reply: Reply) -> bytes:
    """A reply as lines: `250-first`, `250 last` (RFC 5321 section 4.2.1)."""
    if len(reply.lines) == 1:
        return f"{reply.code} {reply.lines[0]}\r\n".encode()
    *first, last = reply.lines or ("",)
    lines = [*(f"{reply.code}-{line}" for line in first), f"{reply.code} {last}"]
    return "".join(f"{line}\r\n" for line in lines).encode()


@lru_cache(maxsize=256)  # a host says the same to each envelope; what names a message comes once, and is soon forgotten
def _plain_replies(data: bytes) -> tuple[Reply, ...]:
    """The replies that octets are, if all of them are whole and of one line each; else none."""
    replies, at = [], 0
    while found := _PLAIN_REPLY.match(data, at):
        code, text = found.groups(b"")
        replies.append(Reply(int(code), (text.decode("utf-8", "replace"),)))
        at = found.end()
    return tuple(replies) if at == len(data) else ()


class ReplyReader:
    """A parser of octets that become replies.

    `problem` is set once the peer has sent what is none; then nothing more is read.
    """

    def __init__(self, limits: Limits) -> None:
        self.problem = ""
        self.is_between = True  # all that has come is whole replies
        self._limits = limits
        self._buffer = LineBuffer(limits.reply_line)
        self._code = 0
        self._count = self._kept = 0  # lines of the reply, and octets of what is kept of them
        self._lines: list[str] = []

    def read(self, data: bytes) -> Sequence[Reply]:
        """The replies that these octets bring or make whole, up to a problem."""
        if (
            self.is_between
            and len(data) <= min(USUAL_READ, self._limits.reply_line)
            and (plain := _plain_replies(data))
        ):
            return plain
        return self._read_lines(data)

    def _read_lines(self, data: bytes) -> list[Reply]:
        """Of several lines, in several pieces, or none at all."""
        replies: list[Reply] = []
        self._buffer.feed(data)
        while not self.problem and (line := self._buffer.take()) is not None:
            if reply := self._completed(line):
                replies.append(reply)
        self.is_between = not (self._buffer.is_within or self._lines or self.problem)
        return replies

    def _completed(self, line: bytes) -> Reply | None:
        """The reply that this line completes, if it does."""
        # Replies that end with a bare LF are taken, as all peers do: nothing can be smuggled in by a server.
        fault = self._buffer.fault
        found = None if fault == TOO_LONG else _REPLY_LINE.match(line)
        if not found:
            self.problem = fault or f"no reply: {line[:60]!r}"
            return None
        code = int(found.group(1))
        if self._count and code != self._code:
            self.problem = f"a reply that begins with {self._code} continues with {code}"
            return None
        self._code = code
        self._keep(found.group(3) or b"")
        if self._count > self._limits.reply_lines:
            self.problem = f"a reply of more than {self._limits.reply_lines} lines"
            return None
        if found.group(2) == b"-":
            return None
        reply, self._lines = Reply(code, tuple(self._lines)), []
        self._count = self._kept = 0
        return reply

    def _keep(self, text: bytes) -> None:
        """Of a reply that is too long what came first is kept; its code counts as it is."""
        self._count += 1
        self._kept += len(text)
        if self._kept <= self._limits.reply_kept or not self._lines:
            self._lines.append(text.decode("utf-8", "replace").rstrip("\r"))
