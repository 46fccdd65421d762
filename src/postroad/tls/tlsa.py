"""DANE's associations: which can be used, and whether a certificate is the one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from postroad.words.facts import Tlsa

_HASHED: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda each: hashlib.sha256(each).digest(),
    2: lambda each: hashlib.sha512(each).digest(),
}


def usable(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """Those that can be used."""
    return tuple(record for record in records if record.usage in (2, 3) and record.selector < 2)


def matches(record: Tlsa, certificate: bytes) -> bool:
    """Whether a certificate, in DER, is the one."""
    data = certificate
    if record.selector == 1:
        from cryptography import x509  # noqa: PLC0415  # slow to import
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as above

        try:
            key = x509.load_der_x509_certificate(certificate).public_key()
        except (ValueError, TypeError):
            return False
        data = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    hashed = _HASHED.get(record.matching)
    return hashed is not None and hashed(data) == record.data
