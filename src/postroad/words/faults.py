"""How an exchanger of the lab misbehaves: the faults under which real senders were measured, by their names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from postroad.words.names import Unreadable, parse_address


class Mode(StrEnum):
    """The ways an exchanger may misbehave, named after what a sender sees."""

    ACCEPT = "accept"  # takes everything
    REFUSE = "refuse"  # nobody listens: RST
    BLACKHOLE = "blackhole"  # the SYN is never answered
    G421 = "g421"  # 421 for a greeting
    G554 = "g554"  # 554 for a greeting (RFC 5321 section 3.1: no mail here)
    CLOSE = "close"  # greets with 220, then closes
    MUTE = "mute"  # takes the connection, and never greets
    SLOW = "slow"  # greets after some seconds
    R450 = "r450"  # 450 to each RCPT: greylisting
    R550 = "r550"  # 550 to each RCPT
    D451 = "d451"  # 451 to DATA
    E451 = "e451"  # 451 after the final dot
    DROP = "drop"  # takes the message and closes without a reply: it may have been delivered
    TARPIT = "tarpit"  # every reply comes some seconds late
    NO_STARTTLS = "no-starttls"  # offers no STARTTLS where the others do
    STARTTLS_GOOD = "starttls-good"  # offers STARTTLS, with a certificate nobody has signed
    STARTTLS_EXPIRED = "starttls-expired"  # the same, and its certificate has expired
    TLS_MISMATCH = "tls-mismatch"  # offers STARTTLS, with a certificate for another host, and another key
    STARTTLS_454 = "starttls-454"  # answers STARTTLS with 454: not now (RFC 3207 section 4)
    STARTTLS_554 = "starttls-554"  # answers STARTTLS with 554
    STARTTLS_CLOSE = "starttls-close"  # closes at STARTTLS, without a reply
    STARTTLS_220_CLOSE = "starttls-220-close"  # answers STARTTLS with 220, then closes
    BROKEN_STARTTLS = "broken-starttls"  # answers STARTTLS with 220, and the handshake with garbage


TIMED = frozenset({Mode.SLOW, Mode.TARPIT})
"""The modes for which the seconds of a fault count."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A way in which an exchanger of the lab misbehaves: a mode, and for slow and tarpit the delay in seconds.

    Written "r450" or "slow:2.5".
    """

    mode: Mode = Mode.ACCEPT
    seconds: float = 1.0

    def __str__(self) -> str:
        return f"{self.mode}:{self.seconds:g}" if self.mode in TIMED else str(self.mode)


UNCOVERED = "uncovered"
"""Said of an exchanger in place of a mode: the domain's MTA-STS policy does not list it."""


def parse_uncovered(text: str) -> str | None:
    """The server of a text that says SERVER:uncovered; None: it says something else."""
    server, _colon, word = text.strip().replace("[", "").replace("]", "").rpartition(":")
    return server if server and word == UNCOVERED else None


def parse_down(text: str, *others: str) -> tuple[str, Mode] | Unreadable:
    """Read SERVER or SERVER:MODE, where SERVER is a name or an address; it refuses if nothing else is said.

    An IPv6 address has colons of its own: without brackets the whole may be the address.
    """
    bare = text.strip().replace("[", "").replace("]", "")
    if parse_address(bare):
        return bare, Mode.REFUSE
    server, colon, word = bare.rpartition(":") if ":" in bare else (bare, "", "")
    if not server or (not word and colon):
        return Unreadable(text, "write SERVER or SERVER:MODE")
    if word and word not in set(Mode):
        return Unreadable(text, f"there is no mode {word!r}; choose one of {', '.join((*Mode, *others))}")
    return server, Mode(word) if word else Mode.REFUSE


def parse_fault(text: str) -> Fault | Unreadable:
    """Read "refuse", "slow" or "slow:2.5"; only slow and tarpit take seconds."""
    name, colon, seconds = text.strip().lower().partition(":")
    if name not in set(Mode):
        return Unreadable(text, f"there is no such fault; choose one of {', '.join(Mode)}")
    mode = Mode(name)
    if not colon:
        return Fault(mode)
    if mode not in TIMED:
        return Unreadable(text, f"{mode} takes no seconds; {' and '.join(sorted(TIMED))} do")
    return _timed(text, mode, seconds)


def _timed(text: str, mode: Mode, seconds: str) -> Fault | Unreadable:
    try:
        delay = float(seconds)
    except ValueError:
        return Unreadable(text, f"the seconds of {mode} must be a number, as in {mode}:2.5")
    if not 0 <= delay <= 3600:
        return Unreadable(text, f"the seconds of {mode} must lie between 0 and 3600")
    return Fault(mode, delay)
