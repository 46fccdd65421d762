"""`postroad simulate`: what real senders do with a domain's records: shares, survival, waits, DNS questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, sender_options, workload
from postroad.cli.replies import Replies, recipients_of, recipients_shape

if TYPE_CHECKING:
    from postroad.planning import Conditions, Records, Scorecard
    from postroad.simulation.trials import TrialOptions, Trials
    from postroad.views.pictures import Picture
    from postroad.views.text.recipients import RecipientFares
    from postroad.views.text.simulation import Simulated

Down = Annotated[
    list[str] | None,
    typer.Option("--down", metavar="SERVER[:MODE]", help="This address or exchanger is down; may be repeated."),
]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE.png|svg", help="Save the pictures to a file.")]
Html = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Write an HTML page with the pictures; - writes it instead of the text."
    ),
]
STDOUT = Path("-")
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The seed of the trials.")]


def simulate(
    domain: sender_options.Subject = None,
    zone: options.Zones = None,
    of: sender_options.Of = None,
    resolver: options.Resolvers = None,
    sender: sender_options.Senders = None,
    mix: sender_options.MixName = None,
    senders: sender_options.SendersFile = None,
    dns_order: sender_options.Order = "fixed",
    down: Down = None,
    sts_policy: sender_options.StsPolicy = None,
    published: sender_options.Published = False,
    authorities: options.Authorities = None,
    https_port: options.HttpsPort = options.HTTPS_PORT,
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

    Exact for the first attempt of one message; nothing is sent. A server that is down refuses connections, or does what
    MODE says: refuse, blackhole, mute, close, g421, g554, r450, r550, d451, e451, or a STARTTLS fault that `postroad
    senders NAME` lists. For senders that enforce what a domain publishes, two more: uncovered (the MTA-STS policy does
    not list it), tls-mismatch (a certificate for another host); TLSA records of a zone with a DNSKEY count. Trials
    follow messages over all attempts; any of their flags asks for one.

    Exit status: 0 every sender can deliver, 1 at least one cannot, or the zone does not have the domain, 2 usage error,
    3 DNS lookup failed, try again.
    """
    _check_outputs(plot, html, json=json)
    flags = workload.Flags(trials, burst, rate, sources, session, greylist, greylist_apart, outage or (), retries)
    from postroad.build import RecordTerms, covered_by, down_of, view_of

    terms = RecordTerms(allow_loopback, sts_policy, published, authorities, https_port)
    records = sender_options.records_of(domain, of, zone or (), resolver or (), terms)

    with screen.input_errors():
        records, asked = covered_by(down or (), records), flags.options()
        view = view_of(sender or (), mix, senders, dns_order, down_of(down or (), records))
        fares = recipients_of(records, view, replies)  # first: what cannot be is refused before anybody waits
        tried = _tried(records, view, asked, seed)  # likewise
        with screen.working("forecasts") as heard:
            view = replace(view, heard=heard)
            card = _measured(records, view, with_examples=json)
            picture = _pictured(card, view)
        _draw(found := _whole(card, view, picture, tried, fares), plot, html)
    _answer(found, html, json=json)
    sender_options.end(card)


def _check_outputs(plot: Path | None, html: Path | None, *, json: bool) -> None:
    """Before anything is asked or forecast."""
    if json and html == STDOUT:
        screen.fail("--json and --html - both write to standard output; give one of them, or a file to --html")
    if plot:
        from postroad.views.pictures import suffix_of

        with screen.input_errors():
            suffix_of(plot)


def _whole(
    card: Scorecard, view: Conditions, picture: Picture, tried: Mapping[str, Trials], fares: RecipientFares | None
) -> Simulated:
    from postroad.views.text.simulation import Simulated

    return Simulated(card, view, picture, tried, fares)


def _answer(found: Simulated, html: Path | None, *, json: bool) -> None:
    """One answer on standard output, whatever is written into files."""
    if json:
        from postroad.views.json import simulate_shape

        shape = simulate_shape(found.card, found.view, found.picture.faults, found.tried)
        screen.print_json({**shape, **recipients_shape(found.recipients)})
    elif html == STDOUT:
        screen.document(_page(found))
    else:
        _show(found)


def _show(found: Simulated) -> None:
    from postroad.views.text.sections import text
    from postroad.views.text.simulation import sections

    screen.Screen().show(text(sections(found)))


def _measured(records: Records, view: Conditions, *, with_examples: bool) -> Scorecard:
    from postroad.planning import EXAMPLES, measure

    return measure(str(records.snapshot.domain), records, view, examples=EXAMPLES if with_examples else 0)


def _tried(records: Records, view: Conditions, asked: TrialOptions | None, seed: int) -> Mapping[str, Trials]:
    if not asked or not records.machines:
        return {}
    from postroad.cli.workload import run_trials

    return run_trials(records.snapshot, view, asked, seed)


def _pictured(card: Scorecard, view: Conditions) -> Picture:
    from postroad.views.pictures import picture_of
    from postroad.views.text.simulation import summary

    return picture_of(f"Mail for {card.records.snapshot.domain}", card, view, summary(card, view))


def _draw(found: Simulated, plot: Path | None, html: Path | None) -> None:
    if plot:
        from postroad.views.pictures import save

        save(found.picture, plot)
    if html and html != STDOUT:
        from postroad.views.html.answer import save as save_page

        save_page(_page(found), html)


def _page(found: Simulated) -> str:
    from postroad.views.html.answer import page
    from postroad.views.text.simulation import sections

    return page(found.picture.title, sections(found))
