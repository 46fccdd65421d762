"""What relays that share a spool tell each other of hosts: which have failed, and which answer again.

Each keeps a row for each address that failed there, under its own name, so that none can speak for another. Once a
second, and whenever a host changes here, it makes its rows agree with what it knows, and reads what is new of the
others. A relay alone asks and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from postroad.deliver.hosts import Hosts
from postroad.deliver.talk import Talk
from postroad.deliver.world import World
from postroad.pace import Hearsay
from postroad.spool import Learned, Lesson
from postroad.words.names import Address, parse_address

KIND = "health"  # of the lessons: the key is a relay and an address that failed there, the time that of the failure
SAME_S = 1.0  # two times of one failure, by clocks that drift, differ by less

Told = dict[Address, float]
"""Addresses that failed, and when."""


class Neighbours:
    """What we say to other relays of hosts, and hear. `talk` has it go on while there are any.

    `knows` says whether an address has shown here, a moment ago, how it is.
    """

    def __init__(
        self, spool: Learned, hosts: Hosts, knows: Callable[[Address], bool], world: World, now: Callable[[], float]
    ) -> None:
        self._spool = spool
        self._hosts = hosts
        self._knows = knows
        self._world = world
        self._now = now
        self._hearsay = Hearsay(hosts.health.policy.told_s)
        self.talk = Talk(self.exchange)

    async def exchange(self) -> None:
        """Say what failed here, and hear what is new."""
        wall, now = self._world.wall(), self._now()
        ours, theirs, old = self._sorted(await self._spool.recall(KIND), wall)
        failed = {address: wall - (now - at) for address, at in self._hosts.health.worth_telling(now).items()}
        await self._say(ours, failed, old)
        heard = self._hearsay.compare(theirs, wall)
        for address, node in heard.failed.items():
            if not self._knows(address) and self._hosts.heard_failed(address):
                self._world.tell("deliver.hearsay.failed", address=str(address), node=node)
        for address, node in heard.recovered.items():
            if self._hosts.heard_recovered(address):
                self._world.tell("deliver.hearsay.recovered", address=str(address), node=node)

    async def _say(self, before: Told, failed: Told, old: list[str]) -> None:
        node = self._world.node
        new = {address: at for address, at in failed.items() if address not in before or at - before[address] > SAME_S}
        over = [*old, *(f"{node} {address}" for address in before.keys() - failed.keys())]
        if over:
            await self._spool.forget(KIND, over)
        if new:
            await self._spool.learn([Lesson(KIND, f"{node} {address}", at=at) for address, at in new.items()])

    def _sorted(self, rows: Iterable[Lesson], wall: float) -> tuple[Told, dict[tuple[str, Address], float], list[str]]:
        """What we have said, what others say, and the keys of what nobody heeds any more."""
        ours: Told = {}
        theirs: dict[tuple[str, Address], float] = {}
        old = []
        for row in rows:
            node, _, text = row.key.partition(" ")
            address = parse_address(text)
            if address is None or abs(wall - row.at) > 2 * self._hosts.health.policy.told_s:
                old.append(row.key)
            elif node == self._world.node:
                ours[address] = row.at
            else:
                theirs[node, address] = row.at
        return ours, theirs, old
