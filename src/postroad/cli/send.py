"""`postroad send`: deliver one message now, straight to the exchangers; no queue, the trail shown as it happens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from postroad.build import Sent
    from postroad.deliver import DeliverSettings
    from postroad.dialogue import Message
    from postroad.words.trace import Event

SMTP_PORT = 25
MOST = 256 * 1024**2  # octets of a message; no server takes so many

Stagger = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.0, help="Wait this long before also trying the next equal.")
]
ConnectTimeout = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.01, help="Time limit for connecting to an address.")
]
Hello = Annotated[str, typer.Option(metavar="NAME", help="Name to send in EHLO; default: this host's full name.")]
RequireTls = Annotated[
    bool, typer.Option("--require-tls", help="Deliver over proven connections only, to hosts that offer REQUIRETLS.")
]


def send(
    sender: Annotated[
        str, typer.Option("--from", metavar="MAILBOX", help="The reverse-path; '<>' for the null one, never bounced.")
    ],
    to: Annotated[list[str], typer.Option("--to", metavar="MAILBOX", help="A recipient; may be repeated.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The message; - is standard input.")] = Path("-"),
    zone: options.Zones = None,
    resolver: options.Resolvers = None,
    procedure: options.Procedure = "rfc5321",
    seed: options.Seed = None,
    own: options.OwnHosts = None,
    port: options.Port = SMTP_PORT,
    stagger: Stagger = 0.25,
    connect_timeout: ConnectTimeout = 30.0,
    hello: Hello = "",
    tls: options.Tls = None,
    authorities: options.Authorities = None,
    https_port: options.HttpsPort = options.HTTPS_PORT,
    require_tls: RequireTls = False,
    dkim_key: options.DkimKey = None,
    dkim_selector: options.DkimSelector = "",
    dkim_domain: options.DkimDomain = "",
    config: options.SignAs = None,
    explain: options.Explain = False,
    json: options.Json = False,
) -> None:
    """Deliver one message now to the mail exchangers of each recipient's domain. Nothing is queued or retried.

    Exit status: 0 all delivered, 1 some failed, 2 usage error, 3 some deferred and none failed.
    """
    if require_tls and tls == "off":
        screen.fail("--require-tls and --tls off cannot be combined: leave one out")
    content, out = _read(file), screen.Screen()
    watched = screen.Watched(lambda event: None if json else _show_live(out, event))

    async def sent() -> Sent:
        from postroad import build

        built = build.build_message(content, _reverse_path(sender), to, require_tls=require_tls)
        message = _signed(built, (dkim_key, dkim_selector, dkim_domain), config)
        asked, in_lab = build.build_resolver(zone or (), resolver or ()), port != SMTP_PORT
        override = build.build_override(tls or "auto")
        mailer = build.Mailer(
            asked,
            build.build_policy(procedure, allow_loopback=in_lab),
            build.build_own(own or ()),
            _settings(port, stagger, connect_timeout, hello, authorities),
            watched,
            override_of=lambda _route: override,
            policies=build.process_policies(asked, resolver or (), authorities, port=https_port, allow_loopback=in_lab),
        )
        return await mailer.send(message, seed)

    answer = screen.run(sent)
    watched.end()
    if json:
        _print_json(answer)
    else:
        _show_end(out, answer, explain=explain)
    raise typer.Exit(screen.EXIT_CODES[answer.result.value])


def _read(file: Path) -> bytes:
    from postroad.files import read_octets, read_stream
    from postroad.words.names import Unreadable

    if str(file) == "-" and sys.stdin.isatty():
        screen.remark("reading the message from the terminal; end it with Ctrl-D")
    octets = read_stream(sys.stdin.buffer, "-", MOST) if str(file) == "-" else read_octets(file, MOST)
    if isinstance(octets, Unreadable):
        screen.fail(f"{file}: {octets.why}; give a readable message file, or - for standard input")
    return octets


def _reverse_path(sender: str) -> str | None:
    return None if sender in ("", "<>") else sender


def _signed(message: Message, by_hand: tuple[Path | None, str, str], config: Path | None) -> Message:
    """The message, signed with the key that is given or with those of the settings, if any is."""
    import time
    from dataclasses import replace

    from postroad.build import build_signing, sign_message
    from postroad.words.inputs import InputError

    key, selector, domain = by_hand
    if key is None and (selector or domain):
        raise InputError("--dkim-selector and --dkim-domain are for --dkim-key, which is missing; add it")
    if key and config:
        raise InputError("--dkim-key and --config both say how to sign; give one of them")
    if key:
        return sign_message(message, key, selector, domain, time.time())
    if config:
        from postroad.config import load

        signing = build_signing(load(config).dkim)
        if signing is None:
            raise InputError(f"{config}: dkim.keys is not set, so it does not sign; set it, or leave out --config")
        content = signing.signed(bytes(message.content), time.time())  # type: ignore[arg-type]  # it was just built
        return replace(message, content=content)
    return message


def _settings(
    port: int, stagger: float, connect_timeout: float, hello: str, authorities: Path | None
) -> DeliverSettings:
    from postroad.build import opportunistic_tls, trust_of
    from postroad.deliver import DeliverSettings
    from postroad.net import host_name
    from postroad.routing import WalkPolicy
    from postroad.smtp import Timeouts

    return DeliverSettings(
        hostname=hello or host_name(),
        port=port,
        timeouts=Timeouts(connect_s=connect_timeout),
        walk=WalkPolicy(stagger_s=stagger),
        tls=opportunistic_tls(),
        trust=trust_of(authorities),
    )


def _show_live(out: screen.Screen, event: Event) -> None:
    if event.name == "deliver.attempt.started":
        out.line(f"{event.fields['destination']} (seed {event.fields['seed']})", style="bold")
    elif event.name == "deliver.contact.complete":
        from postroad.views.text.attempt import contact_line

        out.line(contact_line(event.fields["contact"]), style=_style(event.fields["contact"].word))


def _style(word: str) -> str:
    return {"delivered": "green", "deferred": "yellow", "failed": "red"}.get(word, "dim")


def _print_json(sent: Sent) -> None:
    from postroad.views.json import send_shape

    screen.print_json(send_shape(sent))


def _show_end(out: screen.Screen, sent: Sent, *, explain: bool) -> None:
    from postroad.routing import explain_attempt, explain_plan, explain_route

    for mailbox, outcome in sent.outcomes.items():
        out.line(
            f"{mailbox}: {outcome.result} ({outcome.status}): {outcome.text}",
            style=_style(outcome.result),
        )
    if explain:
        for delivery in sent.deliveries:
            routed = delivery.routed
            why = [*explain_route(routed.answer, routed.policy), *explain_plan(routed.plan, routed.seed)]
            for sentence in [*why, *explain_attempt(delivery.attempt)]:
                out.line(sentence)
