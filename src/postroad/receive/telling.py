"""What the log and the counters hear of one connection."""

from __future__ import annotations

from postroad.net import Stream
from postroad.receive.desk import Desk
from postroad.receive.incoming import Incoming
from postroad.smtp import Answered


class Telling:
    """Makes the events of a connection. With nobody listening a message costs nothing here."""

    def __init__(self, desk: Desk, stream: Stream) -> None:
        self._desk = desk
        self._stream = stream

    def complete(self, incoming: Incoming, user: str | None, elapsed_s: float) -> None:
        """A message is kept."""
        if self._desk.is_heard:
            self._desk.tell(
                "receive.message.complete",
                id=incoming.id,
                **self._facts(incoming),
                size=incoming.size,
                tls=self._stream.tls,
                user=user,
                elapsed_s=elapsed_s,
            )

    def failed(self, incoming: Incoming, why: str) -> None:
        """A message has come, in part at least, and is not kept."""
        if self._desk.is_heard:
            self._desk.tell("receive.message.failed", **self._facts(incoming), why=why)

    def violation(self, event: Answered) -> None:
        """The client is sent away, for it does not speak SMTP."""
        self._desk.tell("receive.protocol.failed", peer=self._peer, said=event.violation, why=str(event.reply))

    def no_tls(self, why: str) -> None:
        """A handshake has failed."""
        self._desk.tell("receive.tls.failed", peer=self._peer, why=why)

    @property
    def _peer(self) -> str:
        return str(self._stream.peer)

    def _facts(self, incoming: Incoming) -> dict[str, object]:
        envelope = incoming.envelope
        return {
            "peer": self._peer,
            "sender": str(envelope.reverse_path or "<>"),
            "recipients": [str(recipient.mailbox) for recipient in envelope.recipients],
        }
