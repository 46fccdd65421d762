"""A comparison for people: in a terminal, as Markdown for a pull request, as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from postroad.cli import screen
from postroad.planning.comparison import Comparison, Difference
from postroad.planning.goals import dns_figures, silence
from postroad.planning.phrases import percent

if TYPE_CHECKING:
    from postroad.planning.scorecard import Scorecard

HEADS = ("set", "machines", "delivered", "busiest", "even", "caught", "silent", "questions", "octets", "records")
LEGEND = (
    "delivered: mail that gets through at once while all machines are up; busiest: part of first contacts on the "
    "busiest machine; even: what each machine of the best preference would get if all got the same; caught: of the "
    "mail of a machine that refuses, what the others take at once; silent: how long a message takes on average that "
    "finds the busiest machine silent; questions, octets: DNS traffic for one message"
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
    told = [f"{each.goal}: {', '.join(each.best)}" for each in comparison.verdicts if not each.is_even]
    same = [each.goal for each in comparison.verdicts if each.is_even]
    parts = (f"Best at {'; '.join(told)}" if told else "", f"No difference: {', '.join(same)}" if same else "")
    return ". ".join(filter(None, parts))


def legend(comparison: Comparison) -> str:
    """What the columns are, and what the figures rest on."""
    caveats = [caveat for card in comparison.cards for caveat in card.caveats]
    return " ".join((f"{LEGEND}.", *([f"{basis}."] if (basis := comparison.cards[0].mix.basis) else []), *caveats))


def row(card: Scorecard) -> tuple[str, ...]:
    """The numbers of one set of records."""
    return (
        card.name,
        str(len(card.records.machines)),
        card.mix.told(card.whole.delivered_by),
        card.load_in_short,
        percent(card.even) if card.records.machines else "-",
        card.mix.percent(card.marks.caught),
        silence(card),
        *dns_figures(card),
        str(len(card.records.lines)),
    )


def print_text(out: screen.Screen, comparison: Comparison, *, is_verbose: bool = False) -> None:
    """In a terminal or a pipe."""
    out.line(headline(comparison), style="bold")
    out.line()
    print_table(out, comparison)
    out.lines(_verdicts(comparison))
    for each in comparison.differences:
        out.line()
        out.line(f"{each.before} -> {each.after}", style="bold")
        out.lines(f"  {line}" for line in _lines(each))
        out.lines(_told(each, is_verbose=is_verbose))


def _verdicts(comparison: Comparison) -> list[str]:
    """A sentence for each goal; of two sets held side by side only where they do not differ, for the rest follows."""
    is_told_below = len(comparison.cards) == 2 and comparison.differences
    return [each.sentence for each in comparison.verdicts if each.is_even or not is_told_below]


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
    lines += ["", f"<sub>{legend(comparison)}</sub>", "", *(f"- {sentence}" for sentence in _verdicts(comparison))]
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
    parts.append(_list(_verdicts(comparison)))
    for each in comparison.differences:
        parts.append(
            f"<h2>{escape(each.before)} → {escape(each.after)}</h2><pre>{escape(chr(10).join(_lines(each)))}</pre>"
        )
        parts.append(_list(_told(each)))
    return f"<!doctype html><html lang=en>{_HEAD}<style>{_STYLE}</style>{''.join(parts)}</html>"


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>"


def _told(difference: Difference, *, is_verbose: bool = False) -> list[str]:
    """What gets better, what gets worse, and what changes: for the mix, or sender by sender."""
    sides = ((each, word) for word in ("better", "worse") for each in getattr(difference, word))
    told = [f"{word}: {sentence}" for sentence, word in sides]
    return [*told, *(difference.meaning if is_verbose else difference.summary)] or ["No sender notices."]


def _lines(difference: Difference) -> list[str]:
    changed = [*(f"- {line}" for line in difference.gone), *(f"+ {line}" for line in difference.new)]
    return changed or ["  the same records"]
