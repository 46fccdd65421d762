"""The command tree: each command by its name, its module and an example. A module is loaded if its command is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer

from postroad.cli import screen
from postroad.cli.tree import group

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "lookup": "postroad lookup example.org --format nslookup",
        "check": "postroad check example.org --smtp --fail-on warning",
        "route": "postroad route example.org --seed 1 --json",
        "tls": "postroad tls example.org",
        "simulate": "postroad simulate example.org --down mail1.example.org:blackhole --html look.html",
        "compare": "postroad compare now.zone planned.zone --format markdown",
        "advise": "postroad advise example.org",
        "rules": "postroad rules mx-single",
        "setups": "postroad setups --dns-order cached",
        "senders": "postroad senders postfix",
        "send": "postroad send --from me@example.net --to you@example.org message.eml",
        "relay": "postroad relay --config /etc/postroad/postroad.toml",
        "explain": "postroad explain 1KD3P0V8Q4M2ZX7A",
        "tls-report": "postroad tls-report example.org --day 2026-11-22",
        "sendmail": "postroad sendmail -oi -t -f me@example.net < message.eml",
        "import": "postroad import postfix /etc/postfix --to /etc/postroad",
        "demo": "postroad demo --messages 200",
    }
)
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "queue": "postroad queue list --state held",
        "spool": "postroad spool check --spool /var/spool/postroad",
        "config": "postroad config check docs/examples/postroad.toml",
        "dkim": "postroad dkim check example.com",
        "lab": "postroad lab run tests/scenarios/t1-one-blackholed",
    }
)
VERSION = ("--version", "-V")
AS_SENDMAIL = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


def tree(words: Sequence[str] = ()) -> typer.Typer:
    """The tree with nothing but the command that the first word names: whole if it names none, empty for the version.

    The modules of all commands take 10 ms to load, and typer takes 20 to read their signatures.
    """
    app = group(
        "Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records.",
        name="postroad",
        epilog="Example: postroad route example.org --explain. "
        "Any command exits with 74 if its answer cannot be written, as on a full disk.",
    )
    app.callback()(_root)
    asked = words[0] if words else ""
    every = [*COMMANDS, *GROUPS]
    for name in [asked] if asked in every else [] if asked in VERSION else every:
        _add(app, name)
    return app


def _add(app: typer.Typer, name: str) -> None:
    if name in GROUPS:
        app.add_typer(_module(name).app, name=name, epilog=f"Example: {GROUPS[name]}")
        return
    function = {"import": "import_"}.get(name, name.replace("-", "_"))
    module = _module({"sendmail": "sendmail.command", "import": "importing"}.get(name, function))
    settings = AS_SENDMAIL if name == "sendmail" else None
    app.command(name, epilog=f"Example: {COMMANDS[name]}", context_settings=settings)(getattr(module, function))


def _module(name: str) -> Any:  # noqa: ANN401  # a module, of which mypy knows no names
    return import_module(f"postroad.cli.{name}")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        screen.say(f"postroad {version('postroad')}")
        raise typer.Exit


def _root(
    version: Annotated[  # its callback does the work
        bool,
        typer.Option(*VERSION, callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records."""
