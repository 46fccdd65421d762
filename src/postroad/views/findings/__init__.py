"""The findings of a check, in forms for people and for programs.

Rule: what is accepted is shown and not counted; what is inconclusive is never red.

Stops: `wording` (order, counts, sentences), `rendering` (one function a form): `text`, `table` (CSV, Markdown),
`sarif`, `junit`, `nagios`; `manual` (the rules themselves). JSON and HTML are beside it: `views.json`,
`views.html`.
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.views.findings.manual import by_topic, needs, tally
    from postroad.views.findings.nagios import nagios_code
    from postroad.views.findings.rendering import FindingsForm, render
    from postroad.views.findings.wording import Rules, sources, why

__getattr__, __dir__ = door(
    __name__,
    manual="by_topic needs tally",
    nagios="nagios_code",
    rendering="FindingsForm render",
    wording="Rules sources why",
)
