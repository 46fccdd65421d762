"""The findings for people, as lines: one line of summary, then what is wrong under the server it is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from postroad.rules import Accepted, Checked, Finding
from postroad.views.findings import wording
from postroad.views.findings.wording import INCONCLUSIVE, FindingGroup, Rules
from postroad.words.visible import defused

SYMBOLS = {"error": "✗", "warning": "!", "note": "·", "info": "i", INCONCLUSIVE: "?", "ok": "✓", "accepted": "~"}
PLAIN = {**SYMBOLS, "error": "x", "note": "-", "ok": "+"}  # where only ASCII can be shown
PAINT = {"error": "1;31", "warning": "33", "note": "36", "info": "2", INCONCLUSIVE: "35", "ok": "32", "accepted": "2"}
BOLD, QUIET = "1", "2"
LABEL = 8  # columns of "source  "
NARROWEST = 24  # columns of a sentence, however narrow the terminal


@dataclass(frozen=True, slots=True)
class FindingsPen:
    """The abilities of the terminal."""

    width: int
    color: bool
    ascii_only: bool

    def paint(self, text: str, code: str) -> str:
        """The text in a colour of ECMA-48 (SGR), where there is colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text

    def symbol(self, word: str) -> str:
        """The symbol of a word."""
        return self.paint((PLAIN if self.ascii_only else SYMBOLS)[word], PAINT[word])

    def block(self, text: str, indent: int) -> list[str]:
        """The text in as many lines as it takes, each from `indent` on."""
        return wrap(text, max(self.width - indent, NARROWEST), break_on_hyphens=False) or [""]


def text(results: Sequence[Checked], rules: Rules, pen: FindingsPen) -> str:
    """All domains; of several, first how they do together."""
    head = [pen.paint(wording.overall(results), BOLD), ""] if len(results) > 1 else []
    bodies = ["\n".join(_domain(result, rules, pen)) for result in results]
    return "\n".join([*head, "\n\n".join(bodies)]) + "\n"


def _domain(result: Checked, rules: Rules, pen: FindingsPen) -> Iterator[str]:
    worst = next((name for name, count in wording.counts(result).items() if count and name != "accepted"), "ok")
    first, *more = pen.block(wording.summary(result), 2)
    yield f"{pen.symbol(worst)} {pen.paint(first, BOLD)}"
    yield from (f"  {pen.paint(line, BOLD)}" for line in more)
    told: set[str] = set()
    for group in wording.groups(result):
        indent = 2 * max(group.depth, 1)
        if group.depth:
            ok = f"{pen.symbol('ok')} ok " if group.is_ok else ""
            yield f"{' ' * indent}{ok}{pen.paint(group.title, BOLD if group.depth == 1 else '0')}"
        for finding in group.findings:
            yield from _finding(finding, group, rules, pen, told)
            told.add(finding.rule)
    for each in result.accepted:
        yield from _accepted(each, pen)


def _finding(finding: Finding, group: FindingGroup, rules: Rules, pen: FindingsPen, told: set[str]) -> Iterator[str]:
    """What was seen, and once a domain why it matters."""
    indent = 2 * (group.depth + 1)
    word, beside = wording.word(finding), group.beside(finding)
    yield f"{' ' * indent}{pen.symbol(word)} {pen.paint(word, PAINT[word])} {pen.paint(finding.rule, BOLD)}"
    seen = f"{beside}: {defused(finding.seen)}" if beside else defused(finding.seen)
    yield from (" " * (indent + 2) + line for line in pen.block(seen, indent + 2))
    rule = rules.get(finding.rule)
    if rule and finding.rule not in told and not finding.inconclusive:
        yield from _labelled("why", pen.block(wording.why(rule), indent + 2 + LABEL), indent + 2, pen)
        yield from _labelled("source", pen.block(wording.sources(rule), indent + 2 + LABEL), indent + 2, pen)
    yield from _labelled("fix", wording.fixes(finding), indent + 2, pen)  # whole, so that it can be copied
    yield from _labelled("at", [defused(finding.line)] if finding.line else [], indent + 2, pen)


def _labelled(label: str, lines: Sequence[str], indent: int, pen: FindingsPen) -> Iterator[str]:
    for index, line in enumerate(lines):
        head = pen.paint(f"{'' if index else label:<{LABEL}}", QUIET)
        yield f"{' ' * indent}{head}{line}"


def _accepted(each: Accepted, pen: FindingsPen) -> Iterator[str]:
    until = f" (until {each.until})" if each.until else ""
    words = f"{each.finding.rule}, {wording.where(each.finding.place)}: {defused(each.reason)}{until}"
    first, *more = pen.block(words, 13)
    yield f"  {pen.symbol('accepted')} {pen.paint('accepted', PAINT['accepted'])} {first}"
    yield from (" " * 13 + line for line in more)
