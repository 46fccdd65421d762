"""The findings as JSON: documented in docs/reference/json.md, versioned, keys in snake_case."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.rules import Checked, Finding, Rule
from postroad.views.findings import wording
from postroad.views.findings.wording import Rules
from postroad.views.json.shape import VERSION, Shape
from postroad.words.visible import json_text


def as_json(results: Sequence[Checked], rules: Rules) -> str:
    """One object with all domains, indented for people."""
    shape = {
        "version": VERSION,
        "counts": wording.total(results),
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
        "counts": wording.counts(result),
        "exchangers": [
            {
                "preference": server.preference,
                "exchange": server.exchange,
                "addresses": [str(address) for address in server.addresses],
            }
            for server in result.servers
        ],
        "findings": [_finding(finding, rules) for finding in wording.worst_first(result.findings)],
        "accepted": [
            {
                **_finding(each.finding, rules),
                "reason": each.reason,
                "until": each.until.isoformat() if each.until else None,
            }
            for each in result.accepted
        ],
    }


def rules_shape(rules: Rules) -> Shape:
    """`postroad rules --json`."""
    return {"version": VERSION, "rules": [_rule(rule) for rule in rules.values()]}


def rule_shape(rule: Rule) -> Shape:
    """`postroad rules ID --json`."""
    return {"version": VERSION, **_rule(rule)}


def _rule(rule: Rule) -> Shape:
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
    place, spot, rule = finding.place, wording.file_and_line(finding.line), rules.get(finding.rule)
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
