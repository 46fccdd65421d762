"""What can happen in a session, seen from either end."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.smtp.grammar import Command
from postroad.words.light import light
from postroad.words.reply import Reply


@dataclass(frozen=True, slots=True)
class Unsolicited:
    """Client event: a reply that answers nothing, such as 421 before the server hangs up. It ends the session.

    If it answered a later command, every reply after it would be one out of step.
    """

    reply: Reply


@dataclass(frozen=True, slots=True)
class Closed:
    """Event at either end: the peer will say no more, or the session is over.

    `pending`: the client's commands left unanswered.
    """

    pending: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """Client event: the server broke the protocol; the connection is of no more use."""

    why: str


@light(frozen=True, slots=True)
class Answered:
    """Server event: the session itself knows the answer, an error or a challenge: agree to give `reply`.

    With a `violation` the client has broken the rules so that nothing it says can be relied on: the session is over.
    """

    reply: Reply
    violation: str = ""  # what it said or did, for the log


@light(frozen=True, slots=True)
class BodyPiece:
    """Server event: a piece of the message, without its doubled dots. Needs no answer."""

    data: bytes


@light(frozen=True, slots=True)
class BodyComplete:
    """Server event: the message is whole, with these octets; the answer says whether it is kept."""

    data: bytes


@light(frozen=True, slots=True)
class BodyRefused(Answered):
    """Server event: the message is whole, but the session itself refuses it; the application forgets it."""


@dataclass(frozen=True, slots=True)
class AuthGiven:
    """Server event: who the client says it is, for the application to check: answer 235 or 535."""

    mechanism: str
    authorization: str
    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password: events are logged."""
        return f"AuthGiven({self.mechanism!r}, {self.username!r})"


Ending = Unsolicited | Closed | Violation
"""Client: why no reply will come any more."""

ClientEvent = Reply | Ending
"""Client: the greeting, or the reply to the next of the commands in the order they were sent; or the end."""

ServerEvent = Command | Answered | BodyPiece | BodyComplete | AuthGiven | Closed
"""Server: a command, to be agreed to or refused; or what else has come."""
