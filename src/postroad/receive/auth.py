"""Users and their passwords: a file of scrypt hashes, made, read and verified."""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from postroad.words.names import Unreadable

REMEMBERED = 1000  # users whose last good password is known without scrypt

# The form of passlib and of the modular crypt formats: base64 without padding.
_LINE = re.compile(r"([^:\s]+):\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)\Z")


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A password as scrypt has it (RFC 7914): the binary logarithm of its cost, block size, parallelism."""

    salt: bytes
    key: bytes
    cost: int = 14
    block: int = 8
    parallel: int = 1

    def __str__(self) -> str:
        return f"$scrypt$ln={self.cost},r={self.block},p={self.parallel}${_b64(self.salt)}${_b64(self.key)}"


def hash_password(password: str, salt: bytes | None = None) -> PasswordHash:
    """A password as it stands in the users file: `f"{user}:{hash_password(password)}"` is a line of it."""
    salt = secrets.token_bytes(16) if salt is None else salt
    made = PasswordHash(salt, bytes(32))
    return PasswordHash(salt, _derived(password, made))


def parse_users(text: str) -> dict[str, PasswordHash] | Unreadable:
    """Read a users file: `user:$scrypt$ln=14,r=8,p=1$salt$key` a line; blank lines and # comments are passed over."""
    users: dict[str, PasswordHash] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        read = _parse_line(line.strip())
        if read is None:
            return Unreadable(f"line {number}", "write user:$scrypt$ln=14,r=8,p=1$salt$key")
        if read[0] in users:
            return Unreadable(f"line {number}", f"the user {read[0]} is already there")
        users[read[0]] = read[1]
    return users


def verify(password: str, known: PasswordHash) -> bool:
    """Whether it is the password; takes the same time for a wrong one."""
    return hmac.compare_digest(_derived(password, known), known.key)


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


def _derived(password: str, like: PasswordHash) -> bytes:
    n, r, p = 1 << like.cost, like.block, like.parallel
    memory = 128 * r * (n + p + 2)  # RFC 7914: B, V and the working block
    return hashlib.scrypt(
        password.encode(), salt=like.salt, n=n, r=r, p=p, maxmem=memory + 1024 * 1024, dklen=len(like.key)
    )


def _parse_line(line: str) -> tuple[str, PasswordHash] | None:
    found = _LINE.match(line)
    if not found:
        return None
    user, cost, block, parallel, salt, key = found.groups()
    octets, derived = _unb64(salt), _unb64(key)
    # What is beyond this would take more than 256 MiB for each verification
    if not (octets and derived and 1 <= int(cost) <= 18 and 1 <= int(block) <= 8 and 1 <= int(parallel) <= 16):
        return None
    return user, PasswordHash(octets, derived, int(cost), int(block), int(parallel))


def _b64(octets: bytes) -> str:
    return b64encode(octets).decode().rstrip("=")


def _unb64(text: str) -> bytes | None:
    try:
        return b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return None
