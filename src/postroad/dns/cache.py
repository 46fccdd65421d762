"""Keeps answers for their time and hands them out in turn, so that caching never pins mail to one address."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from postroad.dns.resolver import RecordType, Resolver
from postroad.words.facts import Answer, Found, NoData, NoName


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How long and how much is kept, whatever the TTLs say."""

    longest_s: int = 24 * 3600
    longest_negative_s: int = 3 * 3600  # RFC 2308 section 5: "one to three hours have been found to work well"
    trouble_s: int = 5  # RFC 2308 section 7.1 allows five minutes; mail is retried much later than this anyway
    max_answers: int = 10_000
    max_records: int = 100_000  # over all answers: a domain with thousands of MX records takes the place of many


class CachingResolver:
    """Asks `inner` once for all who want the same, and remembers. `clock` is monotonic seconds.

    The n-th hand-out of an RRset starts at its record n modulo its size. Where a fresh answer has the records in the
    order of the old one, the count goes on, so short TTLs pin nothing either; where the server itself rotates, its
    order is taken as new.
    """

    def __init__(
        self,
        inner: Resolver,
        clock: Callable[[], float],
        settings: CacheSettings = CacheSettings(),
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._settings = settings
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()  # least recently used first
        self._records = 0
        self._asking: dict[_Key, _Question] = {}

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """The answer, from memory while its TTL lasts; `ttl_s` is what is left of it."""
        return self.recall(name, kind) or (await self._join((name, kind))).hand_out(self._clock())

    def recall(self, name: str, kind: RecordType) -> Answer[Any] | None:
        """The same if it is known, without asking and without waiting: None if it is not."""
        key = (name, kind)
        kept = self._kept.get(key)
        if kept is None or kept.ends_at <= (now := self._clock()):
            return None
        self._kept.move_to_end(key)
        return kept.hand_out(now)

    async def _join(self, key: _Key) -> _Kept:
        """Wait for the one question under way; the last to give up waiting ends it."""
        question = self._asking.get(key)
        if question is None:
            question = self._asking[key] = _Question(asyncio.create_task(self._ask(key)))
        question.waiting += 1
        try:
            return await asyncio.shield(question.task)
        finally:
            question.waiting -= 1
            if question.waiting == 0:
                question.task.cancel()  # does nothing to one that is done
                if self._asking.get(key) is question:
                    del self._asking[key]

    async def _ask(self, key: _Key) -> _Kept:
        answer = await self._inner.resolve(*key)
        kept = _Kept(answer, self._clock() + self._life(answer))
        before = self._kept.pop(key, None)
        if before:
            kept.take_over(before)
            self._records -= before.size
        self._kept[key] = kept
        self._records += kept.size
        self._make_room()
        return kept

    def _life(self, answer: Answer[Any]) -> int:
        match answer:
            case Found():
                return min(answer.ttl_s, self._settings.longest_s)
            case NoData() | NoName():
                return min(answer.ttl_s, self._settings.longest_negative_s)
            case _:
                return self._settings.trouble_s

    def _make_room(self) -> None:
        while len(self._kept) > self._settings.max_answers or self._records > self._settings.max_records:
            _, dropped = self._kept.popitem(last=False)
            self._records -= dropped.size


_Key = tuple[str, RecordType]


@dataclass(slots=True)
class _Kept:
    answer: Answer[Any]
    ends_at: float
    hand_outs: int = 0

    @property
    def size(self) -> int:
        return len(self.answer.records) if isinstance(self.answer, Found) else 1

    def take_over(self, before: _Kept) -> None:
        old = before.answer
        if isinstance(self.answer, Found) and isinstance(old, Found) and self.answer.records == old.records:
            self.hand_outs = before.hand_outs

    def hand_out(self, now: float) -> Answer[Any]:
        left_s = max(0, int(self.ends_at - now))
        match self.answer:
            case Found(records=records, aliases=aliases, name=name, authentic=authentic):
                start = self.hand_outs % len(records) if records else 0
                self.hand_outs += 1
                turned = records[start:] + records[:start] if start else records
                return Found(turned, left_s, aliases, name, authentic)
            case NoData() | NoName():
                return replace(self.answer, ttl_s=left_s)
            case _:
                return self.answer


@dataclass(slots=True)
class _Question:
    task: asyncio.Task[_Kept]
    waiting: int = 0
