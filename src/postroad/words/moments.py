"""Moments as protocols and people write them: RFC 3339, and what at(1) and date(1) take.

Pure, but for the time zone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from postroad.words.names import Unreadable, cut

HOW = 'write one, such as "2026-12-24 08:00", "08:00", "tomorrow 08:00", "2026-12-24T08:00:00+01:00" or "+2h"'

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400}
_SECONDS |= {"day": 86400, "w": 604800, "week": 604800}
_PART = re.compile(rf"(\d{{1,9}})\s*({'|'.join(sorted(_SECONDS, key=len, reverse=True))})s?(?![a-z])\s*", re.ASCII)
_LATER = re.compile(rf"(?:now\s*)?\+\s*((?:{_PART.pattern})+)\Z", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?\Z", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_EPOCH = re.compile(r"@(\d{1,11})\Z", re.ASCII)
_CLOCKS = {"midnight": time(0), "noon": time(12)}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def parse_date_time(text: str) -> float | None:
    """A `date-time` of RFC 3339, in seconds since the epoch; None if it is none."""
    if not _RFC3339.match(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None


def format_date_time(at: float) -> str:
    """The second as RFC 3339 writes it, in UTC."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_moment(text: str, now: float) -> float | Unreadable:
    """A moment as somebody types it: in their time zone, if they name none."""
    words = " ".join(text.lower().split())
    try:
        if found := _LATER.match(words):
            later = timedelta(seconds=sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(found[1])))
            return (datetime.fromtimestamp(now, UTC) + later).timestamp()
        if found := _EPOCH.match(words):
            return datetime.fromtimestamp(int(found[1]), UTC).timestamp()
        if words == "now":
            return now
        if re.match(r"\d{4}-\d\d-\d\d[t ]\d", words):
            return datetime.fromisoformat(words.upper()).timestamp()
        return _by_words(words.split(), datetime.fromtimestamp(now)).timestamp()  # noqa: DTZ006  # where they are
    except (ValueError, OverflowError, OSError):
        return Unreadable(text, f"{cut(text)!r} is not a time; {HOW}")


def _by_words(words: list[str], now: datetime) -> datetime:
    """A time of day, a day, or both in any order.

    Raises:
        ValueError: they are something else.

    """
    clocks = [clock for word in words if (clock := _clock(word)) is not None]
    days = [word for word in words if _clock(word) is None]
    if not words or len(clocks) > 1 or len(days) > 1:
        raise ValueError
    if not days:
        at = datetime.combine(now.date(), clocks[0])
        return at if at > now else at + timedelta(days=1)
    if _DATE.match(days[0]):  # date(1) begins a day at midnight
        return datetime.combine(datetime.fromisoformat(days[0]).date(), clocks[0] if clocks else time(0))
    at = datetime.combine(now.date(), clocks[0]) if clocks else now
    if days[0] == "today":
        return at
    if days[0] == "tomorrow":
        return at + timedelta(days=1)
    weekday = next(index for index, name in enumerate((*_DAYS, "")) if not name or days[0] in (name, name[:3]))
    if weekday == len(_DAYS):
        raise ValueError
    at += timedelta(days=(weekday - now.weekday()) % len(_DAYS))
    return at if at > now else at + timedelta(days=len(_DAYS))


def _clock(word: str) -> time | None:
    if word in _CLOCKS:
        return _CLOCKS[word]
    found = _CLOCK.match(word)
    return time(int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
