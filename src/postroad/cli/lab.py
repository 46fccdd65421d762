"""`postroad lab`: a small Internet on loopback, with configurable faults, and scenarios run in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli import options, screen
from postroad.cli.tree import group
from postroad.words.phrasebook import seconds

if TYPE_CHECKING:
    from postroad.lab import CertificateKind, Fault, Lab
    from postroad.scenarios import Scenario, ScenarioRun
    from postroad.words.names import Address
    from postroad.words.trace import Event

app = group("A name server and mail servers on loopback, with configurable faults.")


@app.command(epilog="Example: postroad lab up --zone my.zone --fault 127.0.0.11=blackhole")
def up(
    zone: options.Zones = None,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The exchangers' port; 0 picks a free one.")
    ] = 0,
    order: Annotated[
        str, typer.Option(metavar="ORDER", help="Order of DNS answers: fixed, rotated, random.")
    ] = "fixed",
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="ADDRESS=FAULT", help="Make this address misbehave; may be repeated."),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Offer STARTTLS, with a self-signed certificate unless --certificate says.")
    ] = False,
    certificate: Annotated[
        list[str] | None,
        typer.Option(
            "--certificate",
            metavar="[ADDRESS=]KIND",
            help="Offer STARTTLS with a certificate of this kind, at one address or at all; may be repeated.",
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="DOMAIN=FILE", help="Serve this MTA-STS policy by HTTPS; may be repeated."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Start a name server and a mail server for every address of the zones on loopback, until interrupted.

    Addresses outside 127.0.0.0/8 are moved there. Faults: accept, refuse, blackhole, g421, g554, close, slow:SECONDS,
    r450, r550, d451, e451, drop, tarpit:SECONDS, no-starttls, broken-starttls.

    Certificates: good, expired, foreign (of an authority nobody knows), wrong-name, self-signed; all with one key,
    which a TLSA record in the zone may name. A zone with a DNSKEY record is answered as a validating resolver answers
    for a signed one. A policy is served where the zone has mta-sts.DOMAIN.
    """
    screen.run(lambda: _up(zone or [], port, order, fault or [], _Tls(tls, certificate or [], policy or []), json=json))


@app.command(epilog="Example: postroad lab run tests/scenarios/t1-one-blackholed")
def run(
    folder: Annotated[list[Path], typer.Argument(help="Scenario folders: zone, send, expect, and maybe faults.")],
    json: options.Json = False,
) -> None:
    """Run scenarios three ways (rehearsed, for real on loopback, forecast) and compare each with what is expected.

    Exit status: 0 all agree, 1 some differ, 2 a folder cannot be read.
    """
    from postroad.scenarios import ScenarioError, load_scenario

    try:
        scenarios = [load_scenario(path) for path in folder]
    except ScenarioError as problem:
        screen.fail(str(problem))
    played = screen.run(lambda: _play(scenarios, quiet=json))
    if json:
        from postroad.views.json import lab_shape

        screen.print_json(lab_shape(played))
    agrees = all(take.agrees for _name, takes in played for take in takes)
    raise typer.Exit(screen.DONE if agrees else screen.FINDINGS)


async def _play(scenarios: list[Scenario], *, quiet: bool) -> list[tuple[str, tuple[ScenarioRun, ...]]]:
    from postroad.scenarios import stage

    out = screen.Screen()
    played = []
    for scenario in scenarios:
        takes = await stage(scenario)
        played.append((scenario.name, takes))
        if not quiet:
            for line in _told(scenario.name, takes):
                out.line(line)
    return played


def _told(name: str, takes: tuple[ScenarioRun, ...]) -> list[str]:
    agrees = all(take.agrees for take in takes)
    lines = [f"{'✓ agrees ' if agrees else '✗ differs'} {name}"]
    for take in takes:
        lines.append(f"    seed {take.seed}: {take.performed} ({seconds(take.attempt.elapsed_ms / 1000)})")
        if not take.agrees:
            lines += [f"      expected:  {take.expected}", f"      rehearsed: {take.rehearsed}"]
            lines += [f"      forecast:  {take.forecast}"]
    return lines


@dataclass(frozen=True, slots=True)
class _Tls:
    """What the options say of TLS."""

    is_offered: bool
    certificates: list[str]
    policies: list[str]


async def _up(zones: list[Path], port: int, order: str, faults: list[str], tls: _Tls, *, json: bool) -> None:
    import asyncio
    import contextlib
    import signal

    from postroad.build import zone_of, zone_resolver
    from postroad.lab import Lab, NoExchangerError, Order
    from postroad.net import NetError
    from postroad.words.inputs import InputError

    if order not in set(Order):
        raise InputError(f"there is no order {order!r}; choose one of {', '.join(Order)}")
    if not zones:
        zones = [zone_of("t1")]
    loaded = zone_resolver(zones)
    over = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, over.set)
    watched = screen.Watched(_printer(json=json), over.set)
    usual, certificates = _certificates(tls.certificates)
    try:
        lab = Lab(
            loaded.zone_data,
            port=port,
            order=order,
            faults=_faults(faults),
            tls=usual or tls.is_offered,
            certificates=certificates,
            policies=_policies(tls.policies),
            listener=watched,
        )
    except NoExchangerError as problem:
        raise InputError(f"the lab cannot be built: {problem}") from None
    try:
        async with lab:
            _show_up(lab, json=json)
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()
        watched.end()
    except NetError as problem:
        screen.fail(f"{problem.why}; choose another --port", screen.TEMPORARY)


def _faults(texts: list[str]) -> dict[Address, Fault]:
    from postroad.lab import parse_fault
    from postroad.words.inputs import InputError, readable
    from postroad.words.names import parse_address

    faults: dict[Address, Fault] = {}
    for text in texts:
        where, _, what = text.partition("=")
        address = parse_address(where)
        if address is None:
            raise InputError(f"{text!r}: write ADDRESS=FAULT, as 127.0.0.11=blackhole")
        fault = readable(parse_fault(what))
        if faults.setdefault(address, fault) != fault:
            raise InputError(f"--fault: {address} has two faults, {faults[address]} and {fault}; give one of them")
    return faults


def _certificates(texts: list[str]) -> tuple[CertificateKind | None, dict[Address, CertificateKind]]:
    """The kind for all, if one is given, and those of single addresses."""
    from postroad.lab import CertificateKind
    from postroad.words.inputs import InputError
    from postroad.words.names import parse_address

    usual: CertificateKind | None = None
    of: dict[Address, CertificateKind] = {}
    for text in texts:
        where, equals, what = text.rpartition("=")
        address = parse_address(where)
        if what not in set(CertificateKind) or (equals and address is None):
            kinds = ", ".join(CertificateKind)
            raise InputError(f"--certificate {text!r}: write KIND or ADDRESS=KIND, where KIND is one of {kinds}")
        kind = CertificateKind(what)
        if address is None:
            usual = kind
        elif of.setdefault(address, kind) != kind:
            raise InputError(f"--certificate: {address} has two kinds, {of[address]} and {kind}; give one of them")
    return usual, of


def _policies(texts: list[str]) -> dict[str, str]:
    from postroad.files import read_text
    from postroad.words.inputs import InputError, readable
    from postroad.words.names import Unreadable, parse_domain

    policies: dict[str, str] = {}
    for each in texts:
        domain, equals, file = each.partition("=")
        if not equals:
            raise InputError(f"--policy {each!r}: write DOMAIN=FILE, as example.com=mta-sts.txt")
        text = read_text(Path(file))
        if isinstance(text, Unreadable):
            raise InputError(f"--policy {each!r}: {text.why}")
        policies[readable(parse_domain(domain))] = text
    return policies


def _show_up(lab: Lab, *, json: bool) -> None:
    if json:
        from postroad.views.json import up_shape

        screen.print_line(up_shape(lab))
        return
    host, dns_port = lab.resolver_address
    screen.say(f"name server  {host}:{dns_port}")
    for address, each in lab.exchangers.items():
        shown = f"  certificate {lab.certificates[address]}" if address in lab.certificates else ""
        screen.say(f"exchanger    {address}:{lab.port}  {each.fault}{shown}")
    for written, place in lab.moved.items():
        screen.say(f"moved        {written} is served at {place}")
    for domain in lab.web.policies:
        screen.say(f"policy       https://mta-sts.{domain}:{lab.web.port}/.well-known/mta-sts.txt")
    to_lab = f"--resolver {host}:{dns_port} --port {lab.port}"
    domain = next(iter(lab.nameserver.zones.domains), "example.com")
    if lab.certificates:
        from postroad.lab import authority_file

        to_lab += f" --authorities {authority_file()}"
        to_lab += f" --https-port {lab.web.port}" if lab.web.policies else ""
        screen.say(f"try          postroad tls {domain} {to_lab}")
    screen.say(f"try          postroad send --from me@example.net --to user@{domain} {to_lab} FILE")
    screen.say("stop it with Ctrl-C")


def _printer(*, json: bool) -> Any:  # noqa: ANN401  # a Listener, whose module is imported late
    def show(event: Event) -> None:
        if json:
            screen.print_line({"event": event.name, **event.fields})
        else:
            screen.say(f"{event.name}  " + "  ".join(f"{name}={value}" for name, value in event.fields.items()))

    return show
