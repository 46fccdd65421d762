"""Senders and mixes of one's own, from TOML: what differs from a sender that is known, and nothing else.

The keys are the fields of `Sender`, and their types say what a value may be: there is no second list of them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from fractions import Fraction
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from postroad.simulation.model import Sender
from postroad.simulation.senders import MIXES, SENDERS
from postroad.words.names import Unreadable
from postroad.words.toml import parse_toml

DEFAULT_LIKE = "rfc5321"
NONE = "none"  # TOML has no word for it


@dataclass(frozen=True, slots=True)
class OwnSenders:
    """What a file adds to the senders and mixes that are known."""

    senders: Mapping[str, Sender]
    mixes: Mapping[str, Mapping[str, Fraction]]


class _WrongError(ValueError):
    """A key or value that cannot be taken."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path


def read_senders(text: str) -> OwnSenders | Unreadable:
    """Read `[senders.NAME]` and `[mixes.NAME]` tables; docs/reference/senders.md tells what they hold."""
    tables = parse_toml(text)
    if isinstance(tables, Unreadable):
        return tables
    try:
        _known("", tables, ("senders", "mixes"))
        senders = {name: _sender(name, _table(f"senders.{name}", each)) for name, each in _all(tables, "senders")}
        known = {*SENDERS, *senders}
        mixes = {name: _mix(name, _table(f"mixes.{name}", each), known) for name, each in _all(tables, "mixes")}
    except _WrongError as wrong:
        return Unreadable(wrong.path, str(wrong))
    return OwnSenders(senders, mixes)


def _all(tables: Mapping[str, Any], kind: str) -> list[tuple[str, Any]]:
    return list(_table(kind, tables.get(kind, {})).items())


def _sender(name: str, table: dict[str, Any]) -> Sender:
    path = f"senders.{name}"
    if name in SENDERS:
        raise _WrongError(path, "a sender of this name is known; give yours another, and say like = " + repr(name))
    like = table.pop("like", DEFAULT_LIKE)
    if like not in SENDERS:
        raise _WrongError(f"{path}.like", f"no sender {like!r}; there are {', '.join(SENDERS)}")
    if SENDERS[like].ours:
        raise _WrongError(
            f"{path}.like", f"{like} is this program itself, not data to be changed; write like = 'rfc5321'"
        )
    title = {"title": name, "source": f"a file of yours, like {like}"}
    sender: Sender = _changed(path, SENDERS[like], title | table)
    return replace(sender, name=name)


def _mix(name: str, table: dict[str, Any], known: set[str]) -> dict[str, Fraction]:
    path = f"mixes.{name}"
    if name in MIXES:
        raise _WrongError(path, "a mix of this name is known; give yours another")
    _known(path, table, sorted(known))
    parts = {sender: _part(f"{path}.{sender}", part) for sender, part in table.items()}
    total = sum(parts.values())
    if not total:
        raise _WrongError(path, "a mix has at least one sender with a part above 0")
    return {sender: part / total for sender, part in parts.items()}


def _part(path: str, value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise _WrongError(
            path, f"{value!r} is no part of a mix; write a number from 0 up: parts need not sum to anything"
        )
    return Fraction(str(value))


def _changed(path: str, base: Any, table: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any of the model's dataclasses
    """A dataclass with the fields of a table in place of its own."""
    hints = get_type_hints(type(base))
    _known(path, table, [each.name for each in fields(base) if each.name not in ("name", "ours")])
    changes = {key: _value(f"{path}.{key}", hints[key], value, getattr(base, key)) for key, value in table.items()}
    return replace(base, **changes)


def _value(path: str, kind: Any, value: object, base: object) -> object:  # noqa: ANN401  # a type, or a form of one
    if is_dataclass(kind):
        return _changed(path, base, _table(path, value))
    if get_origin(kind) is frozenset:
        return frozenset(_one_of(path, get_args(kind)[0], each) for each in _list(path, value))
    if get_origin(kind) is Mapping:
        keys, values = get_args(kind)
        table = _table(path, value)
        return {
            **_mapping(base),
            **{_one_of(path, keys, key): _one_of(path, values, each) for key, each in table.items()},
        }
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _one_of(path, kind, value)
    return _plain(path, get_args(kind) if isinstance(kind, UnionType) else (kind,), value)


def _plain(path: str, kinds: tuple[type, ...], value: object) -> object:
    if NoneType in kinds and value == NONE:
        return None
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) not in kinds:
        names = " or ".join(NONE if kind is NoneType else kind.__name__ for kind in kinds)
        raise _WrongError(path, f"{value!r} is not of the kind {names}")
    if isinstance(value, int | float) and not 0 <= value < float("inf"):
        raise _WrongError(path, f"{value!r} is below 0")
    return value


def _one_of(path: str, kind: type[StrEnum], value: object) -> StrEnum:
    if value not in set(kind):
        raise _WrongError(path, f"{value!r} is none of {', '.join(kind)}")
    return kind(str(value))


def _table(path: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError(path, "a table is wanted here, as in { key = value }")
    return dict(value)


def _list(path: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise _WrongError(path, 'a list is wanted here, as in ["refuse"]')
    return value


def _mapping(base: object) -> Mapping[Any, Any]:
    return base if isinstance(base, Mapping) else {}


def _known(path: str, table: Mapping[str, Any], keys: Sequence[str]) -> None:
    unknown = [key for key in table if key not in keys]
    if unknown:
        raise _WrongError(f"{path}.{unknown[0]}".lstrip("."), f"no such key; there are {', '.join(keys)}")
