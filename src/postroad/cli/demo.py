"""`postroad demo`: reference set-ups, or a cluster, tried out for real: live at a terminal, plain lines in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen
from postroad.views.text.blocks import Styled, Table
from postroad.words.phrasebook import seconds

if TYPE_CHECKING:
    from postroad.scenarios import DemoRun

BAR = 20  # characters of a full bar


def demo(
    messages: Annotated[
        int,
        typer.Option(metavar="N", min=10, max=100_000, help="Messages for each set-up; with --cluster, the total."),
    ] = 1000,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster", help="Instead, run several relays on one PostgreSQL and kill one of them on the way."
        ),
    ] = False,
    nodes: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, max=16, help="Relays of the cluster.  [default: 4]", show_default=False),
    ] = None,
    spool: Annotated[
        str,
        typer.Option(
            metavar="URL", help="An empty PostgreSQL database for the cluster; default: the demo starts its own server."
        ),
    ] = "",
    lease: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS",
            min=1,
            max=60,
            help="How long the lease of the killed relay lasts; 60 is the usual time.  [default: 10]",
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Try the reference MX set-ups on loopback: send real messages, stop an exchanger on the way, count the shares.

    Exit status: 0 no message was lost, 1 some were lost.
    """
    if cluster:
        from postroad.cli.cluster import show_cluster

        show_cluster(messages, nodes or 4, spool, lease or 10, as_json=json)
    for name, value in (("--nodes", nodes), ("--spool", spool), ("--lease", lease)):
        if value:
            screen.fail(f"{name} only applies to a cluster; add --cluster")
    acts = screen.run(lambda: _show(messages, quiet=json))
    if json:
        from postroad.views.json import demo_shape

        screen.print_json(demo_shape(acts))
    else:
        from postroad.scenarios import best

        screen.Screen().lines(("", best(acts)))
    raise typer.Exit(screen.DONE if all(act.survived for act in acts) else screen.FINDINGS)


async def _show(messages: int, *, quiet: bool) -> list[DemoRun]:
    from postroad.scenarios import perform

    acts: dict[str, DemoRun] = {}
    out = screen.Screen()
    if quiet or not screen.is_terminal():
        async for act in perform(messages):
            if act.is_over and act.name in acts and act.received and not quiet:
                out.lines(_lines(act))
            acts[act.name] = act
        return list(acts.values())
    with out.live() as update:
        async for act in perform(messages):
            acts[act.name] = act
            update(_table(list(acts.values())))
    return list(acts.values())


def _lines(act: DemoRun) -> list[str]:
    head = f"{act.name}  {act.title}: {act.sent} sent, {act.lost} lost; {act.killed} killed after {_healthy(act)}; "
    head += f"fail-over added {seconds(act.added_ms / 1000)}"
    rows = [
        f"    {server:<11} fixed order {strict:>6}  expected {due:>6}  seen {seen:>6}  {bar:<{BAR}}  after {after:>6}"
        for server, strict, due, seen, after, bar in _rows(act)
    ]
    return [head, *rows]


def _table(acts: list[DemoRun]) -> Table:
    text = ("set-up", "server", "")
    heads = ("set-up", "server", "fixed order", "expected", "seen", "", "after the kill", "lost", "added by fail-over")
    rows: list[tuple[Styled, ...]] = []
    for act in acts:
        for number, (server, strict, expected, seen, after, bar) in enumerate(_rows(act)):
            first = number == 0
            rows.append(
                (
                    (f"{act.name} {act.title}", "bold") if first else "",
                    (f"{server} killed", "red") if server == str(act.killed) else server,
                    strict,
                    expected,
                    seen,
                    (bar, "cyan"),
                    after,
                    (f"{act.lost}" if act.is_over else f"{act.sent}/{act.messages}") if first else "",
                    seconds(act.added_ms / 1000) if first and act.failover_ms else "",
                )
            )
    return Table(heads, rows, frozenset(heads) - frozenset(text))


def _rows(act: DemoRun) -> list[tuple[str, str, str, str, str, str]]:
    from postroad.words.phrasebook import percent

    healthy, after = _healthy(act), sum(act.after.values())
    return [
        (
            str(address),
            percent(act.strict[address]),
            percent(expected),
            percent(act.first[address] / healthy) if healthy else "-",
            percent(act.after[address] / after) if after else "-",
            "#" * round(BAR * act.first[address] / max(healthy, 1)),
        )
        for address, expected in act.expected.items()
    ]


def _healthy(act: DemoRun) -> int:
    return sum(act.first.values())
