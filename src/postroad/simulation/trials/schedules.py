"""When deferred mail is tried again, by whom: the timetables of mail servers and of webmail, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from postroad.pace.schedule import DAY_S, HOUR_S, MINUTE_S, RetrySchedule


@dataclass(frozen=True, slots=True)
class Schedule:
    """One timetable, in seconds.

    After the n-th try mail waits the n-th of `intervals_s`, then `then_s` each time; `then_s` None: that was the last
    one. Each interval is up to `spread_s` longer (a queue that is only looked at now and then) and more or less by the
    fraction `jitter`. Mail older than `expiry_s` is given up; with `last_try` it has one more try at that age.
    `machines`: from how many addresses it sends, each try from any of them, which greylisting takes for strangers.
    `queues` False: nobody tries again, the caller is told, and mail stays deferred.
    """

    name: str
    source: str
    intervals_s: tuple[float, ...] = ()
    then_s: float | None = None
    expiry_s: float = 5 * DAY_S
    spread_s: float = 0.0
    jitter: float = 0.0
    last_try: bool = False
    machines: int = 1
    queues: bool = True

    def __post_init__(self) -> None:
        if min((*self.intervals_s, self.then_s or 1, self.expiry_s)) <= 0:
            raise ValueError(f"schedule {self.name}: intervals and expiry are more than 0 s")
        if not (0 <= self.jitter < 1 and self.spread_s >= 0 and self.machines >= 1):
            raise ValueError(f"schedule {self.name}: jitter from 0 to below 1, spread 0 s or more, a machine or more")

    @property
    def tries(self) -> int | None:
        """How many tries there are at most, whatever the time; None: only the age ends it."""
        return len(self.intervals_s) + 1 if self.then_s is None else None


def growing(name: str, pace: RetrySchedule, source: str) -> Schedule:
    """The schedule of our own queue: longer each time until the longest, and one last try at the expiry."""
    intervals: list[float] = []
    next_s = pace.first_s
    while next_s < pace.longest_s and sum(intervals) < pace.expiry_s:
        intervals.append(next_s)
        next_s *= pace.factor
    return Schedule(name, source, tuple(intervals), pace.longest_s, pace.expiry_s, jitter=pace.jitter, last_try=True)


def _until(step_s: float, until_s: float) -> list[float]:
    """A fixed interval, from now until that much later."""
    return [step_s] * round(until_s / step_s)


def _exim() -> tuple[float, ...]:
    """F,2h,15m; G,16h,1h,1.5; then every 6 h: the cut-off of each rule is an age."""
    intervals = _until(15 * MINUTE_S, 2 * HOUR_S)
    step_s = HOUR_S
    while sum(intervals) < 16 * HOUR_S:
        intervals.append(step_s)
        step_s *= 1.5
    return tuple(intervals)


def _between(ages_s: Iterable[float]) -> tuple[float, ...]:
    return tuple(later - earlier for earlier, later in pairwise((0.0, *ages_s)))


def _clock(*ages: str) -> tuple[float, ...]:
    """Ages written minutes:seconds, as the study prints them."""
    return tuple(60.0 * int(minutes) + int(seconds) for minutes, seconds in (age.split(":") for age in ages))


def _seen(name: str, ages_s: Sequence[float], then_s: float | None = None, machines: int = 1) -> Schedule:
    """A timetable watched from outside for six hours. What came after was not: the last interval goes on."""
    intervals = _between(ages_s)
    source = "Pagani et al., DSN 2016, retries under 6 h of 450; the time after that is not known, nor the expiry"
    return Schedule(name, source, intervals, then_s or intervals[-1], machines=machines)


_DSN_2016 = "Pagani et al., DSN 2016: gave up while still being told 450"

_LIST = (
    growing("postroad", RetrySchedule(), "pace.RetrySchedule: 5 min, twice as long each time, 4 h, 5 d"),
    # As much longer as the mail is old, from 300 to 4000 s; the queue is looked through every 300 s.
    Schedule(
        "postfix",
        "postconf(5): minimal_ and maximal_backoff_time 300 and 4000 s, queue_run_delay 300 s, 5 d; qmgr_active.c",
        _between((300, 600, 1200, 2400, 4800)),
        4000,
        spread_s=300,
    ),
    Schedule(
        "exim",
        "Exim default configuration: F,2h,15m; G,16h,1h,1.5; F,4d,6h, by a queue run every 30 min",
        _exim(),
        6 * HOUR_S,
        4 * DAY_S,
        spread_s=30 * MINUTE_S,
    ),
    Schedule("sendmail", "sendmail/SECURITY: -q1h; Timeout.queuereturn 5 d", (), HOUR_S),
    # At the age of 400 s times the square of the number of tries; 29 of them fit into 4 days.
    Schedule(
        "opensmtpd",
        "OpenSMTPD 7.8 scheduler_ramqueue.c:scheduler_backoff, 400 s x n^2; expire 4 d",
        _between(400 * n * n for n in range(1, 30)),
        None,
        4 * DAY_S,
    ),
    Schedule(
        "haraka",
        "Haraka 3.1 outbound/config.js: 64 s x 2^n, 12 retries",
        tuple(64.0 * 2**n for n in range(12)),
        expiry_s=30 * DAY_S,
    ),
    # 1, 5, 10 or 20 minutes, as the mail is less than 1, 5 or 10 minutes old or more, and up to one minute more.
    Schedule(
        "chasquid",
        "chasquid 1.18 internal/queue/queue.go:nextDelay; given up after 20 h",
        (MINUTE_S, 5 * MINUTE_S, 10 * MINUTE_S),
        20 * MINUTE_S,
        20 * HOUR_S,
        spread_s=60,
    ),
    Schedule(
        "kumomta",
        "KumoMTA 2026-08: 20 min, twice as long each time, 7 d",
        tuple(20 * MINUTE_S * 2**n for n in range(10)),
        None,
        7 * DAY_S,
    ),
    Schedule(
        "stalwart",
        "Stalwart 2026-08: 2, 5, 10, 15, 30 min, 1, 2 h; 3 to 5 d (5 taken)",
        tuple(MINUTE_S * minutes for minutes in (2, 5, 10, 15, 30, 60)),
        2 * HOUR_S,
    ),
    Schedule(
        "mox",
        "mox 0.0.17 queue/direct.go: 7.5 min, twice as long each time up to 16 h",
        tuple(7.5 * MINUTE_S * 2**n for n in range(8)),
        None,
    ),
    Schedule(
        "maddy", "maddy 0.9.4: 15 min x 1.25^n, 20 tries", tuple(15 * MINUTE_S * 1.25**n for n in range(19)), None
    ),
    Schedule("postal", "Postal 3.3.6: 5 min x 1.3^n, 18 tries", tuple(5 * MINUTE_S * 1.3**n for n in range(17)), None),
    Schedule(
        "dma",
        "dma: 5 min, twice as long each time up to 3 h, 5 d",
        tuple(5 * MINUTE_S * 2**n for n in range(6)),
        3 * HOUR_S,
    ),
    Schedule("none", "a library: the error goes to its caller", queues=False),
    _seen(
        "gmail",
        _clock("6:02", "29:02", "56:36", "98:44", "162:03", "229:44", "309:05", "434:46"),
        machines=7,
    ),
    _seen("yahoo", _clock("2:07", "5:39", "12:58", "27:16", "55:13", "109:35", "216:47", "430:36")),
    _seen("hotmail", _clock("1:01", "2:03", "3:04", "5:06", "8:07", "12:08"), then_s=4 * MINUTE_S),
    _seen("gmx", _clock("5:01", "12:33", "23:50", "40:46", "66:09", "104:14", "161:22", "247:04")),
    _seen("mail.ru", _clock("1:18", "19:15", "49:14", "79:49")),
    _seen("yandex", _clock("1:05", "2:58", "6:53", "14:55", "30:28", "45:41"), then_s=15.5 * MINUTE_S),
    Schedule("aol", _DSN_2016, _between(_clock("5:32", "11:32", "21:32", "31:32"))),
)

PRESETS: Mapping[str, Schedule] = {schedule.name: schedule for schedule in _LIST}
"""Every timetable by name. qq is not among them: of it only is known that it gave up after 204:56 minutes."""

_OF_SENDER = {
    "postfix-reuse": "postfix",
    "mx-connect": "none",
    "node-sendmail": "none",
    "twisted": "none",
    "slimta": "none",  # python-slimta e983df0: the default backoff never retries
}


def schedule_of(sender: str) -> Schedule:
    """The timetable that goes with a sender model; for models that are a way to choose and no program, our own."""
    return PRESETS[_OF_SENDER.get(sender, sender if sender in PRESETS else "postroad")]
