"""An authoritative name server on loopback, over UDP and TCP, whose answers can be changed while it runs."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address
from random import Random
from typing import Self, cast

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

from postroad.dns import Zones
from postroad.net import Endpoint, Listener, NetError, NetErrorKind, Stream, bind, serve
from postroad.words import trace
from postroad.words.names import Address
from postroad.words.trace import Event

LOOPBACK = IPv4Address("127.0.0.1")
_BOGUS = (dns.edns.EDEOption(dns.edns.EDECode.DNSSEC_BOGUS),)
MIN_UDP = 512  # octets, RFC 1035 section 4.2.1; more only if the question's EDNS allows (RFC 6891 section 6.2.3)
MAX_TCP = 65535
MOST_KNOWN = 10_000  # answers that are kept, to questions no longer than MIN_UDP: 5 MB of usual ones
PORT_TRIES = 20  # a port free for UDP may be taken for TCP


class Order(StrEnum):
    """The order of the records of one set in an answer."""

    FIXED = "fixed"  # as in the zone
    ROTATED = "rotated"  # one further with each question for the same set, as BIND's cyclic order
    RANDOM = "random"


class DnsFault(StrEnum):
    """A fault of the lab's name server: what it does instead of answering."""

    SERVFAIL = "servfail"
    BOGUS = "bogus"  # as a resolver whose validation failed: SERVFAIL with the extended error 6 (RFC 8914)
    DROP = "drop"


class Nameserver:
    """The lab's name server: it answers from zones, as a resolver to which those with a DNSKEY record are signed.

    `zones`, `order`, `delay_s` and `troubles` may be changed at any time.

    `troubles` maps (name, type) to a Trouble; the type "*" stands for every type of that name. Each question is told
    as `lab.dns.asked` with name, kind, rcode (or "DROPPED"), and the text of the first record or None.
    """

    def __init__(
        self,
        zones: Zones,
        *,
        order: Order = Order.FIXED,
        rng: Random | None = None,
        listener: trace.Listener = trace.nobody,
    ) -> None:
        self.zones = zones
        self.order = order
        self.delay_s = 0.0
        self.troubles: dict[tuple[str, str], DnsFault] = {}
        self._rng = rng or Random(0)
        self._tell = listener
        self._turns: Counter[tuple[dns.name.Name, dns.rdatatype.RdataType]] = Counter()
        self._known: dict[tuple[bytes, int], _Answer] = {}
        self._known_of = zones
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: Listener | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where to ask it."""
        if self._tcp is None:
            raise RuntimeError("the nameserver has not been started")
        return Endpoint(self._tcp.address, self._tcp.port)

    async def start(self, address: Address = LOOPBACK, port: int = 0) -> None:
        """Listen, on the same port for UDP and TCP; 0 takes one that is free for both.

        Raises:
            NetError: local: the port is taken.

        """
        udp, tcp = _bind_both(address, port)
        self._tcp = await serve(tcp, self._converse)
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)

    async def stop(self) -> None:
        """Free the port."""
        if self._udp:
            self._udp.close()
        if self._tcp:
            await self._tcp.stop()

    def reply(self, wire: bytes, limit: int | None = None) -> bytes | None:
        """The answer to one question, or None to stay silent. Without a limit, what UDP and EDNS allow."""
        answer = self._reply(wire[2:], limit)
        return None if answer is None else wire[:2] + answer

    def _reply(self, question: bytes, limit: int | None) -> bytes | None:
        """The same without the ids."""
        try:
            query = _read(question) if len(question) <= MIN_UDP else _made_of(question)
        except dns.exception.DNSException:
            return _malformed(question)
        if query.flags & dns.flags.QR:  # two servers answering each other's answers would never end
            return None
        if query.opcode() != dns.opcode.QUERY or not query.question:
            rcode = dns.rcode.FORMERR if query.opcode() == dns.opcode.QUERY else dns.rcode.NOTIMP
            return _error(query, rcode)
        return self._answer(question, query, limit or max(MIN_UDP, query.payload))

    def _answer(self, question: bytes, query: dns.message.Message, limit: int) -> bytes | None:
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        trouble = self.troubles.get((name, kind)) or self.troubles.get((name, "*"))
        if trouble is DnsFault.DROP:
            self._told(name, kind, "DROPPED", None)
            return None
        if trouble:
            self._told(name, kind, "SERVFAIL", None)
            return _error(query, dns.rcode.SERVFAIL, _BOGUS if trouble is DnsFault.BOGUS else ())
        answer = self._kept(question, query, limit)
        self._told(name, kind, answer.rcode, answer.first)
        return answer.octets

    def _kept(self, question: bytes, query: dns.message.Message, limit: int) -> _Answer:
        """What was answered before, as long as that is still the answer."""
        if self.order is not Order.FIXED or len(question) > MIN_UDP:
            return _Answer.of(self._authoritative(query), limit)
        if self._known_of is not self.zones or len(self._known) == MOST_KNOWN:
            self._known, self._known_of = {}, self.zones
        if (question, limit) not in self._known:
            self._known[question, limit] = _Answer.of(self._authoritative(query), limit)
        return self._known[question, limit]

    def _authoritative(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        found = self.zones.lookup(question.name, question.rdtype)
        response = dns.message.make_response(query)
        response.set_rcode(found.rcode)
        if found.rcode != dns.rcode.REFUSED:
            response.flags |= dns.flags.AA
        if found.is_signed and (query.flags & dns.flags.AD or query.ednsflags & dns.flags.DO):  # RFC 6840 section 5.8
            response.flags |= dns.flags.AD
        response.answer = [self._ordered(rrset) for rrset in found.answer]
        response.authority, response.additional = list(found.authority), list(self.zones.additional(found))
        return response

    def _ordered(self, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
        if self.order is Order.FIXED or len(rrset) < 2:
            return rrset
        records = list(rrset)
        if self.order is Order.RANDOM:
            self._rng.shuffle(records)
        else:
            turn = self._turns[rrset.name, rrset.rdtype] % len(records)
            self._turns[rrset.name, rrset.rdtype] += 1
            records = records[turn:] + records[:turn]
        return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, records)

    def _told(self, name: str, kind: str, rcode: str, first: str | None) -> None:
        self._tell(Event("lab.dns.asked", {"name": name, "kind": kind, "rcode": rcode, "first": first}))

    async def _converse(self, stream: Stream) -> None:
        """Questions over one TCP connection, each behind its length in two octets (RFC 1035 section 4.2.2)."""
        waiting = b""
        while data := await stream.read():
            waiting += data
            while len(waiting) >= 2 and len(waiting) - 2 >= (size := int.from_bytes(waiting[:2])):
                question, waiting = waiting[2 : 2 + size], waiting[2 + size :]
                await asyncio.sleep(self.delay_s)
                if answer := self.reply(question, MAX_TCP):
                    stream.write(len(answer).to_bytes(2) + answer)
            await stream.drain()


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer without its id, and what is told of it: as long as the zones are the same, so is it."""

    octets: bytes
    rcode: str
    first: str | None

    @classmethod
    def of(cls, response: dns.message.Message, limit: int) -> Self:
        first = response.answer[0][0].to_text() if response.answer else None
        # What does not fit is cut off and TC is set: the asker comes back over TCP (RFC 2181 section 9).
        octets = response.to_wire(max_size=limit, prefer_truncation=True, want_shuffle=False)
        return cls(octets[2:], dns.rcode.to_text(response.rcode()), first)


class _Datagrams(asyncio.DatagramProtocol):
    """Questions over UDP."""

    def __init__(self, nameserver: Nameserver) -> None:
        self._nameserver = nameserver
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._nameserver.reply(data)
        if answer is None:
            return
        if self._nameserver.delay_s:
            asyncio.get_running_loop().call_later(self._nameserver.delay_s, self._send, answer, addr)
        else:
            self._send(answer, addr)

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(answer, addr)


def _bind_both(address: Address, port: int) -> tuple[socket.socket, socket.socket]:
    tries = PORT_TRIES if port == 0 else 1
    for tried in range(1, tries + 1):
        tcp = bind(address, port)
        udp = socket.socket(tcp.family, socket.SOCK_DGRAM)
        udp.setblocking(False)  # noqa: FBT003  # the name says it
        try:
            udp.bind(tcp.getsockname())
        except OSError as problem:
            tcp.close()
            udp.close()
            if tried == tries:
                raise NetError(f"cannot bind UDP {Endpoint(address, port)}: {problem}", NetErrorKind.LOCAL) from problem
        else:
            return udp, tcp
    raise AssertionError("a port was bound or the last try raised")


@lru_cache(maxsize=1000)
def _read(question: bytes) -> dns.message.Message:
    """A question without its id; nobody changes it, and most are asked again."""
    return _made_of(question)


def _made_of(question: bytes) -> dns.message.Message:
    return dns.message.from_wire(bytes(2) + question)


def _malformed(question: bytes) -> bytes | None:
    """FORMERR with nothing but the header, if there is one."""
    if len(question) < 10:
        return None
    response = dns.message.Message(0)
    response.flags = dns.flags.QR
    response.set_rcode(dns.rcode.FORMERR)
    return response.to_wire()[2:]


def _error(query: dns.message.Message, rcode: dns.rcode.Rcode, options: Sequence[dns.edns.Option] = ()) -> bytes:
    response = dns.message.make_response(query)
    response.set_rcode(rcode)
    if options and query.edns >= 0:
        response.use_edns(0, options=list(options))
    return response.to_wire()[2:]
