"""`postroad simulate`: what real senders make of a domain's records: shares, survival, waits, DNS questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, simulating, workload
from postroad.cli.replies import Replies, print_recipients, recipients_of, recipients_shape

if TYPE_CHECKING:
    from postroad.planning.mix import View
    from postroad.planning.records import Machine, Records
    from postroad.planning.scorecard import Scorecard
    from postroad.show import Picture
    from postroad.simulation.nouns import Forecast
    from postroad.simulation.trials import TrialOptions, Trials

Down = Annotated[
    list[str] | None,
    typer.Option("--down", metavar="SERVER[:MODE]", help="An address or exchanger is down; may be repeated."),
]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE.png|svg", help="Draw the pictures into a file.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one page with the pictures.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The seed of the trials.")]

MOST_DOWN = 4  # addresses that the headline names
MOST_LOST = 6  # machines whose loss is drawn in a terminal; the page and the figure have all


def simulate(
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
    down: Down = None,
    plot: Plot = None,
    html: Html = None,
    trials: workload.Messages = None,
    burst: workload.Burst = None,
    rate: workload.Rate = None,
    sources: workload.Sources = None,
    session: workload.Session = None,
    greylist: workload.Greylist = None,
    greylist_apart: workload.GreylistApart = False,
    outage: workload.Outages = None,
    retries: workload.Retries = None,
    seed: Seed = 1,
    replies: Replies = None,
    allow_loopback: options.AllowLoopback = False,
    json: options.Json = False,
) -> None:
    """Predict how real mail servers will use your MX records: load share, fail-over, delay, DNS queries.

    Everything is exact for the first attempt of one message; nothing is sent. A server that is down refuses
    connections, or behaves as MODE says: refuse, blackhole, mute, close, g421, g554, r450, r550, d451, e451, or one of
    those for STARTTLS that `postroad senders NAME` lists. Trials follow messages over all attempts, with caches, kept
    connections, memory and retries; any of their flags asks for one.

    Exit status: 0 every sender can deliver, 1 at least one cannot, 2 usage error, 3 DNS lookup failed, try again.
    """
    flags = workload.Flags(trials, burst, rate, sources, session, greylist, greylist_apart, outage or (), retries)
    records = simulating.records_of(domain, of, zone or (), resolver or (), allow_loopback=allow_loopback)
    from postroad.asking import down_of, view_of

    with screen.input_errors():
        asked = flags.options()
        down_now = down_of(down or (), records)
        view = view_of(sender or (), mix, senders, dns_order, down_now)
        card = _measured(records, view)
        fares = recipients_of(records, view, replies)
        _draw(_picture(card, view), plot, html)
        tried = _tried(card, view, asked, seed)
    if json:
        from postroad.shapes.simulation import simulate_shape

        screen.print_json(simulate_shape(card, view, tried) | recipients_shape(fares))
    else:
        _show(screen.Screen(), card, view, tried)
        print_recipients(screen.Screen(), fares)
    if _stopped(card):
        raise typer.Exit(screen.FINDINGS)


def _measured(records: Records, view: View) -> Scorecard:
    from postroad.planning.scorecard import measure

    return measure(str(records.snapshot.domain), records, view, examples=3)


def _tried(card: Scorecard, view: View, asked: TrialOptions | None, seed: int) -> Mapping[str, Trials]:
    if not asked or not card.records.machines:
        return {}
    from postroad.cli.trying import run_trials

    return run_trials(card.records.snapshot, view, asked, seed)


def _stopped(card: Scorecard) -> list[str]:
    """The senders none of whose mail gets through."""
    from postroad.planning.mix import part_delivered

    return [name for name, each in card.whole.by.items() if not part_delivered(each)]


def _picture(card: Scorecard, view: View) -> Picture:
    from postroad.show import Picture

    mix, domain = view.mix.name, str(card.records.snapshot.domain)
    rows = card.whole.rows(mix)
    name, longest, with_it = _longest(card, view)
    return Picture(
        title=f"Mail for {domain}",
        summary=summary(card, view),
        domain=domain,
        forecasts=rows,
        lost={_key(machine): forecasts.rows(mix) for machine, forecasts in card.lost.items()},
        example=max(longest.examples, key=lambda example: len(example.steps), default=None),
        sender=f"{name}{with_it}",
        records=tuple(str(line) for line in card.records.lines),
    )


def _key(machine: Machine) -> str:
    return ", ".join(map(str, machine.addresses))


def _longest(card: Scorecard, view: View) -> tuple[str, Forecast, str]:
    """The sender that waits longest; where nothing is down, with the busiest machine silent: that is what to see."""
    shown, with_it = card.whole, ""
    if card.silent and card.busiest and not view.down:
        shown, with_it = card.silent, f" with {card.busiest} silent"
    name, longest = max(shown.by.items(), key=lambda row: (bool(row[1].examples), row[1].delay_worst_s))
    return name, longest, with_it


def _draw(picture: Picture, plot: Path | None, html: Path | None) -> None:
    if plot:
        from postroad.show.figure import save

        save(picture, plot)
    if html:
        from postroad.show.page import save as save_page

        save_page(picture, html)


def summary(card: Scorecard, view: View) -> str:
    """Everything in one sentence."""
    from postroad.planning.phrases import listing, named

    busiest, domain, whole = card.busiest, card.records.snapshot.domain, card.whole
    who = f"the mix {view.mix.name}" if view.mix.name else listing(view.mix.senders)
    if busiest is None:
        return f"{domain}: no machine takes its mail"
    stopped = _stopped(card)
    count = f"{named(len(card.records.machines), 'machine')}{_down(view)}"
    parts = (
        f"{domain}: {count}; of {who} {card.load_told()} go to {busiest}",
        _through(card, view),
        f"none of {listing(stopped)}" if stopped and whole.delivered else "",
    )
    return ", ".join(part for part in parts if part)


def _down(view: View) -> str:
    """What is down, those alike together, and only how many where they are many."""
    from postroad.planning.phrases import listing, named
    from postroad.words.faults import Mode

    by: dict[Mode, list[str]] = {}
    for address, mode in view.down.items():
        if mode is not Mode.ACCEPT:
            by.setdefault(mode, []).append(str(address))
    told = (
        f"{listing(which) if len(which) <= MOST_DOWN else named(len(which), 'address', 'es')} down ({mode})"
        for mode, which in by.items()
    )
    return f", {listing(told)}" if by else ""


def _through(card: Scorecard, view: View) -> str:
    """How much mail gets through, and how long that takes where it is worth a word."""
    from postroad.planning.phrases import seconds

    whole = card.whole
    if not whole.delivered:
        return "no mail gets through in the first attempt"
    told = f"{view.mix.told(whole.delivered_by)} of mail gets through in the first attempt"
    if (taken := whole.mix.taken) and taken.worst_s >= 1:
        return f"{told}, after {seconds(taken.mean_s)} on average, {seconds(taken.worst_s)} at worst"
    if not taken and whole.mix.delay_worst_s >= 1:
        mean, worst = seconds(whole.mix.delay_mean_s), seconds(whole.mix.delay_worst_s)
        return f"{told}; an attempt, whatever comes of it, takes {mean} on average, {worst} at worst"
    return told


def _show(out: screen.Screen, card: Scorecard, view: View, tried: Mapping[str, Trials]) -> None:
    from postroad.show.terminal import heat_map, survival_bars, timeline

    out.line(summary(card, view), style="bold")
    if not card.records.machines:
        _say(out, _no_way(card))
        return
    picture = _picture(card, view)
    out.line()
    out.picture(heat_map(picture.forecasts))
    out.line()
    worst = sorted(card.lost, key=lambda machine: card.lost[machine].delivered)[:MOST_LOST]
    out.picture(
        survival_bars({_key(machine): picture.lost[_key(machine)] for machine in card.lost if machine in worst})
    )
    if picture.example:
        out.line()
        out.picture(timeline(picture.example, picture.sender))
    out.line()
    if tried:
        from postroad.cli.trying import print_trials

        print_trials(out, card, tried)
        out.line()
    _say(out, _told(card, view))


def _say(out: screen.Screen, sentences: Iterator[str]) -> None:
    for sentence in sentences:
        out.line(sentence)


def _no_way(card: Scorecard) -> Iterator[str]:
    """What each sender makes of records without a machine."""
    from postroad.planning.phrases import listing

    by: dict[str, list[str]] = {}
    for name, each in card.whole.by.items():
        by.setdefault(each.unable or listing(result.value for result, part in each.outcome.items() if part), []).append(
            name
        )
    yield from (f"{listing(names)}: {result}" for result, names in by.items())


def _told(card: Scorecard, view: View) -> Iterator[str]:
    """Survival, DNS and hidden fate, in sentences."""
    from postroad.planning.goals import Goal, numbers
    from postroad.planning.phrases import listing
    from postroad.show import labels

    for loss in card.losses:
        lost = [str(machine) for machine in card.records.machines if machine in loss.machines]
        machines = f"{len(lost)} machines" if len(lost) > MOST_LOST else listing(lost)
        are = {1: "is", 2: "are both"}.get(len(lost), "are all")
        yield f"Mail stops when {machines} {are} lost: {view.mix.whom(loss.senders)}."
    if trusting := [each.sender for each in card.survivals if each.unstoppable]:
        yield (
            f"Nothing stops the mail of {view.mix.whom(trusting)}: by its reactions it counts mail as delivered that "
            "no machine took."
        )
    yield from _waiting(card, view)
    yield f"DNS: {numbers(Goal.DNS_COST, card)}."
    yield from labels.sampled(card.whole.by.items())
    yield from (fate.text for fate in card.fates)
    yield from card.caveats
    if view.mix.basis:
        yield f"{view.mix.basis}."


def _waiting(card: Scorecard, view: View) -> Iterator[str]:
    """Whose mail does not get through as things are, and from how many lost machines on some of the rest waits."""
    from postroad.planning.mix import part_delivered
    from postroad.planning.phrases import named

    short = [name for name, each in card.whole.by.items() if part_delivered(each) < 1]
    if short:
        yield f"Some mail does not get through as things are: {view.mix.whom(short)}."
    by: dict[tuple[int, bool], list[str]] = {}
    for each in card.survivals:
        if each.sender not in short and (each.unstoppable or len(each.waits) < len(each.stops)) and each.waits:
            by.setdefault((len(each.waits), each.surely), []).append(each.sender)
    for (count, surely), names in sorted(by.items()):
        fewer = "" if surely else ", or fewer"
        yield f"Some waits from the loss of {named(count, 'machine')} on{fewer}: {view.mix.whom(names)}."
    if by or not card.losses:
        return
    before = "that" if len(card.losses) == 1 else "its sender's stops"
    yield f"{'Other mail does not wait' if short else 'No mail waits'} before {before}."
