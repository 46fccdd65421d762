"""A host for tests: a server on a stream in memory that answers as it is told."""

from dataclasses import dataclass, field

from postroad.smtp import Answered, BodyComplete, BodyPiece, Closed, Server, ServerConfig
from postroad.words.reply import Reply

AGREED = object()  # the answer that a server gives by itself


@dataclass
class Host:
    """A server that answers as told: by the name of the command, or by "name argument"; "." is the message."""

    answers: dict[str, Reply | None] = field(default_factory=dict)
    config: ServerConfig = field(default_factory=lambda: ServerConfig("mx.example.com"))
    greeting: Reply | None = None
    heard: list[str] = field(default_factory=list)
    content: bytes = b""
    extra: dict[str, bytes] = field(default_factory=dict)  # octets that follow the first reply to a command

    async def serve(self, stream):
        """Talk until the client is gone, or an answer of None says hang up."""
        server = Server(self.config)
        stream.write(server.greet(self.greeting))
        while True:
            event = server.receive(await stream.read())
            while event:
                if isinstance(event, BodyPiece | BodyComplete):
                    self.content += event.data
                if not isinstance(event, BodyPiece):
                    name = self._name(event)
                    answer = self._answer(name)
                    if answer is None:
                        stream.close()
                        return
                    said = server.agree() if answer is AGREED else server.reply(answer)
                    stream.write(said + self.extra.pop(name, b""))
                event = server.receive()

    def _answer(self, name):
        return None if name == "Closed" else self.answers.get(name, AGREED)

    def _name(self, event):
        name = {BodyComplete: ".", Answered: "?"}.get(type(event), type(event).__name__)
        if not isinstance(event, Closed):
            self.heard.append(name)
        return f"Rcpt {event.recipient.mailbox.local}" if name == "Rcpt" else name
