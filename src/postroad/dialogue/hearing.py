"""The replies of a host, in order, and why no more will come."""

from __future__ import annotations

from collections import deque

from postroad.net import NetError, Stream
from postroad.smtp import Bdat, ClientEnd, Ending, EndOfData, Unsolicited, Violation
from postroad.words.reply import Reply


class Hearing:
    """Replies that are heard and not looked at yet; `ending` is why no more come."""

    __slots__ = ("_client", "_stream", "ending", "replies")

    def __init__(self, client: ClientEnd, stream: Stream) -> None:
        self.replies: deque[Reply] = deque()
        self.ending: Ending | NetError | None = None
        self._client = client
        self._stream = stream

    def take(self, data: bytes) -> None:
        """What octets of the host mean, kept until it is that reply's turn."""
        if not data and self._stream.trouble:
            self.ending = self._stream.trouble
            return
        for event in self._client.receive(data):
            if isinstance(event, Reply):
                self.replies.append(event)
            else:
                self.ending = event
                self._mistrust(event)

    def _mistrust(self, ending: Ending) -> None:
        """A refusal right behind what looks like a receipt may be the true answer, the other an earlier command's."""
        if not self.replies or self._client.answered not in (Bdat, EndOfData) or self.replies[-1].code >= 400:
            return
        match ending:
            case Unsolicited(refusal) if refusal.code >= 400 and refusal.code != 421:
                self.ending = Violation(f"{self.replies.pop()}, and then {refusal}")
