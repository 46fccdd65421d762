"""`postroad demo --cluster`: several relays on one PostgreSQL, one of them killed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer

from postroad.cli import screen
from postroad.views.text.blocks import Styled, Table
from postroad.words.phrasebook import counted, seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from postroad.scenarios import ClusterRun, NodeRun
    from postroad.views.text.blocks import Block

BAR = 12  # characters of a full bar
STEPS = 4  # of the messages accepted, each a line in a pipe
_STYLES = {"starting": "", "running": "green", "killed": "bold red", "taken over": "yellow"}
_HEADS = ("relay", "state", "accepted", "holds", "", "delivered", "lease")


def show_cluster(messages: int, nodes: int, url: str, lease_s: int, *, as_json: bool) -> NoReturn:
    """Play it to its end, and end the command: with 1 if mail was lost."""
    run = screen.run(lambda: _played(messages, nodes, url, lease_s, is_quiet=as_json))
    if as_json:
        from postroad.views.json import cluster_shape

        screen.print_json(cluster_shape(run))
    else:
        from postroad.scenarios import outcome

        screen.Screen().lines(("", outcome(run)))
    raise typer.Exit(screen.DONE if run.survived else screen.FINDINGS)


async def _played(messages: int, nodes: int, url: str, lease_s: int, *, is_quiet: bool) -> ClusterRun:
    from postroad.scenarios import perform_cluster

    play = perform_cluster(messages, nodes, url=url, lease_s=lease_s)
    if is_quiet:
        return [run async for run in play][-1]
    return await (_drawn(play) if screen.is_terminal() else _lines(play))


async def _drawn(play: AsyncIterator[ClusterRun]) -> ClusterRun:
    with screen.Screen().live() as update:
        async for run in play:
            update(*_picture(run))
    return run


async def _lines(play: AsyncIterator[ClusterRun]) -> ClusterRun:
    """What happens, and each quarter of the messages."""
    out, told, steps = screen.Screen(), 0, -1
    async for run in play:
        if run.database and steps < 0:
            out.line(_title(run))
        if run.database and (step := STEPS * len(run.accepted) // run.messages) > steps:
            steps = step
            held = ", ".join(f"{node.name} holds {node.held}" for node in run.nodes)
            out.line(f"{_sum(run)}; {held}")
        out.lines(_news(run)[told:])
        told = len(run.news)
    return run


def _picture(run: ClusterRun) -> list[Block]:
    most = max(1, *(node.held for node in run.nodes))
    rows = [_row(run, node, most) for node in run.nodes]
    table = Table(_HEADS, rows, frozenset({"accepted", "holds", "delivered"}))
    return [_title(run), "", table, "", (_sum(run), "bold"), *_news(run)]


def _row(run: ClusterRun, node: NodeRun, most: int) -> tuple[Styled, ...]:
    bar = "#" * round(BAR * node.held / most)
    state = (str(node.state), _STYLES[node.state])
    return node.name, state, str(node.accepted), str(node.held), (bar, "cyan"), str(node.delivered), _lease(run, node)


def _lease(run: ClusterRun, node: NodeRun) -> str:
    from postroad.spool import LEASE_S

    if node.renewed_s is None:
        return "none"
    if node is not run.dead:
        return f"renewed {seconds(round(node.renewed_s))} ago"
    left = LEASE_S - node.renewed_s
    return f"{seconds(round(left))} left" if left > 0 else f"ran out {seconds(round(-left))} ago"


def _title(run: ClusterRun) -> str:
    from postroad.spool import LEASE_S

    relays = f"{counted(len(run.nodes), 'relay')} on one {run.database or 'PostgreSQL'}"
    return relays + (
        f"; a dead one's lease is {seconds(run.lease_s)} here, not {seconds(LEASE_S)}" if run.lease_s < LEASE_S else ""
    )


def _sum(run: ClusterRun) -> str:
    return (
        f"accepted {len(run.accepted)} of {run.messages}, delivered {run.delivered}, waiting {run.waiting}, "
        f"twice {run.twice}"
    )


def _news(run: ClusterRun) -> list[str]:
    return [f"{seconds(at)}: {text}" for at, text in run.news]
