"""The run of `check`: which domains, which findings count, and how the results reach the screen or a file."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from postroad.build import check_in_zone, destination_of, is_file, subjects_of, zone_resolver
from postroad.cli import screen
from postroad.config import CheckTable, Config
from postroad.examine import (
    CheckTerms,
    SourceOptions,
    Tolerated,
    build_sources,
    check_all,
    done_in,
    exit_status,
    read_snapshot,
    worst,
)
from postroad.files import read_text
from postroad.rules import RULES, Checked, Severity
from postroad.views.findings import FindingsForm, nagios_code, render
from postroad.words.inputs import InputError, NotInZoneError
from postroad.words.names import Destination, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"


def settings_for(named: Path | None, here: Path) -> Config:
    """The settings named, else those of the folder we are in, else the usual ones.

    Raises:
        InputError: they cannot be read.

    """
    from postroad.config import load

    return load(named or (here if here.is_file() else None))


def terms_of(check: CheckTable, fail_on: str | None, ignore: Sequence[str]) -> CheckTerms:
    """How findings are weighed: the settings, and what the command line says beyond them.

    Raises:
        InputError: a rule is named that there is not.

    """
    ignored = frozenset((*ignore, *check.ignore))
    for rule in (*ignored, *(each.rule for each in check.accept)):
        if rule not in RULES:
            raise InputError(f"there is no rule {rule!r}; `postroad rules` lists them")
    level = fail_on or check.fail_on
    tolerated = (Tolerated(each.rule, each.reason, each.until, each.domain, each.exchange) for each in check.accept)
    return CheckTerms(None if level == "never" else Severity(level), ignored, tuple(tolerated))


class Batch(NamedTuple):
    """Domains that are checked against the same sources."""

    choice: SourceOptions
    domains: list[Destination]


@dataclass(slots=True)
class WantedDomains:
    """The domains to check, once a batch, and the lines of a file that are no domains."""

    batches: list[Batch]
    unreadable: list[str]
    elsewhere: list[str]  # domains that the zones given do not have

    def left_after(self, done: Collection[str]) -> list[Batch]:
        """Those that are not done yet."""
        return [Batch(choice, [each for each in some if str(each) not in done]) for choice, some in self.batches]


def wanted_of(named: Sequence[str], file: str | None, zones: Sequence[Path], choice: SourceOptions) -> WantedDomains:
    """The domains to check: those named and those of zone files named, those of the file, else those of the zones.

    Raises:
        InputError: one named cannot be read, or there is none.

    """
    choice = replace(choice, zones=zone_resolver(zones)) if zones else choice
    base, wanted = Batch(choice, []), WantedDomains([], [], [])
    for text in named:
        if is_file(text) or not zones:
            found = subjects_of(text, None, zones)
            own = [each.destination for each in found]
            wanted.batches += [Batch(replace(choice, zones=found[0].loaded), own)] if found[0].zones else []
            base.domains.extend(() if found[0].zones else own)
        else:
            _put(destination_of(text), base, zones, wanted)
    for number, text in _lines(file) if file is not None else ():
        try:
            _put(destination_of(text), base, zones, wanted)
        except InputError as problem:
            wanted.unreadable.append(f"{file}:{number}: {problem}")
    if not named and file is None:
        base.domains.extend(_of_sources(choice, zones))
    wanted.batches.insert(0, Batch(choice, list(dict.fromkeys(base.domains))))
    return wanted


def _put(destination: Destination, base: Batch, zones: Sequence[Path], wanted: WantedDomains) -> None:
    """Among those to check, unless the zones that are to answer do not have it."""
    try:
        if base.choice.zones:
            check_in_zone(destination, base.choice.zones, zones)
    except NotInZoneError as problem:
        wanted.elsewhere.append(str(problem))
    else:
        base.domains.append(destination)


def _of_sources(choice: SourceOptions, zones: Sequence[Path]) -> list[Destination]:
    """The domains that saved look-ups or zones are about."""
    found = [read_snapshot(path).domain for path in choice.snapshots]
    if zones:
        found = [each.destination for each in subjects_of(None, None, zones)]
    if not found:
        raise InputError("give a domain, a zone file, a reference set-up, or a file of domains with -f")
    return found


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of a report: which findings count, and how and where they are shown."""

    terms: CheckTerms
    form: str
    resume: Path | None
    at_once: int


def run_checks(wanted: WantedDomains, report: ReportOptions) -> int:
    """Check them all and show it; the exit status."""
    form, resume, terms = report.form, report.resume, report.terms
    with screen.input_errors():
        batches = wanted.left_after(done_in(resume) if resume else frozenset())
    left = [each for batch in batches for each in batch.domains]
    for said in (*wanted.unreadable, *wanted.elsewhere):
        screen.remark(said)

    is_shown_at_once = form != FindingsForm.NAGIOS and (resume is not None or form == FindingsForm.NDJSON)
    kept: list[Checked] = []
    statuses: list[int] = [screen.FINDINGS] * bool(wanted.elsewhere)

    async def check_them() -> None:
        with _sink(resume, form) as tell, _progress(len(left)) as step:
            for choice, domains in batches:
                at_once = min(report.at_once, max(1, len(domains)))
                async for result in check_all(domains, build_sources(choice), terms, at_once=at_once):
                    tell(result)
                    step()
                    statuses.append(exit_status([result], terms.fail_on))
                    if not is_shown_at_once:  # of a list of a hundred thousand no more is kept than each one's status
                        kept.append(result)

    if len(left) > report.at_once:
        _leave_imports_alone()
    screen.run(check_them)
    _warn_of_expired(terms)
    order = {str(each): place for place, each in enumerate(left)}
    kept.sort(key=lambda each: order[each.domain])
    if resume:
        every = sum(len(batch.domains) for batch in wanted.batches)
        screen.remark(f"{len(statuses) - bool(wanted.elsewhere)} checked, {every - len(left)} done before")
    elif form != FindingsForm.NDJSON and (kept or not wanted.elsewhere):
        _show(kept, form)
    return nagios_code(kept) if form == FindingsForm.NAGIOS else _status(statuses, wanted)


def _status(statuses: Sequence[int], wanted: WantedDomains) -> int:
    """A finding counts more than a line that is no domain, and that more than what could not be seen."""
    found = worst(statuses)
    return screen.USAGE if wanted.unreadable and found != screen.FINDINGS else found


def _leave_imports_alone() -> None:
    """Collect garbage of what is worked on alone, and not each time a few hundred answers have come."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


@contextmanager
def _sink(resume: Path | None, form: str) -> Iterator[Callable[[Checked], None]]:
    """Where a result goes at once: to the file of a bulk run, to stdout as NDJSON, or nowhere yet."""
    if resume:
        with resume.open("a", encoding="utf-8") as file:
            yield lambda result: _write(_line_of(result), file)
    elif form == FindingsForm.NDJSON:
        yield lambda result: screen.document(_line_of(result))
    else:
        yield lambda _result: None


def _line_of(result: Checked) -> str:
    return render([result], FindingsForm.NDJSON, color=False, width=0)


def _write(line: str, file: TextIO) -> None:
    file.write(line)
    file.flush()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar where there is more than one to wait for, else the time that has passed."""
    if total == 1:
        with screen.working("checking", counted=""):
            yield lambda: None
        return
    with screen.progress(wanted=total > 1) as begin:
        done, tell = count(1), begin("checked")
        yield lambda: tell(next(done) / total)


def _show(results: Sequence[Checked], form: str) -> None:
    out = screen.Screen()
    text = render(results, form, color=out.has_colour, width=out.width, ascii_only=screen.is_ascii_only())
    screen.document(text)


def _warn_of_expired(terms: CheckTerms) -> None:
    from datetime import UTC, datetime

    for each in terms.expired(datetime.now(UTC).date()):
        screen.remark(f"{each.rule} was accepted until {each.until}, and counts again: {each.reason}")


def _lines(file: str) -> Iterator[tuple[int, str]]:
    """The lines of a file that are neither empty nor comments."""
    text = read_text(sys.stdin.buffer if file == STDIN else file)
    if isinstance(text, Unreadable):
        raise InputError(f"{file}: {text.why}")
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.partition("#")[0].strip()
        if bare:
            yield number, bare
