"""The door: results in, text in a form out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from postroad.rules import RULES, Checked
from postroad.views.findings.junit import junit
from postroad.views.findings.nagios import nagios
from postroad.views.findings.sarif import sarif
from postroad.views.findings.table import as_csv, markdown
from postroad.views.findings.text import Pen, text
from postroad.views.findings.wording import Rules
from postroad.views.html.findings import page
from postroad.views.json.findings import as_json, ndjson


class Form(StrEnum):
    """The output formats of findings."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"
    SARIF = "sarif"
    JUNIT = "junit"
    NAGIOS = "nagios"


_WITH_RULES = {
    Form.JSON: as_json,
    Form.NDJSON: ndjson,
    Form.CSV: as_csv,
    Form.MARKDOWN: markdown,
    Form.HTML: page,
    Form.SARIF: sarif,
    Form.JUNIT: junit,
}


def render(
    results: Sequence[Checked],
    form: str,
    *,
    color: bool,
    width: int,
    ascii_only: bool = False,
    rules: Rules = RULES,
) -> str:
    """The results in a form, ending with a line feed. Colour, width and ASCII are of the form `text` alone.

    Raises:
        ValueError: there is no such form.
    """
    wanted = Form(form)
    if wanted is Form.TEXT:
        return text(results, rules, Pen(width, color, ascii_only))
    if wanted is Form.NAGIOS:
        return nagios(results)
    return _WITH_RULES[wanted](results, rules)
