"""What goes from one spool to another: a message, a finished one, or a lesson, as one text of all its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from postroad.spool.base import PARCELS
from postroad.spool.rows import Row

AT_ONCE = 200
"""Items in one commit of a move."""

_encode = json.JSONEncoder(separators=(",", ":")).encode  # all ASCII: any database takes it


class ItemKind(StrEnum):
    """The kinds of what is moved, in the order in which they go."""

    MAIL = "mail"
    PAST = "past"
    LESSON = "lesson"


@dataclass(frozen=True, slots=True)
class MovedItem:
    """One thing to move. `text` has all its rows; `ordinals` are the pieces of its body, `octets` their size."""

    kind: ItemKind
    id: str
    text: str
    ordinals: tuple[int, ...] = ()
    octets: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """Some items of a kind, what comes behind `after`; "": nothing does. `claimed`: how many were passed over."""

    items: tuple[MovedItem, ...]
    after: str = ""
    claimed: int = 0


@dataclass(frozen=True, slots=True)
class MovedMessage:
    """The rows of a message as they are read back.

    A parcel is (number within the message, destination, due at, held, attempts, warned, waits for host, recipients,
    said, routes), a record (destination, at, text, node).
    """

    id: str
    received_at: float
    size: int
    about: str
    finished_at: float | None
    parcels: Sequence[Any]
    records: Sequence[Any]


def message_item(row: Row, parcels: Iterable[Row], records: Iterable[Row], ordinals: Sequence[int]) -> MovedItem:
    """An item from the columns (id, received_at, size, about, finished_at), and the rows of MovedMessage."""
    whole = [*row, [_parcel(*of) for of in parcels], [list(of) for of in records]]
    kind = ItemKind.MAIL if row[4] is None else ItemKind.PAST
    return MovedItem(kind, str(row[0]), _encode(whole), tuple(ordinals), row[2] if row[4] is None else 0)


def lesson_item(kind: str, key: str, text: str, count: int, at: float) -> MovedItem:
    """An item from a lesson: keys may be long and have a NUL, so its id is a digest."""
    digest = sha256(f"{kind}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
    return MovedItem(ItemKind.LESSON, f"lesson-{digest}", _encode([kind, key, text, count, at]))


def is_lesson(id_: str) -> bool:
    """Whether this is the id of a lesson's item."""
    return id_.startswith("lesson-")


def read_message(text: str) -> MovedMessage:
    """What `message_item` wrote."""
    return MovedMessage(*json.loads(text))


def read_lesson(text: str) -> tuple[str, str, str, int, float]:
    """What `lesson_item` wrote: kind, key, text, count, at."""
    kind, key, said, count, at = json.loads(text)
    return kind, key, said, count, at


def write_cursor(*values: object) -> str:
    """Where a slice ends."""
    return _encode(list(values))


def read_cursor(after: str, *beginning: Any) -> Sequence[Any]:  # noqa: ANN401  # of whatever the columns are
    """The same as values; at first, those in front of all."""
    return json.loads(after) if after else beginning


def _parcel(number: int, destination: str, due_at: float, *rest: object) -> list[object]:
    return [number % PARCELS, destination, due_at, *(int(each) if isinstance(each, bool) else each for each in rest)]
