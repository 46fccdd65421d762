"""What is taken over without what the settings cannot have: that is named instead."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from postroad.adopt.draft import Adoption, Values

Refused = Callable[[Mapping[str, Any]], list[str]]
"""What is wrong with settings, a sentence for each; nothing, if a relay would take them."""

T = TypeVar("T")


def sift(draft: Adoption, refused: Refused) -> None:
    """Leave what a relay would refuse, each by itself; and name what contradicts the rest."""
    if not refused(_settings(draft)):
        return
    for name, table in [*draft.tables.items()]:
        _sift_table(draft, name, table, refused)
        if not draft.tables[name]:
            del draft.tables[name]
    there = {key: each for key, each in _settings(draft).items() if key not in draft.lists}
    for name, entries in draft.lists.items():
        right, wrong = _parted(entries, lambda some, name=name: refused({**there, name: [each for each, _ in some]}))
        draft.lists[name] = right
        for (_values, origin), sentence in wrong:
            _leave(draft, origin, sentence, f"[[{name}]]")
    for sentence in refused(_settings(draft)):
        _leave(draft, "postroad.toml", sentence, "")


def _sift_table(draft: Adoption, name: str, table: Values, refused: Refused) -> None:
    right, wrong = _parted(list(table.items()), lambda some: refused(_within(name, dict(some))))
    for (key, value), sentence in wrong:
        bad = [sentence]
        if isinstance(value, list) and len(value) > 1:  # the others of a list may be right
            some, items = _parted(value, lambda few, key=key: refused(_within(name, {key: few})))
            right += [(key, some)] if some else []
            bad = [each for _item, each in items]
        for each in bad:
            _leave(draft, draft.origins[name, key], each, f"{name}.{key}".removeprefix("."))
    draft.tables[name] = dict(right)


def _parted(entries: Sequence[T], refused: Callable[[list[T]], list[str]]) -> tuple[list[T], list[tuple[T, str]]]:
    """Those that are right, and those that are wrong by themselves: found by halves, for there may be very many."""
    sentences = refused(list(entries)) if entries else []
    if not sentences:
        return list(entries), []
    if len(entries) == 1:
        return [], [(entries[0], sentences[0])]
    half = len(entries) // 2
    (right, wrong), (more, worse) = _parted(entries[:half], refused), _parted(entries[half:], refused)
    return right + more, wrong + worse


def _leave(draft: Adoption, where: str, sentence: str, name: str) -> None:
    """Name what is wrong: not by its place in a file that does not have it."""
    place, colon, text = sentence.partition(": ")
    said, _, how = (text if colon and name and " " not in place else sentence).partition("; ")
    draft.leave(where, f"{name}: {said}" if name else said, how or "change it by hand")


def _settings(draft: Adoption) -> dict[str, Any]:
    return tomllib.loads(draft.toml(""))


def _within(name: str, table: Values) -> dict[str, Any]:
    """A table where it stands: `rewrite.senders` in `rewrite`."""
    inner: dict[str, Any] = table
    for part in reversed(name.split(".") if name else []):
        inner = {part: inner}
    return inner
