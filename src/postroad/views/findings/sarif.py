"""The findings as SARIF 2.1.0, which code hosts show beside the lines of a zone file.

Sections are those of the OASIS standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from postroad.rules import Accepted, Checked, Finding, Place, Rule, Severity
from postroad.views.findings import wording
from postroad.views.findings.wording import Rules
from postroad.words.visible import defused, json_text

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note", Severity.INFO: "none"}

Shape = dict[str, Any]


def sarif(results: Sequence[Checked], rules: Rules) -> str:
    """The log: one run, the rules that were there, a result for each finding."""
    index = {rule: number for number, rule in enumerate(rules)}
    found = [_result(finding, index) for each in results for finding in wording.worst_first(each.findings)]
    found += [_accepted(accepted, index) for each in results for accepted in each.accepted]
    driver = {"name": "postroad", "version": version("postroad"), "rules": [_rule(rule) for rule in rules.values()]}
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": found}]}
    return json_text(log, indent=2) + "\n"


def _rule(rule: Rule) -> Shape:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\nSource: {wording.sources(rule)}"},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"tags": [rule.topic.value]},
    }


def _result(finding: Finding, index: dict[str, int]) -> Shape:
    shape: Shape = {"ruleId": finding.rule}
    if finding.rule in index:
        shape["ruleIndex"] = index[finding.rule]
    fixes = wording.fixes(finding)
    words = [
        f"{wording.where(finding.place)}: {defused(finding.seen)}",
        *(["Fix it with:", *fixes] if fixes else []),
    ]
    return shape | {
        **_kind(finding),
        "message": {"text": "\n".join(words)},
        "locations": [_location(finding)],
        "partialFingerprints": {"ruleAndPlace/v1": f"{finding.rule} {_full_name(finding.place)}"},
    }


def _kind(finding: Finding) -> Shape:
    """Kind and level: what does not fail has the level "none" (section 3.27.10)."""
    if finding.inconclusive:
        return {"kind": "open", "level": "none"}
    if finding.severity is Severity.INFO:
        return {"kind": "informational", "level": "none"}
    return {"kind": "fail", "level": LEVELS[finding.severity]}


def _accepted(accepted: Accepted, index: dict[str, int]) -> Shape:
    until = f" (until {accepted.until})" if accepted.until else ""
    suppression = {"kind": "external", "status": "accepted", "justification": defused(accepted.reason) + until}
    return {**_result(accepted.finding, index), "suppressions": [suppression]}


def _location(finding: Finding) -> Shape:
    place = finding.place
    name = str(place.address) if place.address else place.exchange or place.domain
    logical = {"name": defused(name), "fullyQualifiedName": _full_name(place), "kind": "resource"}
    shape: Shape = {"logicalLocations": [logical]}
    if spot := wording.file_and_line(finding.line):
        shape["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(spot[0])},
            "region": {"startLine": spot[1]},
        }
    return shape


def _full_name(place: Place) -> str:
    parts = (place.domain, place.preference, place.exchange, place.address)
    return defused("/".join(str(part) for part in parts if part is not None))


def _uri(file: str) -> str:
    """A file as a URI: relative to where the check ran, unless the path is absolute."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
