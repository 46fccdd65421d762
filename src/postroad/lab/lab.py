"""A small Internet on loopback: one nameserver, and an exchanger at every address its zones name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from types import TracebackType
from typing import Self

from postroad.dns import Zones
from postroad.lab.certificate import CertificateKind, lab_chain, lab_context
from postroad.lab.moving import LOOPBACK_6, as_written, bring_home
from postroad.lab.nameserver import LOOPBACK, Nameserver, Order
from postroad.lab.places import LabPlaces, NoExchangerError
from postroad.lab.sink import Habits, LabExchanger, Received
from postroad.lab.web import HOST, PolicyServer
from postroad.net import NetError, bind
from postroad.words import trace
from postroad.words.faults import Fault
from postroad.words.names import Address
from postroad.words.trace import Event

PORT_TRIES = 20  # a port free on one address may be taken on another


class Lab:
    """A name server and exchangers on loopback: `async with Lab(zones) as lab:`.

    Addresses of the zones that are not on loopback are moved there (`moved`), and answered so. All exchangers listen on
    the same port: the one given, or one that is free on all their addresses. `faults`, `set_fault` and `certificates`
    take names, and addresses as written in the zones or as moved. With `tls` STARTTLS is offered, with a certificate
    of that kind (True: self-signed) or of the one in `certificates`, which alone offer it otherwise. `policies` are
    MTA-STS policies by domain, served at the addresses of `mta-sts.DOMAIN`. With `keep` off messages are counted and
    dropped; `save` is given each before it is accepted, and may refuse it by an OSError. With `requiretls` all offer
    REQUIRETLS (RFC 8689), and TLS. `moves`: off in a network namespace of one's own, where every address is at hand.
    """

    def __init__(  # noqa: PLR0913  # each has a default and is written by name, in tests by the hundred
        self,
        zones: Zones,
        *,
        port: int = 0,
        dns_port: int = 0,
        order: Order | str = Order.FIXED,
        seed: int = 0,
        faults: Mapping[Address, Fault] | Mapping[str, Fault] | None = None,
        listener: trace.Listener = trace.nobody,
        tls: bool | CertificateKind = False,
        certificates: Mapping[Address, CertificateKind] | Mapping[str, CertificateKind] | None = None,
        policies: Mapping[str, str] | None = None,
        requiretls: bool = False,
        keep: bool = True,
        save: Callable[[Received], None] | None = None,
        moves: bool = True,
    ) -> None:
        self._home = bring_home(zones, has_ipv6=_has_ipv6()) if moves else as_written(zones)
        self.places = LabPlaces(self._home)
        self._wanted = port
        self._dns_port = dns_port
        self._tell = listener
        self.moved = self._home.moved
        self.nameserver = Nameserver(self._home.zones, order=Order(order), rng=Random(seed), listener=listener)
        self.received: list[Received] = []
        taken = self.received.append if keep else None
        habits = Habits(requiretls=requiretls, keep=keep, listener=listener, taken=taken, save=save)
        self.exchangers = {address: LabExchanger(address, port, habits) for address in self._home.served}
        for where, fault in (faults or {}).items():
            for exchanger in self.those(where):
                exchanger.fault = fault
        usual = dict.fromkeys(
            self.exchangers, CertificateKind.SELF_SIGNED if tls is True or (requiretls and not tls) else tls
        )
        others = {each.address: kind for where, kind in (certificates or {}).items() for each in self.those(where)}
        self.certificates = {address: kind for address, kind in usual.items() if kind} | others
        self._show(self.certificates)
        web = [address for domain in policies or {} for address in self._addresses_of(HOST + domain)]
        self.web = PolicyServer(policies or {}, dict.fromkeys(web), listener=listener)

    def _show(self, kinds: Mapping[Address, CertificateKind]) -> None:
        """Let exchangers offer STARTTLS, each with a certificate of its kind."""
        names = self.places.names if kinds else {}
        for address, kind in kinds.items():
            exchanger, known = self.exchangers[address], names.get(address, ())
            exchanger.habits = replace(exchanger.habits, tls=lab_context(kind, known), shown=lab_chain(kind, known))

    def _addresses_of(self, name: str) -> list[Address]:
        found = [address for address, names in self.places.names.items() if name in names]
        if not found:
            raise NoExchangerError(f"no zone of this lab has an address of {name}, where the policy would be served")
        return found

    @property
    def resolver_address(self) -> tuple[str, int]:
        """Where to ask for names."""
        return str(self.nameserver.endpoint.address), self.nameserver.endpoint.port

    @property
    def port(self) -> int:
        """The port of all exchangers."""
        return next((exchanger.port for exchanger in self.exchangers.values()), self._wanted)

    def those(self, where: Address | str) -> tuple[LabExchanger, ...]:
        """The exchangers at an address, as written in the zones or as moved, or at all addresses of a name.

        Raises:
            NoExchangerError: no zone has that address or name, or several names begin so.

        """
        return tuple(self.exchangers[address] for address in self.places.find(where))

    def at(self, where: Address | str) -> LabExchanger:
        """The one exchanger at an address or name.

        Raises:
            NoExchangerError: as for `those`; or there are several.

        """
        found = self.those(where)
        if len(found) > 1:
            addresses = ", ".join(str(each.address) for each in found)
            raise NoExchangerError(f"{where} has several addresses; write one of {addresses}")
        return found[0]

    def shown(self, address: Address | str) -> tuple[bytes, ...]:
        """The certificates that an exchanger shows in a TLS handshake, in DER; nothing if none comes about."""
        return self.at(address).shown

    async def set_fault(self, where: Address | str, fault: Fault) -> tuple[LabExchanger, ...]:
        """Let the exchanger at an address, or all of a name, behave otherwise; see `LabExchanger.set_fault`."""
        changed = self.those(where)
        for each in changed:
            await each.set_fault(fault)
            self._tell(Event("lab.fault.set", {"address": str(each.address), "fault": str(fault)}))
        return changed

    def counts(self, what: str = "received") -> dict[Address, int]:
        """How many messages each exchanger has taken, or how often it was connected, greeted, rcpt or closed."""
        return {address: exchanger.counts[what] for address, exchanger in self.exchangers.items()}

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        await self.nameserver.start(port=self._dns_port)
        await self._agree_on_port()
        self._hold_web()
        starts = (self.web.start(), *(exchanger.start() for exchanger in self.exchangers.values()))
        for problem in await asyncio.gather(*starts, return_exceptions=True):  # all have ended before any is stopped
            if problem is not None:
                raise problem
        for written, place in self.moved.items():
            self._tell(Event("lab.address.moved", {"written": str(written), "address": str(place)}))
        for name, address in self._home.left_out:
            self._tell(Event("lab.address.left-out", {"name": name, "address": str(address)}))

    async def _agree_on_port(self) -> None:
        for tried in range(1, PORT_TRIES + 1):
            try:
                self._hold(self._wanted)
                return
            except NetError:
                await self._stop_exchangers()
                if self._wanted or tried == PORT_TRIES:
                    raise

    def _hold_web(self) -> None:
        for tried in range(1, PORT_TRIES + 1):
            try:
                self.web.hold(0)
                return
            except NetError:
                self.web.release()
                if tried == PORT_TRIES:
                    raise

    def _hold(self, port: int) -> None:
        # First where connections come from, whose ports are taken by turns: the kernel knows there which is free
        for exchanger in sorted(self.exchangers.values(), key=lambda one: one.address != LOOPBACK):
            exchanger.port = port
            exchanger.hold()
            port = exchanger.port

    async def _stop(self) -> None:
        await self._stop_exchangers()
        await self.web.stop()
        await self.nameserver.stop()

    async def _stop_exchangers(self) -> None:
        await asyncio.gather(*(exchanger.stop() for exchanger in self.exchangers.values()))


def _has_ipv6() -> bool:
    try:
        bind(LOOPBACK_6, 0).close()
    except NetError:
        return False
    return True
