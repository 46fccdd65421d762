"""The MTA-STS policies of a relay: fetched by verified HTTPS, kept in its spool."""

from __future__ import annotations

import time
from random import Random

from postroad.build import policy_fetch
from postroad.dns import Resolver
from postroad.gather import StsPolicies, StsWorld
from postroad.relay.settings import RelaySettings
from postroad.spool import Learned
from postroad.words.trace import Listener


def build_policies(
    settings: RelaySettings, resolver: Resolver, store: Learned, seed: int, tell: Listener
) -> StsPolicies:
    """The policies in a spool, and those to come."""
    fetch_by = policy_fetch(allow_loopback=settings.policy.allow_loopback)
    world = StsWorld(fetch_by, store, time.time, steady, Random(seed), tell)
    return StsPolicies(resolver, world, settings.sts)


def steady() -> float:
    """A clock that nobody sets, and that goes on while the machine sleeps, where the system has such a clock."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
