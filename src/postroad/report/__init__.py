"""What a check found, in the form people or programs want (floor 7).

Rule 1: nothing is told by colour alone, nor by a symbol alone: each has its word beside it.
Rule 2: names and replies come from strangers: every form makes them harmless in its own way.
Rule 3: what is accepted is shown and not counted; what is inconclusive is never red.

Stops: `phrases` (order, counts, sentences), `rendering` (the door: one function a form): `text`,
`page` (HTML), `shape` (JSON, NDJSON), `table` (CSV, Markdown), `sarif`, `junit`, `nagios`; `manual` (the rules
themselves).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.report.nagios import nagios_code
    from postroad.report.rendering import Form, render

__getattr__ = door(
    __name__,
    nagios="nagios_code",
    rendering="Form render",
)
