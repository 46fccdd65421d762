"""Every TLS context of the program, the certificate we show, and whom we trust. The lab has its own certificate."""

from __future__ import annotations

import contextlib
import ssl
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.files import plain_octets, why_not_plain
from postroad.tls import Trust
from postroad.words.inputs import InputError
from postroad.words.names import Unreadable

if TYPE_CHECKING:
    from OpenSSL.crypto import X509Store

_AUTHORITIES = "choose a PEM file of authorities that this user may read"


@lru_cache(maxsize=1)
def opportunistic_tls() -> ssl.SSLContext:
    """Encryption without proof of who is there (RFC 7435): it defeats listeners, and costs no mail."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=1)
def verified_tls() -> ssl.SSLContext:
    """Encryption to the host that was named, proven by a certificate this machine trusts: for HTTPS."""
    return https_context(None)


def https_context(authorities: Path | None) -> ssl.SSLContext:
    """The same by the authorities in a PEM file; without one, by this machine's."""
    context = ssl.create_default_context(cafile=authorities)
    # Python 3.13 began to refuse certificates that no other sender minds, such as one that names no authority's key
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@lru_cache(maxsize=1)
def system_trust() -> Trust:
    """The authorities that this machine trusts."""
    return Trust(_system_store)


def trust_of(authorities: Path | None) -> Trust:
    """The authorities in a PEM file; without one, this machine's.

    Raises:
        InputError: the file cannot be used.

    """
    if authorities is None:
        return system_trust()
    pem = plain_octets(authorities)
    if isinstance(pem, Unreadable):
        raise InputError(f"{authorities} {pem.why_and(_AUTHORITIES)}")
    from cryptography import x509  # noqa: PLC0415  # heavy, and only where there is such a file

    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise InputError(f"{authorities} has no certificates, or one that cannot be read; {_AUTHORITIES}") from None
    return Trust(partial(_store_of, pem))


def _system_store() -> X509Store:
    """Where OpenSSL looks on this machine, or where SSL_CERT_FILE and SSL_CERT_DIR say."""
    from OpenSSL import crypto  # noqa: PLC0415  # 40 ms, for who meets a certificate that has to be proven

    store, paths = crypto.X509Store(), ssl.get_default_verify_paths()
    for file, folder in ((paths.cafile, None), (None, paths.capath)):
        if file or folder:
            with contextlib.suppress(crypto.Error):  # one that is not there trusts nobody
                store.load_locations(file, folder)
    return store


def _store_of(pem: bytes) -> X509Store:
    from cryptography import x509  # noqa: PLC0415  # as above
    from OpenSSL import crypto  # noqa: PLC0415  # as above

    store = crypto.X509Store()
    for certificate in x509.load_pem_x509_certificates(pem):
        store.add_cert(crypto.X509.from_cryptography(certificate))
    return store


def server_tls(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A server's own, from PEM files that `check_pem` has found good.

    Raises:
        InputError: they cannot be used, or are no pair.

    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password="")  # else OpenSSL would ask for one at the terminal
    except (OSError, ssl.SSLError):
        both = f"{certificate} and {key or 'its key'}"
        raise InputError(
            f"{both} do not belong together, or are damaged; choose a certificate and its own key"
        ) from None
    return context


def check_pem(file: Path, what: str) -> None:
    """Nothing, or that a PEM file has no certificate, or no private key that is to be had without a passphrase.

    Raises:
        InputError: it cannot be read, or has not what it must.

    """
    pem = plain_octets(file)
    if isinstance(pem, Unreadable):
        raise InputError(f"{file} {pem.why_and(f'choose a PEM file with a {what}')}")
    if f"{what.upper()}-----".encode() not in pem:
        raise InputError(f"{file} has no {what}; choose a PEM file with one")
    if what == "private key" and b"ENCRYPTED" in pem:
        raise InputError(f"{file} is encrypted; remove the passphrase with: openssl pkey -in OLD -out NEW")


def check_plain(path: Path, fix: str) -> None:
    """Nothing, or that a file is none to be opened by its name: whoever does would wait.

    Raises:
        InputError: it is there, and no plain file.

    """
    if why_not := why_not_plain(path):
        raise InputError(f"{path} {why_not}; {fix}")
