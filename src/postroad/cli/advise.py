"""`postroad advise`: the smallest change of records that reaches the goals, proven by simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen, sender_options
from postroad.cli.sender_options import AnswerForm

if TYPE_CHECKING:
    from postroad.planning import Advice, Conditions


def advise(
    domain: sender_options.Subject = None,
    zone: options.Zones = None,
    of: sender_options.Of = None,
    resolver: options.Resolvers = None,
    sender: sender_options.Senders = None,
    mix: sender_options.MixName = None,
    senders: sender_options.SendersFile = None,
    dns_order: sender_options.Order = "fixed",
    use_backups: Annotated[
        bool, typer.Option("--use-backups", help="Balance over the backups too: their preference may change.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="WHAT", help="split: give machines that share a name names of their own."),
    ] = None,
    sts_policy: sender_options.StsPolicy = None,
    published: sender_options.Published = False,
    authorities: options.Authorities = None,
    https_port: options.HttpsPort = options.HTTPS_PORT,
    allow_loopback: options.AllowLoopback = False,
    form: sender_options.Format = AnswerForm.TEXT,
    json: options.Json = False,
) -> None:
    """Propose the smallest change that improves a domain's records, with its zone lines and proof by simulation.

    Goals, in this order: mail survives the loss of any one machine, the load is balanced, no needless DNS queries. The
    IPv4 and the IPv6 address of a host count as one machine. Preferences are respected: backups stay backups without
    --use-backups, and a name with several machines is left alone without --allow split. No change makes more than ten
    MX records, or more than doubles the DNS queries. An MTA-STS policy must list an exchanger before DNS does.

    Exit status: 0 nothing to change, 1 a change is proposed, `check` finds an error or a warning, or the zone does not
    have the domain, 2 usage error, 3 DNS lookup failed, try again.
    """
    from postroad.planning import Allowed, Records
    from postroad.planning import advise as advised

    if unknown := set(allow or ()) - {Allowed.SPLIT}:
        screen.fail(f"--allow {min(unknown)}: the only choice is {Allowed.SPLIT}")
    allowed = frozenset(map(Allowed, allow or ())) | ({Allowed.BACKUPS} if use_backups else set())
    from postroad.build import RecordTerms, subject_of, view_of
    from postroad.examine import checker, records_evidence, taken_names

    with screen.input_errors():
        subject = subject_of(domain, of, zone or ())
    terms = RecordTerms(allow_loopback, sts_policy, published, authorities, https_port)
    evidence = screen.run(lambda: records_evidence(subject, resolver or (), terms), options.DNS)
    records = Records.of(evidence.snapshot)
    taken = screen.run(lambda: taken_names(records, subject.resolver(resolver or ()), allowed), options.DNS)
    with screen.input_errors():
        view = view_of(sender or (), mix, senders, dns_order, {})
    with screen.working("forecasts") as heard:
        told = replace(view, heard=heard)
        advice = advised(records, told, checker(evidence), allowed, taken)
    _show(advice, view, AnswerForm.JSON if json else form)
    if not advice.is_sane:
        raise typer.Exit(screen.FINDINGS if advice.is_to_fix else sender_options.status_of(advice.before.records))


def _show(advice: Advice, view: Conditions, form: AnswerForm) -> None:
    if form is AnswerForm.JSON:
        from postroad.views.json import advice_shape

        screen.print_json(advice_shape(advice))
        return
    from postroad.views.pictures import picture_of
    from postroad.views.text.advice import cards, sections, title

    pictures = (picture_of(each.name, each, view) for each in cards(advice) if form is AnswerForm.HTML)
    sender_options.show(title(advice), sections(advice, pictures), form)
