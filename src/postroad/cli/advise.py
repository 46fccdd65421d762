"""`postroad advise`: the smallest change of records that reaches the goals, proven by simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, simulating

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from postroad.planning.advice import Advice
    from postroad.rules import Evidence


def advise(
    domain: Annotated[
        str | None, typer.Argument(help="A domain, a zone file, or a reference set-up: t1 to t6, one, filter.")
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
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="WHAT", help="split: names of their own for machines that share one."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Propose the smallest change that improves a domain's records, with its zone lines and proof by simulation.

    Goals, in this order: mail survives the loss of any one machine, the load is balanced, no needless DNS queries. The
    IPv4 and the IPv6 address of a host count as one machine. Preferences are respected: backups stay backups without
    --use-backups, and a name with several machines is left alone without --allow split. No change makes more than ten
    MX records, or more than doubles the DNS queries.

    Exit status: 0 nothing to change, 1 a change is proposed, `check` finds an error or a warning, or the zone does not
    have the domain, 2 usage error, 3 DNS lookup failed, try again.
    """
    from postroad.planning.advice import advise as advised
    from postroad.planning.edits import Allowed
    from postroad.planning.records import Records

    if unknown := set(allow or ()) - {Allowed.SPLIT}:
        screen.fail(f"--allow {min(unknown)}: there is only {Allowed.SPLIT}")
    allowed = frozenset(map(Allowed, allow or ())) | ({Allowed.BACKUPS} if use_backups else set())
    evidence = _evidence(domain, of, zone or (), resolver or ())
    from postroad.asking import view_of
    from postroad.examine.troubles import checker

    with screen.input_errors():
        view = view_of(sender or (), mix, senders, dns_order, {})
    advice = advised(Records.of(evidence.snapshot), view, checker(evidence), allowed)
    if json:
        from postroad.shapes.simulation import advice_shape

        screen.print_json(advice_shape(advice))
    else:
        _show(screen.Screen(), advice)
    if not advice.is_sane:
        raise typer.Exit(simulating.status_of(advice.before.records))


def _evidence(what: str | None, domain: str | None, zones: Sequence[Path], resolvers: Sequence[str]) -> Evidence:
    """The records asked for, as `check` sees them."""
    from postroad.examine.troubles import records_evidence
    from postroad.subject import subject_of
    from postroad.words.facts import Bogus, Temporary

    with screen.input_errors():
        subject = subject_of(what, domain, zones)
        evidence = screen.run(lambda: records_evidence(subject, resolvers))
    mx = evidence.snapshot.mx
    if isinstance(mx, Temporary | Bogus):
        screen.fail(f"the records of {subject.destination} cannot be looked up now: {mx.why}", screen.TEMPORARY)
    return evidence


def _show(out: screen.Screen, advice: Advice) -> None:
    out.line(advice.headline, style="bold")
    for reason in advice.because:
        out.line(f"  {reason}")
    if advice.after:
        _show_change(out, advice)
    for trouble in advice.troubles:
        out.line(f"check {'still ' if advice.after else ''}finds {trouble.rule}: {trouble.seen}")
    for remark in advice.remarks:
        out.line(f"note: {remark}")


def _show_change(out: screen.Screen, advice: Advice) -> None:
    for edit in advice.edits:
        out.line(f"  {edit.why}:")
        for sign, lines, style in (("-", edit.gone, "red"), ("+", edit.new, "green")):
            for line in lines:
                out.line(f"    {sign} {line}", style=style)
    for title, card in (("before", advice.before), ("after", advice.after)):
        out.line()
        out.line(f"; {title}", style="bold")
        for line in card.records.lines if card else ():
            out.line(str(line))
    out.line()
    for title, sentences in (
        ("What gets better", advice.proof.better if advice.proof else ()),
        ("What gets worse", advice.proof.worse if advice.proof else ()),
    ):
        out.line(title, style="bold")
        for sentence in sentences or ("nothing.",):
            out.line(f"  {sentence}")
    if advice.before.mix.basis:
        out.line(f"{advice.before.mix.basis}.", style="dim")
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
        "busiest: part of its first contacts on one machine; kept: gets through at once whichever one machine refuses",
        style="dim",
    )
