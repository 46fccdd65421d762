"""How an exchanger of the lab misbehaves: the faults under which real senders were measured, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType

from postroad.words.names import Unreadable, parse_address


class Mode(StrEnum):
    """The ways an exchanger may misbehave, named after what a sender sees; `MEANINGS` says what each does."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    BLACKHOLE = "blackhole"
    G421 = "g421"
    G554 = "g554"
    CLOSE = "close"
    MUTE = "mute"
    SLOW = "slow"
    R450 = "r450"
    R550 = "r550"
    D451 = "d451"
    E451 = "e451"
    DROP = "drop"
    TARPIT = "tarpit"
    NO_STARTTLS = "no-starttls"
    STARTTLS_GOOD = "starttls-good"
    STARTTLS_EXPIRED = "starttls-expired"
    TLS_MISMATCH = "tls-mismatch"
    STARTTLS_454 = "starttls-454"
    STARTTLS_554 = "starttls-554"
    STARTTLS_CLOSE = "starttls-close"
    STARTTLS_220_CLOSE = "starttls-220-close"
    BROKEN_STARTTLS = "broken-starttls"


MEANINGS: Mapping[Mode, str] = MappingProxyType(
    {
        Mode.ACCEPT: "accepts every message; `none` is the same",
        Mode.REFUSE: "refuses connections, as a machine on which nothing listens",
        Mode.BLACKHOLE: "never answers a connection attempt, as a dead machine or a firewall that drops",
        Mode.G421: "greets with 421 (not now) and closes",
        Mode.G554: "greets with 554 (no mail here, RFC 5321 section 3.1)",
        Mode.CLOSE: "greets with 220, then closes",
        Mode.MUTE: "accepts the connection and never greets",
        Mode.SLOW: "greets after some seconds: slow:5",
        Mode.R450: "answers each RCPT with 450, as greylisting does",
        Mode.R550: "answers each RCPT with 550 (no such user)",
        Mode.D451: "answers DATA with 451",
        Mode.E451: "answers the end of the message with 451",
        Mode.DROP: "takes the message and closes without a reply: it may have been delivered",
        Mode.TARPIT: "sends every reply some seconds late: tarpit:5",
        Mode.NO_STARTTLS: "offers no STARTTLS where the others do",
        Mode.STARTTLS_GOOD: "offers STARTTLS with a certificate that no authority has signed",
        Mode.STARTTLS_EXPIRED: "offers STARTTLS with a certificate that has expired",
        Mode.TLS_MISMATCH: "offers STARTTLS with a certificate for another host, and another key",
        Mode.STARTTLS_454: "answers STARTTLS with 454 (not now, RFC 3207 section 4)",
        Mode.STARTTLS_554: "answers STARTTLS with 554",
        Mode.STARTTLS_CLOSE: "closes at STARTTLS, without a reply",
        Mode.STARTTLS_220_CLOSE: "answers STARTTLS with 220, then closes",
        Mode.BROKEN_STARTTLS: "answers STARTTLS with 220, and the handshake with garbage",
    }
)
"""What an exchanger with each fault does: the one table that help, pages and errors are made of."""

NO_FAULT = "none"
"""Another word for `accept`: whoever takes a fault away says so."""

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
    """Read "refuse", "slow" or "slow:2.5"; only slow and tarpit take seconds, and "none" is "accept"."""
    name, colon, seconds = text.strip().lower().partition(":")
    if name not in {*Mode, NO_FAULT}:
        near = get_close_matches(name, [*Mode, NO_FAULT], 2)
        guess = f"did you mean {' or '.join(near)}? The faults are" if near else "choose one of"
        return Unreadable(text, f"there is no such fault; {guess} {', '.join(Mode)}")
    mode = Mode.ACCEPT if name == NO_FAULT else Mode(name)
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
