"""Messages that are hard on the wire, and the ways by which tests hand them over."""

import asyncio
import smtplib
import threading
from dataclasses import replace

from tests.support.patience import PATIENCE_S

import postroad

HEAD = b"From: me@home.example\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
DOTS = b".\r\n..\r\n.leading\r\nin.the.middle\r\n.\r\n\r\n.\r\n"
BODIES = {
    "plain": b"Hello.\r\n",
    "dots": DOTS,
    "eight-bit": "Grüße aus Köln, 漢字\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n",
    "no-body": b"",
    "long-line": b"x" * 998 + b"\r\n",
    "large": b"Nothing of this may change.\r\n" * 20_000 + DOTS,  # more than two pieces of a spool
}


def message(name):
    """A header, and one of BODIES."""
    return HEAD % name.encode() + BODIES[name]


class Sender:
    """`postroad.send` in a loop that goes on, as in an application: streams say goodbye to slow peers in it."""

    def __init__(self, port, **options):
        self._options = postroad.SendOptions(port=port, hostname="us.example", **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self):
        """Begin."""
        self._thread.start()

    def stop(self):
        """End."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __call__(self, recipients, content=None, **options):
        """Send now; the outcome of each recipient."""
        content = message("plain") if content is None else content
        options = replace(self._options, **options)
        sending = postroad.send(content, sender="me@home.example", recipients=recipients, options=options)
        sent = asyncio.run_coroutine_threadsafe(sending, self._loop).result(PATIENCE_S)
        return list(sent.outcomes.values())


def hand_over(where, recipients, content=None, *, sender="me@home.example"):
    """By Python's own client, in one transaction."""
    content = message("plain") if content is None else content
    with smtplib.SMTP(*where, "client.example", timeout=PATIENCE_S) as client:
        return client.sendmail(sender, recipients, content)
