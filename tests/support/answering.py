"""A host for tests: a server on a stream in memory that answers as it is told."""

from dataclasses import dataclass, field

from postroad.smtp import NEED_DATA, BodyComplete, BodyPiece, Closed, Commanded, Server, ServerConfig
from postroad.words.reply import Reply


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
            server.feed(await stream.read())
            while (event := server.next_event()) is not NEED_DATA:
                if isinstance(event, Closed):
                    stream.close()
                    return
                if isinstance(event, BodyPiece):
                    self.content += event.data
                    continue
                name, usual = self._name(event)
                answer = self.answers.get(name, usual)
                if answer is None:
                    stream.close()
                    return
                stream.write(server.reply(answer) + self.extra.pop(name, b""))

    def _name(self, event):
        if isinstance(event, BodyComplete):
            self.heard.append(".")
            return ".", Reply(250, ("2.0.0 taken",))
        name = type(event.command).__name__ if isinstance(event, Commanded) else "?"
        self.heard.append(name)
        if name == "Rcpt":
            name = f"Rcpt {event.command.recipient.mailbox.local}"
        return name, event.reply
