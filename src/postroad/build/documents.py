"""How policies are fetched by HTTPS: whom to trust, and where; and who remembers them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from postroad.build.contexts import https_context, trust_of, verified_tls
from postroad.dns import Resolver, ZoneResolver
from postroad.files import read_octets
from postroad.gather import (
    HTTPS_PORT,
    MAX_OCTETS,
    Fetch,
    Fetched,
    HttpsSettings,
    PublishedPolicies,
    StsPolicies,
    StsWorld,
    fetch,
)
from postroad.spool import Learned, MemoryLearned
from postroad.tls import StsSettings, read_policy
from postroad.words.inputs import InputError
from postroad.words.names import Unreadable
from postroad.words.policies import StsPolicy
from postroad.words.trace import Listener, nobody

MOST_INTERNETS = 100
"""Sets of name servers and authorities whose policies a process remembers: programs have one, tests have many."""

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
    chosen = https_context(authorities) if authorities else None

    async def fetch_by(resolver: Resolver, host: str, path: str) -> Fetched:
        context = chosen or verified_tls()  # whose authorities take 20 ms to be read
        return await fetch(resolver, host, path, HttpsSettings(context, timeout_s, port, allow_loopback=allow_loopback))

    return fetch_by


def policy_in(file: Path) -> Fetch:
    """What takes a file for the policy of any domain, before it is published.

    Raises:
        InputError: it cannot be read, or is no policy that a sender would use.

    """
    octets = _document_in(file)
    _policy_of(octets, file)

    async def fetch_by(_resolver: Resolver, _host: str, _path: str) -> Fetched:
        return Fetched(octets, "text/plain")

    return fetch_by


def sts_policy_in(file: Path) -> StsPolicy:
    """The MTA-STS policy of a file.

    Raises:
        InputError: it cannot be read, or is no policy that a sender would use.

    """
    return _policy_of(_document_in(file), file)


def _policy_of(octets: bytes, file: Path) -> StsPolicy:
    told = read_policy(octets)
    if told.policy is None:
        raise InputError(f"{file} is not a valid MTA-STS policy: {told.why_not}")
    return told.policy


def _document_in(file: Path) -> bytes:
    octets = read_octets(file, MAX_OCTETS)
    if isinstance(octets, Unreadable):
        raise InputError(f"{file}: {octets.why}; give the MTA-STS policy as mta-sts.DOMAIN has it")
    return octets


def policies_of(
    resolver: Resolver, authorities: Path | None = None, *, port: int = HTTPS_PORT, allow_loopback: bool = False
) -> PublishedPolicies | None:
    """Who finds the MTA-STS policies of domains that are in DNS, for one look; nobody where zone files answer.

    Raises:
        InputError: the file of authorities cannot be used.

    """
    if isinstance(resolver, ZoneResolver):
        return None
    return PublishedPolicies(resolver, policy_fetch(authorities, port=port, allow_loopback=allow_loopback))


def build_policies(
    resolver: Resolver, fetch_by: Fetch, store: Learned, settings: StsSettings | None = None, tell: Listener = nobody
) -> StsPolicies:
    """Who knows the policies of domains, and keeps them in a store."""
    return StsPolicies(resolver, StsWorld(fetch_by, store, time.time, steady, SystemRandom(), tell), settings)


def process_policies(
    resolver: Resolver,
    servers: Sequence[str] = (),
    authorities: Path | None = None,
    *,
    port: int = HTTPS_PORT,
    allow_loopback: bool = False,
) -> StsPolicies | None:
    """The same for a program that sends: remembered until it ends, whatever loops its messages are sent in.

    For those who ask the same name servers and trust the same authorities. Nobody where zone files answer.

    Raises:
        InputError: the file of authorities cannot be used.

    """
    if isinstance(resolver, ZoneResolver):
        return None
    fetch_by = policy_fetch(authorities, port=port, allow_loopback=allow_loopback)
    key = tuple(servers), authorities, port, allow_loopback
    loop = asyncio.get_running_loop()
    with _REMEMBERING:  # each thread of a program may have a loop of its own
        known = _REMEMBERED.get(key)
        if known is None or known.loop is not loop:  # what is under way belongs to a loop
            store = known.store if known else MemoryLearned()
            known = _REMEMBERED[key] = _Remembered(store, loop, build_policies(resolver, fetch_by, store))
        _REMEMBERED.move_to_end(key)
        while len(_REMEMBERED) > MOST_INTERNETS:
            _REMEMBERED.popitem(last=False)
    known.policies.reload(resolver, fetch_by, StsSettings())
    return known.policies


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Policies in memory, and who knows them in a loop."""

    store: MemoryLearned
    loop: asyncio.AbstractEventLoop
    policies: StsPolicies


_REMEMBERING = threading.Lock()
_REMEMBERED: OrderedDict[tuple[tuple[str, ...], Path | None, int, bool], _Remembered] = OrderedDict()


def steady() -> float:
    """A clock that nobody sets, and that goes on while the machine sleeps, where the system has such a clock."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
