"""Senders and mixes of one's own: a file for one sender, or a file of several and of mixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from postroad.models.known import SENDERS
from postroad.models.mixes import MIXES
from postroad.models.model import Basis, Sender
from postroad.models.reading import DEFAULT_PROCEDURE, WrongError, check_keys, check_table, sender_from
from postroad.words.bounds import Bounds
from postroad.words.names import Unreadable
from postroad.words.toml import parse_toml


@dataclass(frozen=True, slots=True)
class OwnSenders:
    """The senders and mixes that a file adds."""

    senders: Mapping[str, Sender]
    mixes: Mapping[str, Mapping[str, Fraction]]


_SEVERAL = ("senders", "mixes")  # the tables of a file of several
_ONE = {"like", "procedure", *(each.name for each in fields(Sender))}  # the keys of a file of one


_ORIGIN = {"title", "kind", "version", "sources"}  # the keys that say nothing of what a sender does


def read_sender(name: str, text: str) -> Sender | Unreadable:
    """Read a file that is one sender, as the files of the senders that are known are."""
    table = parse_toml(text)
    if isinstance(table, Unreadable):
        return table
    if table and table.keys() <= set(_SEVERAL):
        return Unreadable("", "these are senders or mixes in tables; give the file to --senders")
    try:
        made = _sender(name, table, "", SENDERS)
    except WrongError as wrong:
        return Unreadable(wrong.path, str(wrong))
    if table.keys() <= _ORIGIN:
        why = "it says nothing of what the sender does; begin it with like = 'postfix', or procedure = 'rfc5321'"
        return Unreadable("", why)
    return made


def read_senders(text: str) -> OwnSenders | Unreadable:
    """Read `[senders.NAME]` and `[mixes.NAME]` tables; docs/reference/senders.md tells what they hold."""
    tables = parse_toml(text)
    if isinstance(tables, Unreadable):
        return tables
    if not any(tables.get(kind) for kind in _SEVERAL) and tables.keys() <= set(_SEVERAL):
        return Unreadable("", "it has no senders and no mixes; write [senders.NAME] or [mixes.NAME] tables")
    if tables.keys() <= _ONE:
        return Unreadable("", "this is one sender; give the file to --sender, or begin it with [senders.NAME]")
    try:
        check_keys("", tables, _SEVERAL)
        senders = _senders(dict(_all(tables, "senders")))
        known = {*SENDERS, *senders}
        mixes = {name: _mix(name, check_table(f"mixes.{name}", each), known) for name, each in _all(tables, "mixes")}
    except WrongError as wrong:
        return Unreadable(wrong.path, str(wrong))
    return OwnSenders(senders, mixes)


def _all(tables: Mapping[str, Any], kind: str) -> list[tuple[str, Any]]:
    return list(check_table(kind, tables.get(kind, {})).items())


def _senders(tables: Mapping[str, object]) -> dict[str, Sender]:
    """Each one after that which it is like, be that a neighbour in the file."""
    made: dict[str, Sender] = {}

    def make(name: str, waiting: tuple[str, ...] = ()) -> None:
        path = f"senders.{name}"
        if name in waiting:
            raise WrongError(f"{path}.like", f"it leads back to itself: {' -> '.join((*waiting, name))}")
        if name in SENDERS:
            why = f"a sender of this name exists; give yours another name, and write like = {name!r}"
            raise WrongError(path, why)
        table = check_table(path, tables[name])
        like = table.get("like")
        if isinstance(like, str) and like in tables and like not in made:
            make(like, (*waiting, name))
        made[name] = _sender(name, table, path, {**SENDERS, **made})

    for name in tables:
        if name not in made:
            make(name)
    return {name: made[name] for name in tables}


def _sender(name: str, table: Mapping[str, Any], path: str, known: Mapping[str, Sender]) -> Sender:
    """What is not said of its origin is not that of the sender it is like: nobody has measured it."""
    base = table.get("like", table.get("procedure", DEFAULT_PROCEDURE))
    origin = {"title": name, "kind": Basis.ASSUMED.value, "version": "", "sources": [f"a file of yours, like {base}"]}
    return sender_from(name, origin | dict(table), known, path)


def _mix(name: str, table: dict[str, Any], known: set[str]) -> dict[str, Fraction]:
    path = f"mixes.{name}"
    if name in MIXES:
        raise WrongError(path, "a mix of this name exists; give yours another name")
    check_keys(path, table, sorted(known), "sender")
    parts = {sender: _part(f"{path}.{sender}", part) for sender, part in table.items()}
    total = sum(parts.values())
    if not total:
        raise WrongError(path, "a mix has at least one sender with a part above 0")
    if not any(abs(total - whole) <= whole * ROUNDED for whole in (1, 100)):
        meant = ", ".join(f"{sender} = {float(100 * part / total):.4g}" for sender, part in parts.items())
        raise WrongError(path, f"the parts sum to {float(total):.6g} instead of 100 or 1; to scale them, write {meant}")
    return {sender: part / total for sender, part in parts.items()}


ROUNDED = Fraction(1, 200)  # of the whole: three thirds may be 33.3 each, and are scaled


def _part(path: str, value: object) -> Fraction:
    if why := PART.why_not(value):
        raise WrongError(path, f"{why}; a part of a mix is a percentage, or a fraction of 1")
    return Fraction(str(value))


PART = Bounds(most=100.0, unit="")
