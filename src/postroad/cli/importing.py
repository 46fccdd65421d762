"""`postroad import`: the settings of another mail system as settings of a relay."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from postroad.adopt import Adoption

FOLDER = "/etc/postroad"
SETTINGS = "postroad.toml"


def import_(
    system: Annotated[
        Literal["postfix", "nullmailer", "msmtp", "dma", "exim"],
        typer.Argument(help="postfix, nullmailer, msmtp, dma, or exim (as Debian's questions set it up)."),
    ],
    place: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="Its folder or file; default: where it usually is.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Write postroad.toml and files with passwords there.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Turn the settings of another mail system into settings of a relay, and name what cannot be taken over.

    Prints the settings, each with the line it comes from. Passwords are never printed: `--to` writes them into files
    that only you can read. It overwrites nothing.

    Exit status: 0 all taken over, 1 something is left to do by hand, 2 usage error or no such settings.
    """
    from postroad.adopt import SYSTEMS

    known = SYSTEMS[system]
    where = place or Path(known.place)
    if not (where / known.main).is_file():
        screen.fail(f"{where / known.main}: no such file; say where the settings of {system} are")
    draft = known.adopt(lambda name: _text(where / name if name else where), str(to.absolute() if to else FOLDER))
    text = draft.toml(f"{system}, {where}")
    if to:
        _write(to, draft, text)
    _show(draft, text, to, is_json=json)
    raise typer.Exit(screen.FINDINGS if draft.left else screen.DONE)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else None
    except OSError:
        return None


def _write(to: Path, draft: Adoption, text: str) -> None:
    """All or nothing: what exists stays, and nobody else reads a password."""
    files = {SETTINGS: text, **{name: f"{password}\n" for name, password in draft.secrets.items()}}
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name in files:
            if (to / name).exists():
                screen.fail(f"{to / name} exists; remove it, or give another folder with --to")
        for name, octets in files.items():
            mode = 0o644 if name == SETTINGS else 0o600
            with os.fdopen(
                os.open(to / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8"
            ) as file:
                file.write(octets)
    except OSError as problem:
        screen.fail(f"{to}: {problem.strerror}; give a folder that you may write with --to")


def _show(draft: Adoption, text: str, to: Path | None, *, is_json: bool) -> None:
    if is_json:
        from postroad.views.json import import_shape

        screen.print_json(import_shape(draft, text, to))
        return
    if to:
        screen.say(f"{to / SETTINGS} is written; `postroad config check {to / SETTINGS}` tests it")
    else:
        screen.document(text)
    for line in _remarks(draft, to):
        screen.remark(line)


def _remarks(draft: Adoption, to: Path | None) -> Iterator[str]:
    if not to:
        yield from (f"{FOLDER}/{name}: write the password into it, or let --to do so" for name in draft.secrets)
    yield from (f"not taken over: {left}" for left in draft.left)
