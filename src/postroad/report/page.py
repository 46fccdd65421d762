"""The findings as one HTML file that needs nothing else: no network, no script. In the dark it is dark."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from postroad.report import phrases
from postroad.report.phrases import Group, Rules
from postroad.report.text import SYMBOLS
from postroad.rules import Accepted, Checked, Finding
from postroad.show.page import text

TITLE = "Mail exchangers, checked"


def page(results: Sequence[Checked], rules: Rules) -> str:
    """The whole file. Its Content-Security-Policy allows its own style sheet and nothing more."""
    title = phrases.summary(results[0]) if len(results) == 1 else phrases.overall(results)
    sections = "".join(_section(result, rules, index) for index, result in enumerate(results))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{_style()}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{TITLE}</h1>\n{_overview(results)}{sections}</main>\n</body>\n</html>\n"
    )


def _style() -> str:
    sheets = (files("postroad.show").joinpath("page.css"), files("postroad.report").joinpath("page.css"))
    return "".join(sheet.read_text(encoding="utf-8") for sheet in sheets)


def _overview(results: Sequence[Checked]) -> str:
    """How many there are of each, and for several domains a line with a link for each."""
    tiles = "".join(
        f'<li class="{word}"><b>{count}</b> {_mark(word)} {word}</li>'
        for word, count in phrases.total(results).items()
        if count or word in {"error", "warning"}
    )
    links = "".join(
        f'<li><a href="#domain-{index}">{text(result.domain)}</a> {text(phrases.tell(phrases.counts(result)))}</li>\n'
        for index, result in enumerate(results)
    )
    return f'<ul class="tiles">{tiles}</ul>\n' + (f'<ul class="domains">\n{links}</ul>\n' if len(results) > 1 else "")


def _section(result: Checked, rules: Rules, index: int) -> str:
    told: set[str] = set()
    groups = "".join(_group(group, rules, told) for group in phrases.groups(result))
    accepted = "".join(_accepted(each) for each in result.accepted)
    return (
        f'<section class="domain" id="domain-{index}">\n<h2>{text(result.domain)}</h2>\n'
        f'<p class="summary">{text(phrases.tell(phrases.counts(result)))}; {text(phrases.shape_of(result))}</p>\n'
        f'<p class="quiet">checked {phrases.time_of(result.checked_at).replace("T", " ")} UTC</p>\n{groups}'
        + (f'<h3>Accepted</h3>\n<ul class="accepted">\n{accepted}</ul>\n' if accepted else "")
        + "</section>\n"
    )


def _group(group: Group, rules: Rules, told: set[str]) -> str:
    """A heading, and beneath it what was found."""
    found = "".join(_finding(finding, group, rules, told) for finding in group.findings)
    if group.depth == 3:
        ok = f'<span class="word ok">{_mark("ok")} ok</span>' if group.is_ok else ""
        return f'<p class="address"><code>{text(group.title)}</code>{ok}</p>\n{found}'
    head = f"<h{group.depth + 2}>{text(group.title)}</h{group.depth + 2}>\n" if group.depth else ""
    return head + found


def _finding(finding: Finding, group: Group, rules: Rules, told: set[str]) -> str:
    """What was seen, and once a domain why it matters."""
    word, beside, rule = phrases.word(finding), group.beside(finding), rules.get(finding.rule)
    where = f"<b>{text(beside)}</b>: " if beside else ""
    fix = "\n".join(text(line) for line in phrases.fixes(finding))
    is_new = rule and finding.rule not in told and not finding.inconclusive
    told.add(finding.rule)
    return (
        f'<article class="{word}">\n<p class="head"><span class="word">{_mark(word)} {word}</span> '
        f"<code>{text(finding.rule)}</code>"
        + (f' <span class="quiet">{text(finding.line)}</span>' if finding.line else "")
        + f"</p>\n<p>{where}{text(finding.seen)}</p>\n"
        + (
            f'<p class="quiet">{text(phrases.why(rule))} <cite>{text(phrases.sources(rule))}</cite></p>\n'
            if is_new and rule
            else ""
        )
        + (f"<pre>{fix}</pre>\n" if fix else "")
        + "</article>\n"
    )


def _accepted(each: Accepted) -> str:
    until = f" (until {each.until})" if each.until else ""
    where = text(phrases.where(each.finding.place))
    return f"<li><code>{text(each.finding.rule)}</code> {where}: {text(each.reason)}{until}</li>\n"


def _mark(word: str) -> str:
    """The symbol, for eyes only: its word stands beside it."""
    return f'<span class="mark" aria-hidden="true">{SYMBOLS[word]}</span>'
