"""What trials are about, as flags of `postroad simulate`: bursts, rates, greylisting, timed outages, retries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import screen

if TYPE_CHECKING:
    from postroad.planning import Conditions
    from postroad.simulation.trials import Downtime, Pulse, TrialOptions, Trials
    from postroad.words.snapshot import Snapshot

_PANEL = "Trials: messages followed over all attempts"
MOST_DIGITS = 18  # of a number of messages: whatever has more is too much anyway
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")  # a number alone, as the settings take it
_OUTAGE = re.compile(r"(?P<server>.+?)@(?P<from>[^@-]*)-(?P<until>[^@-]*)\Z")

Messages = Annotated[
    int | None,
    typer.Option(
        "--trials", metavar="N", min=1, help="Follow N messages of each sender, over a day.", rich_help_panel=_PANEL
    ),
]
Burst = Annotated[
    str | None,
    typer.Option(
        "--burst",
        metavar="N/TIME",
        help="Each sending host sends N messages within TIME: 300/1.4s.",
        rich_help_panel=_PANEL,
    ),
]
Rate = Annotated[
    str | None,
    typer.Option(
        "--rate",
        metavar="N/TIME",
        help="Each sending host sends N messages in each TIME: 1/s, 10/5m.",
        rich_help_panel=_PANEL,
    ),
]
Sources = Annotated[
    int | None,
    typer.Option(
        "--sources", metavar="N", min=1, help="This many sending hosts share the mail.", rich_help_panel=_PANEL
    ),
]
Session = Annotated[
    str | None,
    typer.Option(
        "--session", metavar="TIME", help="A delivery over a kept connection takes TIME.", rich_help_panel=_PANEL
    ),
]
Greylist = Annotated[
    str | None,
    typer.Option("--greylist", metavar="TIME", help="Answer 450 to unknown senders for TIME.", rich_help_panel=_PANEL),
]
GreylistApart = Annotated[
    bool,
    typer.Option("--greylist-apart", help="Each server keeps a greylist of its own.", rich_help_panel=_PANEL),
]
Outages = Annotated[
    list[str] | None,
    typer.Option(
        "--outage",
        metavar="SERVER[:MODE]@FROM-UNTIL",
        help="A server is down for a time: mail1@1h-3h; may be repeated.",
        rich_help_panel=_PANEL,
    ),
]
Retries = Annotated[
    str | None,
    typer.Option(
        "--retries",
        metavar="NAME|TIME,TIME",
        help="Retry as postfix, exim, gmail, ... do, or after these times.",
        rich_help_panel=_PANEL,
    ),
]


_FLAGS = {
    "messages": "--trials",
    "burst": "--burst",
    "rate": "--rate",
    "sources": "--sources",
    "session_s": "--session",
    "greylist_s": "--greylist",
    "retries": "--retries",
}
"""Which flag says what trials are asked for."""


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of the trials as given on the command line."""

    trials: int | None
    burst: str | None
    rate: str | None
    sources: int | None
    session: str | None
    greylist: str | None
    greylist_apart: bool
    outages: Sequence[str]
    retries: str | None

    def options(self) -> TrialOptions | None:
        """What they ask for; None if no trial is asked for.

        Raises:
            InputError: a flag cannot be read, or two of them contradict each other.

        """
        from postroad.words.inputs import InputError

        given = (self.trials, self.burst, self.rate, self.sources, self.session, self.greylist, self.retries)
        if not (any(each is not None for each in given) or self.outages):
            if self.greylist_apart:
                raise InputError("--greylist-apart needs --greylist TIME")
            return None
        from postroad.simulation.trials import TrialOptions

        try:
            return TrialOptions(
                self.trials,
                _pulse("--burst", self.burst),
                _pulse("--rate", self.rate),
                self.sources,
                TrialOptions().session_s if self.session is None else _time("--session", self.session),
                greylist_s=None if self.greylist is None else _time("--greylist", self.greylist),
                greylist_apart=self.greylist_apart,
                outages=tuple(map(_outage, self.outages)),
                retries=_retries(self.retries),
            )
        except ValueError as wrong:
            raise InputError(flagged(wrong)) from wrong


def flagged(wrong: ValueError) -> str:
    """What is wrong with trials, by the flag that says it."""
    from postroad.words.bounds import OutOfBoundsError

    return f"{_FLAGS[wrong.field]}: {wrong.why}" if isinstance(wrong, OutOfBoundsError) else str(wrong)


def run_trials(snapshot: Snapshot, view: Conditions, asked: TrialOptions, seed: int) -> Mapping[str, Trials]:
    """The trial of each sender, with what is down from beginning to end, and for a time.

    Raises:
        InputError: an outage is of no server of the domain, or all that would be followed is too much.

    """
    from postroad.simulation.trials import run
    from postroad.words.inputs import InputError

    try:
        trials = {
            name: asked.trial(snapshot, sender, view.dns_order, view.down) for name, sender in view.mix.senders.items()
        }
    except ValueError as wrong:
        raise InputError(flagged(wrong)) from wrong
    with screen.progress() as begin:
        return {name: run(trial, seed, begin(name)) for name, trial in trials.items()}


def _pulse(flag: str, text: str | None) -> Pulse | None:
    from postroad.simulation.trials import Pulse
    from postroad.words.bounds import OutOfBoundsError

    if text is None:
        return None
    count, _, time = text.partition("/")
    if not (count.isascii() and count.isdecimal()) or not time:
        raise ValueError(f"{flag} {text}: write messages and a time, as 300/1.4s or 1/s")
    over_s = _time(f"{flag} {text}", f"1{time}" if time[0].isalpha() else time)
    try:
        return Pulse(int(count[:MOST_DIGITS]), over_s)
    except OutOfBoundsError as wrong:
        raise ValueError(f"{flag} {text}: {wrong}") from wrong


def _outage(text: str) -> Downtime:
    from postroad.simulation.trials import Downtime
    from postroad.words.bounds import OutOfBoundsError
    from postroad.words.faults import parse_down
    from postroad.words.names import Unreadable

    found = _OUTAGE.match(text)
    if not found:
        raise ValueError(f"--outage {text}: write SERVER[:MODE]@FROM-UNTIL, as mail1:blackhole@1h-3h or mail1@30m-")
    down = parse_down(found["server"])
    if isinstance(down, Unreadable):
        raise ValueError(f"--outage {text}: {down.why}")  # noqa: TRY004  # wrong text, not type
    from_s = _time("--outage", found["from"]) if found["from"] else 0.0
    until_s = _time("--outage", found["until"]) if found["until"] else float("inf")
    try:
        return Downtime(*down, from_s, until_s)
    except OutOfBoundsError as wrong:
        raise ValueError(f"--outage {text}: {wrong.why}") from wrong


def _retries(text: str | None) -> str | tuple[float, ...] | None:
    from postroad.models import SCHEDULES

    if text is None or text in SCHEDULES:
        return text
    if text[:1].isdecimal():
        return tuple(_time("--retries", each) for each in text.split(","))
    raise ValueError(
        f"--retries {text}: there is no such timetable; choose one of {', '.join(SCHEDULES)}; or write times, as "
        "5m,30m,2h"
    )


def _time(flag: str, text: str) -> float:
    from postroad.config import read_duration

    bare = text.strip()
    try:
        return read_duration(float(bare) if _SECONDS.fullmatch(bare) else bare)
    except ValueError as wrong:
        raise ValueError(f"{flag}: {wrong}") from wrong
