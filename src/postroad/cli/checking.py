"""What `check` is made of: which domains, by which terms, and how the results reach the screen or a file."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from postroad.app import InputError, destination_of
from postroad.checking import (
    Choice,
    Terms,
    Tolerated,
    build_sources,
    check_all,
    domains_of_zones,
    done_in,
    exit_status,
    read_snapshot,
    worst,
)
from postroad.checks.catalogue import RULES
from postroad.checks.nouns import Severity
from postroad.cli import screen
from postroad.config.model import Check, Config
from postroad.files import read_text
from postroad.report import Checked, Form, nagios_code, render
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


def terms_of(check: Check, fail_on: str | None, ignore: Sequence[str]) -> Terms:
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
    return Terms(None if level == "never" else Severity(level), ignored, tuple(tolerated))


def domains(named: Sequence[str], file: str | None, choice: Choice) -> list[Destination]:
    """The domains to check, each once: those named, those of the file, else those that zones or look-ups are about.

    Raises:
        InputError: one cannot be read, or there is none.

    """
    texts = [(text, "") for text in named]
    if file is not None:
        texts += [(text, f"{file}:{number}: ") for number, text in _lines(file)]
    elif not named and choice.zones:
        texts = [(text, "") for text in domains_of_zones(choice.zones)]
    found = dict.fromkeys(_readable(text, place) for text, place in texts)
    if not texts and choice.snapshots:
        found = dict.fromkeys(read_snapshot(path).domain for path in choice.snapshots)
    if not found and file is None:
        raise InputError("name a domain, a file of domains with -f, or a zone with --zone that has MX records")
    return list(found)


def run_checks(
    wanted: Sequence[Destination], choice: Choice, terms: Terms, form: str, resume: Path | None, at_once: int
) -> int:
    """Check them all and show it; the exit status."""
    with screen.input_errors():
        done = done_in(resume) if resume else frozenset()
        left = [each for each in wanted if str(each) not in done]

    is_shown_at_once = form != Form.NAGIOS and (resume is not None or form == Form.NDJSON)
    kept: list[Checked] = []
    statuses: list[int] = []

    async def check_them() -> None:
        results = check_all(left, build_sources(choice), terms, at_once=min(at_once, max(1, len(left))))
        with _sink(resume, form) as tell, _progress(len(left)) as step:
            async for result in results:
                tell(result)
                step()
                statuses.append(exit_status([result], terms.fail_on))
                if not is_shown_at_once:  # of a list of a hundred thousand no more is kept than each one's status
                    kept.append(result)

    if len(left) > at_once:
        _leave_imports_alone()
    screen.run(check_them)
    _warn_of_expired(terms)
    order = {str(each): place for place, each in enumerate(left)}
    kept.sort(key=lambda each: order[each.domain])
    if resume:
        screen.remark(f"{len(statuses)} checked, {len(wanted) - len(left)} done before")
    elif form != Form.NDJSON:
        _show(kept, form)
    return nagios_code(kept) if form == Form.NAGIOS else worst(statuses)


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
    elif form == Form.NDJSON:
        yield lambda result: screen.document(_line_of(result))
    else:
        yield lambda _result: None


def _line_of(result: Checked) -> str:
    return render([result], Form.NDJSON, color=False, width=0)


def _write(line: str, file: TextIO) -> None:
    file.write(line)
    file.flush()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar where there is more than one to wait for."""
    with screen.progress(wanted=total > 1) as begin:
        done, tell = count(1), begin("checked")
        yield lambda: tell(next(done) / total)


def _show(results: Sequence[Checked], form: str) -> None:
    out = screen.Screen()
    text = render(results, form, color=out.has_colour, width=out.width, ascii_only=screen.is_ascii_only())
    screen.document(text)


def _warn_of_expired(terms: Terms) -> None:
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


def _readable(text: str, place: str) -> Destination:
    try:
        return destination_of(text)
    except InputError as problem:
        raise InputError(f"{place}{problem}") from None
