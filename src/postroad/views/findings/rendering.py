"""The entry point: results in, text in a chosen form out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from postroad.rules import RULES, Checked
from postroad.views.findings.junit import junit
from postroad.views.findings.nagios import nagios
from postroad.views.findings.sarif import sarif
from postroad.views.findings.table import as_csv, markdown
from postroad.views.findings.text import FindingsPen, text
from postroad.views.findings.wording import Rules
from postroad.views.html.findings import page
from postroad.views.json.findings import as_json, ndjson


class FindingsForm(StrEnum):
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
    FindingsForm.JSON: as_json,
    FindingsForm.NDJSON: ndjson,
    FindingsForm.CSV: as_csv,
    FindingsForm.MARKDOWN: markdown,
    FindingsForm.HTML: page,
    FindingsForm.SARIF: sarif,
    FindingsForm.JUNIT: junit,
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
    wanted = FindingsForm(form)
    if wanted is FindingsForm.TEXT:
        return text(results, rules, FindingsPen(width, color, ascii_only))
    if wanted is FindingsForm.NAGIOS:
        return nagios(results)
    return _WITH_RULES[wanted](results, rules)
