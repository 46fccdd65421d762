"""`postroad explain`: the story of one message, its choices drawn again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from postroad.spool import Story


def explain(
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE-ID", help="As in the reply to the client, or the log.")],
    config: options.ConfigFile = None,
    spool: options.SpoolFolder = None,
    json: options.Json = False,
) -> None:
    """Tell where a message went, why, and what happened, in sentences; every drawn choice is drawn again from its seed.

    Finished messages are known for the history time of the settings (a day).

    Exit status: 0 told, 1 no such message, 2 wrong usage or no spool.
    """

    async def found() -> Story | None:
        from postroad.app import InputError
        from postroad.config import load
        from postroad.spool import SpoolError
        from postroad.spool.sqlite import SqliteSpool

        folder = spool or load(config).spool.path
        try:
            opened = await SqliteSpool.open(folder, node="")
            try:
                return await opened.story(message_id)
            finally:
                await opened.close()
        except SpoolError as trouble:
            raise InputError(trouble.why) from None

    story = screen.run(found)
    if story is None:
        screen.fail(f"no message {message_id} is known; `postroad queue list` shows those that wait", screen.FINDINGS)
    from postroad.relay.story import tell

    if json:
        from postroad.shapes import explain_shape

        screen.print_json(explain_shape(story))
    else:
        out = screen.console()
        for sentence in tell(story):
            out.print(sentence, markup=False)
