"""The counts of each day in the spool, and which reports are to be sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from postroad.spool import Learned, Lesson
from postroad.tls import Counted, SessionRow, day_begins, read_row

ROWS = "tls-session"  # of the lessons: a row of a report, with its count
DUE = "tls-report"  # that there is a report
MAILED = "tls-report-mail"  # a report on its way as mail, by its id


@dataclass(frozen=True, slots=True)
class DueReport:
    """A report that has been counted for: of which UTC day, and to which domain."""

    day: str
    reader: str

    @property
    def key(self) -> str:
        """Its key in the store."""
        return f"{self.day} {self.reader}"


class ReportStore:
    """What the spool keeps for reports. Every method may raise SpoolError."""

    def __init__(self, store: Learned) -> None:
        self._store = store

    async def add(self, counts: Mapping[Counted, int], now: float) -> None:
        """Add counts to what is there: all of them, or none."""
        due = {DueReport(day, reader).key: None for day, reader, _row in counts}
        lessons = [
            Lesson(ROWS, f"{day} {reader} {row.name}", row.text, count, now)
            for (day, reader, row), count in counts.items()
        ]
        await self._store.learn([*lessons, *(Lesson(DUE, key, at=now) for key in due)])

    async def due(self, day: str = "") -> tuple[DueReport, ...]:
        """The reports of a day, or of all days. What nobody wrote is deleted."""
        found = {lesson.key: _read_due(lesson.key) for lesson in await self._store.recall(DUE, day)}
        if odd := [key for key, due in found.items() if due is None]:
            await self._store.forget(DUE, odd)
        return tuple(due for due in found.values() if due)

    async def rows(self, due: DueReport) -> tuple[tuple[SessionRow, int], ...]:
        """What was counted for a report."""
        read = [(read_row(lesson.text), lesson.count) for lesson in await self._store.recall(ROWS, f"{due.key} ")]
        return tuple((row, count) for row, count in read if row)

    async def forget(self, reports: Iterable[DueReport]) -> None:
        """Delete what was counted for reports."""
        for due in reports:
            await self._store.forget(ROWS, [lesson.key for lesson in await self._store.recall(ROWS, f"{due.key} ")])
            await self._store.forget(DUE, [due.key])

    async def mailed(self, id_: str, now: float) -> None:
        """Remember a report that is on its way as mail."""
        await self._store.learn([Lesson(MAILED, id_, at=now)])

    async def mailed_before(self, then: float) -> tuple[Lesson, ...]:
        """Those that have been on their way since before then."""
        return tuple(lesson for lesson in await self._store.recall(MAILED) if lesson.at < then)

    async def forget_mailed(self, ids: Iterable[str]) -> None:
        """Forget them."""
        await self._store.forget(MAILED, list(ids))


def _read_due(key: str) -> DueReport | None:
    day, _, reader = key.partition(" ")
    try:
        day_begins(day)
    except ValueError:
        return None
    return DueReport(day, reader) if reader else None
