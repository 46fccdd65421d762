"""Asks for what a domain publishes of MTA-STS: the record by DNS, the policy by HTTPS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from postroad.dns import Resolver, resolve_a, resolve_aaaa, resolve_txt
from postroad.gather.https import Fetched
from postroad.tls import StsRecord, read_policy, read_records
from postroad.words.facts import Bogus, Found, HostFacts, Temporary
from postroad.words.names import AddressLiteral, Destination
from postroad.words.phrasebook import seconds
from postroad.words.policies import StsFault, StsKnown, StsPolicy, StsPublished
from postroad.words.tls import TlsFailure

BUDGET_S = 5.0  # that mail waits for a policy; without one it may go (RFC 8461 section 3.3)
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
        return StsFetched(None, told.faults, f"{where} is not a valid policy: {told.why_not}", TlsFailure.STS_INVALID)
    return StsFetched(told.policy, told.faults)


async def gather_sts(
    domain: str, resolver: Resolver, fetch_by: Fetch | None
) -> StsPublished | Temporary | Bogus | None:
    """What a domain publishes of MTA-STS now; None for nothing. `fetch_by` of None fetches no document."""
    record = await gather_sts_record(domain, resolver)
    if record is None or isinstance(record, Temporary | Bogus):
        return record
    published = StsPublished(record.text, record.id, record_faults=record.faults)
    if not record.is_usable:  # RFC 8461 section 3.1: then there is no policy
        return published
    where = policy_host(domain)
    host = HostFacts(*await asyncio.gather(resolve_a(resolver, where), resolve_aaaa(resolver, where)))
    if fetch_by is None:
        return replace(published, host=host)
    told = await gather_sts_policy(domain, resolver, fetch_by)
    return replace(
        published,
        policy=told.policy,
        policy_faults=told.faults,
        why_not=told.why_not,
        failure=told.failure,
        host=host,
    )


@dataclass(slots=True)
class PublishedPolicies:
    """The policies of domains as they are published now: for one look or one message, since nothing is kept.

    `seen` has what each domain published.
    """

    resolver: Resolver
    fetch_by: Fetch | None
    budget_s: float = BUDGET_S
    seen: dict[str, StsPublished | Temporary | Bogus | None] = field(default_factory=dict)

    async def known(self, destination: Destination) -> StsKnown:
        """The policy of a domain that holds now. What takes longer than the budget is none."""
        if isinstance(destination, AddressLiteral):
            return StsKnown(why="an address has no MTA-STS policy")
        try:
            async with asyncio.timeout(self.budget_s):
                self.seen[destination] = await gather_sts(destination, self.resolver, self.fetch_by)
        except TimeoutError:
            why = f"its policy was not found within {seconds(self.budget_s)}: mail goes as without one"
            return StsKnown(why=why, failure=TlsFailure.STS_FETCH)
        return _known(destination, self.seen[destination])


def _known(domain: str, published: StsPublished | Temporary | Bogus | None) -> StsKnown:
    match published:
        case None:
            return StsKnown(why=f"{domain} publishes no MTA-STS record")
        case Temporary() | Bogus():
            return StsKnown(why=f"the MTA-STS record of {domain} cannot be looked up: {published.why}")
        case StsPublished(policy=StsPolicy() as policy):
            return StsKnown(policy, published.id, time.time())
        case StsPublished(why_not="") if fault := next((one for one in published.record_faults if one.is_fatal), None):
            return StsKnown(why=f"the MTA-STS record of {domain} cannot be used: {fault}")
        case StsPublished(why_not=""):
            return StsKnown(why=f"{domain} announces an MTA-STS policy, which was not fetched")
    return StsKnown(why=f"{published.why_not}: mail goes as without a policy", failure=published.failure)
