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
MOST = 16 * 1024 * 1024  # octets of a file that somebody wrote by hand


def import_(
    system: Annotated[
        Literal["postfix", "nullmailer", "msmtp", "dma", "exim"],
        typer.Argument(metavar="SYSTEM", help="postfix, nullmailer, msmtp, dma, or exim (as Debian configures it)."),
    ],
    place: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="Its folder or file; default: the usual place.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="DIR", help="Write postroad.toml, and the passwords in files of their own, to this folder."
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Turn the settings of another mail system into settings of a relay, and name what cannot be taken over.

    Prints the settings, each with the line it comes from. Passwords are never printed: `--to` writes them into files
    that only you can read. It overwrites nothing.

    Exit status: 0 all taken over, 1 something is left to do by hand, 2 usage error or no such settings.
    """
    from postroad.adopt import SYSTEMS, sift
    from postroad.config import Config, hostname_of, refused

    known = SYSTEMS[system]
    where = place or Path(known.place)
    if known.main and where.name == known.main and not where.is_dir():
        where = where.parent
    main = where / known.main
    if not main.is_file():
        screen.fail(f"{main}: no such file; give the path of the {system} settings")
    if _text(main) is None:
        screen.fail(f"{main} cannot be read as text; check what it is, and who may read it")
    draft = known.adopt(lambda name: _text(where / name if name else where), str(to.absolute() if to else FOLDER))
    sift(draft, refused)
    if not (draft.tables or draft.lists):  # all as usual here; but a file of nothing would look like one cut off
        draft.set("", "hostname", hostname_of(Config()), "this machine")
    text = draft.toml(f"{system}, {where}")
    if to:
        _write(to, draft, text)
    _show(draft, text, to, is_json=json)
    raise typer.Exit(screen.FINDINGS if draft.left else screen.DONE)


def _text(path: Path) -> str | None:
    """A text of any encoding, whose octets come back as they were when it is written; None where there is none."""
    try:
        octets = path.read_bytes() if path.is_file() and path.stat().st_size <= MOST else b"\0"
    except OSError:
        return None
    return None if b"\0" in octets else octets.decode(errors="surrogateescape")


def _write(to: Path, draft: Adoption, text: str) -> None:
    """All or nothing: what exists stays, and nobody else reads a password."""
    files = {SETTINGS: text, **{name: f"{password}\n" for name, password in draft.secrets.items()}}
    written: list[Path] = []
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name in files:
            if os.path.lexists(to / name):
                screen.fail(f"{to / name} exists; remove it, or give another folder with --to")
        for name, content in files.items():
            mode = 0o644 if name == SETTINGS else 0o600
            place = os.open(to / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            written.append(to / name)
            with os.fdopen(place, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(content)
    except OSError as problem:
        for each in written:
            each.unlink(missing_ok=True)
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
    if to and os.geteuid() == 0:  # the relay's user is another
        yield from (f"{to / name}: only root can read it; `chown postroad` lets the relay" for name in draft.secrets)
    if not to:
        yield from (f"{FOLDER}/{name}: write the password into it, or let --to do so" for name in draft.secrets)
    yield from (f"not taken over: {left}" for left in draft.left)
