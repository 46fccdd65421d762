"""What became of it: delivered, deferred or failed, with how far that reaches and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from postroad.words.reply import Reply


class Result(StrEnum):
    """The three results, in every log, report, exit code and table."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


class Scope(StrEnum):
    """How far an outcome reaches: what else need not be tried because of it."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    HOST = "host"
    DOMAIN = "domain"
    US = "us"


class Phase(StrEnum):
    """Where in a session something happened; each has its own time limit (RFC 5321 section 4.5.3.2)."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result with its scope, a text for people, the enhanced status (RFC 3463) and the reply behind it, if any."""

    result: Result
    scope: Scope
    text: str
    status: str
    phase: Phase | None = None
    reply: Reply | None = None
    unsettled: bool = False  # the final dot was sent and no reply came: the host may have the message
