"""The door: results in, text in a form out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from postroad.report.junit import junit
from postroad.report.nagios import nagios
from postroad.report.page import page
from postroad.report.phrases import Rules
from postroad.report.sarif import sarif
from postroad.report.shape import as_json, ndjson
from postroad.report.table import as_csv, markdown
from postroad.report.text import Pen, text
from postroad.rules import RULES, Checked


class Form(StrEnum):
    """The forms there are."""

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
