"""What a server's certificate says, whoever signed it: its names and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.words.sessions import Certificate

if TYPE_CHECKING:
    from cryptography.x509 import Name


def read_certificate(der: bytes, why_not: str = "") -> Certificate:
    """The names a certificate is for and its last second; `why_not` is why no authority vouches for it."""
    from cryptography import x509  # noqa: PLC0415  # only probes that met TLS pay for it

    try:
        parsed = x509.load_der_x509_certificate(der)
        names = _names(parsed)
        ends_at = parsed.not_valid_after_utc.timestamp()
        issuer = _called(parsed.issuer)
    except (ValueError, TypeError, x509.DuplicateExtension) as problem:
        return Certificate((), 0.0, is_trusted=False, why_not=f"it cannot be read: {problem}")
    return Certificate(names, ends_at, not why_not, why_not, issuer)


def _names(parsed: object) -> tuple[str, ...]:
    """The DNS names; the common name where there are none, as many senders still read it (RFC 6125 section 6.4.4)."""
    from cryptography import x509  # noqa: PLC0415  # as above

    assert isinstance(parsed, x509.Certificate)  # noqa: S101  # the type is imported late
    try:
        found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = found.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    common = parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return tuple(name.lower() for name in names) or tuple(str(each.value).lower() for each in common)


def _called(name: Name) -> str:
    """What people call an authority: its common name, else its organization, else all of its name."""
    from cryptography.x509 import NameOID  # noqa: PLC0415  # as above

    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for each in name.get_attributes_for_oid(kind):
            return str(each.value)
    return name.rfc4514_string()
