"""How policies are fetched by HTTPS: whom to trust, and where."""

from __future__ import annotations

import ssl
from pathlib import Path

from postroad.build.contexts import trust_of, verified_tls
from postroad.dns import Resolver, ZoneResolver
from postroad.files import read_octets
from postroad.gather import HTTPS_PORT, MAX_OCTETS, Fetch, Fetched, HttpsSettings, PublishedPolicies, fetch
from postroad.tls import read_policy
from postroad.words.inputs import InputError
from postroad.words.names import Unreadable
from postroad.words.policies import StsPolicy

FETCH_S = 60.0  # "a suggested timeout is one minute", RFC 8461 section 3.3


def policy_fetch(
    authorities: Path | None = None,
    *,
    timeout_s: float = FETCH_S,
    port: int = HTTPS_PORT,
    allow_loopback: bool = False,
) -> Fetch:
    """What fetches a policy; with a PEM file of authorities, only from hosts that those vouch for.

    Raises:
        InputError: the file cannot be used.

    """
    if authorities:
        trust_of(authorities)  # it says what is wrong
    chosen = ssl.create_default_context(cafile=authorities) if authorities else None

    async def fetch_by(resolver: Resolver, host: str, path: str) -> Fetched:
        context = chosen or verified_tls()  # whose authorities take 20 ms to be read
        return await fetch(resolver, host, path, HttpsSettings(context, timeout_s, port, allow_loopback=allow_loopback))

    return fetch_by


def policy_in(file: Path) -> Fetch:
    """What takes a file for the policy of any domain, before it is published.

    Raises:
        InputError: it cannot be read.

    """
    octets = _document_in(file)

    async def fetch_by(_resolver: Resolver, _host: str, _path: str) -> Fetched:
        return Fetched(octets, "text/plain")

    return fetch_by


def sts_policy_in(file: Path) -> StsPolicy:
    """The MTA-STS policy of a file.

    Raises:
        InputError: it cannot be read, or is no policy that a sender would use.

    """
    told = read_policy(_document_in(file))
    if told.policy is None:
        raise InputError(f"{file} is no valid MTA-STS policy: {told.why_not}")
    return told.policy


def _document_in(file: Path) -> bytes:
    octets = read_octets(file, MAX_OCTETS)
    if isinstance(octets, Unreadable):
        raise InputError(f"{file}: {octets.why}; give the MTA-STS policy as mta-sts.DOMAIN has it")
    return octets


def policies_of(
    resolver: Resolver, authorities: Path | None = None, *, port: int = HTTPS_PORT, allow_loopback: bool = False
) -> PublishedPolicies | None:
    """Who knows the MTA-STS policies of domains that are in DNS; nobody where zone files answer.

    Raises:
        InputError: the file of authorities cannot be used.

    """
    if isinstance(resolver, ZoneResolver):
        return None
    return PublishedPolicies(resolver, policy_fetch(authorities, port=port, allow_loopback=allow_loopback))
