"""A comparison for people: in a terminal, as Markdown for a pull request, as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from postroad.cli import screen
from postroad.planning.compare import Comparison, Difference
from postroad.planning.phrases import percent, seconds

if TYPE_CHECKING:
    from postroad.planning.standing import Standing

HEADS = ("set", "servers", "busiest", "even", "kept", "silent", "questions", "octets", "records")
LEGEND = (
    "busiest: part of first contacts on the busiest server; even: if all had the same; kept: mail that gets through at "
    "once whichever one server refuses; silent: mean time of an attempt with the busiest server silent; questions and "
    "octets of DNS for one message"
)
_HEAD = "<meta charset=utf-8><meta name=viewport content='width=device-width'><title>MX records compared</title>"
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}th,td{padding:.3rem .8rem;border-bottom:1px solid;text-align:right}"
    "th:first-child,td:first-child{text-align:left}pre{overflow-x:auto}"
)


def headline(comparison: Comparison) -> str:
    """The first line: who does best at what."""
    told = [
        f"{each.goal}: {'no difference' if len(each.best) == len(each.numbers) else ', '.join(each.best)}"
        for each in comparison.verdicts
    ]
    return f"Best at {'; '.join(told)}"


def row(standing: Standing) -> tuple[str, ...]:
    """The numbers of one set of records."""
    even = percent(1 / standing.tilt * standing.load) if standing.tilt else "-"
    return (
        standing.name,
        str(len(standing.servers)),
        percent(standing.load),
        even,
        percent(standing.kept),
        seconds(standing.wait_s),
        f"{float(standing.questions):.1f}",
        f"{float(standing.octets):.0f}",
        str(len(standing.lines)),
    )


def print_text(out: screen.Screen, comparison: Comparison) -> None:
    """In a terminal or a pipe."""
    out.line(headline(comparison), style="bold")
    out.line()
    print_table(out, comparison)
    for each in comparison.verdicts:
        out.line(each.sentence)
    for difference in comparison.differences:
        out.line()
        for line in _difference(difference):
            out.line(line)


def print_table(out: screen.Screen, comparison: Comparison) -> None:
    """The numbers side by side, with what they are beneath."""
    rows = [row(standing) for standing in comparison.standings]
    out.table(screen.Table(HEADS, rows, frozenset(HEADS[1:])))
    out.line(LEGEND, style="dim")
    out.line()


def to_markdown(comparison: Comparison) -> str:
    """Fit to paste in a pull request."""
    lines = [f"**{headline(comparison)}**", "", f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
    lines += [f"| {' | '.join(row(standing))} |" for standing in comparison.standings]
    lines += ["", f"<sub>{LEGEND}</sub>", "", *(f"- {each.sentence}" for each in comparison.verdicts)]
    for each in comparison.differences:
        lines += ["", f"### {each.before} → {each.after}", "", "```diff", *_lines(each), "```", ""]
        lines += [f"- {sentence}" for sentence in each.meaning or ("No sender notices.",)]
    return "\n".join(lines)


def to_html(comparison: Comparison) -> str:
    """One page that needs nothing else."""
    heads = "".join(f"<th scope=col>{head}</th>" for head in HEADS)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row(each))}</tr>" for each in comparison.standings
    )
    parts = [
        f"<h1>{escape(headline(comparison))}</h1><table><tr>{heads}</tr>{rows}</table><p><small>{LEGEND}</small></p>"
    ]
    parts.append(_list(each.sentence for each in comparison.verdicts))
    for each in comparison.differences:
        parts.append(
            f"<h2>{escape(each.before)} → {escape(each.after)}</h2><pre>{escape(chr(10).join(_lines(each)))}</pre>"
        )
        parts.append(_list(each.meaning or ("No sender notices.",)))
    return f"<!doctype html><html lang=en>{_HEAD}<style>{_STYLE}</style>{''.join(parts)}</html>"


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>"


def _difference(difference: Difference) -> Iterator[str]:
    yield f"{difference.before} -> {difference.after}"
    yield from (f"  {line}" for line in _lines(difference))
    yield from difference.meaning or ("No sender notices.",)


def _lines(difference: Difference) -> list[str]:
    changed = [*(f"- {line}" for line in difference.gone), *(f"+ {line}" for line in difference.new)]
    return changed or ["  the same records"]
