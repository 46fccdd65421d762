"""Every address of a set, each once, and whether a failure may be our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from postroad.examine.visit import ProbeSettings, ProbeTarget, probe
from postroad.words.names import Address
from postroad.words.sessions import Probe, Reach

AT_ONCE = 16  # sessions at a time, whatever the number of domains

Ask = Callable[[ProbeTarget, ProbeSettings], Awaitable[Probe]]


class Survey:
    """The probes of many domains: an address that several share is asked once, a few at a time.

    `controls` are addresses known to answer; besides them every exchanger that answered is one. Of an address family
    of which nothing ever answered, failures to connect are `ours`: port 25 may be closed to us (most access providers
    do that), or the family have no route.
    """

    def __init__(self, settings: ProbeSettings, controls: Iterable[Address] = (), ask: Ask = probe) -> None:
        self.settings = settings
        self._controls = tuple(controls)
        self._ask = ask
        self._room = asyncio.Semaphore(AT_ONCE)
        self._asked: dict[Address, asyncio.Task[Probe]] = {}
        self._open: set[int] = set()

    async def probe_all(self, subjects: Iterable[ProbeTarget]) -> Mapping[Address, Probe]:
        """A Probe of each address, the first subject that names it counting."""
        wanted: dict[Address, ProbeTarget] = {}
        for subject in subjects:
            wanted.setdefault(subject.address, subject)
        await asyncio.gather(*(self._once(ProbeTarget(address, "", "")) for address in self._controls))
        probes = await asyncio.gather(*(self._once(subject) for subject in wanted.values()))
        return {each.address: self._judged(each) for each in probes}

    @property
    def reach(self) -> Reach:
        """What is proved to work from here: port 25 if anything answered, IPv6 if by IPv6."""
        return Reach(port_25=bool(self._open), ipv6=6 in self._open)

    async def _once(self, subject: ProbeTarget) -> Probe:
        task = self._asked.get(subject.address)
        if task is None:
            task = self._asked[subject.address] = asyncio.create_task(self._probe(subject))
        return await task

    async def _probe(self, subject: ProbeTarget) -> Probe:
        async with self._room:
            settings = self.settings if subject.domain else replace(self.settings, deep=False)
            seen = await self._ask(subject, settings)
        if seen.phase != "connect":
            self._open.add(subject.address.version)
        return seen

    def _judged(self, seen: Probe) -> Probe:
        unsure = seen.phase == "connect" and seen.address.version not in self._open
        return replace(seen, ours=True) if unsure else seen
