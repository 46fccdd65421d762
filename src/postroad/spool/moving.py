"""Moves all from one spool to another, so that a crash at any moment loses nothing: docs/design/spool.md has each."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol
from uuid import uuid4

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.cargo import AT_ONCE, ItemKind, MovedItem, Slice

MOST = 4 * 1024 * 1024
"""Octets of bodies in one commit: what bounds memory, and how long others wait for it."""


class MoveRole(StrEnum):
    """The part that a spool has in a move."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True)
class MoveHeader:
    """What a spool knows of an unfinished move: its id, the other spool, and the run that is at it."""

    id: str
    other: str
    run: str

    def text(self) -> str:
        """As it is stored."""
        return json.dumps([self.id, self.other, self.run])

    @classmethod
    def read(cls, text: str) -> MoveHeader:
        """What `text` wrote."""
        return cls(*json.loads(text))


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a spool: messages not finished, octets of their bodies, finished ones, lessons."""

    messages: int
    octets: int
    finished: int
    lessons: int

    @property
    def items(self) -> int:
        """All that can be moved."""
        return self.messages + self.finished + self.lessons


@dataclass(frozen=True, slots=True)
class Moved:
    """The result of a move: what this run has moved, and what is left at FROM.

    `resumed`: how many another run had left on their way, of those it moved. `claimed`: messages that a relay has at
    FROM. `twice`: ids that TO has as well.
    """

    messages: int = 0
    octets: int = 0
    finished: int = 0
    lessons: int = 0
    resumed: int = 0
    claimed: int = 0
    twice: tuple[str, ...] = ()
    left: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether FROM is empty now."""
        return not self.left


Staged = tuple[str, str, Sequence[tuple[int, bytes]]]
"""For TO to stage: an id, the text of the item ("" if it is not whole yet), pieces of the body."""


class MoveEnd(Protocol):
    """A spool as one end of a move. Each call is a commit, and may be made again if it is not known whether it was.

    Raises SpoolError: `locked`, if another run has taken over.
    """

    where: str

    async def header(self, way: MoveRole) -> MoveHeader | None:
        """What it knows of an unfinished move."""
        ...

    async def begin(self, way: MoveRole, header: MoveHeader) -> None:
        """From here on, this run is at it. One that was at it before can do nothing more."""
        ...

    async def free_claims(self) -> None:
        """Release what dead nodes had claimed.

        Raises:
            SpoolError: locked, by a relay that runs.

        """
        ...

    async def contents(self) -> Contents:
        """Numbers."""
        ...

    async def slice(self, kind: ItemKind, after: str, most: int) -> Slice:
        """What comes behind."""
        ...

    async def octets(self, id_: str, ordinal: int) -> bytes:
        """A piece of a body."""
        ...

    async def known(self, ids: Collection[str]) -> frozenset[str]:
        """Those that have a message here."""
        ...

    async def stage(self, staged: Sequence[Staged]) -> None:
        """Keep these where nobody sees them."""
        ...

    async def staged(self) -> tuple[str, ...]:
        """The ids of all that is staged."""
        ...

    async def unstage(self, ids: Collection[str]) -> None:
        """Forget what is staged."""
        ...

    async def adopt(self, ids: Collection[str]) -> None:
        """Make messages and lessons of what is staged; what is not staged was adopted before."""
        ...

    async def remove(self, items: Sequence[MovedItem]) -> frozenset[str]:
        """Delete what is exactly so and not claimed, and note its id: the ids that are noted."""
        ...

    async def notes(self) -> frozenset[str]:
        """The ids that are noted."""
        ...

    async def forget_notes(self) -> None:
        """All that is noted has been adopted."""
        ...

    async def end(self, way: MoveRole) -> None:
        """The move is finished."""
        ...

    async def close(self) -> None:
        """Give it back."""
        ...


async def move_all(source: MoveEnd, target: MoveEnd, progress: Callable[[float], None] = lambda _part: None) -> Moved:
    """Move all from one spool to the other; again, if it was interrupted.

    Raises:
        SpoolError: one of them cannot be used now, or another move has to be finished first.

    """
    await _begin(source, target)
    await source.free_claims()
    moved = Moved(resumed=await _go_on(source, target))
    all_ = max((await source.contents()).items, 1)
    for kind in ItemKind:
        after: str | None = None
        while after != "":
            found = await source.slice(kind, after or "", AT_ONCE)
            moved = await _move(source, target, found, moved)
            after = found.after
            progress(min(1.0, (moved.messages + moved.finished + moved.lessons) / all_))
    await target.end(MoveRole.IN)
    await source.end(MoveRole.OUT)
    return replace(moved, left=(await source.contents()).items)


async def _begin(source: MoveEnd, target: MoveEnd) -> None:
    """Take both ends, FROM first: nothing of it can be staged at a TO that it does not name.

    Two URLs may lead to one database, and a mount to a folder: what begins here is then to be seen there.
    """
    if (known := await source.header(MoveRole.OUT)) and known == await target.header(MoveRole.OUT):
        raise _same(source, target)
    for end, way in ((source, MoveRole.IN), (target, MoveRole.OUT)):
        if other := await end.header(way):
            raise _unfinished(end, way, other)
    out, in_ = await source.header(MoveRole.OUT), await target.header(MoveRole.IN)
    if in_ and (out is None or out.id != in_.id):
        raise _unfinished(target, MoveRole.IN, in_)
    if out and in_ is None and await source.notes():
        raise _unfinished(source, MoveRole.OUT, out)
    id_, run = in_.id if in_ else uuid4().hex, uuid4().hex
    leaving = MoveHeader(id_, target.where, run)
    await source.begin(MoveRole.OUT, leaving)
    if await target.header(MoveRole.OUT) == leaving:
        await source.end(MoveRole.OUT)
        raise _same(source, target)
    await target.begin(MoveRole.IN, MoveHeader(id_, source.where, run))


async def _go_on(source: MoveEnd, target: MoveEnd) -> int:
    """Finish what another run left on its way, or begin it again: how many it finished."""
    staged = await target.staged()
    gone = await source.notes() if staged else frozenset()
    if rest := [id_ for id_ in staged if id_ not in gone]:
        await target.unstage(rest)
    ours = [id_ for id_ in staged if id_ in gone]
    if ours:
        await target.adopt(ours)
    await source.forget_notes()
    return len(ours)


async def _move(source: MoveEnd, target: MoveEnd, found: Slice, moved: Moved) -> Moved:
    """Move a slice: staged there, gone here, adopted there."""
    items = found.items
    twice = await target.known([item.id for item in items if item.kind is not ItemKind.LESSON]) if items else ()
    items = tuple(item for item in items if item.id not in twice)
    gone: frozenset[str] = frozenset()
    if items:
        await _stage(source, target, items)
        gone = await source.remove(items)
        await target.adopt([item.id for item in items if item.id in gone])
        if len(gone) < len(items):
            await target.unstage([item.id for item in items if item.id not in gone])
        await source.forget_notes()
    done = [item for item in items if item.id in gone]
    count = {kind: sum(item.kind is kind for item in done) for kind in ItemKind}
    return replace(
        moved,
        messages=moved.messages + count[ItemKind.MAIL],
        octets=moved.octets + sum(item.octets for item in done),
        finished=moved.finished + count[ItemKind.PAST],
        lessons=moved.lessons + count[ItemKind.LESSON],
        claimed=moved.claimed + found.claimed,
        twice=(*moved.twice, *sorted(twice)),
    )


async def _stage(source: MoveEnd, target: MoveEnd, items: Sequence[MovedItem]) -> None:
    """Stage items, many small ones in a commit, a large one in several: its text comes with the last piece."""
    commit: list[Staged] = []
    size = 0
    for item in items:
        pieces: list[tuple[int, bytes]] = []
        for ordinal in item.ordinals:
            if size >= MOST:
                await target.stage([*commit, (item.id, "", pieces)])
                commit, pieces, size = [], [], 0
            pieces.append((ordinal, await source.octets(item.id, ordinal)))
            size += len(pieces[-1][1])
        commit.append((item.id, item.text, pieces))
    await target.stage(commit)


def _same(source: MoveEnd, target: MoveEnd) -> SpoolError:
    return SpoolError(Trouble.MISSING, f"{source.where} and {target.where} are the same spool: name two")


def _unfinished(end: MoveEnd, way: MoveRole, header: MoveHeader) -> SpoolError:
    which = f"from {header.other} to {end.where}" if way is MoveRole.IN else f"from {end.where} to {header.other}"
    return SpoolError(Trouble.LOCKED, f"a move {which} is not finished: run `postroad spool move` for these two again")
