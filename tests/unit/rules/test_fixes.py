"""What to do about a finding: the zone lines that fix it, or why there are none."""

import re

from tests.support import folders
from tests.support.cases import CASES
from tests.support.examples import some

from postroad.rules import RULES
from postroad.rules.existence import mx_none_usable
from postroad.words.names import parse_address

PATHS = [path for rule in RULES.values() for path in folders.variants(rule, "finds")]


def findings(rule):
    """All that a rule finds in its cases."""
    given = [CASES[rule.id][0]] if rule.id in CASES else []
    given += [folders.load_with_policies(path).evidence for path in folders.variants(rule, "finds")]
    return [finding for each in given for finding in rule.check(each)]


def test_a_rule_gives_lines_or_says_why_it_has_none():
    """Never both, never neither: every seventh rule, and each in a whole run."""
    found = {rule: told for rule in some(RULES.values(), 7) if (told := findings(rule))}
    assert [] == [rule.id for rule, told in found.items() if bool(rule.no_fix) == any(each.fix for each in told)]


def test_the_zone_with_its_fix_is_free_of_what_was_found():
    """Pasted into the zone, and what it says to remove taken out, the lines make a zone in which the rule is silent.

    Not so where its owner has to fill in an address, or to choose: the lines are then comments.
    Every fifth zone; all in a whole run.
    """
    for path in some(PATHS, 5):
        rule, evidence = RULES[path.parent.name], folders.load_with_policies(path).evidence
        found = list(rule.check(evidence))
        written = [line for finding in found for line in finding.fix.splitlines()]
        if not all(finding.fix for finding in found) or any("<" in line for line in written) or rule is mx_none_usable:
            continue
        text = repaired((path / "zone").read_text(), evidence, found)
        assert [] == list(rule.check(folders.evidence_with_policies(str(evidence.snapshot.domain), text))), path


def repaired(text, evidence, found):
    """The zone as its owner has it after following what was found."""
    gone, new = set(), []
    for finding in found:
        written = finding.fix.splitlines()
        added = [line for line in written if not line.startswith(";")]
        removed = [line.removeprefix("; remove: ") for line in written if line.startswith("; remove: ")]
        said = {told(*re.sub(" [0-9]+ IN ", " IN ", line, count=1).split(" ", 3)) for line in (*added, *removed)}
        gone |= {line.number for line in evidence.lines if told(line.owner, "IN", line.kind, line.value) in said}
        if added and not removed:
            gone |= {line.number for line in evidence.lines if is_replaced(line, finding, added)}
        new += added
    kept = [line for number, line in enumerate(text.splitlines(), 1) if number not in gone]
    return "\n".join((*kept, *dict.fromkeys(new), ""))


def told(owner, _in, kind, value):
    """A record, however it is written."""
    address = parse_address(value.strip())
    return owner.lower().rstrip("."), kind, address or " ".join(value.lower().replace('"', "").split()).rstrip(". ")


def is_replaced(line, finding, added):
    """Whether the lines stand in place of this one: the one found, or the record the finding is about."""
    place = finding.place
    is_found = finding.line == f"{line.file}:{line.number}" or line.value == f"{place.preference} {place.exchange}"
    return is_found and any(f" {line.kind} " in each for each in added)
