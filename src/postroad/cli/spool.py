"""`postroad spool`: the health of a spool, its schema, and its move to another place."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from os.path import realpath  # Path.resolve fails at links in a circle
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from postroad.cli import options, screen
from postroad.cli.tree import group

app = group("Check the spool, migrate its schema, move it from SQLite to PostgreSQL and back.")

T = TypeVar("T")


@app.command(epilog="Example: postroad spool check --spool postgresql://postroad@db.example/mail")
def check(spool: options.SpoolPlace = "", config: options.ConfigFile = None, json: options.Json = False) -> None:
    """Check the health of a spool: its schema, files or server, nodes and leases, and what keeps dead rows alive.

    It only reads, and does not disturb a relay that runs on the spool. In a folder it reads the whole database.

    Exit status: 0 healthy, 1 findings, 2 usage error or no spool, 3 the spool cannot be reached now.
    """
    from postroad.spool import check_place

    where, asynchronous = _place(spool, config)
    with screen.working("checking", "steps") as tick:
        health = _run(lambda: check_place(where, time.time, tick, asynchronous=asynchronous))
    if json:
        from postroad.views.json import health_shape

        screen.print_json(health_shape(health))
    else:
        from postroad.views.text.spools import examined

        screen.Screen().show(examined(health))
    raise typer.Exit(screen.FINDINGS if health.findings else screen.DONE)


@app.command(epilog="Example: postroad spool migrate --dry-run")
def migrate(
    spool: options.SpoolPlace = "",
    config: options.ConfigFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps, and change nothing.")] = False,
    json: options.Json = False,
) -> None:
    """Bring the schema of a spool to this version of Postroad, at a time that you choose.

    A relay does the same when it starts. While relays run on the spool, only steps that do not harm them are done.

    Exit status: 0 done, 1 with --dry-run: there are steps, 2 usage error or no spool, 3 not now.
    """
    from postroad.spool import migrate_place, pending_migration

    where, _ = _place(spool, config)
    pending = _run(lambda: pending_migration(where) if dry_run else migrate_place(where))
    if json:
        from postroad.views.json import migration_shape

        screen.print_json(migration_shape(pending, done=not dry_run))
    else:
        from postroad.views.text.spools import migrated

        screen.Screen().lines(migrated(pending, done=not dry_run))
    raise typer.Exit(screen.FINDINGS if dry_run and pending.steps else screen.DONE)


@app.command(epilog="Example: postroad spool move /var/spool/postroad postgresql://postroad@db.example/mail")
def move(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="A folder or a postgresql:// URL; no relay may be running on it.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="The same; a spool is made there if there is none.")],
    asynchronous: Annotated[
        bool, typer.Option("--asynchronous", help="Accept a standby of TO that may lack the last commits.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Move everything from one spool to another: queued mail, held mail, history, and what the relay has learned.

    If it is interrupted, run it again with the same FROM and TO: it goes on, and nothing is lost or delivered twice.

    Exit status: 0 all is moved, 1 some mail is left in FROM, 2 usage error or no spool, 3 not now.
    """
    from postroad.config import RESERVE
    from postroad.spool import move_place, place_of, shown_place

    with screen.input_errors():
        out, in_ = place_of(source), place_of(target)
    if out == in_ or (isinstance(out, Path) and isinstance(in_, Path) and realpath(out) == realpath(in_)):
        screen.fail("FROM and TO are the same spool; name two")
    with screen.progress(wanted=not json) as begin:
        progress = begin("moving")
        moved = _run(
            lambda: move_place(out, in_, clock=time.time, reserve=RESERVE, asynchronous=asynchronous, progress=progress)
        )
    if json:
        from postroad.views.json import moved_shape

        screen.print_json(moved_shape(moved, shown_place(out), shown_place(in_)))
    else:
        from postroad.views.text.spools import moved_lines

        screen.Screen().lines(moved_lines(moved, shown_place(out), shown_place(in_)))
    raise typer.Exit(screen.DONE if moved.is_complete else screen.FINDINGS)


def _place(spool: str, config: Path | None) -> tuple[Path | str, bool]:
    """The place on the command line, or in the settings; and whether an asynchronous standby is accepted."""
    from postroad.spool import place_of

    if spool and config:
        screen.fail("give --spool or --config, not both")
    from postroad.config import load

    with screen.input_errors():
        if spool:
            return place_of(spool), False
        settings = load(config).spool
    return settings.place, settings.asynchronous


def _run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do it. Trouble with the spool ends the command: 1 if it is damaged, 2 if there is none, else 3."""
    from postroad.spool import SpoolError, Trouble

    codes = {
        Trouble.CORRUPT: screen.FINDINGS,
        Trouble.MISSING: screen.USAGE,
        Trouble.READ_ONLY: screen.USAGE,
        Trouble.NEWER: screen.USAGE,
    }
    try:
        return screen.run(main)
    except SpoolError as trouble:
        screen.fail(trouble.why, codes.get(trouble.kind, screen.TEMPORARY))
