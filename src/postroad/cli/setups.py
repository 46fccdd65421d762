"""`postroad setups`: the set-ups of the documents, compared, and their questions answered with numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.cli import options, screen, simulating

if TYPE_CHECKING:
    from rich.console import Console

    from postroad.simulation.answers import Answered
    from postroad.simulation.compare import Comparison


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
    from postroad.simulation.answers import answers
    from postroad.simulation.compare import compare
    from postroad.simulation.setups import SETUPS
    from postroad.simulation.standing import measure

    standings = [measure(name, simulating.snapshot_of(name, None, (), ()), view) for name in SETUPS]
    comparison = compare(standings, view)
    answered = answers({each.name: each for each in standings}, view)
    if json:
        from postroad.shapes.simulation import setups_shape

        screen.print_json(setups_shape(comparison, answered))
    else:
        _show(screen.console(), comparison, answered)


def _show(out: Console, comparison: Comparison, answered: tuple[Answered, ...]) -> None:
    from postroad.cli.comparison import headline, print_table
    from postroad.simulation.setups import SETUPS

    out.print(headline(comparison), markup=False, style="bold")
    out.print()
    for standing in comparison.standings:
        out.print(f"{standing.name}: {SETUPS[standing.name].title}", markup=False, style="bold")
        for line in standing.lines:
            out.print(f"    {line}", markup=False)
    out.print()
    print_table(out, comparison)
    for each in answered:
        out.print(each.question, markup=False, style="bold")
        for sentence in each.answer:
            out.print(f"  {sentence}", markup=False)
        out.print()
