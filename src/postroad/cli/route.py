"""`postroad route`: where mail for a domain goes, with exact odds, one drawn order, and what is left out and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.cli import options, screen
from postroad.views.text.blocks import Table

if TYPE_CHECKING:
    from postroad.build import Routed
    from postroad.routing import Dropped, Route


def route(
    domain: options.Domain = None,
    of: options.Of = None,
    zone: options.Zones = None,
    resolver: options.Resolvers = None,
    procedure: options.Procedure = "rfc5321",
    seed: options.Seed = None,
    own: options.OwnHosts = None,
    allow_loopback: options.AllowLoopback = False,
    config: options.RoutesOf = None,
    tls: options.Tls = None,
    explain: options.Explain = False,
    json: options.Json = False,
) -> None:
    """Show where mail for a domain goes: its exchangers by preference, their odds, and one drawn order.

    With --config: which route of these settings the mail takes, why, and what happens after a refusal.

    Exit status: 0 there is a route, 1 mail cannot be delivered or the zone does not have the domain, 2 usage error,
    3 DNS lookup failed, try again.
    """

    async def routed() -> Routed:
        from postroad.build import build_policy, subject_of
        from postroad.cli.mailers import MailerOptions, mailer_for

        subject = subject_of(domain, of, zone or ())
        policy = build_policy(procedure, allow_loopback=allow_loopback)
        mailer = mailer_for(subject, MailerOptions(policy, config, tls, resolver or (), own or ()))
        return await mailer.route(subject.destination, seed)

    answer = screen.run(routed, options.DNS)
    if json:
        from postroad.views.json import route_shape

        screen.print_json(route_shape(answer))
    elif explain:
        _explain(answer)
    else:
        _show(screen.Screen(), answer)
    _exit(answer)


def _exit(routed: Routed) -> None:
    import typer

    from postroad.routing import Refusal

    if isinstance(routed.answer, Refusal):
        raise typer.Exit(screen.EXIT_CODES[routed.answer.result.value])


def _explain(routed: Routed) -> None:
    from postroad.routing import explain_plan, explain_route

    out = screen.Screen()
    sentences = [*explain_route(routed.answer, routed.policy), *explain_plan(routed.plan, routed.seed)]
    for sentence in sentences:
        out.line(sentence)
    if routed.by and routed.by.on_reject:
        out.line(f"{routed.by.on_reject}.")


def _show(out: screen.Screen, routed: Routed) -> None:
    from postroad.routing import Refusal

    answer = routed.answer
    if isinstance(answer, Refusal):
        out.line((str(routed.destination), "bold"), f": {answer.status}: {answer.text} ({answer.enhanced})")
    else:
        _show_route(out, routed, answer)
    for drop in (*answer.dropped, *routed.plan.dropped):
        out.line(f"  left out: {_place(drop)}: {drop.text} ({drop.reason})", style="yellow")
    for note in answer.notes:
        out.line(f"  note: {note.text} ({note.kind})", style="cyan")
    if routed.by and routed.by.on_reject:
        out.line(f"  {routed.by.on_reject}")


def _show_route(out: screen.Screen, routed: Routed, answer: Route) -> None:
    from postroad.routing import explain_demands
    from postroad.words.phrasebook import counted

    exchangers = [each for level in answer.levels for each in level.exchangers]
    addresses = sum(len(each.addresses) for each in exchangers)
    out.line(
        f"{routed.destination}: {counted(len(answer.levels), 'preference level')}, "
        f"{counted(len(exchangers), 'exchanger')}, {counted(addresses, 'address', 'es')}; "
        f"source {answer.source}, procedure {routed.policy.name}"
    )
    heads = ("preference", "exchanger", "address", "first")
    out.table(Table(heads, _rows(routed, answer), frozenset({"preference", "first"})))
    for sentence in explain_demands(answer):
        out.line(f"  {sentence}")
    order = " > ".join(f"{target.exchange} [{target.address}]" for target in routed.plan.targets)
    out.line(f"order with seed {routed.seed}: {order}")


def _rows(routed: Routed, answer: Route) -> list[tuple[str, str, str, str]]:
    from postroad.words.names import to_unicode
    from postroad.words.phrasebook import percent

    assert routed.odds  # noqa: S101  # a Route always comes with its odds
    return [
        (
            str(level.preference) if place == (0, 0) else "",
            to_unicode(each.name) if place[1] == 0 else "",
            str(address),
            percent(routed.odds.addresses[each.name, address]),
        )
        for level in answer.levels
        for host, each in enumerate(level.exchangers)
        for number, address in enumerate(each.addresses)
        for place in [(host, number)]
    ]


def _place(drop: Dropped) -> str:
    name = drop.exchange or "."
    return f"{drop.preference} {name} [{drop.address}]" if drop.address else f"{drop.preference} {name}"
