"""`postroad setups`: the set-ups of the documents, compared, and their questions answered with numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.cli import options, screen, simulating

if TYPE_CHECKING:
    from postroad.planning.answers import Answered
    from postroad.planning.compare import Comparison


def setups(
    sender: simulating.Senders = None,
    mix: simulating.MixName = None,
    senders: simulating.SendersFile = None,
    dns_order: simulating.Order = "fixed",
    json: options.Json = False,
) -> None:
    """Print the MX set-ups of the documents, compare them all, and answer what the documents ask, with numbers.

    Their names (t1 to t6, one, filter) can be given to simulate, compare and advise in place of a domain.

    Exit status: 0 told, 2 wrong usage.
    """
    with screen.input_errors():
        view = simulating.view_of(sender or (), mix, senders, dns_order, {})
    from postroad.planning.answers import answers
    from postroad.planning.compare import compare
    from postroad.planning.setups import SETUPS
    from postroad.planning.standing import measure

    standings = [measure(name, simulating.snapshot_of(name, None, (), ()), view) for name in SETUPS]
    comparison = compare(standings, view)
    answered = answers({each.name: each for each in standings}, view)
    if json:
        from postroad.shapes.simulation import setups_shape

        screen.print_json(setups_shape(comparison, answered))
    else:
        _show(screen.Screen(), comparison, answered)


def _show(out: screen.Screen, comparison: Comparison, answered: tuple[Answered, ...]) -> None:
    from postroad.cli.comparison import headline, print_table
    from postroad.planning.setups import SETUPS

    out.line(headline(comparison), style="bold")
    out.line()
    for standing in comparison.standings:
        out.line(f"{standing.name}: {SETUPS[standing.name].title}", style="bold")
        for line in standing.lines:
            out.line(f"    {line}")
    out.line()
    print_table(out, comparison)
    for each in answered:
        out.line(each.question, style="bold")
        for sentence in each.answer:
            out.line(f"  {sentence}")
        out.line()
