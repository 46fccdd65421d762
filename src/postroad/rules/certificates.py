"""TLS as exchangers offer it. Faults do no harm while TLS is opportunistic, and lose mail once it is required."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.rules import limits
from postroad.rules.dane import is_signed
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity
from postroad.rules.rule import Need, Topic, rule
from postroad.rules.sessions import SERVER, ProbedAddress, heard, sessions
from postroad.rules.sts import is_enforced
from postroad.tls import covers
from postroad.words.phrasebook import duration
from postroad.words.sessions import Certificate

_ENFORCED = "Under MTA-STS in enforce mode senders must not deliver to this server; other senders do not care. "
_OLD = ("SSLv", "TLSv1 ", "TLSv1.0", "TLSv1.1")


def _is_demanded(evidence: Evidence, session: ProbedAddress) -> bool:
    """Whether some senders deliver to this exchanger under TLS or not at all."""
    return is_enforced(evidence) or is_signed(evidence, session.place.exchange)


@rule(
    "tls-not-offered",
    Severity.NOTE,
    Topic.POLICY,
    "A server does not offer TLS",
    why="Mail reaches it unencrypted. If a policy or signed TLSA records require TLS, mail does not reach it at all.",
    source="RFC 3207 4; RFC 8461 5",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def tls_not_offered(evidence: Evidence) -> Iterator[Seen]:
    for session in heard(evidence):
        if "STARTTLS" not in session.offers:
            severity = Severity.ERROR if _is_demanded(evidence, session) else Severity.NOTE
            yield Seen(session.place, f"{session.words} does not offer STARTTLS", severity=severity)


@rule(
    "tls-broken",
    Severity.WARNING,
    Topic.POLICY,
    "A server offers TLS, but the handshake fails",
    why="Some senders retry without encryption, others defer the message again and again.",
    source="RFC 3207 4.1; RFC 8461 5",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def tls_broken(evidence: Evidence) -> Iterator[Seen]:
    for session in sessions(evidence):
        probe = session.probe
        if not probe.tls and (probe.phase == "starttls" or (probe.ok and "STARTTLS" in session.offers)):
            severity = Severity.ERROR if _is_demanded(evidence, session) else Severity.WARNING
            seen = f"{session.words} offers STARTTLS, but the handshake fails: {probe.why}"
            yield Seen(session.place, seen, severity=severity)


@rule(
    "tls-old",
    Severity.NOTE,
    Topic.POLICY,
    "A server supports no TLS version above 1.1",
    why="Current TLS libraries refuse it, so mail goes unencrypted or not at all.",
    source="RFC 8996; RFC 8461 7.2",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def tls_old(evidence: Evidence) -> Iterator[Seen]:
    for session in sessions(evidence):
        if session.probe.tls and f"{session.probe.tls} ".startswith(_OLD):
            severity = Severity.ERROR if _is_demanded(evidence, session) else Severity.NOTE
            seen = f"{session.words} supports nothing later than {session.probe.tls.split()[0]}"
            yield Seen(session.place, seen, severity=severity)


def _shown(evidence: Evidence) -> Iterator[tuple[ProbedAddress, Certificate]]:
    for session in sessions(evidence):
        if session.probe.certificate:
            yield session, session.probe.certificate


def _graded(evidence: Evidence) -> Severity:
    return Severity.ERROR if is_enforced(evidence) else Severity.INFO


def _has_ended(certificate: Certificate, now: float) -> bool:
    return 0 < certificate.ends_at <= now


@rule(
    "certificate-expired",
    Severity.INFO,
    Topic.POLICY,
    "A certificate has expired",
    why=_ENFORCED + "Usually the renewal has stopped working, or the server has not loaded the new certificate.",
    source="RFC 8461 4.2",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def certificate_expired(evidence: Evidence) -> Iterator[Seen]:
    for session, certificate in _shown(evidence):
        if _has_ended(certificate, evidence.now):
            seen = f"the certificate of {session.words} expired {duration(evidence.now - certificate.ends_at)} ago"
            yield Seen(session.place, seen, severity=_graded(evidence))


@rule(
    "certificate-expires-soon",
    Severity.INFO,
    Topic.POLICY,
    "A certificate expires within two weeks",
    why="Renewals normally run weeks before expiry: this one has failed, or the server has not loaded it.",
    source="RFC 8461 4.2",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def certificate_expires_soon(evidence: Evidence) -> Iterator[Seen]:
    for session, certificate in _shown(evidence):
        left_s = certificate.ends_at - evidence.now
        if 0 < left_s < limits.CERTIFICATE_S:
            severity = Severity.WARNING if is_enforced(evidence) else Severity.INFO
            seen = f"the certificate of {session.words} expires in {duration(left_s)}"
            yield Seen(session.place, seen, severity=severity)


@rule(
    "certificate-untrusted",
    Severity.INFO,
    Topic.POLICY,
    "A certificate is not signed by a known authority",
    why=_ENFORCED + "With TLSA records of usage 3 this is normal.",
    source="RFC 8461 4.2",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def certificate_untrusted(evidence: Evidence) -> Iterator[Seen]:
    for session, certificate in _shown(evidence):
        if not certificate.is_trusted and not _has_ended(certificate, evidence.now):
            seen = f"the certificate of {session.words} is not signed by a known authority: {certificate.why_not}"
            yield Seen(session.place, seen, severity=_graded(evidence))


@rule(
    "certificate-name",
    Severity.INFO,
    Topic.POLICY,
    "A certificate does not cover the exchanger's name",
    why=_ENFORCED + "The name that counts is the one in the MX record.",
    source="RFC 8461 4.2",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def certificate_name(evidence: Evidence) -> Iterator[Seen]:
    for session, certificate in _shown(evidence):
        name = str(session.place.exchange)
        if certificate.names and not any(covers(each, name) for each in certificate.names):
            seen = f"the certificate of {session.words} is for {', '.join(certificate.names[:5])}"
            yield Seen(session.place, seen, severity=_graded(evidence))
