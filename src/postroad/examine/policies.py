"""Policies published beside an MX set: SPF, MTA-STS with its policy file, TLSA of each exchanger, TLS reports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from postroad.dns import Resolver, resolve_tlsa, resolve_txt
from postroad.gather import Fetch, gather_sts
from postroad.words.facts import Answer, Found, NoData, Tlsa
from postroad.words.names import AddressLiteral, is_address_like
from postroad.words.policies import StsPublished, Texts
from postroad.words.snapshot import Snapshot

MAX_EXCHANGERS = 30  # exchangers whose TLSA records are asked for


async def gather_text(
    snapshot: Snapshot, resolver: Resolver, fetch_by: Fetch | None, names: Iterable[str] = ()
) -> Texts:
    """What a domain says of who may send for it, and how its exchangers are to be reached.

    `spf`, `tlsrpt`: only the texts that are of that kind. `fetch_by` of None fetches no document. `names`: those of the
    zone, where they are known: nobody tells the DKIM selectors of a domain over DNS.
    """
    domain = snapshot.domain
    if isinstance(domain, AddressLiteral):
        return Texts()
    async with asyncio.TaskGroup() as group:
        spf = group.create_task(resolve_txt(resolver, domain))
        sts = group.create_task(gather_sts(domain, resolver, fetch_by))
        reports = group.create_task(resolve_txt(resolver, f"_smtp._tls.{domain}"))
        tlsa = group.create_task(_tlsa(snapshot, resolver))
        dkim = group.create_task(_dkim(domain, names, resolver))
    found = sts.result()
    return Texts(
        _only("v=spf1", spf.result()),
        found if isinstance(found, StsPublished) else None,
        tlsa.result(),
        _only("v=TLSRPTv1", reports.result(), end=" ;"),
        dkim.result(),
    )


async def _tlsa(snapshot: Snapshot, resolver: Resolver) -> Mapping[str, Answer[Tlsa]]:
    """At the name of the exchanger as MX has it, port 25 (RFC 7672 section 2.2.3); at the domain's for a mistake."""
    found = snapshot.mx.records
    names = list(dict.fromkeys(mx.exchange for mx in found if mx.exchange and not is_address_like(mx.exchange)))
    asked = [*names[:MAX_EXCHANGERS], *({str(snapshot.domain)} - set(names))]
    answers = await asyncio.gather(*(resolve_tlsa(resolver, f"_25._tcp.{name}") for name in asked))
    return dict(zip(asked, answers, strict=True))


async def _dkim(domain: str, names: Iterable[str], resolver: Resolver) -> Mapping[str, Answer[str]]:
    """At every name with a selector: there may be more than one label of it, but no wildcard."""
    selectors = [name for name in dict.fromkeys(names) if name.endswith(f"._domainkey.{domain}") and name[0] != "*"]
    answers = await asyncio.gather(*(resolve_txt(resolver, name) for name in selectors))
    return {name: answer for name, answer in zip(selectors, answers, strict=True) if answer.records}


def _only(version: str, answer: Answer[str], end: str = " ") -> Answer[str]:
    """The texts that begin with a version; NoData if there are others only."""
    if not isinstance(answer, Found):
        return answer
    mine = tuple(text for text in answer.records if _is_of(version, text, end))
    if not mine:
        return NoData(answer.ttl_s, answer.aliases, answer.authentic)
    return Found(mine, answer.ttl_s, answer.aliases, answer.name, answer.authentic)


def _is_of(version: str, text: str, end: str) -> bool:
    length = len(version)
    return text[:length].lower() == version.lower() and (len(text) == length or text[length] in end)
