"""The arguments of calls, as those who write them into a database get them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from postroad.spool.base import Parcel, Settlement, StoredMail

SLICE = 1000
"""Parcels changed in one commit: what bounds how long a command of people holds up the others."""

HASTENED = 1000
"""Parcels made due at once because a host answers again: what it is given to prove that it does."""


class CompleteMessage(NamedTuple):
    """A complete message to keep: its parcels are claimed by `node`, or wait.

    `front` goes in front of what was written of it; of a message that is here whole it is a part of `rest`.
    """

    mail: StoredMail
    rest: bytes
    node: str | None = None
    front: bytes = b""


@dataclass(frozen=True, slots=True)
class Claim:
    """The arguments of a claim, as in Spool.claim."""

    node: str
    now: float
    most: int
    each: int
    skip: Collection[str]


Release = tuple[Sequence[Parcel], str]
"""A call of Spool.release: the parcels, and the node that has them."""

Overruling = tuple[Sequence[Settlement], float]
"""A call of Spool.overrule: the settlements, and the time."""

Settling = tuple[Sequence[Settlement], float, str]
"""A call of Spool.settle: the settlements, the time, and the node that has the parcels."""
