"""`postroad rules`: what `check` looks for, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen
from postroad.views.text.blocks import Table

if TYPE_CHECKING:
    from postroad.rules import Rule
    from postroad.views.findings import Rules

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "info": "dim"}


def rules(
    rule: Annotated[str | None, typer.Argument(metavar="ID", help="One rule; without it, all are listed.")] = None,
    json: options.Json = False,
) -> None:
    """List the rules of `check` by topic, or explain one: why it matters, its sources, what it needs.

    Exit status: 0 done, 2 no such rule.
    """
    from postroad.rules import RULES

    if rule is not None and rule not in RULES:
        screen.fail(_no_such(rule, RULES))
    if json:
        _print_json(RULES, rule)
    elif rule is None:
        _list(screen.Screen(), RULES)
    else:
        _explain(screen.Screen(), RULES[rule])


def _print_json(known: Rules, rule: str | None) -> None:
    from postroad.views.json import rule_shape, rules_shape

    screen.print_json(rules_shape(known) if rule is None else rule_shape(known[rule]))


def _no_such(rule: str, known: Rules) -> str:
    from difflib import get_close_matches

    near = get_close_matches(rule, known, 3)
    return f"there is no rule {rule!r}" + (f"; did you mean {' or '.join(near)}?" if near else "; see: postroad rules")


def _list(out: screen.Screen, known: Rules) -> None:
    from postroad.views.findings import by_topic, tally

    out.line(tally(known), style="bold")
    width = max((len(rule) for rule in known), default=0)
    for topic, found in by_topic(known).items():
        out.line()
        out.line(f"{topic} ({len(found)})", style="bold")
        for rule in found:
            out.line((f"  {rule.severity:<7}", STYLES[rule.severity]), f"  {rule.id:<{width}}  {rule.title}")


def _explain(out: screen.Screen, rule: Rule) -> None:
    from postroad.views.findings import needs, sources, why

    out.line(f"{rule.id}: {rule.title}", style="bold")
    lines = {
        "severity": rule.severity.value,
        "topic": rule.topic.value,
        "why": why(rule),
        "source": sources(rule),
        "needs": needs(rule).replace("`", ""),
        "fix": f"no zone line can fix it: {rule.no_fix}" if rule.no_fix else "each finding shows the zone lines",
    }
    out.table(Table((), [((f"  {label}", "dim"), words) for label, words in lines.items() if words]))
