"""SARIF for code hosts and JUnit for build servers, held against their schemas (tests/support/schemas)."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from lxml import etree
from tests.support.checked import EVIL, RULES, SANE, show

SCHEMAS = Path(__file__).parents[2] / "support" / "schemas"
CASES = [pytest.param((), id="usual"), pytest.param((EVIL,), id="evil"), pytest.param((SANE, SANE), id="sane")]


def run():
    """The one run of the SARIF log."""
    (found,) = json.loads(show("sarif"))["runs"]
    return found


def test_sarif_has_every_rule():
    """Each rule is described, with its default level, and no address to look it up at."""
    driver = run()["tool"]["driver"]
    assert list(RULES) == [rule["id"] for rule in driver["rules"]]
    assert ["warning", "error", "note", "none", "warning"] == [
        rule["defaultConfiguration"]["level"] for rule in driver["rules"]
    ]
    assert [] == [rule for rule in driver["rules"] if "helpUri" in rule]


def test_sarif_results_point_at_their_rules_and_lines():
    """A result names its rule by id and index, its place, and the line of the zone file as a relative URI."""
    worst = run()["results"][0]
    assert ("mx-target-no-address", "mx-target-no-address", "fail", "error") == (
        worst["ruleId"],
        list(RULES)[worst["ruleIndex"]],
        worst["kind"],
        worst["level"],
    )
    assert {
        "logicalLocations": [
            {
                "name": "backup.example.net",
                "fullyQualifiedName": "example.com/20/backup.example.net",
                "kind": "resource",
            }
        ],
        "physicalLocation": {"artifactLocation": {"uri": "zones/a%20b.zone"}, "region": {"startLine": 5}},
    } == worst["locations"][0]


def test_sarif_tells_what_does_not_fail_by_its_kind():
    """Info is informational, inconclusive is open, accepted is suppressed with the reason."""
    results = {result["ruleId"]: result for result in run()["results"]}
    assert [("informational", "none"), ("open", "none"), ("fail", "note")] == [
        (results[rule]["kind"], results[rule]["level"]) for rule in ("mx-ttl-low", "smtp-unreachable", "mx-unequal")
    ]
    assert [
        {"kind": "external", "status": "accepted", "justification": "mail2 is small (until 2027-03-01)"}
    ] == results["mx-unequal"]["suppressions"]


def suites(*results):
    """The suites of the JUnit file."""
    return list(ET.fromstring(show("junit", *results)))


def verdicts(suite):
    """Each case's verdict with its message."""
    return {case.get("name"): [(child.tag, child.get("message")) for child in case] for case in suite.iter("testcase")}


def test_junit_is_a_suite_a_domain_and_a_case_a_rule():
    """Errors and warnings fail, the rest passes; what nobody asked for or could tell is skipped with the reason."""
    bad, sane = suites()
    assert {
        "mx-dup-address": [
            (
                "failure",
                "exchangers share an address: mail2.example.com [192.0.2.11]: mail1 and mail2 lead to one address",
            )
        ],
        "mx-target-no-address": [
            ("failure", "an exchanger has no address: backup.example.net: neither A nor AAAA"),
        ],
        "mx-unequal": [("skipped", "accepted: mail2 is small")],
        "mx-ttl-low": [],
        "smtp-unreachable": [("skipped", "inconclusive: mail1.example.com [2001:db8::11]: no IPv6 from here")],
    } == verdicts(bad)
    assert {**{key: [] for key in RULES}, "smtp-unreachable": [("skipped", "not asked for: probe")]} == verdicts(sane)
    assert "the MX records live 30 s" in bad.findtext("system-out")


def test_junit_counts_its_cases():
    """The numbers of a suite are those of its cases; the time is UTC without a zone, as the schema wants it."""
    bad, _ = suites()
    assert ["5", "2", "0", "2", "2026-05-28T20:26:40"] == [
        bad.get(name) for name in ("tests", "failures", "errors", "skipped", "timestamp")
    ]


def test_junit_of_a_stranger_is_well_formed():
    """Names from DNS break no XML, and control characters no reader."""
    (suite,) = suites(EVIL)
    assert suite.get("name").startswith("<script>alert(1)</script>")
    assert "\x1b" not in show("junit", EVIL)


@pytest.mark.parametrize("results", CASES)
def test_sarif_is_valid(results):
    """The log is valid by the schema of the OASIS standard."""
    schema = json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text())
    jsonschema.Draft4Validator(schema).validate(json.loads(show("sarif", *results)))


@pytest.mark.parametrize("results", CASES)
def test_junit_is_valid(results):
    """The file is valid by the schema of Jenkins."""
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "junit-10.xsd"))
    schema.assertValid(etree.fromstring(show("junit", *results).encode()))


# What the schema of Ant's JUnit task has and that of Jenkins lacks: an order of elements, and attributes that must be.
ANT_ELEMENTS = {
    "testsuites": "(testsuite )*",
    "testsuite": "properties (testcase )*system-out system-err ",
    "properties": "(property )*",
    "testcase": "(skipped |error |failure )?",
}
ANT_ATTRIBUTES = {
    "testsuite": {"package", "id", "name", "timestamp", "hostname", "tests", "failures", "errors", "time"},
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "error": {"type"},
    "failure": {"type"},
}


@pytest.mark.parametrize("results", CASES)
def test_junit_is_what_ant_takes(results):
    """Elements stand in Ant's order, and no attribute that Ant demands is missing."""
    for element in ET.fromstring(show("junit", *results)).iter():
        children = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(ANT_ELEMENTS.get(element.tag, ""), children), f"{element.tag}: {children}"
        assert set() == ANT_ATTRIBUTES.get(element.tag, set()) - set(element.keys())
