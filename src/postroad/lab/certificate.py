"""The lab's TLS certificate: self-signed, its private key public. For the lab only; it proves nothing to anybody."""

from __future__ import annotations

import ssl
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from postroad.tls import Trust

if TYPE_CHECKING:
    from OpenSSL.crypto import X509Store

NAME = "mail.lab.invalid"
"""The name in the certificate, which also covers every name right below lab.invalid."""


def server_context(file: str = "certificate.pem") -> ssl.SSLContext:
    """What an exchanger of the lab offers after STARTTLS; `expired.pem` is over since 2001."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with as_file(files("postroad.lab") / "tls") as folder:
        context.load_cert_chain(folder / file, folder / "key.pem")
    return context


def mismatched_context() -> ssl.SSLContext:
    """What is signed by the lab's certificate for `elsewhere.invalid`, with a key of its own (in the same file)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with as_file(files("postroad.lab") / "tls" / "mismatch.pem") as chain:
        context.load_cert_chain(chain)
    return context


def trusting_context() -> ssl.SSLContext:
    """A client's context that trusts the lab's certificate and nothing else."""
    return ssl.create_default_context(cadata=(files("postroad.lab") / "tls" / "certificate.pem").read_text())


def lab_trust() -> Trust:
    """The lab's certificate as the only authority, for what a connection has to prove."""
    return Trust(_store)


def _store() -> X509Store:
    from cryptography import x509  # noqa: PLC0415  # slow to import
    from OpenSSL import crypto  # noqa: PLC0415  # as above

    store = crypto.X509Store()
    pem = (files("postroad.lab") / "tls" / "certificate.pem").read_bytes()
    store.add_cert(crypto.X509.from_cryptography(x509.load_pem_x509_certificate(pem)))
    return store
