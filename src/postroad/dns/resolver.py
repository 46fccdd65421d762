"""The protocol of resolvers: what can be asked, and for which types."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol

from postroad.words.facts import Answer, Tlsa


class RecordType(StrEnum):
    """The record types that are ever asked for. Their records come as the words in the comments."""

    MX = "MX"  # Mx
    A = "A"  # IPv4Address
    AAAA = "AAAA"  # IPv6Address
    PTR = "PTR"  # str, a name
    NS = "NS"  # str, a name
    CNAME = "CNAME"  # str, a name; not followed
    TXT = "TXT"  # str, the strings of one record joined; octets that are no UTF-8 are replaced
    SOA = "SOA"  # Soa
    TLSA = "TLSA"  # Tlsa


@dataclass(frozen=True, slots=True)
class Soa:
    """The start of a zone (RFC 1035 section 3.3.13), as far as we ask; `minimum_s` is the negative TTL (RFC 2308)."""

    serial: int
    minimum_s: int


class Resolver(Protocol):
    """Whatever answers questions about names. Never raises for what DNS says or leaves unsaid."""

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """The records of this type at the name, aliases followed; see `RecordType` for what they come as."""
        ...


class AnswerListener(Protocol):
    """A listener for an answer that comes without a task.

    It is called back once, when the loop turns again, never at once.
    """

    def hear(self, answer: Answer[Any]) -> None:
        """The answer."""

    def fail(self, problem: BaseException) -> None:
        """A bug below: what `resolve` would have raised."""


class Starter(Protocol):
    """A resolver that can ask at once, without a task."""

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """As Resolver."""
        ...

    def start(self, name: str, kind: RecordType, ear: AnswerListener) -> Callable[[], None] | None:
        """Ask, and give the way to take the question back; None: this question needs `resolve`, and nobody is told."""
        ...


def deliver(task: asyncio.Task[Answer[Any]], ear: AnswerListener) -> None:
    """Tell an ear how a task has ended; who cancelled it wants to hear nothing."""
    if task.cancelled():
        return
    problem = task.exception()
    if problem is None:
        ear.hear(task.result())
    else:
        ear.fail(problem)


async def resolve_a(resolver: Resolver, name: str) -> Answer[IPv4Address]:
    """The IPv4 addresses of a host."""
    return await resolver.resolve(name, RecordType.A)


async def resolve_aaaa(resolver: Resolver, name: str) -> Answer[IPv6Address]:
    """The IPv6 addresses of a host."""
    return await resolver.resolve(name, RecordType.AAAA)


async def resolve_ns(resolver: Resolver, name: str) -> Answer[str]:
    """The name servers of a zone."""
    return await resolver.resolve(name, RecordType.NS)


async def resolve_txt(resolver: Resolver, name: str) -> Answer[str]:
    """The texts at a name."""
    return await resolver.resolve(name, RecordType.TXT)


async def resolve_tlsa(resolver: Resolver, name: str) -> Answer[Tlsa]:
    """What the certificates of a service must match."""
    return await resolver.resolve(name, RecordType.TLSA)
