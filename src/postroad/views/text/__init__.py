"""Answers as lines and tables, for a terminal or a pipe; the screen of `cli` shows them.

Stops: `blocks` (what a text is made of), `sections` (what a long answer is made of, on a page too), `simulation`,
`trials`, `recipients`, `enforced` (of `simulate`), `comparison`, `left_out` (what has no figures in them, and why),
`advice`, `senders`, `queue`, `mailq` (the same for `sendmail -bp`), `attempt`, `story` (of one message), `dkim` (keys
and their records), `protection` (of `tls`), `tls_reports`, `spools` (health, migration, move), `arrivals` (of
`lab up`), `tried` (of `lab try`).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.views.text.blocks import Block, Styled, Table

__getattr__, __dir__ = door(
    __name__,
    blocks="Block Styled Table",
)
