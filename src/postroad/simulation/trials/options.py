"""A trial as people ask for it: mail in bursts or at a rate, greylisting, timed outages, a timetable of retries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from postroad.models import SCHEDULES, Schedule, Sender
from postroad.pace import DAY_S
from postroad.simulation.case import DnsOrder
from postroad.simulation.servers import addresses_named, places
from postroad.simulation.trials.trial import Greylist, Outage, Trial, Workload
from postroad.words.bounds import Bounds, OutOfBoundsError, check, count, require, require_all
from postroad.words.facts import Found
from postroad.words.faults import Mode
from postroad.words.names import Address, Unreadable
from postroad.words.snapshot import Snapshot

MOST_MESSAGES = 10_000_000  # of one sender: some seconds where each is tried once
MOST_TRIES = 1_000_000_000  # of all messages of one sender: some minutes
MOST_CONTACTS = 250_000_000  # likewise, where a try goes from one server that is down to the next
BURSTS = 200  # that are tried, if nobody says how many: single ones stray far from their mean


@dataclass(frozen=True, slots=True)
class Pulse:
    """So many messages within so many seconds."""

    messages: int
    over_s: float

    def __post_init__(self) -> None:
        check(self, {"messages": count(MOST_MESSAGES, needed=True), "over_s": Bounds(0.001, needed=True)})


@dataclass(frozen=True, slots=True)
class Downtime:
    """A server that misbehaves from one moment to another, in seconds since the trial began.

    `server` is an address, or an exchanger's name for all its addresses; the name may be in Unicode.
    """

    server: str
    mode: Mode = Mode.REFUSE
    from_s: float = 0.0
    until_s: float = math.inf

    def __post_init__(self) -> None:
        require("server", self.server, str)
        require("mode", self.mode, Mode)
        check(self, {"from_s": Bounds(needed=True), "until_s": Bounds(most=math.inf, needed=True)})
        if not self.from_s < self.until_s:
            raise ValueError(f"the outage of {self.server} must end after it begins")


_BOUNDS = {
    "messages": count(MOST_MESSAGES),
    "sources": count(1_000_000),
    "session_s": Bounds(most=DAY_S, needed=True),
    "at_once": count(10_000, needed=True),
    "greylist_s": Bounds(above=True),
}
_KINDS: Mapping[str, type] = {"burst": Pulse, "rate": Pulse, "greylist_apart": bool}


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """What is tried, message by message, until all are delivered or given up.

    `messages` in all; None: 100,000, or 200 bursts. `burst`: each sending machine has so many within so many seconds,
    and no more; `messages` is then a whole number of bursts. `rate`: each has so many in each such span, all along.
    Neither: they are spread over a day. `sources` is how many sending machines there are, each with `at_once` sessions
    of `session_s` seconds where it keeps connections. `greylist_s`: a recipient that was not seen before is told 450
    for so long, by all servers together, or by each for itself (`greylist_apart`). `retries`: a timetable by its name
    (that of a sender; a wrong name is answered with all there are), or the seconds between tries, of which the last one
    goes on for five days; None: the sender's own.
    """

    messages: int | None = None
    burst: Pulse | None = None
    rate: Pulse | None = None
    sources: int | None = None
    session_s: float = 0.1
    at_once: int = 20
    greylist_s: float | None = None
    greylist_apart: bool = False
    outages: tuple[Downtime, ...] = ()
    retries: str | Sequence[float] | None = None

    def __post_init__(self) -> None:
        check(self, _BOUNDS)
        for field, kind in _KINDS.items():
            require(field, getattr(self, field), kind)
        require_all("outages", self.outages, Downtime)
        if self.burst and self.rate:
            raise ValueError("mail comes either in bursts or at a rate: give only one of them")
        if isinstance(self.retries, str) and self.retries not in SCHEDULES:
            raise OutOfBoundsError(
                "retries", f"there is no timetable {self.retries!r}; choose one of {', '.join(SCHEDULES)}"
            )
        _ = self.workload, self.schedule  # what they cannot be is an error now, and not when they are asked for

    @property
    def workload(self) -> Workload:
        """The mail."""
        if self.burst:
            each, over_s = self.burst.messages, self.burst.over_s
            bursts = self.sources or min(BURSTS, MOST_MESSAGES // each)
            if self.messages:
                bursts = self._bursts(self.messages, each)
            if each * bursts > MOST_MESSAGES:
                why = f"{bursts:,} bursts of {each:,} are more than {MOST_MESSAGES:,} messages, the maximum"
                raise OutOfBoundsError("burst", why)
            return Workload(each * bursts, over_s, bursts, at_once=self.at_once, session_s=self.session_s)
        messages, sources = self.messages or 100_000, self.sources or 1000
        over_s = DAY_S
        if self.rate:
            over_s = max(messages / sources, 1) * self.rate.over_s / self.rate.messages
        return Workload(messages, over_s, sources, at_once=self.at_once, session_s=self.session_s)

    def _bursts(self, messages: int, each: int) -> int:
        """How many bursts so many messages are: a number of each own would be overruled by the other two."""
        if self.sources and messages != self.sources * each:
            told = f"{self.sources:,} hosts with a burst of {each:,} each send {self.sources * each:,} messages"
            raise OutOfBoundsError("messages", f"{messages:,} is not what is sent: {told}; leave out one of the three")
        if messages % each:
            below = messages // each * each
            fitting = " or ".join(f"{count:,}" for count in (below, below + each) if 0 < count <= MOST_MESSAGES)
            why = f"{messages:,} is not a whole number of bursts of {each:,}; write {fitting}, or leave it out"
            raise OutOfBoundsError("messages", why)
        return messages // each

    @property
    def schedule(self) -> Schedule | None:
        """When mail is tried again."""
        if self.retries is None or isinstance(self.retries, str):
            return SCHEDULES[self.retries] if self.retries else None
        times = self.retries
        if not isinstance(times, list | tuple) or not times:
            raise OutOfBoundsError("retries", "write the name of a timetable, or a list of seconds between tries")
        try:
            return Schedule("given", "asked for", tuple(times[:-1]), times[-1])
        except OutOfBoundsError as wrong:
            raise OutOfBoundsError("retries", wrong.why) from None

    def trial(
        self,
        snapshot: Snapshot,
        sender: Sender,
        dns_order: DnsOrder = DnsOrder.FIXED,
        down: Mapping[Address, Mode] | None = None,
    ) -> Trial:
        """The trial of one sender; `down` lasts all the time.

        Raises:
            ValueError: an outage is of a server that the domain does not have, or is two things at once; or all that
                would have to be followed is too much.

        """
        always = [Outage(address, mode) for address, mode in (down or {}).items()]
        timed = [outage for each in self.outages for outage in _outages(each, snapshot)]
        _refuse_two_at_once((*always, *timed))
        self._refuse_endless(sender, (*always, *timed), snapshot)
        return Trial(
            snapshot,
            sender,
            self.workload,
            dns_order,
            float(getattr(snapshot.mx, "ttl_s", 0)),
            (*always, *timed),
            Greylist(self.greylist_s, shared=not self.greylist_apart) if self.greylist_s else None,
            self.schedule,
        )

    def _refuse_endless(self, sender: Sender, outages: Sequence[Outage], snapshot: Snapshot) -> None:
        """Mail that is deferred is tried again and again: so many messages, so many times, is what takes time."""
        schedule = self.schedule or sender.retry
        trouble_s = max((each.until_s - each.from_s for each in outages), default=0.0)
        if self.greylist_s:
            trouble_s = max(trouble_s, self.greylist_s if schedule.machines == 1 else math.inf)
        if self.retries is not None and not isinstance(self.retries, str):
            trouble_s = math.inf  # whoever writes times knows why mail is deferred; we may not
        tries = schedule.tries_within(min(trouble_s, schedule.expiry_s)) if trouble_s else 1
        messages = self.workload.messages
        if messages * tries > MOST_TRIES:
            raise OutOfBoundsError(
                "messages",
                f"{messages:,} messages of {sender.name} may be tried {tries:,} times each; "
                f"{MOST_TRIES:,} tries in all are the most: try fewer messages, or write longer times between tries",
            )
        contacts = _most_contacts(sender, len({each.address for each in outages}), snapshot) if trouble_s else 1
        if messages * tries * contacts > MOST_CONTACTS and contacts > 1:
            raise OutOfBoundsError(
                "messages",
                f"{messages:,} messages of {sender.name} may be tried {tries:,} times each, with {contacts:,} contacts "
                f"a try; {MOST_CONTACTS:,} contacts in all are the most: try {MOST_CONTACTS // (tries * contacts):,} "
                "messages, or write longer times between tries",
            )


def _most_contacts(sender: Sender, down: int, snapshot: Snapshot) -> int:
    """How many servers that are down one try goes through at most, and one more."""
    limits = sender.limits
    answers = [[host.a, host.aaaa] for host in snapshot.hosts.values()]
    largest = max((sum(len(each.records) for each in host if isinstance(each, Found)) for host in answers), default=0)
    by_hosts = math.inf if limits.hosts is None else limits.hosts * largest
    return int(min(down + 1, limits.addresses or math.inf, by_hosts))


def _refuse_two_at_once(outages: Sequence[Outage]) -> None:
    """A server is down in one way at a time: which of two would count nobody has said."""
    by: dict[Address, list[Outage]] = {}
    for each in outages:
        for other in by.setdefault(each.address, []):
            if each.mode != other.mode and each.from_s < other.until_s and other.from_s < each.until_s:
                raise ValueError(
                    f"{each.address} is down in two ways at the same time, {other.mode} and {each.mode}; "
                    "give one of them"
                )
        by[each.address].append(each)


def _outages(downtime: Downtime, snapshot: Snapshot) -> Iterator[Outage]:
    found = addresses_named(downtime.server, snapshot.domain, places(snapshot))
    if isinstance(found, Unreadable):
        raise ValueError(str(found))  # noqa: TRY004  # a wrong text, not a wrong type
    for address in found:
        yield Outage(address, downtime.mode, downtime.from_s, downtime.until_s)
