"""What a domain publishes of TLS for those who send to it, as a simulation is to take it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.dns import Resolver, ZoneResolver
from postroad.gather import gather_dane, gather_sts
from postroad.words.facts import Bogus, Found, Temporary
from postroad.words.inputs import NotNowError
from postroad.words.names import AddressLiteral
from postroad.words.policies import Published, StsPolicy, StsPublished
from postroad.words.snapshot import Snapshot

if TYPE_CHECKING:
    from postroad.gather import Fetch

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class RecordTerms:
    """What belongs to the records of a domain: loopback addresses, and what it publishes of TLS.

    That is the MTA-STS policy of a file, or with `published` what the domain has now, of a web server at `https_port`
    that the authorities of a PEM file vouch for.
    """

    allow_loopback: bool = False
    sts_policy: Path | None = None
    published: bool = False
    authorities: Path | None = None
    https_port: int = HTTPS_PORT

    def of_zone(self) -> RecordTerms:
        """The same of a zone file, which publishes nothing."""
        return replace(self, published=False)


@dataclass(frozen=True, slots=True)
class PublishedTerms:
    """What is taken for published: the policy that is given, else whoever fetches the one there is."""

    policy: StsPolicy | None = None
    fetch_by: Fetch | None = None


def published_terms(terms: RecordTerms) -> PublishedTerms:
    """What the terms name.

    Raises:
        InputError: a file cannot be read or used.

    """
    if not (terms.sts_policy or terms.published):  # nothing of HTTPS is loaded
        return PublishedTerms()
    from postroad.build.documents import policy_fetch, sts_policy_in  # noqa: PLC0415  # as above

    return PublishedTerms(
        sts_policy_in(terms.sts_policy) if terms.sts_policy else None,
        policy_fetch(terms.authorities, port=terms.https_port, allow_loopback=terms.allow_loopback)
        if terms.published
        else None,
    )


async def published_by(snapshot: Snapshot, resolver: Resolver, terms: PublishedTerms) -> Published | None:
    """What a domain publishes: this policy, else the one it has if we ask; TLSA records of zone files, or if we ask.

    None: nothing that a sender would look at.

    Raises:
        NotNowError: the policy that the domain announces cannot be fetched now.

    """
    if isinstance(snapshot.domain, AddressLiteral):
        return None
    policy = terms.policy
    if policy is None and terms.fetch_by:
        policy = await _policy_of(snapshot.domain, resolver, terms.fetch_by)
    facts = await gather_dane(snapshot, resolver) if terms.fetch_by or isinstance(resolver, ZoneResolver) else {}
    dane = {name: each for name, each in facts.items() if isinstance(each.tlsa, Found | Temporary | Bogus)}
    return Published(policy, dane) if policy or dane else None


async def _policy_of(domain: str, resolver: Resolver, fetch_by: Fetch) -> StsPolicy | None:
    found = await gather_sts(domain, resolver, fetch_by)
    if isinstance(found, Temporary | Bogus):
        raise NotNowError(f"the MTA-STS record of {domain} cannot be looked up now: {found.why}")
    if isinstance(found, StsPublished) and found.why_not:
        raise NotNowError(f"{domain} announces an MTA-STS policy, but {found.why_not}; give it with --sts-policy")
    return found.policy if found else None
