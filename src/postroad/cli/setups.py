"""`postroad setups`: the reference set-ups compared, and questions about them answered with numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from postroad.cli import options, screen, sender_options

if TYPE_CHECKING:
    from postroad.planning import AnsweredQuestion, Comparison


def setups(
    sender: sender_options.Senders = None,
    mix: sender_options.MixName = None,
    senders: sender_options.SendersFile = None,
    dns_order: sender_options.Order = "fixed",
    json: options.Json = False,
) -> None:
    """Compare the reference MX set-ups and show which of them balance load and fail over best.

    Each has two names, such as t1 and two-equal: other commands take either in place of a domain. For a file with
    such a name write ./two-equal.

    Exit status: 0 done, 2 usage error.
    """
    from postroad.build import view_of

    with screen.input_errors():
        view = view_of(sender or (), mix, senders, dns_order, {})
    from postroad.planning import SETUPS, answer_all, compare, measure

    with screen.working("forecasts") as heard:
        view = replace(view, heard=heard)
        cards = [measure(name, sender_options.records_of(name, None, (), ()), view) for name in SETUPS]
        comparison = compare(cards)
        answered = answer_all({each.name: each for each in cards}, view)
    if json:
        from postroad.views.json import setups_shape

        screen.print_json(setups_shape(comparison, answered))
    else:
        _show(screen.Screen(), comparison, answered)


def _show(out: screen.Screen, comparison: Comparison, answered: tuple[AnsweredQuestion, ...]) -> None:
    from postroad.planning import SETUPS
    from postroad.views.text.blocks import Verbatim
    from postroad.views.text.comparison import headline, table

    out.line(headline(comparison), style="bold")
    out.line()
    for card in comparison.cards:
        out.line(str(SETUPS[card.name]), style="bold")
        for line in card.records.lines:
            out.line(Verbatim(f"    {line}"))
    out.line()
    out.show(table(comparison))
    for each in answered:
        out.line(each.question, style="bold")
        for sentence in each.answer:
            out.line(f"  {sentence}")
        out.line()
