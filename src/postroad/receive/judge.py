"""What one client may do, command by command, and when it has done too much."""

from __future__ import annotations

from postroad.receive.policy import Peer, relay_refusal, rewriter_for
from postroad.receive.shared import Shared
from postroad.smtp import Command, Data, Mail, Quit, Rcpt
from postroad.words.reply import Reply

TOO_FAST = Reply(450, ("4.7.1 too many messages, try again in a minute",))
ENOUGH = Reply(421, ("4.7.0 too many messages on this connection",))
TOO_MANY_ERRORS = Reply(421, ("4.7.0 too many errors",))
TOO_IDLE = Reply(421, ("4.7.0 too many commands without mail",))
LEAVING = Reply(421, ("4.3.2 shutting down, try again later",))

_ERRANDS = (Data, Quit)  # what brings a message on its way, as MAIL and RCPT; anything else is counted


class Judge:
    """The judge of the commands of one connection.

    `client` is what is known of it by now, `rewriter` what is done to its mail.
    """

    __slots__ = ("_closed", "_idle_commands", "_refused", "_shared", "client", "is_last", "messages", "rewriter")

    def __init__(self, shared: Shared, client: Peer) -> None:
        self.messages = 0
        self.is_last = False  # no message may begin any more
        self._shared = shared
        self._idle_commands = self._refused = 0
        self.know(client)

    def know(self, client: Peer) -> None:
        """More is known of the client, or less."""
        self.client = client
        self._closed = relay_refusal(client, self._shared.settings)
        rewriting = self._shared.settings.rewriting
        self.rewriter = rewriter_for(client, rewriting) if rewriting and self._closed is None else None

    def refusal(self, command: Command, now: float) -> Reply | None:
        """The reply to a command if it is no."""
        settings, refusal = self._shared.settings, None
        if isinstance(command, Rcpt):
            refusal = settings.aliases.refusal(command.recipient.mailbox, self._closed)
        elif isinstance(command, Mail):
            limits = settings.limits
            refusal = self._too_much(now) if self.is_last or limits.messages or limits.rate else None
            if self._closed and (command.hold_for or command.hold_until):  # RFC 4865 is for submission only
                return self._closed
            if self.rewriter and refusal is None:
                refusal = self.rewriter.refusal(command.reverse_path)
        elif not isinstance(command, _ERRANDS):
            self._idle_commands += 1
            refusal = TOO_IDLE if self._idle_commands > settings.limits.idle_commands else None
        if refusal is None:
            return None
        self._refused += 1
        return TOO_MANY_ERRORS if self._refused > settings.limits.errors else refusal

    def count(self) -> None:
        """A message has come."""
        self.messages += 1
        self._idle_commands = 0

    def _too_much(self, now: float) -> Reply | None:
        """Why this client may not begin another message (now, or in this connection)."""
        limits = self._shared.settings.limits
        if self.is_last:
            return LEAVING
        if limits.messages and self.messages >= limits.messages:
            return ENOUGH
        if limits.rate and not self._shared.messages.spend(self.client.party, limits.rate, now):
            return TOO_FAST
        return None
