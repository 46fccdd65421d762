"""Keys that sign, as their files have them, and when they do."""

from __future__ import annotations

from binascii import a2b_base64
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from hashlib import sha256
from math import inf
from typing import TYPE_CHECKING, cast

from postroad.words.names import Unreadable, parse_domain

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256

LEAST_BITS = 1024  # RFC 8301: signers MUST use as many at least
GOOD_BITS = 2048  # and SHOULD use these
MOST_BITS = 4096  # a signature of 8192 takes 38 ms, and verifiers need not take it

_BEGIN, _END = b"-----BEGIN ", b"-----END "
NOT_BEFORE, NOT_AFTER, REPLACES = "Not-Before", "Not-After", "Replaces"  # the lines in front of a key
_NEVER = "never"
_RSASSA_PSS = bytes.fromhex("06092a864886f70d01010a")  # its object identifier, in DER
_HEAD = 32  # characters of base64 that hold it
_NO_LINE = (
    f'is not one that a key file may have; write it as "{NOT_BEFORE}: 2026-12-01T00:00:00Z" or'
    f' "{NOT_AFTER}: 2026-12-01T00:00:00Z", or delete it'
)
_BELOW = "is below the key, where nothing is read; move it above the line -----BEGIN, or delete it"
_MAKE = "make one with: postroad dkim new DOMAIN"


class KeyState(StrEnum):
    """The states of a key: its record is published and it does not sign yet, it signs, it signs no more."""

    WAITING = "waiting"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of a domain, under its selector. It signs from `not_before` until `not_after`, seconds since the epoch.

    `replaces`: the selectors of the keys it takes over from.
    """

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey
    not_before: float = -inf
    not_after: float = inf
    replaces: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., SigningKey], tuple[object, ...]]:
        """To another process of ours it goes as PKCS #8: what stands for it here is an object of OpenSSL."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as in `_private`

        plain = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        octets = self.private.private_bytes(*plain)
        return _unpacked, (octets, self.domain, self.selector, self.not_before, self.not_after, self.replaces)

    def state(self, now: float) -> KeyState:
        """What it does now."""
        if now >= self.not_after:
            return KeyState.RETIRED
        return KeyState.ACTIVE if now >= self.not_before else KeyState.WAITING

    @property
    def name(self) -> str:
        """Where its record is in DNS (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def bits(self) -> int:
        """The size of an RSA key; 0: it is an Ed25519 key."""
        return getattr(self.private, "key_size", 0)

    @property
    def algorithm(self) -> str:
        """As the tag a= has it."""
        return "rsa-sha256" if self.bits else "ed25519-sha256"

    def sign(self, octets: bytes) -> bytes:
        """The signature of a canonical header. RSA takes a quarter of a millisecond and gives the interpreter free."""
        if self.bits:
            return cast("RSAPrivateKey", self.private).sign(octets, *_pkcs1())
        # RFC 8463: what is signed is the hash, by the plain algorithm, which hashes that once more
        return cast("Ed25519PrivateKey", self.private).sign(sha256(octets).digest())


def _unpacked(octets: bytes, domain: str, selector: str, begin: float, end: float, old: tuple[str, ...]) -> SigningKey:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as in `_private`

    # That its numbers make a key was seen when it was read: to see it again takes 50 ms
    private = serialization.load_der_private_key(octets, None, unsafe_skip_rsa_key_validation=True)
    private = cast("RSAPrivateKey", private)
    return SigningKey(domain, selector, private, begin, end, old)


def read_key(octets: bytes, domain: str, selector: str) -> SigningKey | Unreadable:
    """A key from a PEM file, with `Not-Before:` and `Not-After:` in front of it where it does not sign for ever.

    Text in front of a PEM block is no part of it (RFC 7468), so other programs read the same file. Empty lines may
    stand anywhere outside it, and nothing else.
    """
    # As A-labels (RFC 8616). A selector may end in digits, as no domain does
    names = parse_domain(domain), parse_domain(f"{selector}.example")
    for name in names:
        if isinstance(name, Unreadable):
            return Unreadable(selector, f"its domain or selector is not a valid DNS name: {name.why}; rename it")
    front, block, below = _parts(octets)
    private = _private(block)
    if isinstance(private, Unreadable):
        return private
    lines = _lines(front, below, first=(front + block).count(b"\n") + 1)
    if isinstance(lines, Unreadable):
        return lines
    times, replaced = _times(lines), _replaced(lines)
    if isinstance(times, Unreadable):
        return times
    if isinstance(replaced, Unreadable):
        return replaced
    return SigningKey(str(names[0]), str(names[1]).removesuffix(".example"), private, *times, replaced)


def with_lines(octets: bytes, lines: Mapping[str, str]) -> bytes:
    """A key file with these lines in front of its key, in place of those that have the same words: all else stays."""
    front, block, below = _parts(octets)
    words = {word.lower() for word in lines}
    kept = [line for line in front.splitlines(keepends=True) if _word(line.decode("utf-8", "replace")) not in words]
    text = b"".join(kept)
    added = "".join(f"{word}: {value}\n" for word, value in lines.items()).encode()
    return (text if not text or text.endswith(b"\n") else text + b"\n") + added + block + below


def moment_text(at: float) -> str:
    """A time as key files have it."""
    return _NEVER if at == inf else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _word(line: str) -> str:
    return line.partition(":")[0].strip().lower()


def _parts(octets: bytes) -> tuple[bytes, bytes, bytes]:
    """What stands in front of a key, the lines of the key, and what stands below it."""
    front, begin, rest = octets.removeprefix(BOM_UTF8).partition(_BEGIN)  # some editors write such a mark
    text, end, rest = rest.partition(_END)
    last, break_, below = rest.partition(b"\n")
    return front, begin + text + end + last + break_, below


def _lines(front: bytes, below: bytes, first: int) -> dict[str, str] | Unreadable:
    """The lines in front of a key, by their words in lower case. Whatever else stands outside the key is an error.

    There are no notes: a time that is misspelt would pass for one, and the key would sign for ever. The error does not
    quote a line, which may be a piece of a key. `first`: the number of the first line below it.
    """
    words = {word.lower(): word for word in (NOT_BEFORE, NOT_AFTER, REPLACES)}
    found: dict[str, str] = {}
    for number, line in enumerate(_text(front), 1):
        word = _word(line)
        if word in words and ":" in line:
            if word in found:
                return Unreadable(line, f"line {number} has {words[word]} again; delete one of the two lines")
            found[word] = line
        elif line.strip():
            return Unreadable(line, f"line {number} {_NO_LINE}")
    for number, line in enumerate(_text(below), first):
        if line.strip():
            return Unreadable(line, f"line {number} {_BELOW}")
    return found


def _text(octets: bytes) -> list[str]:
    return [line.decode("utf-8", "replace") for line in octets.splitlines()]


def _replaced(lines: Mapping[str, str]) -> tuple[str, ...] | Unreadable:
    """The selectors that a rotation wrote down: should it be killed, the next one knows what is left to do."""
    names = [parse_domain(f"{name}.example") for name in lines.get(REPLACES.lower(), "").partition(":")[2].split()]
    if any(isinstance(name, Unreadable) for name in names):
        return Unreadable(REPLACES, f"{REPLACES} names no selectors; write those of other keys, such as 2026a")
    return tuple(str(name).removesuffix(".example") for name in names)


def _times(lines: Mapping[str, str]) -> tuple[float, float] | Unreadable:
    """When it begins and ends to sign."""
    times = {NOT_BEFORE: -inf, NOT_AFTER: inf}
    for word, usual in times.items():
        line = lines.get(word.lower())
        at = _moment(line.partition(":")[2].strip()) if line else usual
        if at is None:
            return Unreadable(line or "", f'{word} has no time; write "{word}: 2026-12-01T00:00:00Z"')
        times[word] = at
    begin, end = times.values()
    if begin >= end < inf:
        return Unreadable(NOT_AFTER, f"{NOT_AFTER} is not later than {NOT_BEFORE}, so the key never signs; fix one")
    return begin, end


def _moment(text: str) -> float | None:
    """A time in UTC, if it says no other zone; `never` is the end of time."""
    if text.lower() == _NEVER:
        return inf
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=10_000)  # OpenSSL proves for 30 ms that the primes of a key are some: once, and not at each reload
def _private(block: bytes) -> RSAPrivateKey | Ed25519PrivateKey | Unreadable:
    """The private key, of a kind that DKIM has."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # heavy, and only where there is a key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415  # as above

    label = block.removeprefix(_BEGIN).partition(b"-----")[0].decode("utf-8", "replace")
    if not label.endswith("PRIVATE KEY"):
        there = f"a {label.lower()}, not" if label else "not a PEM file; it must be"
        return Unreadable(label, f"it is {there} a private key; {_MAKE}")
    try:
        private = load_pem_private_key(block, None)
    except TypeError:
        return Unreadable(label, "it is encrypted; remove the passphrase with: openssl pkey -in OLD -out NEW")
    except (ValueError, UnsupportedAlgorithm) as problem:
        return Unreadable(label, f"it is damaged, or of a kind that is not known ({problem}); {_MAKE}")
    if isinstance(private, RSAPrivateKey):
        if _is_for_pss(block):
            return Unreadable(label, f"it is of the type RSA-PSS, and DKIM has RSA and Ed25519 only; {_MAKE}")
        if private.key_size < LEAST_BITS:
            return Unreadable(label, f"it has {private.key_size} bits, and receivers ignore less than 1024; {_MAKE}")
        return private
    if isinstance(private, Ed25519PrivateKey):
        return private
    kind = type(private).__name__.removesuffix("PrivateKey").lstrip("_")
    return Unreadable(label, f"it is of the type {kind}, and DKIM has RSA and Ed25519 only; {_MAKE}")


def _is_for_pss(block: bytes) -> bool:
    """Whether it says that it signs by RSASSA-PSS only (RFC 4055 section 3.1): verifiers refuse its record."""
    text = b"".join(word for line in block.splitlines() if b"-----" not in line for word in line.split())
    head = a2b_base64(text[:_HEAD])  # version and algorithm stand in front (RFC 5208 section 5)
    return _RSASSA_PSS in head


@cache
def _pkcs1() -> tuple[PKCS1v15, SHA256]:
    """How RSA signs (RFC 6376 section 3.3.2)."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  # as above

    return PKCS1v15(), SHA256()
