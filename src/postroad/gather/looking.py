"""What a relay has kept of MTA-STS, beside what is published now: for a look, of which nothing is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from postroad.dns import Resolver
from postroad.gather.https import Fetched
from postroad.gather.policies import StsPolicies
from postroad.gather.sts import Fetch, PublishedPolicies, gather_sts_policy
from postroad.spool import Lesson
from postroad.tls import StsKept, read_kept
from postroad.words.names import Destination
from postroad.words.policies import StsKnown, StsPolicy
from postroad.words.tls import TlsFailure


def kept_policies(lessons: Iterable[Lesson]) -> Mapping[str, StsKept]:
    """The policies among what a relay has learned, by domain."""
    read = ((lesson.key, read_kept(lesson.text)) for lesson in lessons)
    return {domain: kept for domain, kept in read if kept}


@dataclass(frozen=True, slots=True)
class RelayPolicies:
    """The policies of domains as a relay knows them that has kept some: for one look.

    `policies` are those of the relay, `published` has what is found now. `refreshed` has what the relay will know after
    its next refresh of each domain, should that be something else. `why_not` says why it is not known what it has kept,
    `unheard` of each domain why nothing is known of the policy it publishes.
    """

    policies: StsPolicies
    published: PublishedPolicies
    kept: Mapping[str, StsKept]
    why_not: str = ""
    refreshed: dict[str, StsKnown] = field(default_factory=dict)
    unheard: dict[str, str] = field(default_factory=dict)

    async def known(self, destination: Destination) -> StsKnown:
        """The policy that the relay would apply to mail now."""
        seen, known = await self.published.known(destination), await self.policies.known(destination)
        if self.published.fetch_by is None and known.failure:  # that nothing was fetched is no fault of theirs
            known = replace(known, failure=None) if known.policy else seen
        elif seen.failure is TlsFailure.STS_FETCH:
            self.unheard[str(destination)] = seen.why.partition(": mail goes as")[0]
            return known  # whoever does not answer is not asked again for what the next refresh will find
        if isinstance(destination, str) and known.policy and known.policy.mode != "none":  # else it is left to end
            after = await self._after_refresh(destination)
            if after and after != known.policy:
                self.refreshed[destination] = replace(known, policy=after)
        return known

    async def _after_refresh(self, domain: str) -> StsPolicy | None:
        """The document as it is now, whatever the record in DNS says (RFC 8461 section 10.2)."""
        fetch_by = self.published.fetch_by
        return (await gather_sts_policy(domain, self.published.resolver, fetch_by)).policy if fetch_by else None


@dataclass(frozen=True, slots=True)
class RefreshedPolicies:
    """What a relay will know after its next refresh, where that is known; otherwise what it knows now."""

    now: Mapping[str, StsKnown]
    refreshed: Mapping[str, StsKnown]

    async def known(self, destination: Destination) -> StsKnown:
        """The policy of a domain."""
        domain = str(destination)
        return self.refreshed.get(domain) or self.now.get(domain) or StsKnown()


def fetched_once(fetch_by: Fetch) -> Fetch:
    """The same, which asks for each document once."""
    seen: dict[tuple[str, str], Fetched] = {}

    async def fetch(resolver: Resolver, host: str, path: str) -> Fetched:
        if (host, path) not in seen:
            seen[host, path] = await fetch_by(resolver, host, path)
        return seen[host, path]

    return fetch


async def not_fetched(_resolver: Resolver, _host: str, _path: str) -> Fetched:
    """What fetches nothing."""
    return Fetched(why_not="it was not fetched")
