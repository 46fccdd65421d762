"""`postroad demo`: the documents' set-ups tried out for real, live at a terminal, as plain lines in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from rich.table import Table

    from postroad.demo import Act

BAR = 20  # characters of a full bar


def demo(
    messages: Annotated[int, typer.Option(min=10, max=100_000, help="Messages for each set-up.")] = 1000,
    json: options.Json = False,
) -> None:
    """Try the documents' MX set-ups on loopback: send real messages, kill an exchanger on the way, count the shares.

    Exit status: 0 no message was lost, 1 some were.
    """
    acts = screen.run(lambda: _show(messages, quiet=json))
    if json:
        screen.print_json({"version": 1, "setups": [_shape(act) for act in acts]})
    else:
        from postroad.demo import best

        screen.console().print(f"\n{best(acts)}", markup=False)
    raise typer.Exit(screen.DONE if all(act.survived for act in acts) else screen.FINDINGS)


async def _show(messages: int, *, quiet: bool) -> list[Act]:
    from rich.live import Live

    from postroad.demo import perform

    acts: dict[str, Act] = {}
    out = screen.console()
    if quiet or not sys.stdout.isatty():
        async for act in perform(messages):
            if act.is_over and act.name in acts and act.received and not quiet:
                out.print("\n".join(_lines(act)), markup=False)
            acts[act.name] = act
        return list(acts.values())
    with Live(console=out, refresh_per_second=8) as live:
        async for act in perform(messages):
            acts[act.name] = act
            live.update(_table(list(acts.values())))
    return list(acts.values())


def _lines(act: Act) -> list[str]:
    head = f"{act.name}  {act.title}: {act.sent} sent, {act.lost} lost; {act.killed} killed after {_healthy(act)}; "
    head += f"fail-over added {act.added_ms:.0f} ms"
    rows = [
        f"    {server:<11} fixed order {strict:>6}  expected {due:>6}  seen {seen:>6}  {bar:<{BAR}}  after {after:>6}"
        for server, strict, due, seen, after, bar in _rows(act)
    ]
    return [head, *rows]


def _table(acts: list[Act]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    columns = (
        "set-up",
        "server",
        "fixed order",
        "expected",
        "seen",
        "",
        "after the kill",
        "lost",
        "added by fail-over",
    )
    for column in columns:
        table.add_column(column, justify="left" if column in ("set-up", "server", "") else "right", header_style="bold")
    for act in acts:
        for number, (server, strict, expected, seen, after, bar) in enumerate(_rows(act)):
            first = number == 0
            dead = server == str(act.killed)
            table.add_row(
                f"[bold]{act.name}[/bold] {act.title}" if first else "",
                f"[red]{server} killed[/red]" if dead else server,
                strict,
                expected,
                seen,
                f"[cyan]{bar}[/cyan]",
                after,
                (f"{act.lost}" if act.is_over else f"{act.sent}/{act.messages}") if first else "",
                f"{act.added_ms:.0f} ms" if first and act.failover_ms else "",
            )
    return table


def _rows(act: Act) -> list[tuple[str, str, str, str, str, str]]:
    from postroad.routing.explain import percent

    healthy, after = _healthy(act), sum(act.after.values())
    return [
        (
            str(address),
            percent(act.strict[address]),
            percent(expected),
            _share(act.first[address], healthy),
            _share(act.after[address], after),
            "#" * round(BAR * act.first[address] / max(healthy, 1)),
        )
        for address, expected in act.expected.items()
    ]


def _healthy(act: Act) -> int:
    return sum(act.first.values())


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else "-"


def _shape(act: Act) -> dict[str, Any]:
    healthy, after = _healthy(act), sum(act.after.values())
    return {
        "setup": act.name,
        "title": act.title,
        "sent": act.sent,
        "delivered": act.delivered,
        "lost": act.lost,
        "killed": str(act.killed),
        "added_ms": round(act.added_ms, 1),
        "servers": [
            {
                "address": str(address),
                "fixed_order": float(act.strict[address]),
                "expected": float(expected),
                "seen": act.first[address] / healthy if healthy else None,
                "after": act.after[address] / after if after else None,
            }
            for address, expected in act.expected.items()
        ],
    }
