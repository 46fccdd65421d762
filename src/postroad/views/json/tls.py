"""What TLS has to prove, and proved, as JSON."""

from __future__ import annotations

from typing import TypedDict

from postroad.words.policies import StsPolicy
from postroad.words.tls import Demand, Miss, Proof


class MissJson(TypedDict):
    """A demand that is not met: its kind as RFC 8460 section 4.3 names it, why, and the enhanced status."""

    failure: str
    why: str
    status: str


class DemandJson(TypedDict):
    """What a connection to an exchanger has to be. `testing`: a miss is only reported.

    `vouched`: DNSSEC, an enforced MTA-STS policy or the settings say that mail for the domain goes there.
    """

    level: str
    by: str
    why: str
    names: list[str]
    tlsa: list[str]
    server_name: str
    testing: bool
    vouched: bool
    missed: MissJson | None


class ProofJson(TypedDict):
    """What a connection was shown to be."""

    level: str
    how: str
    missed: MissJson | None


class StsPolicyJson(TypedDict):
    """An MTA-STS policy."""

    mode: str
    mx: list[str]
    max_age_s: int


def sts_policy_shape(policy: StsPolicy) -> StsPolicyJson:
    """A policy."""
    return {"mode": policy.mode, "mx": list(policy.mx), "max_age_s": policy.max_age_s}


def demand_shape(demand: Demand) -> DemandJson:
    """A demand; of a policy in mode testing, what it would demand."""
    asked = demand.watched or demand
    return {
        "level": asked.level.name.lower(),
        "by": asked.by.value,
        "why": demand.why,
        "names": list(asked.names),
        "tlsa": list(map(str, asked.tlsa)),
        "server_name": asked.server_name,
        "testing": demand.watched is not None,
        "vouched": demand.is_vouched,
        "missed": _miss(asked.missed),
    }


def proof_shape(proof: Proof) -> ProofJson:
    """A proof."""
    return {"level": proof.level.name.lower(), "how": proof.how, "missed": _miss(proof.miss)}


def _miss(miss: Miss | None) -> MissJson | None:
    return {"failure": miss.failure.value, "why": miss.why, "status": miss.status} if miss else None
