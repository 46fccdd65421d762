"""Wrong passwords, counted over all relays that share a spool: several ports to guess at are not several times as many.

Each relay adds up what failed there by minute and client, once a second, and charges its own clients for what failed
at the others. So within that second each relay allows what it would alone, and the client pays for it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

from postroad.deliver import Talk
from postroad.receive import Receiver
from postroad.spool import Learned, Lesson

KIND = "auth-failures"  # of the lessons: the key is a minute, a relay and a client; the count is that of failures
MINUTE_S = 60
KEPT = 2  # minutes: after these a client has paid for all


class SharedGuesses:
    """The failures of AUTH at all relays. `now` is the clock of the receiver's limits, `wall` that of people."""

    def __init__(
        self, spool: Learned, receiver: Receiver, node: str, now: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._spool = spool
        self._receiver = receiver
        self._node = node
        self._now = now
        self._wall = wall
        self._charged: dict[str, int] = {}
        self._talk = Talk(self.exchange)

    def share(self, nodes: int) -> None:
        """So many relays share the spool, this one included."""
        self._receiver.auth_failures.share(is_alone=nodes == 1)
        self._talk.share(nodes)

    def close(self) -> None:
        """Talk no more."""
        self._talk.close()

    async def exchange(self) -> None:
        """Say what failed here, and charge for what failed elsewhere."""
        failures, minute = self._receiver.auth_failures, int(self._wall()) // MINUTE_S
        if new := failures.cut():
            at = self._wall()
            await self._spool.learn(
                [Lesson(KIND, f"{minute} {self._node} {party}", "", count, at) for party, count in new.items()]
            )
        if self._receiver.settings.users:
            await self._hear(minute)

    async def _hear(self, minute: int) -> None:
        failures, most = self._receiver.auth_failures, self._receiver.settings.limits.auth_failures_rate
        old, before, self._charged = [], self._charged, {}
        for row in await self._spool.recall(KIND):
            when, _, who = row.key.partition(" ")
            node, _, party = who.partition(" ")
            if not when.isdecimal() or abs(minute - int(when)) > KEPT:
                old.append(row.key)
            elif node != self._node:
                self._charged[row.key] = row.count
                if (count := row.count - before.get(row.key, 0)) > 0:
                    failures.charge(party, count, most, self._now())
        if old:
            await self._spool.forget(KIND, old)
