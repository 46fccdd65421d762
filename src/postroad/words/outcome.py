"""Outcomes: delivered, deferred or failed, with their scope and the reason."""

from __future__ import annotations

from enum import StrEnum

from postroad.words.light import light
from postroad.words.reply import Reply


class Result(StrEnum):
    """The three results, delivered, deferred and failed, in every log, report, exit code and table."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


class Scope(StrEnum):
    """The reach of an outcome: what else need not be tried because of it."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    HOST = "host"
    DOMAIN = "domain"
    US = "us"


class Phase(StrEnum):
    """The part of a session in which something happened; each has its own time limit (RFC 5321 section 4.5.3.2)."""

    POLICY = "policy"  # before it: what TLS has to prove cannot be proven here
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@light(frozen=True, slots=True)
class Outcome:
    """A result with its scope, a text for people, the enhanced status (RFC 3463) and the reply behind it, if any.

    `for_sender` is set where the fault is this mail system's own: the words that a report has for its sender, while
    `text` is for whoever runs it.
    """

    result: Result
    scope: Scope
    text: str
    status: str
    phase: Phase | None = None
    reply: Reply | None = None
    unsettled: bool = False  # the final dot was sent and no reply came: the host may have the message
    next_route: str = ""  # of our settings: the refusal is not the last word, the mail takes this one now
    for_sender: str = ""


def result_of(status: str) -> Result:
    """The result that an enhanced status says: its class (RFC 3463 section 2)."""
    return _RESULTS[status[:1]]


_RESULTS = {"2": Result.DELIVERED, "4": Result.DEFERRED, "5": Result.FAILED}


@light(frozen=True, slots=True)
class Receipt:
    """A host's acceptance of a message: the end of it was sent, and this 2yz reply answers that.

    From here on the mail is the host's (RFC 5321 section 4.2.5). Only `smtp.Transaction` makes receipts.

    Raises:
        ValueError: the reply is of another class.
    """

    reply: Reply

    def __post_init__(self) -> None:
        if self.reply.code // 100 != 2:
            raise ValueError(f"{self.reply.code} is not a receipt")


def delivered(receipt: Receipt) -> Outcome:
    """The outcome of a message that its host has: the one way to call something delivered that was really sent."""
    reply = receipt.reply
    return Outcome(Result.DELIVERED, Scope.MESSAGE, str(reply), reply.enhanced or "2.0.0", Phase.DOT, reply)


def refused(reply: Reply, scope: Scope, phase: Phase) -> Outcome:
    """The outcome of a 4yz or 5yz reply."""
    result, digit = (Result.FAILED, 5) if reply.is_permanent else (Result.DEFERRED, 4)
    return Outcome(result, scope, str(reply), reply.enhanced or f"{digit}.0.0", phase, reply)
