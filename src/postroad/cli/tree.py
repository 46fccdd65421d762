"""What the groups of commands have in common: plain help, in which no text is read as markup."""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup

from postroad.cli import lines

JSON = "--json"
_KIND = re.compile(r"a valid (int|float)( range)?(?=\.\Z)")  # of what is no number, as its library calls it
_NUMBERS = {"int": "a whole number", "float": "a number"}
_LONGEST = 80  # characters of a word that an error quotes
_LONG = re.compile(rf"(?<=\S{{{_LONGEST}}})\S+")
_UsageError: Any = typer.BadParameter.__base__  # which typer keeps to itself
_EXAMPLE = "postroad route example.org --json"
HELP = "help"
WIDEST = 100  # columns of a help text


class _Group(TyperGroup):
    """Lists its commands each with its whole first sentence; by itself it would cut them to one line.

    `help COMMAND` is `COMMAND --help`. Where --json is among the words, a wrong command line is told in JSON as any
    other error.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  # a type that typer keeps to itself
        """See whether --json is there; the outermost group sees all words."""
        if args[:1] == [HELP]:
            args = [*args[1:], "--help"]
        if ctx.parent is not None:
            return super().parse_args(ctx, args)
        lines.tell_errors_in_json(wanted=JSON in args)
        try:
            return super().parse_args(ctx, args)
        except _UsageError as wrong:
            if option := getattr(wrong, "option_name", ""):  # there is none but --version and --help, and no near one
                wrong.message = f"{option} cannot be used here; write a command first, then its options: {_EXAMPLE}"
                wrong.possibilities = ()
            raise self._told(wrong) from wrong

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # the same
        """Run the command."""
        try:
            return super().invoke(ctx)
        except _UsageError as wrong:
            raise self._told(wrong) from wrong

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  # the same
        """The command that the first word names; if none does, an error that names those like it, in any case."""
        if args and self.get_command(ctx, args[0]) is None:
            name, names = args[0][:_LONGEST].lower(), self.list_commands(ctx)
            near = [name] if name in names else get_close_matches(name, names)
            likely = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{likely}")
        return super().resolve_command(ctx, args)

    def _told(self, wrong: Any) -> typer.Exit:  # noqa: ANN401  # the same
        """Say what is wrong with the command line; where stderr is full or closed, the exit status has to do."""
        wrong.message = _LONG.sub("...", _KIND.sub(_number, wrong.message))
        if lines.is_told_in_json():
            lines.error(wrong.format_message(), wrong.exit_code)
        else:
            with suppress(OSError):
                wrong.show()
        return typer.Exit(wrong.exit_code)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # types that typer keeps to itself
        """Write the list."""
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in named if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _number(kind: re.Match[str]) -> str:
    return _NUMBERS[kind[1]]


def group(about: str, **more: Any) -> typer.Typer:  # noqa: ANN401  # handed on to typer
    """A group of commands."""
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}
    return typer.Typer(
        cls=_Group,
        help=about,
        no_args_is_help=True,
        add_completion=False,
        context_settings=settings,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # "[check]" in a help text is no colour
        **more,
    )
