"""The findings of a check as a page."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.rules import Accepted, Checked, Finding
from postroad.views.findings import wording
from postroad.views.findings.text import SYMBOLS
from postroad.views.findings.wording import FindingGroup, Rules
from postroad.views.html.frame import framed, text
from postroad.words.phrasebook import moment

TITLE = "Mail exchangers, checked"


def page(results: Sequence[Checked], rules: Rules) -> str:
    """The whole file."""
    title = wording.summary(results[0]) if len(results) == 1 else wording.overall(results)
    sections = "".join(_section(result, rules, index) for index, result in enumerate(results))
    return framed(title, f"<h1>{TITLE}</h1>\n{_overview(results)}{sections}")


def _overview(results: Sequence[Checked]) -> str:
    """How many there are of each, and for several domains a line with a link for each."""
    tiles = "".join(
        f'<li class="{word}"><b>{count}</b> {_mark(word)} {word}</li>'
        for word, count in wording.total(results).items()
        if count or word in {"error", "warning"}
    )
    links = "".join(
        f'<li><a href="#domain-{index}">{text(result.domain)}</a> {text(wording.tell(wording.counts(result)))}</li>\n'
        for index, result in enumerate(results)
    )
    return f'<ul class="tiles">{tiles}</ul>\n' + (f'<ul class="domains">\n{links}</ul>\n' if len(results) > 1 else "")


def _section(result: Checked, rules: Rules, index: int) -> str:
    told: set[str] = set()
    groups = "".join(_group(group, rules, told) for group in wording.groups(result))
    accepted = "".join(_accepted(each) for each in result.accepted)
    return (
        f'<section class="domain" id="domain-{index}">\n<h2>{text(result.domain)}</h2>\n'
        f'<p class="summary">{text(wording.tell(wording.counts(result)))}; {text(wording.shape_of(result))}</p>\n'
        f'<p class="quiet">checked {moment(result.checked_at)}</p>\n{groups}'
        + (f'<h3>Accepted</h3>\n<ul class="accepted">\n{accepted}</ul>\n' if accepted else "")
        + "</section>\n"
    )


def _group(group: FindingGroup, rules: Rules, told: set[str]) -> str:
    """A heading, and beneath it what was found."""
    found = "".join(_finding(finding, group, rules, told) for finding in group.findings)
    if group.depth == 3:
        ok = f'<span class="word ok">{_mark("ok")} ok</span>' if group.is_ok else ""
        return f'<p class="address"><code>{text(group.title)}</code>{ok}</p>\n{found}'
    head = f"<h{group.depth + 2}>{text(group.title)}</h{group.depth + 2}>\n" if group.depth else ""
    return head + found


def _finding(finding: Finding, group: FindingGroup, rules: Rules, told: set[str]) -> str:
    """What was seen, and once a domain why it matters."""
    word, beside, rule = wording.word(finding), group.beside(finding), rules.get(finding.rule)
    where = f"<b>{text(beside)}</b>: " if beside else ""
    fix = "\n".join(text(line) for line in wording.fixes(finding))
    is_new = rule and finding.rule not in told and not finding.inconclusive
    told.add(finding.rule)
    return (
        f'<article class="{word}">\n<p class="head"><span class="word">{_mark(word)} {word}</span> '
        f"<code>{text(finding.rule)}</code>"
        + (f' <span class="quiet">{text(finding.line)}</span>' if finding.line else "")
        + f"</p>\n<p>{where}{text(finding.seen)}</p>\n"
        + (
            f'<p class="quiet">{text(wording.why(rule))} <cite>{text(wording.sources(rule))}</cite></p>\n'
            if is_new and rule
            else ""
        )
        + (f"<pre>{fix}</pre>\n" if fix else "")
        + "</article>\n"
    )


def _accepted(each: Accepted) -> str:
    until = f" (until {each.until})" if each.until else ""
    where = text(wording.where(each.finding.place))
    return f"<li><code>{text(each.finding.rule)}</code> {where}: {text(each.reason)}{until}</li>\n"


def _mark(word: str) -> str:
    """The symbol, for eyes only: its word stands beside it."""
    return f'<span class="mark" aria-hidden="true">{SYMBOLS[word]}</span>'
