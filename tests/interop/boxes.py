"""Where all mail of these tests ends: aiosmtpd, which keeps what it takes."""

import threading
import zlib
from dataclasses import dataclass

from aiosmtpd.controller import Controller
from tests.support.patience import PATIENCE_S


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it arrived."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def body(self):
        """What follows the header."""
        return self.content.partition(b"\r\n\r\n")[2]

    @property
    def header(self):
        """All above the body, each field in one line."""
        return self.content.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ").decode()

    @property
    def sum(self):
        """Of the body: what to compare of a large one."""
        return zlib.crc32(self.body)


class Box:
    """A mailbox for everybody; each test has recipients of its own."""

    def __init__(self, address, port):
        self._news = threading.Condition()
        self._kept = []
        options = {"enable_SMTPUTF8": True, "data_size_limit": 2**26, "ident": "box.example"}
        self._controller = Controller(self, hostname=address, port=port, **options)

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802  # aiosmtpd's name
        """Keep it."""
        kept = Kept(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.original_content)
        with self._news:
            self._kept.append(kept)
            self._news.notify_all()
        return "250 2.0.0 kept"

    def start(self):
        """Take mail."""
        self._controller.start()

    def stop(self):
        """End."""
        self._controller.stop()

    def of(self, *recipients):
        """Every message that has come for any of these."""
        return [kept for kept in self._kept if set(kept.recipients) & set(recipients)]

    def wait(self, *recipients):
        """The messages for these, once each of them has one; AssertionError if that does not come to be."""
        with self._news:
            complete = self._news.wait_for(lambda: not self.missing(recipients), PATIENCE_S)
        assert complete, f"nothing came for {self.missing(recipients)}"
        return self.of(*recipients)

    def missing(self, recipients):
        """Those who have no message."""
        return set(recipients) - {recipient for kept in self._kept for recipient in kept.recipients}
