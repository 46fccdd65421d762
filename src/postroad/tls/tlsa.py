"""DANE's associations (RFC 6698): which of them can be used for SMTP, what is wrong with the others, which match."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from postroad.words.facts import Tlsa

TRUST_ANCHOR, END_ENTITY = 2, 3  # DANE-TA and DANE-EE: SMTP has no others, RFC 7672 section 3.1.3
SMTP_USAGES = (TRUST_ANCHOR, END_ENTITY)
CERTIFICATE, KEY = 0, 1  # the selectors, RFC 6698 section 2.1.2
FULL, SHA_256, SHA_512 = 0, 1, 2  # the matching types, RFC 6698 section 2.1.3
_BY_STRENGTH = (SHA_512, SHA_256)
_SIZES = {SHA_256: 32, SHA_512: 64}  # octets

_SEQUENCE, _BIT_STRING, _VERSION = 0x30, 0x03, 0xA0  # DER's tags
_BEFORE_KEY = 5  # serial number, algorithm, issuer, validity and subject, RFC 5280 section 4.1


def usable(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """The records that decide, in their order.

    Of each usage and selector these are the ones with the strongest digest, and those without (RFC 7671 section 9).
    """
    sound = [record for record in records if not any(tlsa_faults(record))]
    there = {(record.usage, record.selector, record.matching) for record in sound}
    return tuple(record for record in dict.fromkeys(sound) if not _stronger(record) & there)


def _stronger(record: Tlsa) -> set[tuple[int, int, int]]:
    """The parameters of records in whose presence one does not count."""
    digests = _BY_STRENGTH[: _BY_STRENGTH.index(record.matching)] if record.matching in _BY_STRENGTH else ()
    return {(record.usage, record.selector, digest) for digest in digests}


def tlsa_faults(record: Tlsa) -> Iterator[str]:
    """Why a sender cannot use a record: what is wrong with it, each as the end of a sentence that begins with "it"."""
    if record.usage not in SMTP_USAGES:
        yield f"has usage {record.usage}; SMTP supports only 2 and 3"
    if record.selector not in (CERTIFICATE, KEY):
        yield f"has selector {record.selector}; there are only 0, the certificate, and 1, its public key"
    if record.matching in _SIZES:
        size = _SIZES[record.matching]
        if len(record.data) != size:
            kind = "SHA-256" if record.matching == SHA_256 else "SHA-512"
            yield f"has {len(record.data)} octets of data; a {kind} digest (matching type {record.matching}) has {size}"
    elif record.matching != FULL:
        yield f"has matching type {record.matching}; there are only 0, the whole, 1, SHA-256, and 2, SHA-512"
    elif record.selector == CERTIFICATE and _key(record.data) is None:
        yield "has matching type 0, the whole certificate, but its data are not a certificate in DER"
    elif record.selector == KEY and not _is_key(record.data):
        yield "has matching type 0, the whole public key, but its data are not a public key in DER"


def association(certificate: bytes) -> Tlsa | None:
    """The record to publish for a certificate, in DER: usage 3, of its key, by SHA-256 (RFC 7672 section 3.1.1)."""
    key = _key(certificate)
    return Tlsa(END_ENTITY, KEY, SHA_256, hashlib.sha256(key).digest()) if key else None


def matches(record: Tlsa, certificate: bytes) -> bool:
    """Whether a certificate, in DER, is the one of a record, or has its key; False for octets that are none."""
    selected, digest = _selected(record.selector, certificate), _DIGESTS.get(record.matching)
    return selected is not None and digest is not None and digest(selected) == record.data


_DIGESTS: dict[int, Callable[[bytes], bytes]] = {
    FULL: lambda octets: octets,
    SHA_256: lambda octets: hashlib.sha256(octets).digest(),
    SHA_512: lambda octets: hashlib.sha512(octets).digest(),
}


def _selected(selector: int, certificate: bytes) -> bytes | None:
    if selector == KEY:
        return _key(certificate)
    return certificate if selector == CERTIFICATE else None


def _key(certificate: bytes) -> bytes | None:
    """The SubjectPublicKeyInfo of a certificate as it stands there: written anew it might be another."""
    try:
        outer = _content(certificate, _SEQUENCE)
        signed = _content(next(_elements(outer)), _SEQUENCE)
        fields = [each for each in _elements(signed) if each[0] != _VERSION]
        return fields[_BEFORE_KEY] if _is_key(fields[_BEFORE_KEY]) else None
    except (IndexError, StopIteration, ValueError):
        return None


def _is_key(octets: bytes) -> bool:
    """Whether they are a SubjectPublicKeyInfo: an algorithm and a key (RFC 5280 section 4.1)."""
    try:
        algorithm, key = _elements(_content(octets, _SEQUENCE))
    except (IndexError, ValueError):
        return False
    return (algorithm[0], key[0]) == (_SEQUENCE, _BIT_STRING)


def _content(element: bytes, tag: int) -> bytes:
    """What is in an element of DER that has this tag and ends where the octets end."""
    head, end = _measured(element, 0)
    if element[0] != tag or end != len(element):
        raise ValueError("another element")
    return element[head:]


def _elements(octets: bytes) -> Iterator[bytes]:
    """The elements of DER, one behind the other, each with its head."""
    at = 0
    while at < len(octets):
        _, end = _measured(octets, at)
        yield octets[at:end]
        at = end


def _measured(octets: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element begins and ends. DER has no indefinite lengths."""
    size, head = octets[at + 1], at + 2
    if size & 0x80:
        digits = size & 0x7F
        if not 1 <= digits <= 4:
            raise ValueError("no length of DER")
        size, head = int.from_bytes(octets[head : head + digits]), head + digits
    if head + size > len(octets):
        raise ValueError("cut short")
    return head, head + size
