"""The conventional sendmail command line, as Postfix's sendmail(1) reads it."""

from __future__ import annotations

import getopt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

# A colon: the option has an argument, stuck to it or the next word. Those without a meaning below are passed over:
# programs say -oem, -odb, -h 25, -U to every sendmail there is.
OPTIONS = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q:r:tvx"

LONGEST_ENVID = 100  # RFC 3461 section 4.4

_NOTIFY = {"FAILURE", "DELAY", "SUCCESS", "NEVER"}
_NONE = "\0"  # the argument of a -q that has none: getopt knows no such option, and no word of a command line has a NUL
_DAEMON = "the daemon is `postroad relay`, which retries by itself, as [retry] in its settings says"
_ELSEWHERE = {
    "d": f"-bd: {_DAEMON}",
    "D": f"-bD: {_DAEMON}",
    "t": "-bt: `postroad route` shows where mail goes, and why",
    "v": "-bv: addresses are looked up by `postroad route`",
}


class Purpose(Enum):
    """What `sendmail` is asked to do, by the letter behind -b."""

    MAIL = "m"
    SMTP = "s"
    QUEUE = "p"
    ALIASES = "i"
    HOSTS = "h"  # the status of hosts that sendmail keeps in files
    FLUSH = "q"  # by -q


_PURPOSES = {each.value: each for each in Purpose if each is not Purpose.FLUSH} | {"H": Purpose.HOSTS}


class Misuse(Exception):  # noqa: N818  # what the caller did, not what failed here
    """A command line that asks `sendmail` for something it cannot do."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command line of `sendmail`, parsed. `sender` is as written, "" for the null one, None where none is given."""

    recipients: tuple[str, ...] = ()
    from_header: bool = False
    dot_ends: bool = True
    sender: str | None = None
    full_name: str | None = None
    notify: frozenset[str] = frozenset()
    ret: str | None = None
    envid: str | None = None
    eight_bit: bool = False
    config: Path | None = None
    verbose: bool = False
    purpose: Purpose = Purpose.MAIL
    flushed: str = ""  # whose mail -q means: I and an id, R and a destination, S and a sender; all, if it says none
    at: float | None = None  # when to deliver it
    remarks: tuple[str, ...] = ()  # on options passed over that meant something


def parse(words: Sequence[str]) -> Arguments:
    """Read a command line without the name of the program.

    Raises:
        Misuse: an option there is not, or that cannot be served.

    """
    try:
        marked = [word + _NONE if word.startswith("-") and word.endswith("q") else word for word in words]
        options, recipients = getopt.getopt(marked, OPTIONS, ["at="])
    except getopt.GetoptError as problem:
        raise Misuse(f"{problem}; see `postroad sendmail --help`") from None
    read = Arguments(recipients=tuple(word.removesuffix(_NONE) for word in recipients))
    for option, value in options:
        if option in _MEANINGS:
            read = _MEANINGS[option](read, value.removesuffix(_NONE))
    return read


def _mode(read: Arguments, value: str) -> Arguments:
    letter = value[:1]
    if letter in _ELSEWHERE:
        raise Misuse(_ELSEWHERE[letter])
    if letter not in _PURPOSES:
        raise Misuse(f"-b{value}: there is no such mode")
    return replace(read, purpose=_PURPOSES[letter])


def _sender(read: Arguments, value: str) -> Arguments:
    return replace(read, sender=value.strip().removeprefix("<").removesuffix(">"))


def _body(read: Arguments, value: str) -> Arguments:
    if value.upper() not in ("7BIT", "8BITMIME"):
        raise Misuse(f"-B {value}: write 7BIT or 8BITMIME")
    return replace(read, eight_bit=value.upper() == "8BITMIME")


def _notify(read: Arguments, value: str) -> Arguments:
    words = frozenset(word.strip().upper() for word in value.split(","))
    if not words <= _NOTIFY or ("NEVER" in words and len(words) > 1):
        return _remark(read, f"-N {value} is ignored: write never, or some of failure,delay,success")
    return replace(read, notify=words)


def _at(read: Arguments, value: str) -> Arguments:
    import time  # for few

    from postroad.words.moments import parse_moment  # as above
    from postroad.words.names import Unreadable  # as above

    now = time.time()
    at = parse_moment(value, now)
    if isinstance(at, Unreadable):
        raise Misuse(f"--at: {at.why}")
    if at < now - 60:  # a minute to type it in
        raise Misuse(f"--at: {value} has passed")
    return replace(read, at=at)


def _envid(read: Arguments, value: str) -> Arguments:
    if not value or len(value) > LONGEST_ENVID or not all(" " <= char <= "~" for char in value):
        return _remark(read, f"-V is ignored: an envelope id has up to {LONGEST_ENVID} printable characters")
    return replace(read, envid=value)


def _ret(read: Arguments, value: str) -> Arguments:
    # Older programs give a number here, the octets to return at most
    return replace(read, ret=value.upper()) if value.upper() in ("FULL", "HDRS") else read


def _flush(read: Arguments, value: str) -> Arguments:
    if value[:1].isdigit():
        raise Misuse(f"-q{value}: {_DAEMON}; -q alone retries now")
    if value and not (value[0] in "IRS" and value[1:]):
        raise Misuse(f"-q{value}: write -q for all mail, -qI and a message id, -qR and a domain, or -qS and a sender")
    return replace(read, purpose=Purpose.FLUSH, flushed=value)


def _remark(read: Arguments, text: str) -> Arguments:
    return replace(read, remarks=(*read.remarks, text))


_MEANINGS: Mapping[str, Callable[[Arguments, str], Arguments]] = {
    "--at": _at,
    "-B": _body,
    "-C": lambda read, value: replace(read, config=Path(value)),
    "-F": lambda read, value: replace(read, full_name=value),
    "-I": lambda read, _: replace(read, purpose=Purpose.ALIASES),
    "-N": _notify,
    "-R": _ret,
    "-V": _envid,
    "-b": _mode,
    "-f": _sender,
    "-i": lambda read, _: replace(read, dot_ends=False),
    "-o": lambda read, value: replace(read, dot_ends=read.dot_ends and value != "i"),
    "-q": _flush,
    "-r": _sender,
    "-t": lambda read, _: replace(read, from_header=True),
    "-v": lambda read, _: replace(read, verbose=True),
}
