"""The command tree. Each command's module is imported here, and imports what is heavy only when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad.cli import config, dkim, lab, queue, screen
from postroad.cli.advise import advise
from postroad.cli.check import check
from postroad.cli.compare import compare
from postroad.cli.demo import demo
from postroad.cli.explain import explain
from postroad.cli.lookup import lookup
from postroad.cli.relay import relay
from postroad.cli.route import route
from postroad.cli.rules import rules
from postroad.cli.send import send
from postroad.cli.senders import senders
from postroad.cli.sendmail.command import sendmail
from postroad.cli.setups import setups
from postroad.cli.simulate import simulate
from postroad.cli.tls import tls
from postroad.cli.tls_report import tls_report
from postroad.cli.tree import group

app = group(
    "Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records.",
    name="postroad",
    epilog="Example: postroad route example.org --explain. "
    "Any command exits with 74 if its answer cannot be written, as on a full disk.",
)
app.command(epilog="Example: postroad lookup example.org --format nslookup")(lookup)
app.command(epilog="Example: postroad check example.org --smtp --fail-on warning")(check)
app.command(epilog="Example: postroad route example.org --seed 1 --json")(route)
app.command(epilog="Example: postroad tls example.org")(tls)
app.command(epilog="Example: postroad simulate example.org --down mail1.example.org:blackhole --html look.html")(
    simulate
)
app.command(epilog="Example: postroad compare now.zone planned.zone --format markdown")(compare)
app.command(epilog="Example: postroad advise example.org")(advise)
app.command(epilog="Example: postroad rules mx-single")(rules)
app.command(epilog="Example: postroad setups --dns-order cached")(setups)
app.command(epilog="Example: postroad senders postfix")(senders)
app.command(epilog="Example: postroad send --from me@example.net --to you@example.org message.eml")(send)
app.command(epilog="Example: postroad relay --config /etc/postroad/postroad.toml")(relay)
app.command(epilog="Example: postroad explain 1KD3P0V8Q4M2ZX7A")(explain)
app.command("tls-report", epilog="Example: postroad tls-report example.org --day 2026-11-22")(tls_report)
app.command(
    epilog="Example: postroad sendmail -oi -t -f me@example.net < message.eml",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)(sendmail)
app.command(epilog="Example: postroad demo --messages 200")(demo)
app.add_typer(queue.app, name="queue", epilog="Example: postroad queue list --state held")
app.add_typer(config.app, name="config", epilog="Example: postroad config check docs/examples/postroad.toml")
app.add_typer(dkim.app, name="dkim", epilog="Example: postroad dkim check example.com")
app.add_typer(lab.app, name="lab", epilog="Example: postroad lab run tests/scenarios/t1-one-blackholed")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        screen.say(f"postroad {version('postroad')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[  # its callback does the work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records."""
