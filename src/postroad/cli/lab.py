"""`postroad lab`: a small Internet on loopback, with configurable faults, and scenarios run in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen
from postroad.cli.tree import group
from postroad.views.text.blocks import Table
from postroad.words.faults import MEANINGS
from postroad.words.phrasebook import seconds

if TYPE_CHECKING:
    from postroad.scenarios import Scenario, ScenarioRun

app = group("A name server and mail servers on loopback, with configurable faults.")


FAULT = """Make an exchanger of a running lab misbehave, or behave again.

A lab belongs to the user who started it. Faults:

\b
{faults}

Exit status: 0 done, 2 no such exchanger or fault, or no lab is running.""".format(
    faults="\n".join(f"{mode:<19} {meaning}" for mode, meaning in MEANINGS.items())
)
Control = Annotated[
    Path | None,
    typer.Option(
        "--control", metavar="PATH", help="The lab's control socket; needed only if several labs are running."
    ),
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="NAME=FAULT", help="Make this exchanger misbehave; may be repeated."),
]
Certificates = Annotated[
    list[str] | None,
    typer.Option(
        "--certificate",
        metavar="[NAME=]KIND",
        help="Offer STARTTLS with a certificate of this kind, at one exchanger or at all; may be repeated.",
    ),
]
Policies = Annotated[
    list[str] | None,
    typer.Option("--policy", metavar="DOMAIN=FILE", help="Serve this MTA-STS policy by HTTPS; may be repeated."),
]


@app.command(epilog="Example: postroad lab up --zone my.zone --fault mail1=blackhole --show")
def up(
    zone: options.Zones = None,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The exchangers' port; 0 picks a free one.")
    ] = 0,
    dns_port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The name server's port; 0 picks a free one.")
    ] = 0,
    order: Annotated[
        str, typer.Option(metavar="ORDER", help="Order of DNS answers: fixed, rotated, random.")
    ] = "fixed",
    fault: Faults = None,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls", help="Offer STARTTLS, with a self-signed certificate unless --certificate says otherwise."
        ),
    ] = False,
    certificate: Certificates = None,
    policy: Policies = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Save each message there: as .eml files, or as a Maildir if it is one."),
    ] = None,
    maildir: Annotated[bool, typer.Option("--maildir", help="Make the folder of --save a Maildir.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print a line for each message that arrives, instead of all events.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="With --show, print the header of each message too.")
    ] = False,
    control: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="The control socket for `lab fault`; default: one in a folder that only you can read."
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Start a name server and a mail server for every address of the zones on loopback, until interrupted.

    Addresses outside 127.0.0.0/8 are moved there. `postroad lab fault` changes the faults while the lab runs, and
    `postroad lab faults --words` lists all of them.

    Certificates: good, expired, foreign (signed by an unknown authority), wrong-name, self-signed; they share one key,
    which a TLSA record in the zone may name. A zone with a DNSKEY record counts as signed, as a validating resolver
    would answer for it. A policy is served where the zone has mta-sts.DOMAIN.

    Exit status: 0 interrupted, 2 usage error, 3 a port is taken.
    """
    from postroad.cli.lab_up import LabWishes, keep_up

    wishes = LabWishes(
        zone or [], port, dns_port, order, fault or [], tls, certificate or [], policy or [], save, maildir,
        show or verbose, verbose, control, json,
    )  # fmt: skip
    screen.run(lambda: keep_up(wishes))


@app.command(help=FAULT, epilog="Example: postroad lab fault mail1 r450")
def fault(
    where: Annotated[
        str, typer.Argument(metavar="NAME|ADDRESS", help="An exchanger, by name or address; `all` for all of them.")
    ],
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="A fault, such as r450 or slow:5; `none` ends it.")],
    control: Control = None,
    json: options.Json = False,
) -> None:
    """Make an exchanger misbehave; its help lists all faults."""
    _ask({"where": where, "fault": fault}, control, json=json)


@app.command(epilog="Example: postroad lab faults")
def faults(
    control: Control = None,
    words: Annotated[bool, typer.Option("--words", help="List all faults, and what each does.")] = False,
    json: options.Json = False,
) -> None:
    """List the exchangers of a running lab, each with its fault.

    Exit status: 0 done, 2 no lab is running.
    """
    if not words:
        _ask({}, control, json=json)
    elif json:
        from postroad.views.json import words_shape

        screen.print_json(words_shape())
    else:
        screen.Screen().table(Table((), [(mode.value, meaning) for mode, meaning in MEANINGS.items()]))


def _ask(request: dict[str, str], control: Path | None, *, json: bool) -> None:
    from postroad.lab import ask_lab

    with screen.input_errors():
        answer = ask_lab(control, request)
    if json:
        from postroad.views.json import faults_shape

        screen.print_json(faults_shape(answer))
        return
    changed = set(answer["changed"]) if request else None
    rows = [
        (each["name"] or "", each["written"], each["fault"])
        for each in answer["exchangers"]
        if changed is None or each["address"] in changed
    ]
    screen.Screen().table(Table((), rows))


@app.command(
    "try",
    epilog="Example: postroad lab try /usr/sbin/exim4 -odf -oi -f {from} {to}",
    context_settings={"allow_interspersed_args": False},
)
def try_(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND...", help="It sends one message; {to}, {from} and {domain} are filled in."),
    ] = None,
    daemon: Annotated[
        str, typer.Option(metavar="COMMAND", help="Keep this running meanwhile: the server behind COMMAND.")
    ] = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SITUATION", help="Only this situation; may be repeated.")
    ] = None,
    limit: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=86400, help="Time limit for a message.")
    ] = 150.0,
    settle: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.1, max=3600, help="A message is over when nothing has happened for this long."
        ),
    ] = 5.0,
    title: Annotated[str, typer.Option(metavar="TEXT", help="The title in the sender's file.")] = "",
    toml: Annotated[bool, typer.Option("--toml", help="Print only the sender's file, for --sender FILE.toml.")] = False,
    json: options.Json = False,
) -> None:
    """Run a sender in a network of its own, report how it uses MX records, and compare it with the known senders.

    COMMAND is run once for each message, with the message on standard input, in a network namespace whose
    resolv.conf points to a lab. The lab sets up situations: equal hosts, hosts that refuse, are silent or greet with
    421, two addresses, IPv6. For each it prints what the sender does: which addresses it tries in which order, after
    how long, and how it ends; then how well the known senders explain that, and a file that describes this sender, in
    which what was not seen is commented out.

    It takes as long as the sender waits for a silent address, up to --limit. It needs root, or user namespaces; a
    server with users of its own needs root. Nothing leaves the namespace, and everything in it ends with it.

    Exit status: 0 done, 1 no message made a contact, 2 usage error, 3 no network namespace can be made here.
    """
    from postroad.cli import lab_try

    with screen.input_errors():
        asked = lab_try.options_of(command or [], daemon, only or [], limit, settle)
    trial = lab_try.run_trial(asked, title)
    from postroad.views.text import tried

    for remark in tried.remarks(trial):
        screen.remark(remark)
    if json:
        from postroad.views.json import trial_shape

        screen.print_json(trial_shape(trial))
    elif toml:
        screen.document(trial.file)
    else:
        screen.Screen().show(tried.text(trial))
        screen.document(f"\n{trial.file}" if trial.file else "")
    raise typer.Exit(screen.DONE if trial.has_contacts else screen.FINDINGS)


@app.command(epilog="Example: postroad lab run tests/scenarios/t1-one-blackholed")
def run(
    folder: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Scenario folders: zone, send, expect, and maybe faults.")
    ],
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
