"""What a report is made of, and what the sender asked to be told (RFC 3461)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Outcome
from postroad.words.trail import Attempt, Contact

MAX_WHOLE = 1024 * 1024
"""Octets of a message that is returned whole; of a larger one only the header is."""

MAX_ATTEMPTS = 10
"""Attempts told of, the last ones: five days make some forty."""


class Action(StrEnum):
    """What happened to mail for one recipient (RFC 3464 section 2.3.3), the gravest first."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"  # to a host that will not report further
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: when it began (wall time), and which of its recipients is meant, None if that is not known."""

    at: float
    attempt: Attempt
    index: int | None = None

    def said(self, contact: Contact) -> Outcome | None:
        """What a contact of the attempt said to the recipient meant, else how it ended as a whole."""
        return contact.ending if self.index is None else contact.recipients.get(self.index, contact.ending)


@dataclass(frozen=True, slots=True)
class Reported:
    """One recipient: what is told of it, its last outcome, and all that was tried, in order of time."""

    recipient: Recipient
    action: Action
    outcome: Outcome
    trail: tuple[Tried, ...] = ()

    @property
    def told(self) -> tuple[tuple[int, Tried], ...]:
        """The attempts to tell of, with their numbers counted from one."""
        return tuple(enumerate(self.trail, 1))[-MAX_ATTEMPTS:]

    @property
    def last_word(self) -> Contact | None:
        """The contact whose reply the outcome is, if it has one and the trail has it."""
        if self.outcome.reply is None:
            return None
        contacts = ((tried, contact) for tried in reversed(self.trail) for contact in reversed(tried.attempt.contacts))
        return next((contact for tried, contact in contacts if tried.said(contact) == self.outcome), None)


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report is made of.

    `id` is the report's own, unique at `hostname`. `header` is that of the message, up to its empty line; `content`
    the whole message, needed only if `wants_content`. Mail is retried until `will_retry_until`, if any is delayed.
    `postmaster` writes the report, MAILER-DAEMON@hostname if not given. Times are wall time.
    """

    id: str
    hostname: str
    original: Envelope
    received_at: float
    now: float
    reported: tuple[Reported, ...]
    header: bytes
    content: bytes | None = None
    will_retry_until: float | None = None
    postmaster: Mailbox | None = None


_ASKED = {
    Action.FAILED: "FAILURE",
    Action.DELAYED: "DELAY",
    Action.RELAYED: "SUCCESS",
    Action.DELIVERED: "SUCCESS",
}


def wanted(action: Action, recipient: Recipient) -> bool:
    """Whether the sender is to be told (RFC 3461 section 4.1); who said nothing is told of failure and delay."""
    return _ASKED[action] in (recipient.notify or {"FAILURE", "DELAY"})


def wants_content(original: Envelope, size: int) -> bool:
    """Whether a report of failure returns a message of this many octets whole: RET=FULL, and not too large."""
    return original.ret == "FULL" and size <= MAX_WHOLE
