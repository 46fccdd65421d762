"""`postroad simulate`: what real senders make of a domain's records: shares, survival, waits, DNS questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, simulating

if TYPE_CHECKING:
    from postroad.show import Picture
    from postroad.simulation.crowd import View
    from postroad.simulation.nouns import Forecast
    from postroad.simulation.standing import Standing
    from postroad.simulation.trials import Trials
    from postroad.words.facts import Snapshot

MOST_LOST = 6  # servers whose loss is drawn in a terminal; the page and the figure have all


def simulate(
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
    down: Annotated[
        list[str] | None,
        typer.Option("--down", metavar="SERVER[:MODE]", help="An address or exchanger is down; may be repeated."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png|svg", help="Draw the pictures into a file.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page with the pictures.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", min=1, help="Also try N messages of each sender, over a day.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The seed of the trials.")] = 1,
    json: options.Json = False,
) -> None:
    """Tell what share each server gets of the mail of real senders, what survives, how long mail waits, what DNS costs.

    Everything is exact for the first attempt of one message; nothing is sent. A server that is down refuses
    connections, or behaves as MODE says: refuse, blackhole, close, g421, g554, r450, r550, d451, e451. Trials follow
    messages over all attempts, with caches, kept connections and memory.

    Exit status: 0 mail of every sender asked about has a chance, 1 that of some has none, 2 wrong usage, 3 DNS cannot
    tell now.
    """
    snapshot = simulating.snapshot_of(domain, of, zone or (), resolver or ())
    with screen.input_errors():
        down_now = simulating.down_of(down or (), snapshot)
        view = simulating.view_of(sender or (), mix, senders, dns_order, down_now)
        standing = _measured(snapshot, view)
        _draw(_picture(standing, view), plot, html)
    tried = _tried(standing, view, trials, seed)
    if json:
        from postroad.shapes.simulation import simulate_shape

        screen.print_json(simulate_shape(standing, view, tried))
    else:
        _show(screen.Screen(), standing, view, tried)
    if _stopped(standing):
        raise typer.Exit(screen.FINDINGS)


def _measured(snapshot: Snapshot, view: View) -> Standing:
    from postroad.simulation.standing import measure

    return measure(str(snapshot.domain), snapshot, view, examples=3)


def _tried(standing: Standing, view: View, messages: int | None, seed: int) -> Mapping[str, Trials]:
    if not messages or not standing.servers:
        return {}
    from postroad.cli.trying import run_trials

    return run_trials(standing, view, messages, seed)


def _stopped(standing: Standing) -> list[str]:
    """The senders none of whose mail gets through."""
    from postroad.words.outcome import Result

    return [name for name, each in standing.whole.by.items() if not each.outcome.get(Result.DELIVERED)]


def _picture(standing: Standing, view: View) -> Picture:
    from postroad.show import Picture

    mix = view.crowd.mix
    rows = standing.whole.rows(mix)
    name, longest, with_it = _longest(standing, view)
    return Picture(
        title=f"Mail for {standing.snapshot.domain}",
        summary=summary(standing, view),
        domain=str(standing.snapshot.domain),
        forecasts=rows,
        lost={str(address): outlook.rows(mix) for address, outlook in standing.lost.items()},
        example=max(longest.examples, key=lambda example: len(example.steps), default=None),
        sender=f"{name}{with_it}",
        records=tuple(str(line) for line in standing.lines),
    )


def _longest(standing: Standing, view: View) -> tuple[str, Forecast, str]:
    """The sender that waits longest; where nothing is down, with the busiest server silent, for that is what to see."""
    shown, with_it = standing.whole, ""
    if standing.silent and standing.busiest and not view.down:
        shown, with_it = standing.silent, f" with {standing.busiest} silent"
    name, longest = max(shown.by.items(), key=lambda row: (bool(row[1].examples), row[1].delay_worst_s))
    return name, longest, with_it


def _draw(picture: Picture, plot: Path | None, html: Path | None) -> None:
    if plot:
        from postroad.show.figure import save

        save(picture, plot)
    if html:
        from postroad.show.page import save as save_page

        save_page(picture, html)


def summary(standing: Standing, view: View) -> str:
    """Everything in one sentence."""
    from postroad.simulation.phrases import listing, named, percent, seconds

    busiest = standing.busiest
    who = f"the mix {view.crowd.mix}" if view.crowd.mix else listing(view.crowd.senders)
    if busiest is None:
        return f"{standing.snapshot.domain}: no server takes its mail"
    down = listing(f"{address} down ({mode})" for address, mode in view.down.items()) if view.down else ""
    worst_s = standing.whole.mix.delay_worst_s
    stopped = _stopped(standing)
    count = f"{named(len(standing.servers), 'server')}{f', {down}' if down else ''}"
    mean, worst = seconds(standing.whole.mix.delay_mean_s), seconds(worst_s)
    parts = (
        f"{standing.snapshot.domain}: {count}; of {who} {percent(standing.load)} of first contacts go to {busiest}",
        f"{percent(standing.whole.delivered)} of mail gets through in the first attempt",
        f"after {mean} on average, {worst} at worst" if worst_s >= 1 else "",
        f"none of {listing(stopped)}" if stopped else "",
    )
    return ", ".join(part for part in parts if part)


def _show(out: screen.Screen, standing: Standing, view: View, tried: Mapping[str, Trials]) -> None:
    from postroad.show.terminal import heat_map, survival_bars, timeline

    out.line(summary(standing, view), style="bold")
    if not standing.servers:
        _say(out, _no_way(standing))
        return
    picture = _picture(standing, view)
    out.line()
    out.picture(heat_map(picture.forecasts))
    out.line()
    worst = sorted(standing.lost, key=lambda address: standing.lost[address].delivered)[:MOST_LOST]
    out.picture(
        survival_bars({str(address): picture.lost[str(address)] for address in standing.lost if address in worst})
    )
    if picture.example:
        out.line()
        out.picture(timeline(picture.example, picture.sender))
    out.line()
    if tried:
        from postroad.cli.trying import print_trials

        print_trials(out, standing, tried)
        out.line()
    _say(out, _told(standing, view))


def _say(out: screen.Screen, sentences: Iterator[str]) -> None:
    for sentence in sentences:
        out.line(sentence)


def _no_way(standing: Standing) -> Iterator[str]:
    """What each sender makes of records without a server."""
    from postroad.simulation.phrases import listing

    by: dict[str, list[str]] = {}
    for name, each in standing.whole.by.items():
        by.setdefault(each.unable or listing(result.value for result, part in each.outcome.items() if part), []).append(
            name
        )
    yield from (f"{listing(names)}: {result}" for result, names in by.items())


def _told(standing: Standing, view: View) -> Iterator[str]:
    """Survival, DNS and hidden fate, in sentences."""
    from postroad.simulation.compare import Goal, numbers, whom
    from postroad.simulation.phrases import listing

    known = {server.address: str(server) for server in standing.servers}
    for loss in standing.losses:
        all_of = len(loss.servers) > MOST_LOST
        servers = (
            f"{len(loss.servers)} servers" if all_of else listing(known[each] for each in known if each in loss.servers)
        )
        are = "is" if len(loss.servers) == 1 else "are all"
        yield f"Mail stops when {servers} {are} lost: {whom(loss.senders, view)}."
    yield f"Some waits: {waiting}." if (waiting := _waiting(standing, view)) else "No mail waits before that."
    yield f"DNS: {numbers(Goal.DNS_COST, standing)}."
    sampled = [name for name, each in standing.whole.by.items() if each.sampled]
    if sampled:
        yield f"The answers come in too many orders to follow each: the figures of {listing(sampled)} are of a sample."
    yield from (fate.text for fate in standing.fates)


def _waiting(standing: Standing, view: View) -> str:
    """From how many lost servers on some mail waits, by sender, where that is fewer than stop it."""
    from postroad.simulation.compare import whom
    from postroad.simulation.phrases import named

    by: dict[tuple[int, bool], list[str]] = {}
    for each in standing.survivals:
        if len(each.waits) < len(each.stops):
            by.setdefault((len(each.waits), each.surely), []).append(each.sender)
    return "; ".join(
        f"{whom(names, view)} from the loss of {named(count, 'server')} on{'' if surely else ', or fewer'}"
        for (count, surely), names in sorted(by.items())
    )
