"""The DKIM key of the benchmark's mail, and whether messages are signed with it; dkimpy judges, whoever signed."""

import base64
import re
from functools import partial
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

DOMAIN = "client.test.example"  # of the From that smtp-source writes
SELECTOR = "bench"
BITS = 2048
FIELD = re.compile(rb"^DKIM-Signature:", re.IGNORECASE | re.MULTILINE)


def keys(directory: Path) -> Path:
    """The folder of keys as Postroad reads it; it is made if it is not there."""
    path = _path(directory)
    if not path.exists():
        path.parent.mkdir(parents=True)
        path.touch(mode=0o600)
        path.write_bytes(
            rsa.generate_private_key(65537, BITS).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return path.parents[1]


def private(directory: Path) -> str:
    """The one key in it, in PEM."""
    keys(directory)
    return _path(directory).read_text()


def unlike(messages: list[bytes], directory: Path, *, signed: bool) -> int:
    """How many of them are not as they should be: one valid signature with that key, or none at all."""
    answer = partial(_answer, _record(private(directory)))
    return sum(_signatures(message, answer) != int(signed) for message in messages)


def _signatures(message, answer):
    """How many it has; -1 if one of them is not valid."""
    count = len(FIELD.findall(message.partition(b"\r\n\r\n")[0]))
    try:
        verifier = dkim.DKIM(message, minkey=BITS)
        return count if all(verifier.verify(idx=each, dnsfunc=answer) for each in range(count)) else -1
    except dkim.DKIMException:
        return -1


def _path(directory):
    return directory / "dkim" / DOMAIN / f"{SELECTOR}.pem"


def _record(pem):
    public = serialization.load_pem_private_key(pem.encode(), None).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def _answer(record, name, timeout=5):  # noqa: ARG001  # as dkimpy calls it
    return record if name == f"{SELECTOR}._domainkey.{DOMAIN}.".encode() else b""
