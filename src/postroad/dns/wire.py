"""Asks name servers: UDP first, TCP where the answer does not fit, the next server where one has no answer."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from postroad.dns import lean
from postroad.dns.answers import DnsReply, is_referral, resolve_with
from postroad.dns.line import PendingQueries, UnreadableError
from postroad.dns.resolver import AnswerListener, RecordType, deliver
from postroad.dns.servers import ServerAddress
from postroad.words.facts import DNSSEC_FAILURES, Answer, Bogus, Temporary
from postroad.words.phrasebook import seconds

T = TypeVar("T")
R = TypeVar("R", bound=lean.Reading)
V = TypeVar("V", bound=lean.Reading | DnsReply | Temporary | Bogus)
_Hear = Callable[[bytes], R | dns.message.Message | None]
"""What a datagram means as the reply to a query; None: it is none."""
_First = dns.message.Message | Exception
"""What came of asking the first server, where it was asked already."""

PAYLOAD = 1232  # octets of UDP that cross any path unfragmented: DNS flag day 2020


@dataclass(frozen=True, slots=True)
class WireSettings:
    """Which name servers to ask, and how patiently: each in turn, all of them `tries` times, each for `timeout_s`.

    `trust_ad`: the way to those on other machines is safe, so that they are believed what they say of DNSSEC.
    """

    servers: tuple[ServerAddress, ...]
    timeout_s: float = 3.0
    tries: int = 2
    edns_payload: int = PAYLOAD
    trust_ad: bool = False

    def believes(self, server: ServerAddress) -> bool:
        """Whether AD of a server counts: over a network anyone may set it (RFC 4035 section 4.9.3)."""
        return self.trust_ad or server.is_here


class WireResolver:
    """A resolver that asks recursive name servers and keeps nothing.

    Questions under way at the same time share a socket, some dozens of them; asked one by one each has its own
    (`dns.line`). What is usual is written and read by `dns.lean`, the rest by dnspython.
    """

    def __init__(self, settings: WireSettings) -> None:
        self._settings = settings
        self._lines: dict[ServerAddress, PendingQueries] = {}
        self._newest: PendingQueries | None = None  # to the first server

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """Ask until a server answers; Temporary says what each of them did instead."""
        query = lean.question(name, kind, self._settings.edns_payload)
        if query is None:
            return await resolve_with(self._ask, name, kind)
        return await self.finish(query, kind)

    def start(self, name: str, kind: RecordType, ear: AnswerListener) -> Callable[[], None] | None:
        """Ask the first server at once; what it says out of the ordinary, or not at all, becomes a task."""
        query = lean.question(name, kind, self._settings.edns_payload)
        if query is None or not self._settings.servers:
            return None
        first = self._settings.servers[0]
        started = _Started(self, first, query, kind, ear)
        line = self._newest
        try:
            if line is None or not line.takes_more:
                line = self._newest = self._line_to(first)
            started.number = line.put(query.octets, started)
        except (OSError, NotImplementedError):
            return None
        started.line = line
        return started.stop

    async def finish(self, query: lean.Question, kind: RecordType, first: _First | None = None) -> Answer[Any]:
        """The answer to a plain question, of which the first server may have been asked already."""
        said = await self._say(query.octets, lambda octets: _heard(octets, query), first)
        return await resolve_with(self._ask, query.name, kind, said) if isinstance(said, DnsReply) else said

    async def _ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> DnsReply | Temporary | Bogus:
        # AD asks the server to say whether it validated, RFC 6840 section 5.7.
        flags = dns.flags.RD | dns.flags.AD
        query = dns.message.make_query(name, kind, use_edns=0, payload=self._settings.edns_payload, flags=flags)
        octets = query.to_wire()[2:]
        return await self._say(octets, lambda reply: decoded(reply, octets))

    async def _say(self, query: bytes, hear: _Hear[R], first: _First | None = None) -> R | DnsReply | Temporary | Bogus:
        """Put a query to each server until one has an answer."""
        complaints: list[Temporary | Bogus] = []
        for server in self._settings.servers * self._settings.tries:
            said = await self._say_to(server, query, hear, first)
            if not isinstance(said, Temporary | Bogus) or self._is_final(server, said):
                return said
            complaints.append(said)
            first = None
        why = "; ".join(dict.fromkeys(complaint.why for complaint in complaints)) or "no name server is configured"
        troubles = [complaint for complaint in complaints if isinstance(complaint, Temporary)]
        if complaints and not troubles:
            return Bogus(why)
        # A validator that refuses an answer says more than another one that is down
        numbers = sorted(troubles, key=lambda trouble: (not trouble.is_dnssec_failure, trouble.extended_error is None))
        return Temporary(why, extended_error=numbers[0].extended_error if numbers else None)

    async def _say_to(
        self, server: ServerAddress, query: bytes, hear: _Hear[R], first: _First | None
    ) -> R | DnsReply | Temporary | Bogus:
        heard = await self._told(server, _again(first) if first else self._over_line(server, query, hear))
        if heard is None or (isinstance(heard, dns.message.Message) and heard.flags & dns.flags.TC):
            heard = await self._told(server, self._over_stream(server, query, hear))
        return self.believed(server, _judged(server, heard) if isinstance(heard, dns.message.Message) else heard)

    def _is_final(self, server: ServerAddress, said: Temporary | Bogus) -> bool:
        """Whether no other server may be asked: one that does not validate would hand on what a forger has sent."""
        return isinstance(said, Temporary) and said.is_dnssec_failure and self._settings.believes(server)

    def believed(self, server: ServerAddress, said: V) -> V:
        """What a server says; of DNSSEC nothing, if that is not believed."""
        if isinstance(said, Temporary | Bogus) or not said.authentic or self._settings.believes(server):
            return said
        return replace(said, authentic=False)

    async def _over_line(self, server: ServerAddress, query: bytes, hear: _Hear[R]) -> R | dns.message.Message | None:
        """The reply, or None where it was cut. Whatever is no reply to the query is waited out."""
        line = self._lines.get(server)
        if line is None or not line.takes_more:
            try:
                line = self._lines[server] = self._line_to(server)
            except NotImplementedError:  # asyncio's own loop for Windows watches no sockets
                return await self._alone(over_udp, query, server)
        return await line.ask(query, hear)

    async def _over_stream(self, server: ServerAddress, query: bytes, hear: _Hear[R]) -> R | dns.message.Message:
        """The reply over TCP, where every answer fits, each message behind its length (RFC 1035 section 4.2.2)."""
        number = secrets.token_bytes(2)
        async with asyncio.timeout(self._settings.timeout_s):
            reader, writer = await asyncio.open_connection(str(server.address), server.port)
            try:
                writer.write((2 + len(query)).to_bytes(2) + number + query)
                octets = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            finally:
                writer.close()
        heard = hear(octets) if octets[:2] == number else None
        if heard is None:
            raise UnreadableError("it is the reply to another question")
        return heard

    def _line_to(self, server: ServerAddress) -> PendingQueries:
        return PendingQueries(server.address, server.port, self._settings.timeout_s)

    async def _alone(
        self, way: Callable[[dns.message.Message, ServerAddress], Awaitable[T]], query: bytes, server: ServerAddress
    ) -> T:
        """Ask by dnspython, on a socket of its own."""
        whole = dns.message.from_wire(secrets.token_bytes(2) + query)
        async with asyncio.timeout(self._settings.timeout_s):
            return await way(whole, server)

    async def _told(self, server: ServerAddress, exchange: Awaitable[T]) -> T | Temporary | Bogus:
        """The one place where what goes wrong on the wire becomes an answer."""
        try:
            return await exchange
        except TimeoutError:
            return Temporary(f"{server} did not answer within {seconds(self._settings.timeout_s)}")
        except (OSError, EOFError) as problem:
            return Temporary(f"{server}: {reason(problem)}")
        except Exception as problem:  # noqa: BLE001  # hostile octets: dnspython promises no closed set of errors
            return Bogus(f"{server} sent a reply that cannot be used: {problem or type(problem).__name__}")


class _Started:
    """A question under way without a task, and who waits for its answer."""

    __slots__ = ("_ear", "_kind", "_query", "_resolver", "_server", "_task", "line", "number")

    def __init__(
        self,
        resolver: WireResolver,
        server: ServerAddress,
        query: lean.Question,
        kind: RecordType,
        ear: AnswerListener,
    ) -> None:
        self._resolver = resolver
        self._server = server
        self._query = query
        self._kind = kind
        self._ear = ear
        self._task: asyncio.Task[Answer[Any]] | None = None
        self.line: PendingQueries | None = None
        self.number = 0

    def hear(self, octets: bytes) -> bool:
        """The plain reply ends it here; any other is finished in a task."""
        said = lean.read(octets, self._query)
        if said is not None:
            self._ear.hear(self._resolver.believed(self._server, said))
            return True
        message = decoded(octets, self._query.octets)
        if message is not None:
            self.fail(message)
        return message is not None

    def fail(self, first: _First) -> None:
        """The first server was asked in vain, or said something out of the ordinary: go on with that."""
        self._task = asyncio.create_task(self._resolver.finish(self._query, self._kind, first))
        self._task.add_done_callback(lambda task: deliver(task, self._ear))

    def stop(self) -> None:
        """Nobody waits for the answer any more."""
        if self._task:
            self._task.cancel()
        elif self.line:
            self.line.drop(self.number)


async def over_udp(query: dns.message.Message, server: ServerAddress) -> dns.message.Message | None:
    """The reply, or None where it was cut and TCP has the rest. Whatever is no reply to the query is waited out."""
    import dns.asyncquery  # noqa: PLC0415  # with what it needs 10 ms, for what is rare

    where = str(server.address)
    family = socket.AF_INET if server.address.version == 4 else socket.AF_INET6
    # Connected, so that a closed port is told at once and a third machine's datagrams are the kernel's to drop.
    sock = await _backend().make_socket(family, socket.SOCK_DGRAM, 0, None, (where, server.port))
    async with sock:
        try:
            return await dns.asyncquery.udp(
                query,
                where,
                port=server.port,
                sock=sock,
                ignore_unexpected=True,
                ignore_errors=True,
                raise_on_truncation=True,
            )
        except dns.message.Truncated:
            return None


async def over_tcp(query: dns.message.Message, server: ServerAddress) -> dns.message.Message:
    """The same over a connection, where every answer fits."""
    import dns.asyncquery  # noqa: PLC0415  # as above

    return await dns.asyncquery.tcp(query, str(server.address), port=server.port, backend=_backend())


def _backend() -> Any:  # noqa: ANN401  # dnspython leaves its methods without types
    import dns.asyncbackend  # noqa: PLC0415  # as above

    return dns.asyncbackend.get_backend("asyncio")


async def _again(first: _First) -> dns.message.Message:
    if isinstance(first, Exception):
        raise first
    return first


def _heard(octets: bytes, query: lean.Question) -> lean.Reading | dns.message.Message | None:
    return lean.read(octets, query) or decoded(octets, query.octets)


def decoded(octets: bytes, query: bytes) -> dns.message.Message | None:
    """The reply by dnspython, None if it is none to the query; with TC set it may be no more than its beginning.

    Raises:
        UnreadableError: it is no DNS message.

    """
    try:
        message = dns.message.from_wire(octets, raise_on_truncation=True)
    except dns.message.Truncated as cut:
        message = cut.message()  # type: ignore[no-untyped-call]  # dnspython leaves it bare
    except Exception as problem:  # noqa: BLE001  # as above
        raise UnreadableError(str(problem) or type(problem).__name__) from None
    return message if dns.message.from_wire(octets[:2] + query).is_response(message) else None


def _judged(server: ServerAddress, message: dns.message.Message) -> DnsReply | Temporary:
    """A reply that speaks of the name, or why the next server should be asked."""
    rcode = message.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        explanation, number = _explanation(message)
        return Temporary(f"{server} says {dns.rcode.to_text(rcode)}{explanation}", extended_error=number)
    reply = DnsReply(rcode, message.answer, message.authority, bool(message.flags & dns.flags.AD))
    if is_referral(reply):
        return Temporary(f"{server} only refers to other name servers: it does not resolve for us")
    return reply


def _explanation(message: dns.message.Message) -> tuple[str, int | None]:
    """What RFC 8914 adds to a bare SERVFAIL; several may come, and the one of a validator says most."""
    numbers = sorted(
        {int(error.code) for error in message.extended_errors()}, key=lambda each: each not in DNSSEC_FAILURES
    )
    if not numbers:
        return "", None
    first = numbers[0]
    if first in DNSSEC_FAILURES:
        return f": DNSSEC validation failed (extended error {first})", first
    name = dns.edns.EDECode.to_text(dns.edns.EDECode.make(first))
    known = "" if name.isdigit() else f", {name.replace('_', ' ').lower()}"
    return f" (extended error {first}{known})", first


def reason(problem: OSError | EOFError) -> str:
    """What went wrong on the wire, in words."""
    if isinstance(problem, EOFError):
        return "connection closed before the reply was whole"
    return (problem.strerror or str(problem) or type(problem).__name__).lower()
