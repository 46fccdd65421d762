"""Asks for the TLSA records of exchangers, where DNSSEC vouches for the way there (RFC 7672 section 2.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from postroad.dns import CachingResolver, RecordType, Resolver
from postroad.gather.asking import GatherSettings
from postroad.words.facts import Answer, Bogus, Found, HostFacts, NoData, NoName, Temporary, Tlsa, is_authentic
from postroad.words.phrasebook import listing
from postroad.words.policies import DaneFacts
from postroad.words.snapshot import Snapshot

if TYPE_CHECKING:
    from postroad.dns import WireSettings

SMTP_PORT = 25
_DEFAULT = GatherSettings()
MAX_NAME = 253  # characters without the final dot: 255 octets
_ROOT = ""

_Question = tuple[str, RecordType]
_Search = Generator[_Question, Any, DaneFacts]
"""What there is to ask about a host, one question after the other: it yields a question and is sent the answer."""


async def gather_dane(
    snapshot: Snapshot, resolver: Resolver, settings: GatherSettings = _DEFAULT, *, port: int = SMTP_PORT
) -> Mapping[str, DaneFacts]:
    """What DNSSEC vouches for of each exchanger, or of the domain itself where that stands for the lack of MX records.

    Where it vouches for no address, nothing is asked.
    """
    names = _exchangers(snapshot)
    is_secure = is_authentic(snapshot.mx)
    next_hops = _next_hops(snapshot) if is_secure and isinstance(snapshot.mx, Found) else ()
    searches = {name: _search(name, snapshot.hosts[name], is_secure, next_hops, port) for name in names}
    return await _Asker(resolver, settings).run(searches)


async def gather_dane_of_hosts(
    hosts: Mapping[str, HostFacts],
    resolver: Resolver,
    settings: GatherSettings = _DEFAULT,
    *,
    port: int = SMTP_PORT,
) -> Mapping[str, DaneFacts]:
    """The same for hosts that the settings name: who wrote them vouches for what MX records do elsewhere."""
    searches = {name: _search(name, facts, True, (), port) for name, facts in hosts.items()}  # noqa: FBT003  # the line above
    return await _Asker(resolver, settings).run(searches)


async def why_dane_is_off(resolver: Resolver, asked: WireSettings) -> str | None:
    """A sentence, if nothing that the name servers say is ever vouched for; "" if it is, None if nobody can say now."""
    far = [str(server) for server in asked.servers if not asked.believes(server)]
    if len(far) == len(asked.servers):
        are = "is" if len(far) == 1 else "are"
        return (
            f"DANE is off: {listing(far)} {are} not on this machine, and what DNSSEC says could be forged on the way;"
            " run a validating resolver here, or set dns.trust_ad = true if the way is safe"
        )
    root = await resolver.resolve(_ROOT, RecordType.NS)
    if is_authentic(root):
        return ""
    if isinstance(root, Temporary | Bogus):
        return None
    near = listing(str(server) for server in asked.servers if asked.believes(server))
    return f"DANE is off: the resolver at {near} does not validate; turn DNSSEC validation on there"


def _exchangers(snapshot: Snapshot) -> Iterable[str]:
    """The names with addresses that mail may go to: those of MX, else the domain (RFC 5321 section 5.1)."""
    if isinstance(snapshot.mx, NoData | NoName):
        names = [str(snapshot.domain)]
    else:
        names = list(dict.fromkeys(record.exchange for record in snapshot.mx.records))
    return [name for name in names if name in snapshot.hosts]


def _next_hops(snapshot: Snapshot) -> tuple[str, ...]:
    """The domain, and where its alias leads: a certificate for either will do (RFC 7672 section 3.2.2)."""
    end = snapshot.mx.name if isinstance(snapshot.mx, Found) and snapshot.mx.aliases else ""
    return (str(snapshot.domain), *((end,) if end else ()))


def _search(host: str, facts: HostFacts, is_mx_secure: bool, next_hops: tuple[str, ...], port: int) -> _Search:  # noqa: FBT001  # a fact
    """The TLSA records of a host, at the first TLSA base domain that has any."""
    tlsa: Answer[Tlsa] | None = None
    base = ""
    bases = yield from _bases(host, facts)
    if isinstance(bases, Temporary | Bogus):
        return DaneFacts(is_mx_secure, host, bases)
    prefix = f"_{port}._tcp."
    for base in (each for each in bases if len(prefix + each) <= MAX_NAME):  # beyond that no record can be
        tlsa = yield prefix + base, RecordType.TLSA
        # An error is an answer: an attacker could see to it (RFC 7672 section 2.1.2)
        if isinstance(tlsa, Temporary | Bogus) or (isinstance(tlsa, Found) and tlsa.authentic):
            break
    return DaneFacts(is_mx_secure, base, tlsa, tuple(dict.fromkeys((base, *next_hops, host))) if base else ())


def _bases(host: str, facts: HostFacts) -> Generator[_Question, Any, tuple[str, ...] | Temporary | Bogus]:
    """The candidates for the TLSA base domain (RFC 7672 section 2.2.2), or why nobody can say."""
    found = [answer for answer in (facts.a, facts.aaaa) if isinstance(answer, Found) and answer.records]
    secure = next((answer for answer in found if answer.authentic), None)
    if secure:
        return (secure.name, host) if secure.aliases and secure.name != host else (host,)
    if not any(answer.aliases for answer in found):
        # Asked all the same, name servers that do not know the type would hold up the mail for ever
        return ()
    root = yield _ROOT, RecordType.NS
    if not is_authentic(root):
        return ()  # the resolver vouches for nothing
    alias = yield host, RecordType.CNAME
    if isinstance(alias, Temporary | Bogus):
        return alias
    return (host,) if is_authentic(alias) else ()


class _Asker:
    """Carries out searches at once, but no more than the settings allow; what is known already costs no task."""

    def __init__(self, resolver: Resolver, settings: GatherSettings) -> None:
        self._resolver = resolver
        self._recall = resolver.recall if isinstance(resolver, CachingResolver) else None
        self._room = asyncio.Semaphore(settings.in_flight)

    async def run(self, searches: Mapping[str, _Search]) -> Mapping[str, DaneFacts]:
        """What each search has found."""
        begun = {name: self._advance(search, None) for name, search in searches.items()}
        found = {name: reached for name, reached in begun.items() if isinstance(reached, DaneFacts)}
        if len(found) == len(begun):  # most domains have no DNSSEC
            return found
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(self._finish(searches[name], reached))
                for name, reached in begun.items()
                if not isinstance(reached, DaneFacts)
            }
        return found | {name: task.result() for name, task in tasks.items()}

    async def _finish(self, search: _Search, reached: DaneFacts | _Question) -> DaneFacts:
        async with self._room:
            while not isinstance(reached, DaneFacts):
                reached = self._advance(search, await self._resolver.resolve(*reached))
        return reached

    def _advance(self, search: _Search, answer: Answer[Any] | None) -> DaneFacts | _Question:
        """Go on as far as answers are known: to the end, or to a question that must be asked."""
        try:
            question = search.send(answer)
            while self._recall and (known := self._recall(*question)) is not None:
                question = search.send(known)
        except StopIteration as end:
            done: DaneFacts = end.value
            return done
        return question
