"""The JSON of the senders: what their files say, whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypedDict

from postroad.models import Sender
from postroad.views.json.shape import VERSION

_OF_OURS = ("name", "title", "kind", "sources", "memory", "reuse", "sts", "dane", "retry")


class SendersJson(TypedDict):
    """`postroad senders --json`."""

    version: int
    senders: list[dict[str, Any]]


class SenderJson(TypedDict):
    """`postroad senders NAME --json`: the keys are those of its file."""

    version: int
    sender: dict[str, Any]


def senders_shape(senders: Iterable[Sender]) -> SendersJson:
    """`postroad senders --json`."""
    return {"version": VERSION, "senders": [_shape(each) for each in senders]}


def sender_shape(sender: Sender) -> SenderJson:
    """`postroad senders NAME --json`: the keys are those of its file."""
    return {"version": VERSION, "sender": _shape(sender)}


def _shape(sender: Sender) -> dict[str, Any]:
    """Of ours only what is said of it: the rest is what the program does."""
    said = _OF_OURS if sender.ours else tuple(each.name for each in fields(sender))
    return {name: _plain(getattr(sender, name)) for name in said}


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(str(each) for each in value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
