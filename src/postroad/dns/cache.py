"""Caches answers for their TTL and rotates them, so that caching never pins mail to one address."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from postroad.dns.resolver import RecordType, Resolver, deliver
from postroad.words.facts import Answer, Found, NoData, NoName


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """The limits of the DNS cache, whatever the TTLs say."""

    longest_s: int = 24 * 3600
    longest_negative_s: int = 3 * 3600  # RFC 2308 section 5: "one to three hours have been found to work well"
    trouble_s: int = 5  # RFC 2308 section 7.1 allows five minutes; mail is retried much later than this anyway
    max_answers: int = 10_000
    as_they_came: bool = False  # neither turned nor aged: for those who look at records, and send nothing
    max_records: int = 100_000  # over all answers: a domain with thousands of MX records takes the place of many


class CachingResolver:
    """A resolver that asks `inner` once for all who want the same, and remembers. `clock` is monotonic seconds.

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
        self._start = getattr(inner, "start", None)
        self._keeping = _Still if settings.as_they_came else _Kept
        self._clock = clock
        self._settings = settings
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()  # least recently used first
        self._records = 0
        self._asking: dict[_Key, _Question] = {}

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """The answer, from memory while its TTL lasts; `ttl_s` is what is left of it.

        There is one question under way for all who want the same; the last to give up waiting ends it.
        """
        known = self.recall(name, kind)
        if known is not None:
            return known
        key = (name, kind)
        question = self._asking.get(key) or self._ask(key)
        waiting: asyncio.Future[_Kept] = asyncio.get_running_loop().create_future()
        question.waiting.append(waiting)
        try:
            kept = await waiting
        except asyncio.CancelledError:
            question.waiting.remove(waiting)
            if not question.waiting and self._asking.get(key) is question:
                question.stop()
                del self._asking[key]
            raise
        return kept.hand_out(kept.ends_at - self._clock())

    def recall(self, name: str, kind: RecordType) -> Answer[Any] | None:
        """The same if it is known, without asking and without waiting: None if it is not."""
        key = (name, kind)
        kept = self._kept.get(key)
        if kept is None or (left_s := kept.ends_at - self._clock()) <= 0:
            return None
        self._kept.move_to_end(key)
        return kept.hand_out(left_s)

    def _ask(self, key: _Key) -> _Question:
        """Begin a question: without a task if it can be done, a task costs as much as the rest."""
        question = _Question(key, self)
        stop = self._start(*key, question) if self._start else None
        if stop is None:
            task = asyncio.create_task(self._inner.resolve(*key))
            task.add_done_callback(lambda task: deliver(task, question))
            stop = task.cancel
        question.stop = stop
        self._asking[key] = question
        return question

    def settle(self, key: _Key, answer: Answer[Any]) -> _Kept:
        """A question has its answer: it is remembered, and given to the next who ask."""
        del self._asking[key]
        kept = self._keeping(answer, self._clock() + self._life(answer))
        before = self._kept.pop(key, None)
        if before:
            kept.take_over(before)
            self._records -= before.size
        self._kept[key] = kept
        self._records += kept.size
        if len(self._kept) > self._settings.max_answers or self._records > self._settings.max_records:
            self._make_room()
        return kept

    def fail(self, key: _Key) -> None:
        """A question has no answer but a bug: the next to ask begins anew."""
        del self._asking[key]

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


class _Kept:
    """An answer, and until when it is good."""

    __slots__ = ("_handed", "_is_steady", "_turns", "answer", "ends_at", "size")

    def __init__(self, answer: Answer[Any], ends_at: float) -> None:
        self.answer = answer
        self.ends_at = ends_at
        self.size = len(answer.records) if isinstance(answer, Found) else 1
        self._turns = 0
        self._handed: Any = answer  # the last: most answers have one record, and are the same again within a second
        self._is_steady = self.size == 1 and isinstance(answer, Found | NoData | NoName)

    def take_over(self, before: _Kept) -> None:
        """Go on from the answer before it, if that had the same records in the same order."""
        old = before.answer
        if isinstance(self.answer, Found) and isinstance(old, Found) and self.answer.records == old.records:
            self._turns = before._turns

    def hand_out(self, left_s: float) -> Answer[Any]:
        """The answer as it is now: its records in turn, and what is left of its time."""
        whole_s = int(left_s)
        if not self._is_steady or self._handed.ttl_s != whole_s:
            self._handed = self._as_of(max(0, whole_s))
        handed: Answer[Any] = self._handed
        return handed

    def _as_of(self, left_s: int) -> Answer[Any]:
        match self.answer:
            case Found(records=records, aliases=aliases, name=name, authentic=authentic):
                start = self._turns % self.size if records else 0
                self._turns += 1
                turned = records[start:] + records[:start] if start else records
                return Found(turned, left_s, aliases, name, authentic)
            case NoData() | NoName() as absent:
                return replace(absent, ttl_s=left_s)
            case trouble:
                return trouble


class _Still(_Kept):
    """An answer that is handed on as it came."""

    __slots__ = ()

    def hand_out(self, left_s: float) -> Answer[Any]:  # noqa: ARG002  # it does not count down
        return self.answer


class _Question:
    """A question under way, as an ear: those who wait for its answer."""

    __slots__ = ("_cache", "_key", "stop", "waiting")
    stop: Callable[[], object]

    def __init__(self, key: _Key, cache: CachingResolver) -> None:
        self._key = key
        self._cache = cache
        self.waiting: list[asyncio.Future[_Kept]] = []

    def hear(self, answer: Answer[Any]) -> None:
        if not self.waiting:  # the last gave up in the turn of the loop in which the answer came
            return
        kept = self._cache.settle(self._key, answer)
        for waiting in self.waiting:
            if not waiting.done():
                waiting.set_result(kept)

    def fail(self, problem: BaseException) -> None:
        if not self.waiting:
            return
        self._cache.fail(self._key)
        for waiting in self.waiting:
            if not waiting.done():
                waiting.set_exception(problem)
