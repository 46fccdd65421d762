"""TLS as exchangers offer it. It is their own affair while TLS is opportunistic, and loses mail once it is demanded."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.checks.dane import is_signed
from postroad.checks.nouns import Certificate, Check, Evidence, Finding, Need, Rule, Severity, Source, Topic
from postroad.checks.sessions import Session, heard, sessions
from postroad.checks.sts import covers, is_enforced

SOON_S = 14 * 86_400
_DAY_S = 86_400
_OLD = ("SSLv", "TLSv1 ", "TLSv1.0", "TLSv1.1")


def _is_demanded(evidence: Evidence, session: Session) -> bool:
    """Whether some senders deliver to this exchanger under TLS or not at all."""
    return is_enforced(evidence) or is_signed(evidence, session.place.exchange)


def tls_not_offered(evidence: Evidence) -> Iterator[Finding]:
    """A server does not offer TLS."""
    for session in heard(evidence):
        if "STARTTLS" not in session.offers:
            severity = Severity.ERROR if _is_demanded(evidence, session) else Severity.NOTE
            yield Finding("tls-not-offered", severity, session.place, f"{session.words} does not offer STARTTLS")


def tls_broken(evidence: Evidence) -> Iterator[Finding]:
    """A server offers TLS, and it fails."""
    for session in sessions(evidence):
        probe = session.probe
        if not probe.tls and (probe.phase == "starttls" or (probe.ok and "STARTTLS" in session.offers)):
            severity = Severity.ERROR if _is_demanded(evidence, session) else Severity.WARNING
            seen = f"{session.words} offers STARTTLS, and it fails: {probe.why}"
            yield Finding("tls-broken", severity, session.place, seen)


def tls_old(evidence: Evidence) -> Iterator[Finding]:
    """A server speaks no TLS later than 1.1."""
    for session in sessions(evidence):
        if session.probe.tls and f"{session.probe.tls} ".startswith(_OLD):
            severity = Severity.ERROR if _is_demanded(evidence, session) else Severity.NOTE
            seen = f"{session.words} speaks {session.probe.tls.split()[0]}, and nothing later"
            yield Finding("tls-old", severity, session.place, seen)


def _shown(evidence: Evidence) -> Iterator[tuple[Session, Certificate]]:
    for session in sessions(evidence):
        if session.probe.certificate:
            yield session, session.probe.certificate


def _graded(evidence: Evidence) -> Severity:
    return Severity.ERROR if is_enforced(evidence) else Severity.INFO


def _has_ended(certificate: Certificate, now: float) -> bool:
    return 0 < certificate.ends_at <= now


def certificate_expired(evidence: Evidence) -> Iterator[Finding]:
    """A certificate has expired."""
    for session, certificate in _shown(evidence):
        if _has_ended(certificate, evidence.now):
            days = (evidence.now - certificate.ends_at) / _DAY_S
            seen = f"the certificate of {session.words} expired {days:.0f} days ago"
            yield Finding("certificate-expired", _graded(evidence), session.place, seen)


def certificate_expires_soon(evidence: Evidence) -> Iterator[Finding]:
    """A certificate expires within two weeks."""
    for session, certificate in _shown(evidence):
        left_s = certificate.ends_at - evidence.now
        if 0 < left_s < SOON_S:
            severity = Severity.WARNING if is_enforced(evidence) else Severity.INFO
            seen = f"the certificate of {session.words} expires in {left_s / _DAY_S:.0f} days"
            yield Finding("certificate-expires-soon", severity, session.place, seen)


def certificate_untrusted(evidence: Evidence) -> Iterator[Finding]:
    """No known authority vouches for a certificate."""
    for session, certificate in _shown(evidence):
        if not certificate.is_trusted and not _has_ended(certificate, evidence.now):
            seen = f"no known authority vouches for the certificate of {session.words}: {certificate.why_not}"
            yield Finding("certificate-untrusted", _graded(evidence), session.place, seen)


def certificate_name(evidence: Evidence) -> Iterator[Finding]:
    """A certificate is for other names than the exchanger's."""
    for session, certificate in _shown(evidence):
        name = str(session.place.exchange)
        if certificate.names and not any(covers(each, name) for each in certificate.names):
            seen = f"the certificate of {session.words} is for {', '.join(certificate.names[:5])}"
            yield Finding("certificate-name", _graded(evidence), session.place, seen)


def _rule(check: Check, name: str, severity: Severity, title: str, why: str, *sources: Source) -> Rule:
    return Rule(name, severity, Topic.POLICY, title, why, sources, check, frozenset({Need.PROBE}))


_ENFORCED = "Under MTA-STS in mode enforce senders must not deliver to it then; others take no notice. "

RULES: tuple[Rule, ...] = (
    _rule(
        tls_not_offered,
        "tls-not-offered",
        Severity.NOTE,
        "A server does not offer TLS",
        "Mail reaches it in the clear. Where a policy or signed TLSA records demand TLS it does not reach it at all.",
        Source("RFC 3207", "4", is_checked=False),
        Source("RFC 8461", "5"),
    ),
    _rule(
        tls_broken,
        "tls-broken",
        Severity.WARNING,
        "A server offers TLS, and it fails",
        "Some senders try again in the clear, others defer the message time after time.",
        Source("RFC 3207", "4.1", is_checked=False),
        Source("RFC 8461", "5"),
    ),
    _rule(
        tls_old,
        "tls-old",
        Severity.NOTE,
        "A server speaks no TLS later than 1.1",
        "Libraries of today refuse it, and the mail goes in the clear or not at all.",
        Source("RFC 8996"),
        Source("RFC 8461", "7.2"),
    ),
    _rule(
        certificate_expired,
        "certificate-expired",
        Severity.INFO,
        "A certificate has expired",
        _ENFORCED + "It mostly means that its renewal stopped, or that the server was not told to load the new one.",
        Source("RFC 8461", "4.2"),
    ),
    _rule(
        certificate_expires_soon,
        "certificate-expires-soon",
        Severity.INFO,
        "A certificate expires within two weeks",
        "Renewals run weeks before the end: this one has failed, or the server has not loaded it.",
        Source("RFC 8461", "4.2"),
    ),
    _rule(
        certificate_untrusted,
        "certificate-untrusted",
        Severity.INFO,
        "No known authority vouches for a certificate",
        _ENFORCED + "With TLSA records of usage 3 it is as it should be.",
        Source("RFC 8461", "4.2"),
    ),
    _rule(
        certificate_name,
        "certificate-name",
        Severity.INFO,
        "A certificate is for other names than the exchanger's",
        _ENFORCED + "The name that counts is that of the MX record.",
        Source("RFC 8461", "4.2"),
    ),
)
