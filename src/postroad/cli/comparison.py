"""A comparison for people: in a terminal, as Markdown for a pull request, as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from postroad.cli import screen
from postroad.planning.comparison import Comparison, Difference, dns_figures, silence
from postroad.planning.phrases import percent

if TYPE_CHECKING:
    from postroad.planning.scorecard import Scorecard

HEADS = ("set", "machines", "busiest", "even", "caught", "silent", "questions", "octets", "records")
LEGEND = (
    "busiest: part of first contacts on the busiest machine; even: if all of the best preference had the same; caught: "
    "of the mail of a machine that refuses, what others take at once; silent: mean time of an attempt that meets the "
    "busiest machine silent; questions and octets of DNS for one message"
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


def legend(comparison: Comparison) -> str:
    """What the columns are, and what the figures rest on."""
    caveats = [caveat for card in comparison.cards for caveat in card.caveats]
    return " ".join((f"{LEGEND}.", *([f"{basis}."] if (basis := comparison.cards[0].mix.basis) else []), *caveats))


def row(card: Scorecard) -> tuple[str, ...]:
    """The numbers of one set of records."""
    return (
        card.name,
        str(len(card.records.machines)),
        card.load_in_short,
        percent(card.even) if card.records.machines else "-",
        card.mix.percent(card.marks.caught),
        silence(card),
        *dns_figures(card),
        str(len(card.records.lines)),
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
    rows = [row(card) for card in comparison.cards]
    out.table(screen.Table(HEADS, rows, frozenset(HEADS[1:])))
    out.line(legend(comparison), style="dim")
    out.line()


def to_markdown(comparison: Comparison) -> str:
    """Fit to paste in a pull request."""
    lines = [f"**{headline(comparison)}**", "", f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
    lines += [f"| {' | '.join(row(card))} |" for card in comparison.cards]
    lines += ["", f"<sub>{legend(comparison)}</sub>", "", *(f"- {each.sentence}" for each in comparison.verdicts)]
    for each in comparison.differences:
        lines += ["", f"### {each.before} → {each.after}", "", "```diff", *_lines(each), "```", ""]
        lines += [f"- {sentence}" for sentence in _told(each)]
    return "\n".join(lines)


def to_html(comparison: Comparison) -> str:
    """One page that needs nothing else."""
    heads = "".join(f"<th scope=col>{head}</th>" for head in HEADS)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row(each))}</tr>" for each in comparison.cards)
    parts = [
        f"<h1>{escape(headline(comparison))}</h1><table><tr>{heads}</tr>{rows}</table><p><small>{escape(legend(comparison))}</small></p>"
    ]
    parts.append(_list(each.sentence for each in comparison.verdicts))
    for each in comparison.differences:
        parts.append(
            f"<h2>{escape(each.before)} → {escape(each.after)}</h2><pre>{escape(chr(10).join(_lines(each)))}</pre>"
        )
        parts.append(_list(_told(each)))
    return f"<!doctype html><html lang=en>{_HEAD}<style>{_STYLE}</style>{''.join(parts)}</html>"


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>"


def _difference(difference: Difference) -> Iterator[str]:
    yield f"{difference.before} -> {difference.after}"
    yield from (f"  {line}" for line in _lines(difference))
    yield from _told(difference)


def _told(difference: Difference) -> list[str]:
    """What gets better, what gets worse, and what changes for whom."""
    sides = ((each, word) for word in ("better", "worse") for each in getattr(difference, word))
    told = [*(f"{word}: {sentence}" for sentence, word in sides), *difference.meaning]
    return told or ["No sender notices."]


def _lines(difference: Difference) -> list[str]:
    changed = [*(f"- {line}" for line in difference.gone), *(f"+ {line}" for line in difference.new)]
    return changed or ["  the same records"]
