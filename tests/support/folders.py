"""The folders of tests/rules, read and run: a zone, what is to be found in it, and at times shares of senders.

`expect` has one line a finding: SEVERITY RULE PREFERENCE EXCHANGE ADDRESS PLACE, "-" for none. A severity with "?" is
inconclusive. A line `domain NAME` asks for another domain than example.com.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from postroad.dns import ZoneResolver, parse_zones
from postroad.examine.policies import gather_text
from postroad.gather import gather, gather_more
from postroad.routing import decide
from postroad.rules import RULES, Evidence, FileLine, Topic, run

ROOT = Path(__file__).parents[1] / "rules"
TOPICS = (Topic.EXISTENCE, Topic.TARGETS, Topic.REDUNDANCY)


@dataclass(frozen=True)
class Folder:
    """One folder: the evidence of its zone, and the findings its author expects."""

    evidence: Evidence
    expected: list[str]


def variants(rule, kind=""):
    """The folders of a rule whose names begin so: `finds`, `finds-elsewhere`, `silent`."""
    return sorted(path for path in (ROOT / rule.id).glob(f"{kind}*") if path.is_dir())


def _as_python_has_it(word):
    """An address in the form of this Python: from 3.13 on ::ffff:c000:201 is ::ffff:192.0.2.1."""
    try:
        return str(ip_address(word))
    except ValueError:
        return word


@cache
def load(path):
    """Read a folder."""
    domain, expected = "example.com", []
    for line in (path / "expect").read_text().splitlines() if (path / "expect").exists() else []:
        words = line.split("#")[0].split()
        if words[:1] == ["domain"]:
            domain = words[1]
        elif words:
            expected.append(" ".join(map(_as_python_has_it, words)))
    evidence = evidence_of(domain, (path / "zone").read_text())
    return Folder(replace(evidence, shares=_shares(path / "shares")), expected)


@cache
def load_with_policies(path):
    """The same, and what the zone publishes beside the records."""
    folder, text = load(path), (path / "zone").read_text()
    evidence = evidence_with_policies(str(folder.evidence.snapshot.domain), text)
    return Folder(replace(evidence, shares=folder.evidence.shares), folder.expected)


def evidence_with_policies(domain, text):
    """What a zone file tells of a domain, its policies too."""
    evidence = evidence_of(domain, text)
    names = [line.owner for line in evidence.lines]
    texts = asyncio.run(gather_text(evidence.snapshot, ZoneResolver(_zones_of(text)), None, names))
    return replace(evidence, texts=texts)


@cache
def evidence_of(domain, text):
    """What a zone file alone tells of a domain."""
    zones = _zones_of(text)
    snapshot = asyncio.run(_gathered(domain, ZoneResolver(zones)))
    lines = (FileLine(each.owner, each.kind, each.value, each.file, each.number, each.ttl_s) for each in zones.lines)
    return Evidence(snapshot, decide(snapshot), now=0.0, lines=tuple(lines))


def findings(evidence, topics=TOPICS):
    """All findings of the rules of some topics."""
    return run(evidence, {rule.id: rule for rule in RULES.values() if rule.topic in topics})


def told(finding):
    """A finding as a line of `expect`."""
    place = finding.place
    severity = f"{finding.severity}{'?' * finding.inconclusive}"
    parts = (severity, finding.rule, place.preference, place.exchange or None, place.address, finding.line or None)
    return " ".join("-" if part is None else str(part) for part in parts)


@cache
def _zones_of(text):
    return parse_zones({"zone": text})


async def _gathered(domain, resolver):
    return await gather_more(await gather(domain, resolver), resolver)


def _shares(path):
    if not path.exists():
        return None
    rows = [line.split() for line in path.read_text().splitlines()]
    senders = dict.fromkeys(sender for sender, _address, _share in rows)
    return {sender: {ip_address(a): float(share) for each, a, share in rows if each == sender} for sender in senders}
