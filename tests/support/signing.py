"""Keys for tests of signatures, and what a verifier says."""

from functools import cache
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from postroad.sign import SigningPolicy, read_key

DOMAIN = "example.com"
KEYS = Path(__file__).with_name("keys")


@cache
def rsa_pem(bits=1024, turn=0):
    """An RSA key, always the same, for to make one takes as long as many tests; a small one is quicker, too."""
    return (KEYS / f"rsa-{bits}-{turn}.pem").read_bytes()


@cache
def rsa_key(bits=1024):
    """The same, read: to look whether it is one takes half as long as to make it."""
    return serialization.load_pem_private_key(rsa_pem(bits), None, unsafe_skip_rsa_key_validation=True)


@cache
def ed25519_pem(turn=0):
    """An Ed25519 key, always the same."""
    return pem(ed25519.Ed25519PrivateKey.from_private_bytes(bytes([turn + 1]) * 32))


def pem(private):
    """A private key as a file has it."""
    plain = serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


@cache
def key(selector="s1", domain=DOMAIN, octets=None):
    """A key as it was read."""
    return read_key(octets or rsa_pem(), domain, selector)


def policy(*keys, **how):
    """How we sign with these."""
    by_domain = {}
    for each in keys or (key(),):
        by_domain.setdefault(each.domain, []).append(each)
    return SigningPolicy({domain: tuple(some) for domain, some in by_domain.items()}, **how)


def record(signing):
    """The record of a key, as DNS has it."""
    from base64 import b64encode

    public = signing.private.public_key()
    if signing.bits:
        form, kind = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo), "rsa"
    else:
        form, kind = (serialization.Encoding.Raw, serialization.PublicFormat.Raw), "ed25519"
    return b"v=DKIM1; k=%b; p=%b" % (kind.encode(), b64encode(public.public_bytes(*form)))


def verdicts(message, *keys):
    """What dkimpy says of each signature of a message, from the top down; one that it cannot read is none."""
    records = {f"{each.name}.".encode(): record(each) for each in keys}
    verifier = dkim.DKIM(message, minkey=1024)
    count = sum(name.lower() == b"dkim-signature" for name, _ in verifier.headers)
    return [_holds(verifier, place, records) for place in range(count)]


def _holds(verifier, place, records):
    try:
        return verifier.verify(place, dnsfunc=lambda name, **_: records.get(name))
    except dkim.DKIMException:
        return False
