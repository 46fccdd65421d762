"""The catalogue of zones for the rules on TTLs, name servers, reverse names and policies that zone files show."""

import pytest
from tests.support import folders
from tests.support.examples import some

from postroad.rules import RULES, Severity, Topic, run

SHOWN = [
    rule for rule in RULES.values() if rule.topic in (Topic.DNS, Topic.POLICY) and (folders.ROOT / rule.id).is_dir()
]
PATHS = [path for rule in SHOWN for path in folders.variants(rule)]


def name_of(path):
    """A folder as pytest shows it."""
    return f"{path.parent.name}-{path.name}"


def test_a_zone_shows_what_its_folder_expects():
    """A rule finds what its folder expects, nothing more, and nothing at all at the near miss.

    In every third folder; in all in a whole run.
    """
    loaded = [(path.parent.name, path.name, folders.load_with_policies(path)) for path in some(PATHS, 3)]
    told = {
        (rule, name): [folders.told(each) for each in run(folder.evidence, {rule: RULES[rule]})]
        for rule, name, folder in loaded
    }
    assert {(rule, name): folder.expected for rule, name, folder in loaded} == told
    assert [] == [(rule, name) for (rule, name), found in told.items() if name.startswith("finds") != bool(found)]


def test_a_near_miss_is_no_error_to_any_rule():
    """The zones that one rule keeps still at are sane to the others: none sees an error.

    In every third folder, as above.
    """
    near = {
        name_of(path): folders.load_with_policies(path).evidence
        for path in some(PATHS, 3)
        if path.name.startswith("silent")
    }
    found = [(name, finding) for name, evidence in near.items() for finding in run(evidence)]
    assert [] == [(name, finding) for name, finding in found if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("path", sorted((folders.ROOT / "sane").iterdir()), ids=lambda path: path.name)
def test_sane_set_ups_are_sane_with_their_policies_too(path):
    """No warning, and nothing that could not be known from a file."""
    evidence = folders.load_with_policies(path).evidence
    found = [finding for finding in run(evidence) if finding.rule in {rule.id for rule in SHOWN}]
    assert [] == [folders.told(finding) for finding in found]
