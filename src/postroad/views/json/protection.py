"""What protects mail to a domain, as JSON."""

from __future__ import annotations

from typing import TypedDict

from postroad.examine import AddressSeen, ExchangerSeen, PolicySeen, Protection, TlsaSeen
from postroad.routing import Refusal
from postroad.tls import StsKept
from postroad.views.json.dropped import DroppedJson, dropped_shape
from postroad.views.json.lookup import AnswerJson, facts_of
from postroad.views.json.shape import VERSION
from postroad.views.json.tls import (
    DemandJson,
    ProofJson,
    StsPolicyJson,
    demand_shape,
    proof_shape,
    sts_policy_shape,
)
from postroad.words.policies import StsFault, StsPublished
from postroad.words.sessions import Certificate


class CertificateJson(TypedDict):
    """The certificate of a host; `trusted`: an authority that counts here vouches for it, whatever its names are."""

    names: list[str]
    expires_at: float
    issuer: str
    trusted: bool
    why_not: str | None


class TlsAddressJson(TypedDict):
    """An address, what it showed, and what would happen to mail there."""

    address: str
    authentic: bool
    mail: str
    why: str
    tls: str | None
    proof: ProofJson | None
    certificate: CertificateJson | None


class TlsaJson(TypedDict):
    """A TLSA record, whether it counts, and whether it matches what each address shows now."""

    record: str
    counts: bool
    why_not: str | None
    matches: list[str]
    differs: list[str]


class TlsExchangerJson(TypedDict):
    """An exchanger: what it has to prove, on which grounds, and what would happen to mail at each address.

    `refreshed` is what it has to prove after the next refresh of the relay's policy, if that is something else.
    """

    name: str
    preference: int
    mail: str
    demand: DemandJson
    refreshed: DemandJson | None
    tlsa_base: str | None
    tlsa_answer: AnswerJson
    tlsa: list[TlsaJson]
    addresses: list[TlsAddressJson]


class StsFaultJson(TypedDict):
    """What is wrong with an MTA-STS record or policy; `line` 0 is the record."""

    kind: str
    line: int
    fatal: bool
    text: str


class StsKeptJson(TypedDict):
    """What the relay of the settings has kept of a policy: under which id, and from when to when it holds."""

    id: str
    policy: StsPolicyJson
    fetched_at: float
    ends_at: float


class StsJson(TypedDict):
    """The MTA-STS policy of a domain that counts, and what is published; `why` if there is none.

    `kept` is what the relay of the settings has kept, `refreshed` the policy that its next refresh puts in its place,
    `unheard` why nothing is known of the policy that is published.
    """

    domain: str
    mode: str | None
    id: str | None
    mx: list[str]
    max_age_s: int | None
    age_s: float | None
    why: str | None
    failure: str | None
    record: str | None
    published_id: str | None
    kept: StsKeptJson | None
    refreshed: StsPolicyJson | None
    unheard: str | None
    faults: list[StsFaultJson]


class TlsJson(TypedDict):
    """`postroad tls --json`."""

    version: int
    domain: str
    verdict: str
    findings: bool
    conclusive: bool
    status: str
    text: str | None
    mx_authentic: bool
    mode: str
    dane_off: str | None
    kept_unknown: str | None
    sts: list[StsJson]
    exchangers: list[TlsExchangerJson]
    dropped: list[DroppedJson]


def protection_shape(seen: Protection) -> TlsJson:
    """`postroad tls --json`."""
    return {
        "version": VERSION,
        "domain": str(seen.destination),
        "verdict": seen.verdict.value,
        "findings": seen.has_findings,
        "conclusive": seen.is_conclusive,
        "status": seen.answer.status.value,
        "text": seen.answer.text if isinstance(seen.answer, Refusal) else None,
        "mx_authentic": seen.is_mx_secure,
        "mode": seen.override.mode.value,
        "dane_off": seen.dane_off or None,
        "kept_unknown": seen.kept_unknown or None,
        "sts": [_sts(each, seen.at) for each in seen.policies],
        "exchangers": [_exchanger(each) for each in seen.exchangers],
        "dropped": [dropped_shape(drop) for drop in seen.answer.dropped],
    }


def _sts(seen: PolicySeen, at: float) -> StsJson:
    known = seen.known
    published = seen.published if isinstance(seen.published, StsPublished) else StsPublished("")
    return {
        "domain": seen.domain,
        "mode": known.policy.mode if known.policy else None,
        "id": known.id or None,
        "mx": list(known.policy.mx) if known.policy else [],
        "max_age_s": known.policy.max_age_s if known.policy else None,
        "age_s": max(at - known.fetched_at, 0.0) if known.fetched_at is not None else None,
        "why": known.why or None,
        "failure": known.failure.value if known.failure else None,
        "record": published.record or None,
        "published_id": published.id or None,
        "kept": _kept(seen.kept) if seen.kept else None,
        "refreshed": sts_policy_shape(seen.refreshed) if seen.refreshed else None,
        "unheard": seen.unheard or None,
        "faults": [_fault(each) for each in (*published.record_faults, *published.policy_faults)],
    }


def _kept(kept: StsKept) -> StsKeptJson:
    return {
        "id": kept.id,
        "policy": sts_policy_shape(kept.policy),
        "fetched_at": kept.fetched_at,
        "ends_at": kept.ends_at,
    }


def _fault(fault: StsFault) -> StsFaultJson:
    return {"kind": fault.kind.value, "line": fault.line, "fatal": fault.is_fatal, "text": fault.why}


def _exchanger(each: ExchangerSeen) -> TlsExchangerJson:
    return {
        "name": each.name,
        "preference": each.preference,
        "mail": each.result.value,
        "demand": demand_shape(each.demand),
        "refreshed": demand_shape(each.refreshed) if each.refreshed else None,
        "tlsa_base": each.dane.base or None,
        "tlsa_answer": facts_of(each.dane.tlsa),
        "tlsa": [_tlsa(record) for record in each.tlsa],
        "addresses": [_address(seen) for seen in each.addresses],
    }


def _tlsa(seen: TlsaSeen) -> TlsaJson:
    return {
        "record": str(seen.record),
        "counts": not seen.why_not,
        "why_not": seen.why_not or None,
        "matches": list(map(str, seen.matches)),
        "differs": list(map(str, seen.differs)),
    }


def _address(seen: AddressSeen) -> TlsAddressJson:
    return {
        "address": str(seen.address),
        "authentic": seen.is_secure,
        "mail": seen.result.value,
        "why": seen.why,
        "tls": seen.tls,
        "proof": proof_shape(seen.proof) if seen.proof else None,
        "certificate": _certificate(seen.certificate) if seen.certificate else None,
    }


def _certificate(certificate: Certificate) -> CertificateJson:
    return {
        "names": list(certificate.names),
        "expires_at": certificate.ends_at,
        "issuer": certificate.issuer,
        "trusted": certificate.is_trusted,
        "why_not": certificate.why_not or None,
    }
