"""Users and their passwords: a file of scrypt hashes, made, read and verified."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass

from postroad.words.names import Unreadable

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
