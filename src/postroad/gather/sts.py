"""Asks for what a domain publishes of MTA-STS: the record by DNS, the policy by HTTPS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from postroad.dns import Resolver, resolve_txt
from postroad.gather.https import Fetched
from postroad.tls import StsRecord, read_policy, read_records
from postroad.words.facts import Bogus, Found, Temporary
from postroad.words.policies import StsFault, StsPolicy
from postroad.words.tls import TlsFailure

POLICY_PATH = "/.well-known/mta-sts.txt"

Fetch = Callable[[Resolver, str, str], Awaitable[Fetched]]
"""The document at (host, path) by HTTPS, the host's addresses asked of the resolver. Raises nothing."""


@dataclass(frozen=True, slots=True)
class StsFetched:
    """The policy of a domain as fetched, its faults; or why there is none, with the kind that reports name."""

    policy: StsPolicy | None = None
    faults: tuple[StsFault, ...] = ()
    why_not: str = ""
    failure: TlsFailure | None = None


def policy_host(domain: str) -> str:
    """The host that has the policy of a domain (RFC 8461 section 3.2)."""
    return f"mta-sts.{domain}"


async def gather_sts_record(domain: str, resolver: Resolver) -> StsRecord | Temporary | Bogus | None:
    """The MTA-STS record of a domain, usable or not; None if it has none. Never that of a parent (section 3.4)."""
    answer = await resolve_txt(resolver, f"_mta-sts.{domain}")
    if isinstance(answer, Temporary | Bogus):
        return answer
    return read_records(answer.records) if isinstance(answer, Found) else None


async def gather_sts_policy(domain: str, resolver: Resolver, fetch_by: Fetch) -> StsFetched:
    """The policy of a domain, fetched now.

    What is not text/plain is refused, as RFC 8461 section 3.2 recommends: elsewhere strangers may have put it there.
    """
    host = policy_host(domain)
    document = await fetch_by(resolver, host, POLICY_PATH)
    if document.why_not:
        failure = TlsFailure.STS_WEBPKI if document.is_untrusted else TlsFailure.STS_FETCH
        return StsFetched(why_not=document.why_not, failure=failure)
    where = f"https://{host}{POLICY_PATH}"
    if document.media_type != "text/plain":
        what = f"has the media type {document.media_type}" if document.media_type else "has no media type"
        return StsFetched(why_not=f"{where} {what}, not text/plain", failure=TlsFailure.STS_INVALID)
    told = read_policy(document.octets)
    if told.policy is None:
        return StsFetched(None, told.faults, f"{where} is no valid policy: {told.why_not}", TlsFailure.STS_INVALID)
    return StsFetched(told.policy, told.faults)
