"""AUTH as a dialogue of lines: PLAIN (RFC 4616) and LOGIN, up to a name and a password."""

from __future__ import annotations

import base64
import binascii

from postroad.smtp.events import AuthGiven
from postroad.words.reply import Reply

CANCELLED = Reply(501, ("5.7.0 authentication cancelled",))
NOT_BASE64 = Reply(501, ("5.5.2 invalid base64",))
INCOMPLETE = Reply(501, ("5.5.2 malformed authentication response",))


class SaslExchange:
    """One AUTH exchange: challenges out (334), answers in, until there is a name and a password or an error."""

    def __init__(self, mechanism: str) -> None:
        self._mechanism = mechanism
        self._given: list[str] = []

    def begin(self, initial: str | None) -> Reply | AuthGiven:
        """The first challenge, or what follows from the initial response."""
        if initial is not None:
            return self.hear(initial.encode())
        return _challenge("" if self._mechanism == "PLAIN" else "Username:")

    def hear(self, line: bytes, fault: str = "") -> Reply | AuthGiven:
        """An answer of the client: a further challenge (334), the end of it, or an error, as the line's fault is."""
        if fault:
            return Reply(500, (f"5.5.2 {fault}",))
        if line == b"*":  # RFC 4954 section 4
            return CANCELLED
        try:
            self._given.append(base64.b64decode(line, validate=True).decode())
        except (binascii.Error, ValueError):
            return NOT_BASE64
        if self._mechanism == "LOGIN" and len(self._given) == 1:
            return _challenge("Password:")
        parts = self._given[0].split("\0") if self._mechanism == "PLAIN" else ["", *self._given]
        return AuthGiven(self._mechanism, *parts) if len(parts) == 3 else INCOMPLETE


def _challenge(text: str) -> Reply:
    return Reply(334, (base64.b64encode(text.encode()).decode(),))
