"""`postroad rules`: what `check` looks for, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from rich.console import Console

    from postroad.checks.nouns import Rule
    from postroad.report.phrases import Rules

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "info": "dim"}


def rules(
    rule: Annotated[str | None, typer.Argument(metavar="ID", help="One rule; without it, all are listed.")] = None,
    json: options.Json = False,
) -> None:
    """List the rules of `check` by topic, or explain one: why it matters, where that is written, what it needs.

    Exit status: 0 told, 2 there is no such rule.
    """
    from postroad.checks.catalogue import RULES

    if rule is not None and rule not in RULES:
        screen.fail(_no_such(rule, RULES))
    if json:
        _print_json(RULES, rule)
    elif rule is None:
        _list(screen.console(), RULES)
    else:
        _explain(screen.console(), RULES[rule])


def _print_json(known: Rules, rule: str | None) -> None:
    from postroad.report.shape import VERSION, rule_shape

    if rule is not None:
        screen.print_json({"version": VERSION, **rule_shape(known[rule])})
    else:
        screen.print_json({"version": VERSION, "rules": [rule_shape(each) for each in known.values()]})


def _no_such(rule: str, known: Rules) -> str:
    from difflib import get_close_matches

    near = get_close_matches(rule, known, 3)
    return f"there is no rule {rule!r}" + (f"; did you mean {' or '.join(near)}?" if near else "; see: postroad rules")


def _list(out: Console, known: Rules) -> None:
    from postroad.report.manual import by_topic, tally

    out.print(tally(known), style="bold", markup=False)
    width = max((len(rule) for rule in known), default=0)
    for topic, found in by_topic(known).items():
        out.print()
        out.print(f"{topic} ({len(found)})", style="bold", markup=False)
        for rule in found:
            out.print(f"  {rule.severity:<7}", style=STYLES[rule.severity], end="")
            out.print(f"  {rule.id:<{width}}  {rule.title}", markup=False)


def _explain(out: Console, rule: Rule) -> None:
    from rich.table import Table
    from rich.text import Text

    from postroad.report.manual import needs
    from postroad.report.phrases import sources, why

    out.print(f"{rule.id}: {rule.title}", style="bold", markup=False)
    lines = {
        "severity": rule.severity.value,
        "topic": rule.topic.value,
        "why": why(rule),
        "source": sources(rule),
        "needs": needs(rule).replace("`", ""),
        "mend": "a finding shows the zone lines that mend it, where lines of a zone can",
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    for label, words in lines.items():
        if words:
            table.add_row(f"  {label}", Text(words))
    out.print(table)
