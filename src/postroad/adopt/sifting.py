"""What is taken over without what the settings cannot have: that is named instead."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
    for name in draft.lists:
        _sift_list(draft, name, lambda more: refused({**there, **more}))
    text = draft.toml("")
    draft.secrets = {name: secret for name, secret in draft.secrets.items() if f'/{name}"' in text}
    for sentence in refused(_settings(draft)):
        _leave(draft, "postroad.toml", sentence, "")


def _sift_list(draft: Adoption, name: str, refused: Refused) -> None:
    right, wrong = _parted(draft.lists[name], lambda some: refused({name: [values for values, _ in some]}))
    draft.lists[name] = right
    for (_values, origin), sentence in wrong:
        _leave(draft, origin, sentence, f"[[{name}]]")


def _sift_table(draft: Adoption, name: str, table: Values, refused: Refused) -> None:
    right, wrong = _parted(list(table.items()), lambda some: refused(_within(name, dict(some))))
    for (key, value), sentence in wrong:
        kept, bad = _items(value, sentence, partial(_of_key, name, key, refused))
        right += [(key, kept)] if kept else []
        for each in bad:
            _leave(draft, draft.origins[name, key], each, f"{name}.{key}".removeprefix("."))
    draft.tables[name] = dict(right)


def _of_key(name: str, key: str, refused: Refused, items: list[object]) -> list[str]:
    return refused(_within(name, {key: items}))


def _items(
    value: object, sentence: str, refused: Callable[[list[object]], list[str]]
) -> tuple[list[object], list[str]]:
    """Of a list that is wrong the items that are right, and what is wrong with the others."""
    if not isinstance(value, list) or len(value) == 1:
        return [], [sentence]
    right, wrong = _parted(value, refused)
    return right, [each for _item, each in wrong]


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
