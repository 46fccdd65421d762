"""`postroad advise`: the smallest change of records that reaches the goals, proven by simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, simulating

if TYPE_CHECKING:
    from postroad.planning.advise import Advice


def advise(
    domain: Annotated[
        str | None, typer.Argument(help="A domain, a zone file, or a set-up of the documents: t1 to t6, one, filter.")
    ] = None,
    zone: options.Zones = None,
    of: simulating.Of = None,
    resolver: options.Resolvers = None,
    sender: simulating.Senders = None,
    mix: simulating.MixName = None,
    senders: simulating.SendersFile = None,
    dns_order: simulating.Order = "fixed",
    use_backups: Annotated[
        bool, typer.Option("--use-backups", help="Balance over the backups too: their preference may change.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Propose the smallest change of a domain's records, show its zone lines, and prove it by simulation.

    Goals, in this order: mail survives the loss of any one server, the load is balanced, no needless DNS. A preference
    is its owner's word: backups stay backups unless --use-backups says otherwise.

    Exit status: 0 nothing is to change, 1 a change is proposed, 2 wrong usage, 3 DNS cannot tell now.
    """
    snapshot = simulating.snapshot_of(domain, of, zone or (), resolver or ())
    with screen.input_errors():
        view = simulating.view_of(sender or (), mix, senders, dns_order, {})
    from postroad.planning.advise import advise as advised

    advice = advised(snapshot, view, use_backups=use_backups)
    if json:
        from postroad.shapes.simulation import advice_shape

        screen.print_json(advice_shape(advice))
    else:
        _show(screen.Screen(), advice)
    if advice.after:
        raise typer.Exit(screen.FINDINGS)


def _show(out: screen.Screen, advice: Advice) -> None:
    domain = advice.before.snapshot.domain
    if advice.after is None:
        out.line(f"{domain}: nothing to change, because {'; '.join(advice.because)}.", style="bold")
    else:
        _show_change(out, advice)
    for remark in advice.remarks:
        out.line(f"note: {remark}")


def _show_change(out: screen.Screen, advice: Advice) -> None:
    from postroad.planning.phrases import named

    count = len(advice.gone) + len(advice.new)
    out.line(f"{advice.before.snapshot.domain}: change {named(count, 'line')}.", style="bold")
    for edit in advice.edits:
        out.line(f"  {edit.why}:")
        for sign, lines, style in (("-", edit.gone, "red"), ("+", edit.new, "green")):
            for line in lines:
                out.line(f"    {sign} {line}", style=style)
    for title, standing in (("before", advice.before), ("after", advice.after)):
        out.line()
        out.line(f"; {title}", style="bold")
        for line in standing.lines if standing else ():
            out.line(str(line))
    out.line()
    out.line("What it reaches", style="bold")
    for sentence in advice.because:
        out.line(f"{sentence}.")
    out.line()
    _show_proof(out, advice)
    out.line()


def _show_proof(out: screen.Screen, advice: Advice) -> None:
    """For each sender what it did with the old records, and does with the new ones."""
    from postroad.planning.phrases import percent

    pairs = [each.by_sender() for each in (advice.before, advice.after) if each]
    heads = ("sender", "busiest before", "after", "kept before", "after", "questions before", "after")
    rows = []
    for name in advice.before.whole.by:
        old, new = (each[name] for each in pairs)
        cells = [(percent(a), percent(b)) for a, b in ((old.busiest, new.busiest), (old.kept, new.kept))]
        asked = (f"{float(old.questions):g}", f"{float(new.questions):g}")
        rows.append((name, *(cell for pair in (*cells, asked) for cell in pair)))
    out.table(screen.Table(heads, rows, frozenset(heads[1:])))
    out.line(
        "busiest: part of its first contacts on one server; kept: gets through at once whichever one server refuses",
        style="dim",
    )
