"""What all sessions share: settings, keeper, limits, listeners."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from postroad.receive.keeper import Keeper
from postroad.receive.limits import Failures, Ledger, Rate
from postroad.receive.policy import Peer, may_authenticate
from postroad.receive.settings import ReceiveLimits, ReceiveSettings, Tls
from postroad.receive.signatures import Signatures
from postroad.receive.turns import Turns
from postroad.receive.verifier import Verifier
from postroad.smtp import Limits, ServerConfig
from postroad.words import trace

VERIFICATIONS = 2  # of passwords at once: each takes 16 MiB and some 50 ms of a processor
WAITING_EACH = 50  # of each client for one of them: 1.3 seconds of work


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a receiver share: its settings, limits, keeper and listeners."""

    settings: ReceiveSettings
    keeper: Keeper
    ledger: Ledger
    listener: trace.Listener = trace.nobody
    clock: Callable[[], float] = time.time
    verifier: Verifier = field(default_factory=Verifier)
    verifications: Turns = field(default_factory=lambda: Turns(VERIFICATIONS, WAITING_EACH))
    signatures: Signatures = field(default_factory=Signatures)
    messages: Rate = field(default_factory=Rate)
    auth_failures: Failures = field(default_factory=Failures)

    def tell(self, name: str, **fields: object) -> None:
        """Tell a step to the listener."""
        self.listener(trace.Event(name, fields))

    def offer(self, tls: Tls, client: Peer) -> ServerConfig:
        """What a session on such a port offers to a client, by what is known of it now."""
        settings = self.settings
        starttls = tls is Tls.STARTTLS and settings.tls is not None
        hold_s = settings.limits.hold_s  # up to a full minute: the same for all who come within it
        until = int(self.clock() + hold_s) // 60 * 60 if hold_s else 0
        return _config(settings.hostname, settings.limits, starttls, may_authenticate(client, settings), until)


@lru_cache(maxsize=32)
def _config(hostname: str, limits: ReceiveLimits, starttls: bool, auth: bool, hold_until: int) -> ServerConfig:  # noqa: FBT001  # a cache has no keywords
    return ServerConfig(
        hostname,
        size=limits.size,
        max_recipients=limits.recipients,
        starttls=starttls,
        requiretls=True,
        auth=("PLAIN", "LOGIN") if auth else (),
        hold_s=limits.hold_s,
        hold_until=hold_until,
        limits=Limits(errors=limits.errors),
    )
