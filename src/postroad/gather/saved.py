"""A snapshot as JSON, whole, and read back: what `postroad lookup --json` keeps for a later `check` or `compare`."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from postroad.words.facts import Answer, Bogus, Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.names import AddressLiteral, Unreadable, parse_destination
from postroad.words.snapshot import Snapshot

Shape = dict[str, Any]

MAX_PREFERENCE = 65535

STATUS = {Found: "found", NoData: "no-data", NoName: "no-name", Temporary: "temporary", Bogus: "bogus"}


class UnreadableFactsError(ValueError):
    """The error that a text is not a saved look-up: what is wrong with it."""


def facts_shape(snapshot: Snapshot) -> Shape:
    """Every answer of a snapshot; keys with nothing to say are left out."""
    return {
        "mx": _answer(snapshot.mx),
        "servers": _answer(snapshot.servers) if snapshot.servers else None,
        "hosts": {name: {"a": _answer(each.a), "aaaa": _answer(each.aaaa)} for name, each in snapshot.hosts.items()},
        "reverse": {str(address): _answer(each) for address, each in snapshot.reverse.items()},
    }


def read_lookup(shape: object) -> Snapshot:
    """The snapshot in what `postroad lookup --json` printed.

    Raises:
        UnreadableFactsError: it is something else.

    """
    try:
        return _read(shape)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        told = f"{problem!r}" if isinstance(problem, KeyError) else str(problem)
        raise UnreadableFactsError(
            f"not a look-up saved by `postroad lookup DOMAIN --json` ({told or 'it is something else'})"
        ) from None


def _read(shape: Any) -> Snapshot:  # noqa: ANN401  # whatever the file had
    facts = shape["facts"]
    domain = parse_destination(shape["domain"])
    if isinstance(domain, Unreadable):
        raise ValueError(str(domain))  # noqa: TRY004  # the text is wrong, not its type
    servers = facts["servers"]
    return Snapshot(
        domain,
        NoData() if isinstance(domain, AddressLiteral) else _read_answer(facts["mx"], _mx),
        {
            _name(name): HostFacts(_read_answer(each["a"], IPv4Address), _read_answer(each["aaaa"], IPv6Address))
            for name, each in facts["hosts"].items()
        },
        _read_answer(servers, _name) if servers else None,
        {ip_address(address): _read_answer(each, _name) for address, each in facts["reverse"].items()},
    )


def _answer(answer: Answer[Any]) -> Shape:
    shape: Shape = {"status": STATUS[type(answer)]}
    shape |= {"aliases": list(answer.aliases)} if answer.aliases else {}
    shape |= {"name": answer.name} if not isinstance(answer, NoData | NoName) and answer.name else {}
    if isinstance(answer, Temporary | Bogus):
        number = answer.extended_error if isinstance(answer, Temporary) else None
        return shape | {"why": answer.why} | ({} if number is None else {"extended_error": number})
    if isinstance(answer, Found):
        shape["records"] = [_record(record) for record in answer.records]
    shape |= {"authentic": True} if answer.authentic else {}
    return shape | {"ttl_s": answer.ttl_s}


def _record(record: object) -> str:
    return f"{record.preference} {record.exchange}" if isinstance(record, Mx) else str(record)


def _read_answer(shape: Mapping[str, Any], read: Any) -> Answer[Any]:  # noqa: ANN401  # text -> record
    status, ttl_s, aliases = shape["status"], int(shape.get("ttl_s", 0)), tuple(map(_name, shape.get("aliases", ())))
    name = _name(shape.get("name", ""))
    if status == "found":
        records = tuple(read(record) for record in shape["records"])
        return Found(records, ttl_s, aliases, name, shape.get("authentic") is True)
    if status in ("temporary", "bogus"):
        why = str(shape["why"]).encode("utf-8", "replace").decode()
        if status == "bogus":
            return Bogus(why, aliases, name)
        number = shape.get("extended_error")
        return Temporary(why, aliases, name, None if number is None else int(number))
    if status not in ("no-data", "no-name"):
        raise ValueError(f"no answer has the status {status!r}")
    return (NoData if status == "no-data" else NoName)(ttl_s, aliases, shape.get("authentic") is True)


def _mx(text: str) -> Mx:
    preference, _, exchange = text.partition(" ")
    if not 0 <= int(preference) <= MAX_PREFERENCE:
        raise ValueError(f"no preference is {preference}")
    return Mx(int(preference), _name(exchange))


def _name(text: str) -> str:
    """A name as `words.names` writes them: what a resolver gives has no other characters."""
    if not (text.isascii() and text.isprintable()) or text != text.lower():
        raise ValueError(f"{text!r} is not a domain name")
    return text
