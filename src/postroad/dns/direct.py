"""One question to one server: what it says, and how its answer travelled. For those who check servers, not names."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from postroad.dns.answers import Reply, resolve_with
from postroad.dns.resolver import RecordType
from postroad.dns.wire import PAYLOAD, Server, over_tcp, over_udp, reason
from postroad.words.facts import Answer, Bogus, Temporary


@dataclass(frozen=True, slots=True)
class Direct:
    """An answer of one server. `octets` is the size of the whole message, `is_cut` whether UDP could not carry it."""

    answer: Answer[Any]
    octets: int = 0
    is_cut: bool = False
    is_authoritative: bool = False
    ttls: tuple[int, ...] = ()  # of each record of the answer


async def ask_server(
    server: Server, name: str, kind: RecordType, *, timeout_s: float = 3.0, recursion: bool = False
) -> Direct:
    """Ask by UDP with room for 1232 octets, and by TCP if the answer was cut; never raises for what comes or does not.

    Without `recursion` the server speaks for itself alone. An alias is followed as far as its answer goes.
    """
    heard: list[tuple[dns.message.Message, bool]] = []

    async def ask(owner: dns.name.Name, rdtype: Any) -> Reply | Temporary:  # noqa: ANN401  # dnspython's enum
        if heard:
            return Temporary(f"{server} does not say more of {owner}")
        flags = dns.flags.RD if recursion else dns.flags.Flag(0)
        query = dns.message.make_query(owner, rdtype, use_edns=0, payload=PAYLOAD, flags=flags)
        message = await over_udp(query, server)
        heard.append((message or await over_tcp(query, server), message is None))
        told = heard[0][0]
        if told.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return Temporary(f"{server} says {dns.rcode.to_text(told.rcode())}")
        return Reply(told.rcode(), told.answer, told.authority)

    try:
        async with asyncio.timeout(timeout_s):
            answer = await resolve_with(ask, name, kind)
    except TimeoutError:
        return Direct(Temporary(f"{server} did not answer within {timeout_s:g} s"))
    except (OSError, EOFError) as problem:
        return Direct(Temporary(f"{server}: {reason(problem)}"))
    except Exception as problem:  # noqa: BLE001  # hostile octets: dnspython promises no closed set of errors
        return Direct(Bogus(f"{server} sent a reply that cannot be used: {problem or type(problem).__name__}"))
    if not heard:
        return Direct(answer)
    told, is_cut = heard[0]
    return Direct(answer, len(told.wire or b""), is_cut, bool(told.flags & dns.flags.AA), _ttls(told, kind))


def _ttls(message: dns.message.Message, kind: RecordType) -> tuple[int, ...]:
    """Record by record: in the message as it was read those of a set are one already, the least of them."""
    apart = dns.message.from_wire(message.wire or b"", one_rr_per_rrset=True)
    return tuple(each.ttl for each in apart.answer if dns.rdatatype.to_text(each.rdtype) == kind)
