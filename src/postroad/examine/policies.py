"""Policies published beside an MX set: SPF, MTA-STS with its policy file, TLSA of each exchanger, TLS reports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from postroad.dns import Resolver, resolve_a, resolve_aaaa, resolve_tlsa, resolve_txt
from postroad.examine.https import Fetched, fetch
from postroad.words.facts import Answer, Found, HostFacts, NoData, Snapshot, Tlsa
from postroad.words.names import AddressLiteral, is_address_like
from postroad.words.policies import StsPolicy, Texts

MAX_EXCHANGERS = 30  # exchangers whose TLSA records are asked for
STS_PATH = "/.well-known/mta-sts.txt"
MAX_AGE_S = 31557600  # the longest a policy may be kept, RFC 8461 section 3.2
_MODES = ("enforce", "testing", "none")

Fetch = Callable[[Resolver, str, str], Awaitable[Fetched]]
"""The document at (host, path) by HTTPS, the host's addresses asked of the resolver."""


async def gather_text(snapshot: Snapshot, resolver: Resolver, fetch_by: Fetch | None = fetch) -> Texts:
    """What a domain says of who may send for it, and how its exchangers are to be reached.

    `spf`, `tlsrpt`: only the texts that are of that kind. `fetch_by` of None fetches no document.
    """
    domain = snapshot.domain
    if isinstance(domain, AddressLiteral):
        return Texts()
    async with asyncio.TaskGroup() as group:
        spf = group.create_task(resolve_txt(resolver, domain))
        sts = group.create_task(_sts(domain, resolver, fetch_by))
        reports = group.create_task(resolve_txt(resolver, f"_smtp._tls.{domain}"))
        tlsa = group.create_task(_tlsa(snapshot, resolver))
    return Texts(
        _only("v=spf1", spf.result()), sts.result(), tlsa.result(), _only("v=TLSRPTv1", reports.result(), end=" ;")
    )


def parse_policy(record: str, text: str) -> StsPolicy:
    """Read an MTA-STS policy: lines of `key: value` (RFC 8461 section 3.2); what is wrong stands in `why_not`."""
    pairs = [
        (key.strip(), value.strip())
        for key, colon, value in (line.partition(":") for line in text.splitlines())
        if colon
    ]
    first = dict(reversed(pairs))  # of a key that stands twice the first counts, but for mx
    names = tuple(value.lower().removesuffix(".") for key, value in pairs if key == "mx")
    mode, age = first.get("mode", ""), first.get("max_age", "")
    max_age_s = min(int(age), MAX_AGE_S) if age.isascii() and age.isdigit() and len(age) <= 10 else 0
    return StsPolicy(record, mode, names, max_age_s, _wrong(first, names))


def _wrong(pairs: Mapping[str, str], names: tuple[str, ...]) -> str:
    mode, age = pairs.get("mode", ""), pairs.get("max_age", "")
    if pairs.get("version") != "STSv1":
        return "the policy has no line `version: STSv1`"
    if mode not in _MODES:
        return f"the policy's mode is {mode!r}, and must be one of {', '.join(_MODES)}"
    if not (age.isascii() and age.isdigit() and len(age) <= 10):
        return f"the policy's max_age is {age!r}, and must be a number of seconds"
    if not names and mode != "none":
        return "the policy names no mx"
    return ""


async def _sts(domain: str, resolver: Resolver, fetch_by: Fetch | None) -> StsPolicy | None:
    told = _only("v=STSv1", await resolve_txt(resolver, f"_mta-sts.{domain}"), end=" ;")
    if not isinstance(told, Found):
        return None
    record = told.records[0]
    if len(told.records) > 1:  # RFC 8461 section 3.1: then there is no policy
        return StsPolicy(
            record, why_not=f"{len(told.records)} records at _mta-sts.{domain}: senders then ignore them all"
        )
    where = f"mta-sts.{domain}"
    host = HostFacts(*await asyncio.gather(resolve_a(resolver, where), resolve_aaaa(resolver, where)))
    if fetch_by is None:
        return StsPolicy(record, host=host)
    document = await fetch_by(resolver, where, STS_PATH)
    if document.why_not:
        return StsPolicy(record, why_not=document.why_not, host=host)
    return replace(parse_policy(record, document.text), host=host)


async def _tlsa(snapshot: Snapshot, resolver: Resolver) -> Mapping[str, Answer[Tlsa]]:
    """At the name of the exchanger as MX has it, port 25 (RFC 7672 section 2.2.3); at the domain's for a mistake."""
    found = snapshot.mx.records
    names = list(dict.fromkeys(mx.exchange for mx in found if mx.exchange and not is_address_like(mx.exchange)))
    asked = [*names[:MAX_EXCHANGERS], *({str(snapshot.domain)} - set(names))]
    answers = await asyncio.gather(*(resolve_tlsa(resolver, f"_25._tcp.{name}") for name in asked))
    return dict(zip(asked, answers, strict=True))


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
