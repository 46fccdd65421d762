"""The rules themselves, explained: for `postroad rules` and docs/reference/rules.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape

from postroad.rules import Need, Rule, Severity, Topic
from postroad.views.findings import wording
from postroad.views.findings.wording import Rules
from postroad.words.phrasebook import counted

NEEDS = {
    Need.SERVERS: "name servers",
    Need.REVERSE: "reverse names",
    Need.TEXT: "SPF, MTA-STS and TLSA",
    Need.WIRE: "the size of answers",
    Need.DRIFT: "every authoritative server asked",
    Need.PROBE: "`--smtp`",
}
HEAD = """# Rules

What `postroad check` looks for, written by `python -m tests.docs.generate` from the catalogue; a test compares them.
An id never changes. Where no line of a zone can fix a finding, the rule says why.

"""


def by_topic(rules: Rules) -> dict[Topic, list[Rule]]:
    """The rules of each topic that has any, worst first."""
    return {
        topic: sorted(found, key=lambda rule: wording.RANKS.index(rule.severity))
        for topic in Topic
        if (found := [rule for rule in rules.values() if rule.topic is topic])
    }


def tally(rules: Rules) -> str:
    """How many rules there are of each severity, in words."""
    numbers = Counter(rule.severity for rule in rules.values())
    return f"{counted(len(rules), 'rule')}: {wording.tell({each: numbers[each] for each in Severity})}"


def needs(rule: Rule) -> str:
    """What a rule must know besides the records."""
    return ", ".join(NEEDS[need] for need in NEEDS if need in rule.needs)


def reference(rules: Rules) -> str:
    """The whole text of rules.md."""
    return HEAD + tally(rules) + ".\n" + "".join(_chapters(rules))


def _chapters(rules: Rules) -> Iterator[str]:
    for topic, found in by_topic(rules).items():
        yield f"\n## {topic[0].upper()}{topic[1:]}\n"
        for rule in found:
            words = f"{rule.severity.capitalize()}: {rule.title}.\n\n{wording.why(rule)}"
            yield f"\n### {rule.id}\n\n{escape(words, quote=False)}\n"
            asked = f"; needs {needs(rule)}" if needs(rule) else ""
            yield f"\nSource: {wording.sources(rule)}{asked}.\n"
            if rule.no_fix:
                yield f"\nNo fix by a zone line: {rule.no_fix}.\n"
