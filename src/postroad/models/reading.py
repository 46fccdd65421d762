"""Reads a sender from TOML: what differs from a known sender, and nothing else.

The keys are the fields of `Sender`, and their types say what a value may be: there is no second list of them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from postroad.models.model import PHASES, Asks, Basis, Families, FaultPhase, Sender
from postroad.models.procedures import BY_PROCEDURE
from postroad.models.schedule import Schedule, growth
from postroad.words.bounds import Bounds, OutOfBoundsError, count
from postroad.words.faults import Mode
from postroad.words.inputs import shown

DEFAULT_PROCEDURE = "rfc5321"
NONE = "none"  # TOML has no word for it
LARGE = 2**63  # what is larger is refused, and as a float might not even be
_GROWTH = (Bounds(1.0), Bounds(1.0, 1000.0), count(10_000))  # the first wait, the factor, how many
_UNSAID = ("name",)  # the file's or the table's own name says it


class WrongError(ValueError):
    """The error that a key or value of a sender file cannot be used."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path


def sender_from(name: str, table: Mapping[str, Any], known: Mapping[str, Sender], path: str = "") -> Sender:
    """The sender of a table: `like` one that is known, or as a `procedure`, with what the table changes.

    Raises:
        WrongError: a key or value cannot be taken.

    """
    said = dict(table)
    if said.get("kind") == Basis.OURS:
        raise WrongError(_at(path, "kind"), "only this program itself is ours; write kind = 'assumed' or 'measured'")
    sender: Sender = _changed(path, _base(path, said, known), said)
    if "families" in said:
        sender = replace(sender, asks=_needed(sender, said.get("asks", {})))
    retry = replace(sender.retry, name=name if sender.retry.queues else NONE) if "retry" in said else sender.retry
    return replace(sender, name=name, retry=retry)


def _needed(sender: Sender, said: Mapping[str, Any]) -> Asks:
    """What DNS is asked for, where the file does not say it: addresses of the families that are used."""
    families, asks = sender.families, sender.asks
    a = asks.a if "a" in said else 0 if families is Families.V6_ONLY else asks.a or 1
    aaaa = asks.aaaa if "aaaa" in said else 0 if families is Families.V4_ONLY else asks.aaaa or 1
    return replace(asks, a=a, aaaa=aaaa)


def schedule_from(name: str, table: object) -> Schedule:
    """The timetable of a table.

    Raises:
        WrongError: a key or value cannot be taken.

    """
    schedule: Schedule = _changed(name, Schedule(name), check_table(name, table))
    return schedule


def _base(path: str, said: dict[str, Any], known: Mapping[str, Sender]) -> Sender:
    like, procedure = said.pop("like", None), said.pop("procedure", None)
    if like is not None and procedure is not None:
        raise WrongError(_at(path, "procedure"), "the sender of `like` already has one; write only one of them")
    procedure = DEFAULT_PROCEDURE if procedure is None else procedure
    if like is not None:
        if not isinstance(like, str) or like not in known:
            raise WrongError(_at(path, "like"), f"there is no sender {shown(like)}; {meant(like, known)}")
        if known[like].ours:
            why = f"{like} is this program itself, not data to be changed; write like = 'rfc5321'"
            raise WrongError(_at(path, "like"), why)
        return known[like]
    if not isinstance(procedure, str) or procedure not in BY_PROCEDURE:
        raise WrongError(_at(path, "procedure"), f"{shown(procedure)} is not one of {', '.join(BY_PROCEDURE)}")
    return BY_PROCEDURE[procedure]


def _at(path: str, key: str) -> str:
    return f"{path}.{key}".lstrip(".")


def _changed(path: str, base: Any, said: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any of the model's dataclasses
    """A dataclass with the fields of a table in place of its own."""
    hints = _hints(type(base))  # type: ignore[arg-type]  # a class is hashable, whatever it is a class of
    if isinstance(base, Schedule):
        said = _grown(path, said)
    check_keys(path, said, [each.name for each in fields(base) if each.name not in _UNSAID])
    changes = {key: _value(_at(path, key), hints[key], value, getattr(base, key)) for key, value in said.items()}
    try:
        return replace(base, **changes)
    except OutOfBoundsError as wrong:
        raise WrongError(_at(path, wrong.field), wrong.why) from wrong


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _grown(path: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """`growth = [first, factor, times]` written out as intervals."""
    if "growth" not in said:
        return said
    rest = {key: value for key, value in said.items() if key != "growth"}
    match said["growth"]:
        case [first_s, factor, times] if not any(
            each.why_not(value) for each, value in zip(_GROWTH, (first_s, factor, times), strict=True)
        ):
            try:
                return {"intervals_s": list(growth(float(first_s), float(factor), times)), **rest}
            except OutOfBoundsError as wrong:
                raise WrongError(_at(path, wrong.field), wrong.why) from wrong
    raise WrongError(_at(path, "growth"), "write the first wait in seconds, the factor and how many: [900, 1.25, 19]")


def _value(path: str, kind: Any, value: object, base: object) -> object:  # noqa: ANN401  # a type, or a form of one
    if kind is Schedule:  # a timetable is said as a whole
        return _changed(path, Schedule(path), check_table(path, value))
    if is_dataclass(kind):
        return _changed(path, base, check_table(path, value))
    if get_origin(kind) is frozenset:
        return frozenset(_one_of(path, get_args(kind)[0], each) for each in _list(path, value))
    if get_origin(kind) is tuple:
        return tuple(_plain(path, (get_args(kind)[0],), each) for each in _list(path, value))
    if get_origin(kind) is Mapping:
        return _mapped(path, get_args(kind), check_table(path, value), base)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _one_of(path, kind, value)
    return _plain(path, get_args(kind) if isinstance(kind, UnionType) else (kind,), value)


def _mapped(path: str, kinds: tuple[Any, ...], said: Mapping[str, Any], base: object) -> Mapping[Any, Any]:
    """A mapping changed key by key. Of a phase all its modes are changed, before any mode by itself."""
    keys, values = kinds
    check_keys(path, said, [*(FaultPhase if keys is Mode else ()), *keys])
    changed: dict[Any, Any] = dict(base) if isinstance(base, Mapping) else {}
    phases = [key for key in said if key in set(FaultPhase)]
    for key in phases:
        changed |= dict.fromkeys(PHASES[FaultPhase(key)], _one_of(_at(path, key), values, said[key]))
    for key in said:
        if key not in phases:
            changed[keys(key)] = _one_of(_at(path, key), values, said[key])
    return MappingProxyType(changed)


def _plain(path: str, kinds: tuple[type, ...], value: object) -> object:
    if NoneType in kinds and value == NONE:
        return None
    if float in kinds and isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGE:
        value = float(value)
    if type(value) not in kinds and not (float in kinds and type(value) is int):
        raise WrongError(path, f"{shown(value)} is not {' or '.join(_NAMES.get(kind, NONE) for kind in kinds)}")
    return value


_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _one_of(path: str, kind: type[StrEnum], value: object) -> StrEnum:
    if not isinstance(value, str) or value not in set(kind):
        raise WrongError(path, f"{shown(value)} is not one of {', '.join(kind)}")
    return kind(str(value))


def check_table(path: str, value: object) -> dict[str, Any]:
    """The table that must stand here."""
    if not isinstance(value, dict):
        raise WrongError(path, "write a table here, such as { key = value }")
    return dict(value)


def _list(path: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise WrongError(path, 'write a list here, such as ["refuse"]')
    return value


def check_keys(path: str, said: Mapping[str, Any], keys: Sequence[str], what: str = "key") -> None:
    """Nothing is said that nobody reads."""
    unknown = [key for key in said if key not in keys]
    if unknown:
        raise WrongError(_at(path, unknown[0]), f"there is no such {what}; {meant(unknown[0], keys)}")


def meant(text: object, words: Iterable[str]) -> str:
    """What was probably meant; where nothing is near, all that there is."""
    every = list(words)
    near = get_close_matches(str(text), every, 3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there {'is' if len(every) == 1 else 'are'} {', '.join(every)}"
