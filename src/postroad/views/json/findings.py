"""The findings as JSON: documented in docs/reference/json.md, versioned, keys in snake_case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from postroad.rules import Checked, Finding, Rule
from postroad.views.findings import wording
from postroad.views.findings.wording import Rules
from postroad.views.json.shape import VERSION
from postroad.words.visible import json_text


class CheckedExchangerJson(TypedDict):
    """An exchanger that was looked at."""

    preference: int
    exchange: str
    addresses: list[str]


class FindingJson(TypedDict):
    """What a rule found, where, and what fixes it."""

    rule: str
    severity: Literal["error", "warning", "note", "info"]
    inconclusive: bool
    preference: int | None
    exchange: str | None
    address: str | None
    seen: str
    why: str | None
    sources: list[str]
    fix: str
    file: str | None
    line: int | None


class AcceptedJson(FindingJson):
    """A finding that its owner lives with."""

    reason: str
    until: str | None


class CheckedJson(TypedDict):
    """One domain: a line of `postroad check --format ndjson`, which has the version, too."""

    version: NotRequired[int]
    domain: str
    checked_at: float
    looked: list[str]
    counts: dict[str, int]
    exchangers: list[CheckedExchangerJson]
    findings: list[FindingJson]
    accepted: list[AcceptedJson]


class CheckJson(TypedDict):
    """`postroad check --json`."""

    version: int
    counts: dict[str, int]
    domains: list[CheckedJson]


class SourceJson(TypedDict):
    """Where a rule is written."""

    document: str
    section: str


class RuleJson(TypedDict):
    """`postroad rules ID --json`, and without the version each of all."""

    version: NotRequired[int]
    id: str
    severity: str
    topic: str
    title: str
    why: str
    sources: list[SourceJson]
    needs: list[str]
    no_fix: str | None


class RulesJson(TypedDict):
    """`postroad rules --json`."""

    version: int
    rules: list[RuleJson]


def as_json(results: Sequence[Checked], rules: Rules) -> str:
    """One object with all domains, indented for people."""
    shape: CheckJson = {
        "version": VERSION,
        "counts": wording.total(results),
        "domains": [checked_shape(result, rules) for result in results],
    }
    return json_text(shape, indent=2) + "\n"


def ndjson(results: Sequence[Checked], rules: Rules) -> str:
    """One object a line and domain, each with the version: lines of several runs can be put together."""
    shapes = ({"version": VERSION, **checked_shape(result, rules)} for result in results)
    return "".join(json_text(shape) + "\n" for shape in shapes)


def checked_shape(result: Checked, rules: Rules) -> CheckedJson:
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


def rules_shape(rules: Rules) -> RulesJson:
    """`postroad rules --json`."""
    return {"version": VERSION, "rules": [_rule(rule) for rule in rules.values()]}


def rule_shape(rule: Rule) -> RuleJson:
    """`postroad rules ID --json`."""
    return {**_rule(rule), "version": VERSION}


def _rule(rule: Rule) -> RuleJson:
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


def _finding(finding: Finding, rules: Rules) -> FindingJson:
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
