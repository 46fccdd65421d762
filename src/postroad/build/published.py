"""What a domain publishes of TLS for those who send to it, as a simulation is to take it."""

from __future__ import annotations

from pathlib import Path

from postroad.build.contexts import verified_tls
from postroad.dns import Resolver, ZoneResolver
from postroad.files import read_octets
from postroad.gather import (
    Fetched,
    HttpsSettings,
    fetch,
    gather_dane,
    gather_sts_policy,
    gather_sts_record,
)
from postroad.tls import StsRecord, read_policy
from postroad.words.facts import Bogus, Found, Snapshot, Temporary
from postroad.words.inputs import InputError, NotNowError
from postroad.words.names import AddressLiteral, Unreadable
from postroad.words.policies import Published, StsPolicy

MOST = 64 * 1024  # octets, RFC 8461 section 3.3


def sts_policy_in(file: Path) -> StsPolicy:
    """The MTA-STS policy of a file.

    Raises:
        InputError: it cannot be read, or is no policy that a sender would use.

    """
    octets = read_octets(file, MOST)
    if isinstance(octets, Unreadable):
        raise InputError(f"{file}: {octets.why}; give the MTA-STS policy as mta-sts.DOMAIN has it")
    told = read_policy(octets)
    if told.policy is None:
        raise InputError(f"{file} is no valid MTA-STS policy: {told.why_not}")
    return told.policy


async def published_by(
    snapshot: Snapshot, resolver: Resolver, policy: StsPolicy | None = None, *, asks: bool = False
) -> Published | None:
    """What a domain publishes: this policy, else the one it has if we ask; TLSA records of zone files, or if we ask.

    None: nothing that a sender would look at.

    Raises:
        NotNowError: the policy that the domain announces cannot be fetched now.

    """
    if isinstance(snapshot.domain, AddressLiteral):
        return None
    if policy is None and asks:
        policy = await _policy_of(snapshot.domain, resolver)
    facts = await gather_dane(snapshot, resolver) if asks or isinstance(resolver, ZoneResolver) else {}
    dane = {name: each for name, each in facts.items() if isinstance(each.tlsa, Found | Temporary | Bogus)}
    return Published(policy, dane) if policy or dane else None


async def _policy_of(domain: str, resolver: Resolver) -> StsPolicy | None:
    record = await gather_sts_record(domain, resolver)
    if isinstance(record, Temporary | Bogus):
        raise NotNowError(f"the MTA-STS record of {domain} cannot be looked up now: {record.why}")
    if not isinstance(record, StsRecord) or not record.is_usable:
        return None
    fetched = await gather_sts_policy(domain, resolver, _fetch)
    if fetched.policy is None:
        raise NotNowError(f"{domain} announces an MTA-STS policy, but {fetched.why_not}; give it with --sts-policy")
    return fetched.policy


async def _fetch(resolver: Resolver, host: str, path: str) -> Fetched:
    return await fetch(resolver, host, path, HttpsSettings(verified_tls()))
