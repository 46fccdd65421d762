"""What DNS says of a domain's mail exchangers as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from postroad.gather import STATUS, facts_shape
from postroad.views.json.shape import VERSION
from postroad.words.facts import Answer, Bogus, Found, HostFacts, Temporary, is_authentic
from postroad.words.names import Address
from postroad.words.snapshot import Snapshot


class AnswerJson(TypedDict):
    """A DNS answer; `why` where it could not be had, `authentic` where the resolver vouches for it by DNSSEC."""

    status: str
    records: list[str]
    ttl_s: int | None
    why: str | None
    authentic: bool


class HostAddressJson(TypedDict):
    """An address, its names, and whether one of these has it again."""

    address: str
    ttl_s: int
    ptr: list[str]
    forward_confirmed: bool | None


class HostJson(TypedDict):
    """A host with its addresses."""

    addresses: list[HostAddressJson]
    a: AnswerJson
    aaaa: AnswerJson


class MxJson(HostJson):
    """An MX record with its host."""

    preference: int
    exchange: str


class LookupJson(TypedDict):
    """`postroad lookup --json`; `facts` is for `check` and `compare` to read again."""

    version: int
    domain: str
    status: str
    why: str | None
    aliases: list[str]
    ttl_s: int | None
    authentic: bool
    mx: list[MxJson]
    implicit: HostJson | None
    name_servers: list[str]
    facts: dict[str, Any]


def lookup_shape(snapshot: Snapshot) -> LookupJson:
    """`postroad lookup --json`."""
    mx = snapshot.mx
    records = sorted(mx.records, key=lambda record: record.preference) if isinstance(mx, Found) else []
    return {
        "version": VERSION,
        "domain": str(snapshot.domain),
        "status": STATUS[type(mx)],
        "why": _why(mx),
        "aliases": list(getattr(mx, "aliases", ())),
        "ttl_s": getattr(mx, "ttl_s", None),
        "authentic": is_authentic(mx),
        "mx": [
            {
                "preference": record.preference,
                "exchange": record.exchange,
                **_host(snapshot.hosts.get(record.exchange), snapshot.reverse, snapshot.hosts),
            }
            for record in records
        ],
        "implicit": None
        if records
        else _host(snapshot.hosts.get(str(snapshot.domain)), snapshot.reverse, snapshot.hosts),
        "name_servers": list(snapshot.servers.records) if isinstance(snapshot.servers, Found) else [],
        "facts": facts_shape(snapshot),
    }


def facts_of(answer: Answer[Any] | None) -> AnswerJson:
    """A DNS answer: its status, records as text, TTL, and why where there are none."""
    if answer is None:
        return {"status": "not-asked", "records": [], "ttl_s": None, "why": None, "authentic": False}
    records = [str(record) for record in answer.records] if isinstance(answer, Found) else []
    return {
        "status": STATUS[type(answer)],
        "records": records,
        "ttl_s": getattr(answer, "ttl_s", None),
        "why": _why(answer),
        "authentic": is_authentic(answer),
    }


def is_confirmed(
    address: Address, reverse: Mapping[Address, Answer[str]], hosts: Mapping[str, HostFacts]
) -> bool | None:
    """Whether address -> PTR -> name -> address agrees, as Postfix's reject_unknown_client_hostname asks.

    None if the reverse name was not asked for, or could not be had.
    """
    answer = reverse.get(address)
    if isinstance(answer, Temporary | Bogus) or answer is None:
        return None
    names = answer.records if isinstance(answer, Found) else ()
    return any(address in _addresses(hosts.get(name)) for name in names)


def _host(facts: HostFacts | None, reverse: Mapping[Address, Answer[str]], hosts: Mapping[str, HostFacts]) -> HostJson:
    if facts is None:
        return {"addresses": [], "a": facts_of(None), "aaaa": facts_of(None)}
    return {
        "addresses": [
            {
                "address": str(address),
                "ttl_s": answer.ttl_s,
                "ptr": facts_of(reverse.get(address))["records"],
                "forward_confirmed": is_confirmed(address, reverse, hosts),
            }
            for answer in (facts.a, facts.aaaa)
            if isinstance(answer, Found)
            for address in answer.records
        ],
        "a": facts_of(facts.a),
        "aaaa": facts_of(facts.aaaa),
    }


def _addresses(facts: HostFacts | None) -> tuple[Address, ...]:
    if facts is None:
        return ()
    return tuple(address for answer in (facts.a, facts.aaaa) if isinstance(answer, Found) for address in answer.records)


def _why(answer: Answer[Any]) -> str | None:
    return answer.why if isinstance(answer, Temporary | Bogus) else None
