"""What goes into a report, and which reports the sender asked for (RFC 3461)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from postroad.words.mail import Envelope, Mailbox, Recipient, TlsWish
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
class ReportedAttempt:
    """One attempt in a report: when it ended (wall time), and which of its recipients is meant."""

    at: float
    attempt: Attempt
    index: int

    @property
    def word(self) -> RecipientAnswer | None:
        """The answer that this attempt came to for its recipient; None if no host was asked."""
        contact = self.attempt.source_of(self.index)
        return RecipientAnswer(self.at, contact, contact.recipients[self.index]) if contact else None


@dataclass(frozen=True, slots=True)
class RecipientAnswer:
    """The answer to one recipient: when, in which contact, and how."""

    at: float
    contact: Contact
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """One recipient in a report: what is reported, its last outcome, and all attempts, in order of time."""

    recipient: Recipient
    action: Action
    outcome: Outcome
    trail: tuple[ReportedAttempt, ...] = ()

    @property
    def told(self) -> tuple[tuple[int, ReportedAttempt], ...]:
        """The attempts to tell of, with their numbers counted from one."""
        return tuple(enumerate(self.trail, 1))[-MAX_ATTEMPTS:]

    @property
    def is_given_up(self) -> bool:
        """Whether it failed for want of time alone: no host refused it for good (RFC 3463 section 2, class 4)."""
        return self.action is Action.FAILED and self.outcome.status.startswith("4.")

    @property
    def last_word(self) -> RecipientAnswer | None:
        """The answer behind the outcome. Mail that waited may have asked nobody at last: then the one before that."""
        if self.outcome.for_sender:  # the fault is ours, whatever a host said before
            return None
        waited = self.is_given_up or self.action is Action.DELAYED
        attempts = reversed(self.trail) if waited else self.trail[-1:]
        return next((tried.word for tried in attempts if tried.word), None)

    @property
    def last_attempt_at(self) -> float | None:
        """When a host was last asked for this recipient; if none ever was, when that was last tried."""
        asked = (tried.at for tried in reversed(self.trail) if tried.attempt.story_of(tried.index))
        return next(asked, self.trail[-1].at if self.trail else None)


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery status notification, before it is written: its recipients, what became of them, and the message.

    `id` is the report's own, unique at `hostname`. `header` is that of the message, up to its empty line; `content`
    the whole message, needed only if `wants_content`. Mail is retried until `will_retry_until`, if any is delayed.
    `postmaster` writes the report, MAILER-DAEMON@hostname if not given. `instead` are told in place of a sender who is
    null: the mail is a report that cannot be delivered. Times are wall time.
    """

    id: str
    hostname: str
    original: Envelope
    received_at: float
    now: float
    reported: tuple[ReportedRecipient, ...]
    header: bytes
    content: bytes | None = None
    will_retry_until: float | None = None
    postmaster: Mailbox | None = None
    instead: tuple[Mailbox, ...] = ()

    @property
    def is_double(self) -> bool:
        """Whether what failed is a report itself (RFC 5321 section 4.5.5), so that its sender cannot be told."""
        return self.original.reverse_path is None

    @property
    def addressees(self) -> tuple[Mailbox, ...]:
        """Who is told."""
        return (self.original.reverse_path,) if self.original.reverse_path else self.instead


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
    """Whether a report of failure returns a message of this many octets whole: RET=FULL, and not too large.

    A report that cannot be delivered returns too: who is told instead of its addressee has seen nothing of it. Mail
    whose sender requires TLS never does, whatever RET says (RFC 8689 section 5).
    """
    if original.tls is TlsWish.REQUIRED:
        return False
    return (original.ret == "FULL" or original.reverse_path is None) and size <= MAX_WHOLE
