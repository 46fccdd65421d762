"""`postroad config`: the settings in effect, whether a file of them is right, and a line for the users file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from postroad.cli import options, screen
from postroad.cli.tree import group

app = group("Show the settings in effect, check a settings file, hash passwords.")


@app.command(epilog="Example: postroad config show --config docs/examples/postroad.toml")
def show(config: options.ConfigFile = None, json: options.Json = False) -> None:
    """Show all settings in effect as a settings file: each with its meaning, and whether it is the default.

    Exit status: 0 done, 2 the file has errors.
    """
    from postroad.config import find, load, own_place, toml

    file = config or find()
    with screen.input_errors():
        settings = load(file)
    if json:
        from postroad.views.json import config_shape

        screen.print_json(config_shape(settings, file))
        return
    own = "" if file or own_place() is None else ", but for the spool and the port of a relay of your own"
    screen.say(f"# {file}" if file else f"# no file: all settings have their defaults{own}")
    screen.document(f"\n{toml(settings)}\n")


@app.command(epilog="Example: postroad config check docs/examples/postroad.toml")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The settings file.")],
    json: options.Json = False,
) -> None:
    """Check a settings file, and that the files, folders and addresses it names exist and can be used.

    All errors are reported at once. Nothing is contacted: `postroad spool check` asks the database of a spool.

    Exit status: 0 configuration OK, 2 it has errors.
    """
    from postroad.config import survey, warnings
    from postroad.relay import problems
    from postroad.words.inputs import InputError

    wrong: list[str] = []
    doubtful: list[str] = []
    try:
        wrong, settings = survey(file)
        if not wrong:  # of settings that are not as they were meant, half the doubts are none
            doubtful = [f"{file}: {warning}" for warning in warnings(settings)]
        wrong += [f"{file}: {problem}" for problem in problems(settings)]
    except InputError as problem:
        wrong = list(problem.lines)
    if json:
        from postroad.views.json import problems_shape

        screen.print_json(problems_shape(file, wrong, doubtful))
    else:
        for line in [*(f"warning: {warning}" for warning in doubtful), *wrong]:
            screen.remark(f"{line}")
        if not wrong:
            screen.say(f"{file}: configuration OK")
            if settings.spool.url:
                screen.say(f"The database was not contacted; to check it: postroad spool check --config {file}")
    raise typer.Exit(screen.USAGE if wrong else screen.DONE)


@app.command("hash", epilog="Example: postroad config hash alice")
def hash_(
    user: Annotated[
        str,
        typer.Argument(
            metavar="USER", help="The user name. The password is prompted for, or read from standard input."
        ),
    ],
    json: options.Json = False,
) -> None:
    """Print a line for the users file ([relay] users): the name and the scrypt hash of a password.

    Exit status: 0 done, 2 the name or the password cannot be used.
    """
    from postroad.receive import hash_password

    if not user or ":" in user or user.startswith("#") or any(char.isspace() for char in user):
        screen.fail(f"{user!r} cannot be a user: a name has no colon, no space, and does not begin with #")
    password = _password()
    if not password:
        screen.fail("the password is empty; give one at the prompt, or on standard input")
    line = f"{user}:{hash_password(password)}"
    if json:
        from postroad.views.json import user_shape

        screen.print_json(user_shape(user, line))
    else:
        screen.say(line)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
