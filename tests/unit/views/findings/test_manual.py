"""The rules explained: the page docs/reference/rules.md."""

from dataclasses import replace

from tests.support.checked import RULES, rule

from postroad.rules import Citation, Severity, Topic
from postroad.views.findings.manual import by_topic, reference, tally


def test_topics_hold_their_rules_worst_first():
    """The chapters stand in the order of topics, those without rules left out."""
    more = {**RULES, "mx-single": rule("mx-single", Severity.ERROR, Topic.REDUNDANCY, "", "")}
    assert {
        Topic.TARGETS: ["mx-target-no-address"],
        Topic.REDUNDANCY: ["mx-single", "mx-dup-address", "mx-unequal"],
        Topic.DNS: ["mx-ttl-low"],
        Topic.SMTP: ["smtp-unreachable"],
    } == {topic: [each.id for each in found] for topic, found in by_topic(more).items()}


def test_tally_counts_severities():
    """The sum in one line."""
    assert "5 rules: 1 error, 2 warnings, 1 note, 1 info" == tally(RULES)


def test_each_rule_is_a_section():
    """What it is, why it matters, where it is written, what it needs; and why no zone line fixes it, if none does."""
    text = reference(RULES)
    assert (
        "\n## SMTP behaviour\n\n### smtp-unreachable\n\n"
        "Warning: no answer on port 25.\n\nMail waits.\n\nSource: RFC 5321 section 5.1; needs `--smtp`.\n"
    ) in text
    assert "Source: practice.\n" in text
    stuck = replace(RULES["smtp-unreachable"], no_fix="the server is down")
    assert "\nNo fix by a zone line: the server is down.\n" in reference({stuck.id: stuck})


def test_reference_leaves_nothing_to_markup():
    """What a rule says is text: brackets of HTML in it are shown."""
    odd = rule("odd", Severity.NOTE, Topic.DNS, "<b>", "A <name> here.", Citation("RFC 1"))
    assert "A &lt;name&gt; here." in reference({"odd": odd})
