"""The findings as a table: CSV for a spreadsheet, Markdown for a pull request."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from html import escape
from io import StringIO

from postroad.rules import Checked, Finding
from postroad.views.findings import wording
from postroad.views.findings.wording import Rules
from postroad.words.visible import defused

COLUMNS = ("domain", "preference", "exchange", "address", "rule", "severity", "seen", "fix", "line", "accepted")
ACTIVE = re.compile(r"([\\`*_{}\[\]()#+!|~])")
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would work out, were it the first character of a cell
MARKS = {"error": "✗", "warning": "!", "note": "·", "info": "i", wording.INCONCLUSIVE: "?"}


def as_csv(results: Sequence[Checked], _rules: Rules) -> str:
    """One row a finding, with a header; the accepted ones too, with the reason."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for result in results:
        writer.writerows(_row(result, finding, "") for finding in wording.worst_first(result.findings))
        writer.writerows(_row(result, each.finding, each.reason) for each in result.accepted)
    return out.getvalue()


def _row(result: Checked, finding: Finding, accepted: str) -> list[str]:
    place = finding.place
    cells = (
        result.domain,
        "" if place.preference is None else str(place.preference),
        place.exchange or "",
        str(place.address or ""),
        finding.rule,
        wording.word(finding),
        finding.seen,
        " / ".join(wording.fixes(finding)),
        finding.line,
        accepted,
    )
    return [_harmless(cell) for cell in cells]


def _harmless(cell: str) -> str:
    """A cell that is text: one that a spreadsheet would take for a formula gets an apostrophe in front."""
    cell = defused(cell)
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def markdown(results: Sequence[Checked], rules: Rules) -> str:
    """A heading and a table for each domain."""
    head = [f"**{_plain(wording.overall(results))}**\n"] if len(results) > 1 else []
    return "\n".join([*head, *(_section(result, rules) for result in results)])


def _section(result: Checked, rules: Rules) -> str:
    lines = [f"### {_plain(result.domain)}", "", _plain(wording.summary(result).partition(": ")[2]), ""]
    if result.findings:
        lines += ["| | rule | where | what was seen | zone line that fixes it |", "| --- | --- | --- | --- | --- |"]
        lines += [_line(finding, rules) for finding in wording.worst_first(result.findings)] + [""]
    for each in result.accepted:
        until = f" (until {each.until})" if each.until else ""
        words = f"{wording.where(each.finding.place)}: {each.reason}{until}"
        lines += [f"Accepted: {_code(each.finding.rule)}, {_plain(words)}", ""]
    return "\n".join(lines)


def _line(finding: Finding, rules: Rules) -> str:
    word = wording.word(finding)
    where = wording.where(finding.place) + (f", {finding.line}" if finding.line else "")
    cited = wording.sources(rules.get(finding.rule))
    seen = _plain(finding.seen) + (f"<br><sub>{_plain(cited)}</sub>" if cited else "")
    fix = "<br>".join(_code(line) for line in wording.fixes(finding))
    return f"| {MARKS[word]} {word} | {_code(finding.rule)} | {_plain(where)} | {seen} | {fix} |"


def _plain(words: str) -> str:
    """Words that Markdown leaves as they are: no markup, no HTML, nobody is notified."""
    return ACTIVE.sub(r"\\\1", escape(defused(words), quote=False)).replace("@", "&#64;")


def _code(words: str) -> str:
    """Words in a code span of a table's cell."""
    return "`" + defused(words).replace("`", "'").replace("|", r"\|") + "`"
