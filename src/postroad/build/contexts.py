"""Every TLS context of the program: the certificate we show, and whom we trust. The lab has its own certificate."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from postroad.files import why_not_plain
from postroad.words.inputs import InputError


@lru_cache(maxsize=1)
def opportunistic_tls() -> ssl.SSLContext:
    """Encryption without proof of who is there (RFC 7435): it defeats listeners, and costs no mail."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=1)
def verified_tls() -> ssl.SSLContext:
    """Encryption to the host that was named, proven by a certificate this machine trusts (RFC 6125 section 6)."""
    return ssl.create_default_context()


def tls_verified_by(authorities: Path | None) -> ssl.SSLContext:
    """Encryption to the host that was named, proven by authorities in a PEM file; without one, by this machine's.

    Raises:
        InputError: the file cannot be used.

    """
    if authorities is None:
        return verified_tls()
    check_plain(authorities, "choose a PEM file of authorities")
    try:
        return ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as problem:
        raise InputError(
            f"{authorities} cannot be used ({problem}); choose a PEM file of authorities that this user may read"
        ) from None


def tls_of_any_name() -> ssl.SSLContext:
    """A client's that wants a known authority; which names are right is for others to say."""
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


def server_tls(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A server's own, from PEM files.

    Raises:
        InputError: they cannot be used, or are no pair.

    """
    for file in filter(None, (certificate, key)):
        check_plain(file, "choose a PEM file")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as problem:
        raise InputError(
            f"{certificate} and its key cannot be used ({problem}); choose a pair of PEM files that this user may read"
        ) from None
    return context


def check_plain(path: Path, fix: str) -> None:
    """Nothing, or that a file is none to be opened by its name: whoever does would wait.

    Raises:
        InputError: it is there, and no plain file.

    """
    if why_not := why_not_plain(path):
        raise InputError(f"{path} {why_not}; {fix}")
