"""A small Internet on loopback: one nameserver, and an exchanger at every address its zones name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from types import TracebackType
from typing import Self

from postroad.dns import Zones
from postroad.lab.certificate import CertificateKind, lab_chain, lab_context
from postroad.lab.moving import LOOPBACK_6, bring_home, names_at
from postroad.lab.nameserver import Nameserver, Order
from postroad.lab.sink import Habits, LabExchanger, Received
from postroad.lab.web import HOST, PolicyServer
from postroad.net import NetError, bind
from postroad.words import trace
from postroad.words.faults import Fault
from postroad.words.names import Address, parse_address
from postroad.words.trace import Event

PORT_TRIES = 20  # a port free on one address may be taken on another


class NoExchangerError(KeyError):
    """The error that a lab's zones do not name an address."""

    def __str__(self) -> str:
        """The sentence as it is; a KeyError shows it in quotes."""
        return str(self.args[0])


class Lab:
    """A name server and exchangers on loopback: `async with Lab(zones) as lab:`.

    Addresses of the zones that are not on loopback are moved there (`moved`), and answered so. All exchangers listen on
    the same port: the one given, or one that is free on all their addresses. `faults` and `set_fault` take addresses
    as written in the zones or as moved, and so does `certificates`. With `tls` STARTTLS is offered, with a certificate
    of that kind (True: self-signed) or of the one in `certificates`, which alone offer it otherwise. `policies` are
    MTA-STS policies by domain, served at the addresses of `mta-sts.DOMAIN`. With `keep` off messages are counted and
    dropped. With `requiretls` all offer REQUIRETLS (RFC 8689), and TLS.
    """

    def __init__(  # noqa: PLR0913  # each has a default and is written by name, in tests by the hundred
        self,
        zones: Zones,
        *,
        port: int = 0,
        order: Order | str = Order.FIXED,
        seed: int = 0,
        faults: Mapping[Address, Fault] | Mapping[str, Fault] | None = None,
        listener: trace.Listener = trace.nobody,
        tls: bool | CertificateKind = False,
        certificates: Mapping[Address, CertificateKind] | Mapping[str, CertificateKind] | None = None,
        policies: Mapping[str, str] | None = None,
        requiretls: bool = False,
        keep: bool = True,
    ) -> None:
        self._home = bring_home(zones, has_ipv6=_has_ipv6())
        self._wanted = port
        self._tell = listener
        self.moved = self._home.moved
        self.nameserver = Nameserver(self._home.zones, order=Order(order), rng=Random(seed), listener=listener)
        self.received: list[Received] = []
        taken = self.received.append if keep else None
        habits = Habits(requiretls=requiretls, keep=keep, listener=listener, taken=taken)
        self.exchangers = {address: LabExchanger(address, port, habits) for address in self._home.served}
        for address, fault in (faults or {}).items():
            self.at(address).fault = fault
        usual = dict.fromkeys(
            self.exchangers, CertificateKind.SELF_SIGNED if tls is True or (requiretls and not tls) else tls
        )
        others = {self.at(address).address: kind for address, kind in (certificates or {}).items()}
        self.certificates = {address: kind for address, kind in usual.items() if kind} | others
        self._show(self.certificates)
        web = [address for domain in policies or {} for address in self._addresses_of(HOST + domain)]
        self.web = PolicyServer(policies or {}, dict.fromkeys(web), listener=listener)

    def _show(self, kinds: Mapping[Address, CertificateKind]) -> None:
        """Let exchangers offer STARTTLS, each with a certificate of its kind."""
        names = names_at(self._home.zones) if kinds else {}
        for address, kind in kinds.items():
            exchanger, known = self.exchangers[address], names.get(address, ())
            exchanger.habits = replace(exchanger.habits, tls=lab_context(kind, known), shown=lab_chain(kind, known))

    def _addresses_of(self, name: str) -> list[Address]:
        found = [address for address, names in names_at(self._home.zones).items() if name in names]
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

    def at(self, address: Address | str) -> LabExchanger:
        """The exchanger at an address, as written in the zones or as moved.

        Raises:
            NoExchangerError: no zone names that address.

        """
        place = parse_address(address) if isinstance(address, str) else address
        if place is None or self.moved.get(place, place) not in self.exchangers:
            written = ", ".join(map(str, dict.fromkeys((*self.moved, *self.exchangers))))
            there = f"there are {written}" if written else "its zones have no address"
            raise NoExchangerError(f"no exchanger of this lab is at {address}; {there}")
        return self.exchangers[self.moved.get(place, place)]

    def shown(self, address: Address | str) -> tuple[bytes, ...]:
        """The certificates that an exchanger shows in a TLS handshake, in DER; nothing if none comes about."""
        return self.at(address).shown

    async def set_fault(self, address: Address | str, fault: Fault) -> None:
        """Let the exchanger at an address behave otherwise from now on; see `LabExchanger.set_fault`."""
        await self.at(address).set_fault(fault)

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
        await self.nameserver.start()
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
        for exchanger in self.exchangers.values():
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
