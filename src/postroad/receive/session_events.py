"""The events of one connection, for the log and the counters."""

from __future__ import annotations

from postroad.receive.incoming import Incoming
from postroad.receive.shared import Shared
from postroad.smtp import Answered
from postroad.words.moments import format_date_time
from postroad.words.trace import Event, nobody


class SessionEvents:
    """The maker of a connection's events. With nobody listening they cost nothing."""

    __slots__ = ("_is_heard", "_listener", "_peer")

    def __init__(self, shared: Shared, peer: str) -> None:
        self._listener = shared.listener
        self._is_heard = shared.listener is not nobody
        self._peer = peer

    def started(self) -> None:
        """The client is there."""
        if self._is_heard:
            self._listener(Event("receive.session.started", {"peer": self._peer}))

    def ended(self, messages: int, why: str) -> None:
        """It is gone; why, unless in order."""
        if self._is_heard:
            facts = {"peer": self._peer, "messages": messages, "why": why}
            self._listener(Event("receive.session.complete", facts))

    def complete(self, incoming: Incoming, tls: str | None, user: str | None, elapsed_s: float) -> None:
        """A message is kept."""
        if self._is_heard:
            facts = {
                "id": incoming.id,
                **self._facts(incoming),
                "size": incoming.size,
                "tls": tls,
                "user": user,
                "elapsed_s": elapsed_s,
            }
            if incoming.envelope.tls:
                facts["tls_wish"] = incoming.envelope.tls.value
            if incoming.said:
                facts["sent_as"] = incoming.said
            if incoming.envelope.release_at:
                facts["release_at"] = format_date_time(incoming.envelope.release_at)
            if incoming.signed:
                facts["signed"] = incoming.signed
            self._listener(Event("receive.message.complete", facts))
            if incoming.unsigned:
                self._listener(Event("receive.signature.failed", {"id": incoming.id, "why": incoming.unsigned}))

    def failed(self, incoming: Incoming, why: str) -> None:
        """A message has come, in part at least, and is not kept."""
        if self._is_heard:
            self._listener(Event("receive.message.failed", {**self._facts(incoming), "why": why}))

    def violation(self, event: Answered) -> None:
        """The client is sent away, for it does not speak SMTP."""
        facts = {"peer": self._peer, "said": event.violation, "why": str(event.reply)}
        self._listener(Event("receive.protocol.failed", facts))

    def no_tls(self, why: str) -> None:
        """A handshake has failed."""
        self._listener(Event("receive.tls.failed", {"peer": self._peer, "why": why}))

    def _facts(self, incoming: Incoming) -> dict[str, object]:
        envelope = incoming.envelope
        return {
            "peer": self._peer,
            "sender": envelope.reverse_path.text if envelope.reverse_path else "<>",
            "recipients": [recipient.mailbox.text for recipient in envelope.recipients],
        }
