"""Times as protocols and people write them."""

import os
import time

import pytest

from postroad.words.moments import format_date_time, parse_date_time, parse_moment
from postroad.words.names import Unreadable

NOW = 1_700_000_000.0  # Tuesday, 2023-11-14 22:13:20 UTC


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/New_York"])
def zone(request, monkeypatch):
    """A time zone, and how far it is from UTC now."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield {"UTC": 0, "Asia/Tokyo": 9, "America/New_York": -5}[request.param] * 3600
    monkeypatch.undo()
    time.tzset()


def test_what_people_type(zone):
    """As at(1) and date(1) take it, in the time zone of whoever types."""
    assert os.environ["TZ"]
    here = NOW + zone  # as a clock on the wall would be read as UTC
    midnight = here // 86400 * 86400 - zone
    today = time.localtime(NOW).tm_wday

    def next_at(day_s):
        return midnight + day_s if midnight + day_s > NOW else midnight + day_s + 86400

    cases = {
        "now": NOW,
        "+2h": NOW + 7200,
        " + 2  Hours ": NOW + 7200,
        "now + 1 week": NOW + 604800,
        "+1h30m": NOW + 5400,
        "+1d 2h": NOW + 93600,
        "+90min": NOW + 5400,
        "@1700003600": NOW + 3600,
        "08:00": next_at(28800),
        "23:59:30": next_at(86370),
        "noon": next_at(43200),
        "tomorrow": NOW + 86400,
        "tomorrow 08:00": midnight + 86400 + 28800,
        "midnight tomorrow": midnight + 86400,
        "today 23:59": midnight + 86340,
        "2023-12-24": 1_703_376_000.0 - zone,
        "2023-12-24 08:00": 1_703_404_800.0 - zone,
        "08:00 2023-12-24": 1_703_404_800.0 - zone,
        "2023-12-24T08:00:30": 1_703_404_830.0 - zone,
        "2023-12-24T08:00:00+01:00": 1_703_401_200.0,
        "2023-12-24t08:00:00z": 1_703_404_800.0,
        "sunday 00:00": midnight + (6 - today) % 7 * 86400,
        time.strftime("%a", time.localtime(NOW)): NOW + 7 * 86400,
    }
    assert cases == {text: parse_moment(text, NOW) for text in cases}


def test_what_is_no_time_is_said():
    """It is quoted, with what to write; nothing overflows."""
    wrong = [
        *("", "soon", "+", "+2", "2h", "+2x", "25:00", "08:60", "2023-02-30", "2023-13-01 08:00", "tomorrow tomorrow"),
        *("08:00 09:00", "@", "@999999999999", "+999999999w", "2023-12-24T", "noon noon", "99:99", "+2h x", "\ud800"),
    ]
    answers = {text: parse_moment(text, NOW) for text in wrong}
    assert [] == [text for text, answer in answers.items() if not isinstance(answer, Unreadable)]
    assert "'soon' is not a time; write one, such as" in answers["soon"].why


def test_seconds_of_rfc_3339_come_back():
    """In UTC, whatever the offset; what is no `date-time` is none."""
    assert NOW == parse_date_time(format_date_time(NOW + 0.9)) == parse_date_time("2023-11-15T03:43:20.0+05:30")
    wrong = [
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-11-14 22:13:20Z",
        "2023-02-30T00:00:00Z",
        "٢023-11-14T22:13:20Z",
        "",
    ]
    assert [None] * len(wrong) == list(map(parse_date_time, wrong))
