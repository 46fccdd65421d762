"""The findings as JSON: documented in docs/reference/json.md, versioned, keys in snake_case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postroad.report import phrases
from postroad.report.phrases import Rules
from postroad.rules import Checked, Finding, Rule
from postroad.words.visible import json_text

VERSION = 1

Shape = dict[str, Any]


def as_json(results: Sequence[Checked], rules: Rules) -> str:
    """One object with all domains, indented for people."""
    shape = {
        "version": VERSION,
        "counts": phrases.total(results),
        "domains": [checked_shape(result, rules) for result in results],
    }
    return json_text(shape, indent=2) + "\n"


def ndjson(results: Sequence[Checked], rules: Rules) -> str:
    """One object a line and domain, each with the version: lines of several runs can be put together."""
    shapes = ({"version": VERSION, **checked_shape(result, rules)} for result in results)
    return "".join(json_text(shape) + "\n" for shape in shapes)


def checked_shape(result: Checked, rules: Rules) -> Shape:
    """One domain."""
    return {
        "domain": result.domain,
        "checked_at": result.checked_at,
        "looked": sorted(result.looked),
        "counts": phrases.counts(result),
        "exchangers": [
            {
                "preference": server.preference,
                "exchange": server.exchange,
                "addresses": [str(address) for address in server.addresses],
            }
            for server in result.servers
        ],
        "findings": [_finding(finding, rules) for finding in phrases.worst_first(result.findings)],
        "accepted": [
            {
                **_finding(each.finding, rules),
                "reason": each.reason,
                "until": each.until.isoformat() if each.until else None,
            }
            for each in result.accepted
        ],
    }


def rule_shape(rule: Rule) -> Shape:
    """One rule: `postroad rules --json`."""
    return {
        "id": rule.id,
        "severity": rule.severity.value,
        "topic": rule.topic.value,
        "title": rule.title,
        "why": rule.why,
        "sources": [{"document": each.document, "section": each.section} for each in rule.sources],
        "needs": sorted(rule.needs),
        "no_fix": rule.no_fix or None,
    }


def _finding(finding: Finding, rules: Rules) -> Shape:
    place, spot, rule = finding.place, phrases.file_and_line(finding.line), rules.get(finding.rule)
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "inconclusive": finding.inconclusive,
        "preference": place.preference,
        "exchange": place.exchange,
        "address": str(place.address) if place.address else None,
        "seen": finding.seen,
        "why": rule.why if rule else None,
        "sources": [str(source) for source in rule.sources] if rule else [],
        "fix": finding.fix,
        "file": spot[0] if spot else None,
        "line": spot[1] if spot else None,
    }
