"""`postroad lab`: a small Internet on loopback, with configurable faults, and scenarios run in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli import options, screen
from postroad.cli.tree import group
from postroad.words.phrasebook import seconds

if TYPE_CHECKING:
    from postroad.lab import Fault, Lab
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
    tls: Annotated[bool, typer.Option("--tls", help="Offer STARTTLS, with a self-signed certificate.")] = False,
    json: options.Json = False,
) -> None:
    """Start a name server and a mail server for every address of the zones on loopback, until interrupted.

    Addresses outside 127.0.0.0/8 are moved there. Faults: accept, refuse, blackhole, g421, g554, close, slow:SECONDS,
    r450, r550, d451, e451, drop, tarpit:SECONDS, no-starttls, broken-starttls.
    """
    screen.run(lambda: _up(zone or [], port, order, fault or [], tls=tls, json=json))


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


async def _up(zones: list[Path], port: int, order: str, faults: list[str], *, tls: bool, json: bool) -> None:
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
    try:
        lab = Lab(loaded.zone_data, port=port, order=order, faults=_faults(faults), tls=tls, listener=watched)
    except NoExchangerError as problem:
        raise InputError(f"--fault: {problem}") from None
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


def _show_up(lab: Lab, *, json: bool) -> None:
    host, dns_port = lab.resolver_address
    resolver = f"{host}:{dns_port}"
    exchangers = {str(address): str(each.fault) for address, each in lab.exchangers.items()}
    moved = {str(written): str(place) for written, place in lab.moved.items()}
    if json:
        from postroad.views.json import up_shape

        screen.print_line(up_shape(resolver, lab.port, exchangers, moved))
        return
    screen.say(f"name server  {resolver}")
    for address, fault in exchangers.items():
        screen.say(f"exchanger    {address}:{lab.port}  {fault}")
    for written, place in moved.items():
        screen.say(f"moved        {written} is served at {place}")
    to_lab = f"--resolver {resolver} --port {lab.port}"
    screen.say(f"try          postroad send --from me@example.net --to user@example.com {to_lab} FILE")
    screen.say("stop it with Ctrl-C")


def _printer(*, json: bool) -> Any:  # noqa: ANN401  # a Listener, whose module is imported late
    def show(event: Event) -> None:
        if json:
            screen.print_line({"event": event.name, **event.fields})
        else:
            screen.say(f"{event.name}  " + "  ".join(f"{name}={value}" for name, value in event.fields.items()))

    return show
