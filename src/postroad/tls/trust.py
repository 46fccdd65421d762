"""Whether a chain of certificates proves a demand: pure, at a time that is given, whoever made the connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from postroad.tls.tlsa import END_ENTITY, TRUST_ANCHOR, matches
from postroad.words.facts import Tlsa
from postroad.words.names import cut, is_address_like
from postroad.words.tls import Authority, Demand, Miss, Proof, TlsFailure, TlsLevel

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from OpenSSL.crypto import X509Store

MOST_CERTIFICATES = 20  # chains have two to four
MOST_RECORDS = 50
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: a store keeps the first time it is given, so we look at ours


def _no_store() -> X509Store:
    from OpenSSL import crypto  # noqa: PLC0415  # 40 ms, for who meets a certificate that has to be proven

    return crypto.X509Store()


ENCRYPTED = Proof(TlsLevel.ENCRYPTED, "encrypted, but the certificate was not checked")


class Trust:
    """The authorities that are believed, read when they are first needed."""

    def __init__(self, load: Callable[[], X509Store]) -> None:
        self._load = load
        self._store: X509Store | None = None

    def __reduce__(self) -> tuple[type[Trust], tuple[Callable[[], X509Store]]]:
        """In another process they are read anew."""
        return Trust, (self._load,)

    @property
    def store(self) -> X509Store:
        """The authorities, as OpenSSL has them."""
        if self._store is None:
            self._store = self._load()
        return self._store


NOBODY = Trust(_no_store)
"""No authority at all."""


def judge(chain: Sequence[bytes], demand: Demand, exchange: str, trust: Trust, now: float) -> Proof:
    """What a connection proves whose host showed these certificates, its own first, in DER.

    A demand that only wants encryption is not judged any further; where a policy in mode testing watches, by that
    one's demand. `now` is epoch seconds. Whatever the certificates are, it raises nothing, and takes milliseconds.
    """
    asked = demand.watched if demand.watched and demand.level is not TlsLevel.PROVEN else demand
    if asked.level is not TlsLevel.PROVEN:
        return ENCRYPTED
    shown = tuple(islice(dict.fromkeys(chain), MOST_CERTIFICATES))
    try:
        missed = asked.missed or _why_not(shown, asked, exchange, trust, now)
    except Exception as odd:  # noqa: BLE001  # two libraries read what a stranger sends, and each has errors of its own
        missed = Miss(TlsFailure.NOT_TRUSTED, f"the certificate of {exchange} cannot be read ({cut(str(odd))})")
    if isinstance(missed, str):
        return Proof(TlsLevel.PROVEN, missed, asked.terms)
    return Proof(TlsLevel.ENCRYPTED, ENCRYPTED.how if asked.missed else missed.why, None, missed)


def why_untrusted(chain: Sequence[bytes], trust: Trust, now: float) -> str:
    """Why no authority vouches for these certificates, whatever names they are for; "" if one does."""
    try:
        broken = _broken(tuple(islice(dict.fromkeys(chain), MOST_CERTIFICATES)), trust.store, now)
    except Exception as odd:  # noqa: BLE001  # as in `judge`
        return f"it cannot be read ({cut(str(odd))})"
    return broken[1] if broken else ""


def _why_not(chain: Sequence[bytes], demand: Demand, exchange: str, trust: Trust, now: float) -> Miss | str:
    """What the certificates lack; or, as a text, how they prove it."""
    if not chain:
        return Miss(TlsFailure.VALIDATION, f"{exchange} shows no certificate")
    if demand.tlsa:
        return _by_tlsa(chain, demand, exchange, now)
    return _by_authorities(chain, demand, exchange, trust.store, now)


def _by_tlsa(chain: Sequence[bytes], demand: Demand, exchange: str, now: float) -> Miss | str:
    """By any association (RFC 7671 section 5): the key itself, without a look at names and dates, or a trust anchor."""
    records = demand.tlsa[:MOST_RECORDS]
    for record in records:
        if record.usage == END_ENTITY and matches(record, chain[0]):
            return f"TLSA {_kind(record)} matches the certificate"
    of_anchors = [record for record in records if record.usage == TRUST_ANCHOR]
    anchors = {each: record for each in chain for record in of_anchors if matches(record, each)}
    if not anchors:
        kinds = ", ".join(dict.fromkeys(map(_kind, records)))
        return Miss(TlsFailure.VALIDATION, f"TLSA {kinds} of {exchange} does not match its certificate")
    missed = _named(chain[0], demand, exchange) or _chained(chain, _anchored(anchors), exchange, now)
    return missed or f"TLSA {_kind(next(iter(anchors.values())))} matches a trust anchor of the certificate"


def _kind(record: Tlsa) -> str:
    return f"{record.usage} {record.selector} {record.matching}"


def _anchored(anchors: Iterable[bytes]) -> X509Store:
    """Where a chain may end that a trust anchor vouches for (RFC 7671 section 5.2): it need not be self-signed."""
    from OpenSSL import crypto  # noqa: PLC0415  # as above

    store = _no_store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for anchor in anchors:
        store.add_cert(crypto.X509.from_cryptography(_read(anchor)))
    return store


def _by_authorities(chain: Sequence[bytes], demand: Demand, exchange: str, store: X509Store, now: float) -> Miss | str:
    missed = _chained(chain, store, exchange, now) or _named(chain[0], demand, exchange)
    return missed or f"the certificate is valid for {' or '.join(demand.names)}"


def _chained(chain: Sequence[bytes], store: X509Store, exchange: str, now: float) -> Miss | None:
    """Whether an authority vouches for the certificate now."""
    broken = _broken(chain, store, now)
    return Miss(broken[0], f"the certificate of {exchange} is not trusted: {broken[1]}") if broken else None


def _broken(chain: Sequence[bytes], store: X509Store, now: float) -> tuple[TlsFailure, str] | None:
    """Where the way from the certificate to an authority breaks off, if it does."""
    from OpenSSL import crypto  # noqa: PLC0415  # as above

    try:
        leaf, *others = (crypto.X509.from_cryptography(_read(each)) for each in chain)
        store.set_flags(_NO_CHECK_TIME)
        verified = crypto.X509StoreContext(store, leaf, others).get_verified_chain()
    except crypto.X509StoreContextError as problem:
        return TlsFailure.NOT_TRUSTED, str(problem.errors[2])
    found = [each.to_cryptography() for each in verified]
    for certificate in found:
        if why := _why_not_now(certificate, now):
            return TlsFailure.EXPIRED, why
        if why := _why_too_weak(certificate):
            return TlsFailure.NOT_TRUSTED, why
    is_meant = all(map(_is_for_servers, found[:-1] or found))  # what an authority is for is not for it to say
    return None if is_meant else (TlsFailure.NOT_TRUSTED, "one of the chain is not for TLS servers")


def _why_too_weak(certificate: Certificate) -> str:
    """Why a key gives less than 112 bits of security, as OpenSSL of Debian asks (its level 2); "" if it does not."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa  # noqa: PLC0415  # as above

    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey) and key.key_size < 2048:
        return f"one of the chain has a key of {key.key_size} bits, and 2048 are needed"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < 224:
        return f"one of the chain has a key of {key.key_size} bits, and 224 are needed"
    return ""


def _is_for_servers(certificate: Certificate) -> bool:
    """Whether it is for TLS servers, or does not say what it is for (RFC 5280 section 4.2.1.12)."""
    from cryptography import x509  # noqa: PLC0415  # as above

    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    kinds = x509.ExtendedKeyUsageOID
    return kinds.SERVER_AUTH in uses or kinds.ANY_EXTENDED_KEY_USAGE in uses


def _why_not_now(certificate: Certificate, now: float) -> str:
    """Why a certificate of the chain is not good at a time, epoch seconds; "" if it is."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins.timestamp():
        return f"one of the chain is not valid before {begins:%Y-%m-%d}"
    return f"one of the chain expired on {ends:%Y-%m-%d}" if now > ends.timestamp() else ""


def _named(leaf: bytes, demand: Demand, exchange: str) -> Miss | None:
    """Whether the certificate is for one of the names."""
    found = _names_of(_read(leaf), takes_common_name=demand.by is not Authority.MTA_STS)
    if any(_is_for(pattern, name) for pattern in found for name in demand.names):
        return None
    named, asked = ", ".join(found[:5]) or "no name", " or ".join(demand.names)
    return Miss(TlsFailure.HOST_MISMATCH, f"the certificate of {exchange} is for {named}, not for {asked}")


def _is_for(pattern: str, name: str) -> bool:
    """Whether a name of a certificate is the one asked for: `*` is a whole left-most label (RFC 6125 section 6.4.3)."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern.startswith("*.") and not is_address_like(name):
        label, _, parent = name.partition(".")
        return bool(label) and parent == pattern[2:] and "." in parent
    return pattern == name


def _names_of(certificate: Certificate, *, takes_common_name: bool) -> tuple[str, ...]:
    """Its DNS names and addresses; where it has neither, the common name (RFC 7672 section 3.2.3; not RFC 8461)."""
    from cryptography import x509  # noqa: PLC0415  # as above

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = x509.SubjectAlternativeName([])
    names: Iterable[str] = (
        *found.get_values_for_type(x509.DNSName),
        *map(str, found.get_values_for_type(x509.IPAddress)),
    )
    if not tuple(names) and takes_common_name:
        names = (str(each.value) for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME))
    return tuple(names)


def _read(der: bytes) -> Certificate:
    from cryptography import x509  # noqa: PLC0415  # as above

    return x509.load_der_x509_certificate(der)
