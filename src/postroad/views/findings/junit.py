"""The findings as JUnit's XML: a suite for each domain, a case for each rule.

It is valid by the schema of Ant's JUnit task, which asks for more than any reader needs (`properties`, `system-out`,
`time`), and by that of Jenkins.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from postroad.rules import Checked, Finding, Rule, Severity
from postroad.views.findings import wording
from postroad.views.findings.wording import Rules
from postroad.words.visible import defused

FAILS = frozenset({Severity.ERROR, Severity.WARNING})  # what a build should not pass over; the rest is told


def junit(results: Sequence[Checked], rules: Rules) -> str:
    """The whole file."""
    root = Element("testsuites")
    for index, result in enumerate(results):
        root.append(_suite(result, rules, index))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(result: Checked, rules: Rules, index: int) -> Element:
    cases = [_case(result, rule) for rule in rules.values()]
    counted = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": 0,  # an error is trouble of the test itself; ours is `skipped`, never red
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    suite = Element(
        "testsuite",
        {
            "name": defused(result.domain) or ".",
            "package": "postroad",
            "id": str(index),
            "hostname": "localhost",
            "timestamp": wording.time_of(result.checked_at),
            "time": "0",
            **{key: str(count) for key, count in counted.items()},
        },
    )
    SubElement(suite, "properties")
    suite.extend(cases)
    SubElement(suite, "system-out").text = "\n".join(_told(result))
    SubElement(suite, "system-err")
    return suite


def _case(result: Checked, rule: Rule) -> Element:
    """The rule's case: failed, skipped with the reason, or passed."""
    case = Element("testcase", {"name": rule.id, "classname": f"postroad.{defused(result.domain)}", "time": "0"})
    found = [each for each in result.findings if each.rule == rule.id]
    failed = [each for each in found if each.severity in FAILS and not each.inconclusive]
    if failed:
        words = {"message": f"{rule.title}: {_line(failed[0])}", "type": failed[0].severity.value}
        SubElement(case, "failure", words).text = "\n".join(_whole(each, rule) for each in failed)
    elif reason := _skipped(result, rule, found):
        SubElement(case, "skipped", {"message": reason})
    return case


def _skipped(result: Checked, rule: Rule, found: Sequence[Finding]) -> str:
    """Why a rule came to no verdict: nobody asked, nobody could tell, or its owner accepts what it found."""
    if missing := sorted(rule.needs - result.looked):
        return f"not asked for: {', '.join(missing)}"
    if unclear := [each for each in found if each.inconclusive]:
        return f"inconclusive: {_line(unclear[0])}"
    accepted = [each for each in result.accepted if each.finding.rule == rule.id]
    return defused(f"accepted: {accepted[0].reason}") if accepted else ""


def _line(finding: Finding) -> str:
    return f"{wording.where(finding.place)}: {defused(finding.seen)}"


def _whole(finding: Finding, rule: Rule) -> str:
    lines = [_line(finding), wording.why(rule), wording.sources(rule), *wording.fixes(finding)]
    return "\n".join([*(line for line in lines if line), *([defused(finding.line)] if finding.line else [])])


def _told(result: Checked) -> list[str]:
    """What no case tells: notes and infos."""
    quiet = (each for each in result.findings if each.severity not in FAILS and not each.inconclusive)
    return [wording.summary(result), *(f"{each.severity} {each.rule}: {_line(each)}" for each in quiet)]
