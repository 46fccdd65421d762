"""The counts as plain numbers, which can be passed from one process to another."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

from postroad.relay.counts import COUNTED, TIMED, TROUBLE, EventCounter, Fields, Timed
from postroad.relay.event_bus import Told
from postroad.words.trace import Event

Key = tuple[str | int, ...]
"""Which number: the name of a row, and the values of its labels, or the place of a bucket; SUM for all seconds."""

SUM = -1

LOST_LINES = "postroad_log_lines_lost_total"


class Tally:
    """A subscriber that counts. It may be read and added to in any thread."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._sums: dict[Key, float] = {}
        self.trouble, self.trouble_at = "", float("-inf")

    def wants(self, event: Event) -> bool:
        """Whether it counts for anything."""
        return event.name in _ROWS or event.name in TROUBLE

    def take(self, batch: Sequence[Told]) -> None:
        """Count what happened."""
        with self._lock:
            for at, event in batch:
                if event.name in TROUBLE:
                    self.note(str(event.fields["why"]))
                for row in _ROWS.get(event.name, ()):
                    for key, by in _growth(row, at, event.fields):
                        self._sums[key] = self._sums.get(key, 0) + by

    def note(self, trouble: str) -> None:
        """The spool is in trouble now."""
        self.trouble, self.trouble_at = trouble, self._now()

    def add(self, sums: Mapping[Key, float], trouble: str) -> None:
        """Count what was counted elsewhere, as `cut` has it there."""
        with self._lock:
            for key, by in sums.items():
                self._sums[key] = self._sums.get(key, 0) + by
            if trouble:
                self.note(trouble)

    def sums(self) -> dict[Key, float]:
        """All that was counted."""
        with self._lock:
            return dict(self._sums)

    def cut(self) -> tuple[dict[Key, float], str]:
        """What was counted since this was last asked, and the last trouble; neither is counted here any more."""
        with self._lock:
            sums, self._sums = self._sums, {}
            trouble, self.trouble = self.trouble, ""
        return sums, trouble


def _growth(row: EventCounter | Timed, at: float, fields: Fields) -> Iterator[tuple[Key, float]]:
    if isinstance(row, EventCounter):
        for labels, by in row.of(fields):
            yield (row.name, *labels), by
        return
    for seconds in row.of(at, fields):
        yield (row.name, bisect_left(row.buckets, seconds)), 1
        yield (row.name, SUM), seconds


def _by_event() -> dict[str, list[EventCounter | Timed]]:
    rows: dict[str, list[EventCounter | Timed]] = {}
    for row in (*COUNTED, *TIMED):
        for name in row.events:
            rows.setdefault(name, []).append(row)
    return rows


_ROWS = _by_event()
