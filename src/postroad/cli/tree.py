"""What the groups of commands have in common: plain help, in which no text is read as markup."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

WIDEST = 100  # columns of a help text


class _Group(TyperGroup):
    """Lists its commands each with its whole first sentence; by itself it would cut them to one line."""

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
