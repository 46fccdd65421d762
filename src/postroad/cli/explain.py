"""`postroad explain`: the story of one message, its choices drawn again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen
from postroad.cli.opened import opened

if TYPE_CHECKING:
    from postroad.spool import Story


def explain(
    message_id: Annotated[
        str, typer.Argument(metavar="MESSAGE-ID", help="The id in the reply to the client, or in the log.")
    ],
    config: options.ConfigFile = None,
    spool: options.SpoolPlace = "",
    json: options.Json = False,
) -> None:
    """Explain where a message went, why, and what happened; every random choice is replayed from its recorded seed.

    Finished messages are remembered for `spool.history` in the settings (default: one day).

    Exit status: 0 done, 1 no such message, 2 usage error or no spool.
    """

    async def found() -> Story | None:
        async with opened(spool, config) as known:
            return await known.story(message_id)

    story = screen.run(found)
    if story is None:
        screen.fail(
            f"there is no message with the id {message_id}; `postroad queue list` shows the mail that waits",
            screen.FINDINGS,
        )
    from postroad.views.text.story import tell

    if json:
        from postroad.views.json import explain_shape

        screen.print_json(explain_shape(story))
    else:
        screen.Screen().lines(tell(story))
