"""What the groups of commands have in common: plain help, in which no text is read as markup."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperGroup

from postroad.cli import lines

JSON = "--json"
_KIND = re.compile(r"a valid (int|float)( range)?(?=\.\Z)")  # of what is no number, as its library calls it
_NUMBERS = {"int": "a whole number", "float": "a number"}
WIDEST = 100  # columns of a help text


class _Group(TyperGroup):
    """Lists its commands each with its whole first sentence; by itself it would cut them to one line.

    Where --json is among the words, a wrong command line is told in JSON as any other error.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  # a type that typer keeps to itself
        """See whether --json is there; the outermost group sees all words."""
        if ctx.parent is None:
            lines.tell_errors_in_json(wanted=JSON in args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # the same
        """Run the command."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter.__base__ as wrong:  # type: ignore[misc]  # UsageError, which typer keeps to itself
            wrong.message = _KIND.sub(lambda kind: _NUMBERS[kind[1]], wrong.message)
            if not lines.is_told_in_json():
                raise
            lines.error(wrong.format_message(), wrong.exit_code)
            raise typer.Exit(wrong.exit_code) from wrong

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # types that typer keeps to itself
        """Write the list."""
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in named if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


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
