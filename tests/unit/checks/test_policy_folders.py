"""The catalogue of zones for the rules on TTLs, name servers, reverse names and policies that zone files show."""

import asyncio
from dataclasses import replace

import folders
import pytest

from postroad.checks import mechanics, policy
from postroad.checks.catalogue import run
from postroad.checks.nouns import Severity
from postroad.dns import ZoneResolver, parse_zones
from postroad.gather.texts import gather_text

SHOWN = [rule for rule in (*mechanics.RULES, *policy.RULES) if (folders.ROOT / rule.id).is_dir()]


@pytest.mark.parametrize("rule", SHOWN, ids=lambda rule: rule.id)
@pytest.mark.parametrize("kind", ["finds", "silent"])
def test_a_zone_shows_what_its_folder_expects(rule, kind):
    """A rule finds what its folder expects, nothing more, and nothing at all at the near miss."""
    expected, evidence = load(folders.ROOT / rule.id / kind)
    found = [folders.told(finding) for finding in run(evidence, {rule.id: rule})]
    assert expected == found
    assert (kind == "finds") == bool(found)


@pytest.mark.parametrize("rule", SHOWN, ids=lambda rule: rule.id)
def test_a_near_miss_is_no_error_to_any_rule(rule):
    """The zones that one rule keeps still at are sane to the others: none sees an error."""
    _, evidence = load(folders.ROOT / rule.id / "silent")
    assert [] == [finding for finding in run(evidence) if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("path", sorted((folders.ROOT / "sane").iterdir()), ids=lambda path: path.name)
def test_sane_set_ups_are_sane_with_their_policies_too(path):
    """No warning, and nothing that could not be known from a file."""
    _, evidence = load(path)
    found = [finding for finding in run(evidence) if finding.rule in {rule.id for rule in SHOWN}]
    assert [] == [folders.told(finding) for finding in found]


def load(path):
    """What a folder expects, and its evidence with the policies in the zone."""
    folder = folders.load(path)
    resolver = ZoneResolver(parse_zones({"zone": (path / "zone").read_text()}))
    texts = asyncio.run(gather_text(folder.evidence.snapshot, resolver, None))
    return folder.expected, replace(folder.evidence, texts=texts)
