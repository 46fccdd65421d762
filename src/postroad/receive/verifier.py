"""Verifies passwords in threads, and remembers the right ones."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping

from postroad.receive.auth import PasswordHash, verify

REMEMBERED = 1000  # users whose last good password is known without scrypt


class Verifier:
    """A checker of passwords in threads that remembers who was right."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)  # of this process: what is remembered is worth nothing elsewhere
        self._right: dict[str, tuple[PasswordHash, bytes]] = {}
        self._nobody = PasswordHash(secrets.token_bytes(16), bytes(32))

    def remembers(self, users: Mapping[str, PasswordHash], user: str, password: str) -> bool:
        """Whether this user was right with this password before, and the users file still says the same."""
        before = self._right.get(user)
        return (
            before is not None
            and before[0] is users.get(user)
            and hmac.compare_digest(before[1], self._fingerprint(password))
        )

    async def is_right(self, users: Mapping[str, PasswordHash], user: str, password: str) -> bool:
        """Whether there is such a user with this password; an unknown one takes as long as a wrong password."""
        known = users.get(user, self._nobody)
        is_right = await asyncio.to_thread(verify, password, known) and known is not self._nobody
        if is_right:
            self._remember(user, known, password)
        return is_right

    def _remember(self, user: str, known: PasswordHash, password: str) -> None:
        if len(self._right) >= REMEMBERED:
            self._right.clear()
        self._right[user] = (known, self._fingerprint(password))

    def _fingerprint(self, password: str) -> bytes:
        return hashlib.blake2b(password.encode(), key=self._secret).digest()
