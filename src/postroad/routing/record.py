"""A route as a stored record, so that a choice made days ago can be repeated and explained."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from postroad.routing.rules import Dropped, DropReason, Exchanger, Level, Note, Refusal, Route, Source
from postroad.words.names import Destination, Unreadable, parse_destination
from postroad.words.tls import OPPORTUNISTIC
from postroad.words.tlsrecord import demand_record, read_demand

Shape = dict[str, Any]


def route_record(answer: Route | Refusal) -> Shape:
    """A route as JSON's types; what a refusal said is in the attempt's outcome already."""
    shape: Shape = {"source": answer.source.value if answer.source else None}
    if isinstance(answer, Route):
        shape["to"] = str(answer.destination)
        shape["levels"] = [
            [level.preference, [_exchanger(each) for each in level.exchangers]] for level in answer.levels
        ]
    if answer.dropped:
        shape["dropped"] = [_dropped(drop) for drop in answer.dropped]
    if answer.notes:
        shape["notes"] = [[note.kind, note.text] for note in answer.notes]
    return shape


def read_route(record: Mapping[str, Any]) -> Route | None:
    """The route of a record; None if there was none.

    Raises:
        ValueError: it is no such record.

    """
    if "levels" not in record:
        return None
    try:
        return Route(
            _destination(record["to"]),
            Source(record["source"]),
            tuple(Level(preference, tuple(_read(each) for each in hosts)) for preference, hosts in record["levels"]),
            tuple(_read_dropped(drop) for drop in record.get("dropped", ())),
            tuple(Note(kind, text) for kind, text in record.get("notes", ())),
        )
    except (KeyError, TypeError) as problem:
        raise ValueError(f"not the record of a route: {problem}") from problem


def _destination(text: str) -> Destination:
    destination = parse_destination(text)
    if isinstance(destination, Unreadable):
        raise ValueError(str(destination))  # noqa: TRY004  # the text is wrong, not its type
    return destination


def _exchanger(each: Exchanger) -> Shape:
    shape: Shape = {"name": each.name, "addresses": [str(address) for address in each.addresses]}
    if each.weight != 1:
        shape["weight"] = each.weight
    if each.port:
        shape["port"] = each.port
    if each.demand != OPPORTUNISTIC:
        shape["demand"] = demand_record(each.demand)
    return shape


def _read(shape: Mapping[str, Any]) -> Exchanger:
    addresses = tuple(ip_address(address) for address in shape["addresses"])
    demand = read_demand(shape.get("demand"))
    return Exchanger(shape["name"], addresses, shape.get("weight", 1), shape.get("port"), demand)


def _dropped(drop: Dropped) -> list[Any]:
    return [drop.exchange, str(drop.address) if drop.address else None, drop.preference, drop.reason.value, drop.text]


def _read_dropped(shape: list[Any]) -> Dropped:
    exchange, address, preference, reason, text = shape
    return Dropped(exchange, ip_address(address) if address else None, preference, DropReason(reason), text)
