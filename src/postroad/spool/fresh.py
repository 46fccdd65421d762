"""Small bodies remembered from their first claim until they are settled: most mail is never read back from the disk."""

from __future__ import annotations

from collections.abc import Iterable

from postroad.spool.base import PIECE, Parcel
from postroad.spool.calls import CompleteMessage, Release, Settling

MOST = 32 * 1024 * 1024
"""Octets of all of them."""

EACH = PIECE


class Fresh:
    """A cache of fresh bodies of up to EACH octets, MOST in all."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self.octets = 0
        self.body = self._bodies.get
        """The body of the message with this id, or None."""

    @property
    def ids(self) -> list[str]:
        """Of the messages whose bodies are remembered."""
        return list(self._bodies)

    def remember(self, messages: Iterable[CompleteMessage]) -> None:
        """These were added: keep the bodies of those that are claimed."""
        for mail, body, node, _front in messages:
            if node and len(body) == mail.size <= EACH and self.octets < MOST:
                self._bodies[mail.id] = body
                self.octets += mail.size

    def settled(self, calls: Iterable[Settling]) -> None:
        """These have left."""
        self._forget([one.parcel for settlements, _, _ in calls for one in settlements])

    def released(self, calls: Iterable[Release]) -> None:
        """These are claimed no more."""
        self._forget([parcel for parcels, _ in calls for parcel in parcels])

    def _forget(self, parcels: Iterable[Parcel]) -> None:
        for parcel in parcels:
            self.octets -= len(self._bodies.pop(parcel.mail.id, b""))
