"""Certificates made as they are needed: authorities, and what they vouch for."""

from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto

from postroad.tls import Trust
from postroad.words.facts import Tlsa

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The time at which all of them are good, unless they are made otherwise."""


class Issued:
    """A certificate with its key, and the chain that a server would show with it."""

    def __init__(self, certificate, key, above=()):
        self.certificate = certificate
        self.key = key
        self.chain = (self.der, *above)

    @property
    def der(self):
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def spki(self):
        """Its key, as TLSA selector 1 has it."""
        key = self.key.public_key()
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def tlsa(self, usage=3, selector=1, matching=1):
        """The association that it matches."""
        hashed = hashes.Hash(hashes.SHA256() if matching == 1 else hashes.SHA512())
        data = self.spki if selector else self.der
        hashed.update(data)
        return Tlsa(usage, selector, matching, hashed.finalize() if matching else data)

    def pem(self, folder, name="server"):
        """Its chain and its key as files for a server."""
        chain = b"".join(
            x509.load_der_x509_certificate(each).public_bytes(serialization.Encoding.PEM) for each in self.chain
        )
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        files = folder / f"{name}.pem", folder / f"{name}.key"
        for file, octets in zip(files, (chain, key), strict=True):
            file.write_bytes(octets)
        return files


def _usual_key():
    return ec.generate_private_key(ec.SECP256R1())


@cache
def issue(
    *names, by=None, days=(-30, 30), is_authority=False, common_name="", extensions=(), kind=None
):  # all a certificate may be
    """A certificate for these names; by another one, or signed by itself."""
    key = (kind or _usual_key)()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name or (names or ("authority",))[0])])
    begins, ends = (NOON + timedelta(days=each) for each in days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        every = [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(every), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    signed = builder.sign(by.key if by else key, hashes.SHA256())
    return Issued(signed, key, by.chain if by else ())


def trusting(*authorities):
    """Trust in these alone."""

    def load():
        store = crypto.X509Store()
        for each in authorities:
            store.add_cert(crypto.X509.from_cryptography(each.certificate))
        return store

    return Trust(load)
