"""The certificates that the lab shows. Its private keys are public: they prove nothing to anybody outside a lab.

All servers have one key, so that a zone may have its TLSA record: `LEAF_KEY` for `3 1 1`, `AUTHORITY_KEY` for `2 1 1`.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from postroad.tls import Trust

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Name
    from OpenSSL.crypto import X509Store

NAME = "mail.lab.invalid"
"""The name in the self-signed certificate, which also covers every name right below lab.invalid."""

LEAF_KEY = "452d0a1f7b5e1cf8a37a6eedd1e8f30ef00f253a80006b8006d0ecfa227a429b"
"""The data of a TLSA record 3 1 1 that matches every certificate of the lab."""

AUTHORITY_KEY = "3258fcde1951de2e1c5d7c42ec775cfae3c2e2b1f85f7175b0bdc9687d69f565"
"""The same of a record 2 1 1 for what the authority of the lab has signed."""

AUTHORITY = "authority.pem"
MISMATCH = "mismatch.pem"
MOST_OF_A_NAME = 64  # characters of a common name (ub-common-name)

_BEGINS, _EXPIRED, _ENDS = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2001, 2100))


class CertificateKind(StrEnum):
    """What a server of the lab shows in a TLS handshake."""

    GOOD = "good"  # for all its names, signed by the authority of the lab
    EXPIRED = "expired"  # the same, but it expired in 2001
    FOREIGN = "foreign"  # for all its names, signed by an authority that nobody knows
    WRONG_NAME = "wrong-name"  # signed by the authority of the lab, for another name
    SELF_SIGNED = "self-signed"  # for NAME, signed by itself


def lab_context(kind: CertificateKind, names: Sequence[str]) -> ssl.SSLContext:
    """What a server with these names shows."""
    return _context(_pem(kind, names))


def lab_chain(kind: CertificateKind, names: Sequence[str]) -> tuple[bytes, ...]:
    """The certificates of that, in DER."""
    return _der(_pem(kind, names))


def server_chain(file: str = "certificate.pem") -> tuple[bytes, ...]:
    """Those of `server_context`."""
    return _der(_read(file))


def server_context(file: str = "certificate.pem") -> ssl.SSLContext:
    """What shows the self-signed certificate; that of `expired.pem` expired in 2001."""
    return _context(_read(file))


def mismatched_context() -> ssl.SSLContext:
    """What shows a certificate for `elsewhere.invalid`, with a key of its own, in the same file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with as_file(files("postroad.lab") / "tls" / MISMATCH) as chain:
        context.load_cert_chain(chain)
    return context


def trusting_context(file: str = "certificate.pem") -> ssl.SSLContext:
    """A client's context that trusts the self-signed certificate alone; with AUTHORITY, what that has signed."""
    return ssl.create_default_context(cadata=_read(file).decode())


def lab_trust(file: str = "certificate.pem") -> Trust:
    """The same for what a connection has to prove."""
    return Trust(lambda: _store(file))


def authority_file() -> Path:
    """The certificate of the lab's authority, for programs that take a file of those they trust."""
    return Path(str(files("postroad.lab") / "tls" / AUTHORITY))


def _pem(kind: CertificateKind, names: Sequence[str]) -> bytes:
    if kind is CertificateKind.SELF_SIGNED:
        return _read("certificate.pem")
    return _issued(kind, tuple(names) if names and kind is not CertificateKind.WRONG_NAME else (NAME,))


def _der(pem: bytes) -> tuple[bytes, ...]:
    begin = "-----BEGIN"
    return tuple(ssl.PEM_cert_to_DER_cert(begin + each) for each in pem.decode().split(begin)[1:])


def _read(file: str) -> bytes:
    return (files("postroad.lab") / "tls" / file).read_bytes()


@lru_cache(maxsize=1000)
def _context(pem: bytes) -> ssl.SSLContext:
    """`ssl` takes certificates from files only: one is written and read again for all labs of a program together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile(buffering=0) as chain, as_file(files("postroad.lab") / "tls" / "key.pem") as key:
        chain.write(pem)
        context.load_cert_chain(chain.name, key)
    return context


@lru_cache(maxsize=1000)
def _issued(kind: CertificateKind, names: tuple[str, ...]) -> bytes:
    """A certificate for these names in PEM, with that of the authority behind it, as DANE-TA needs it."""
    from cryptography import x509  # noqa: PLC0415  # slow to import
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415  # as above

    authority = x509.load_pem_x509_certificate(_read(AUTHORITY))
    is_foreign = kind is CertificateKind.FOREIGN
    signer = _key("key.pem" if is_foreign else "authority.key")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_called(names[0][:MOST_OF_A_NAME]))
        .issuer_name(_called("An authority that nobody knows") if is_foreign else authority.subject)
        .public_key(_key("key.pem").public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGINS)
        .not_valid_after(_EXPIRED if kind is CertificateKind.EXPIRED else _ENDS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + (b"" if is_foreign else _read(AUTHORITY))


def _called(name: str) -> Name:
    from cryptography import x509  # noqa: PLC0415  # as above

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _key(file: str) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415  # as above

    key = load_pem_private_key(_read(file), None)
    assert isinstance(key, EllipticCurvePrivateKey)  # noqa: S101  # it is ours
    return key


def _store(file: str) -> X509Store:
    from cryptography import x509  # noqa: PLC0415  # as above
    from OpenSSL import crypto  # noqa: PLC0415  # as above

    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(x509.load_pem_x509_certificate(_read(file))))
    return store
