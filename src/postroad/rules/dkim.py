"""The DKIM records of a zone file (RFC 6376 section 3.6.1): nobody can list the selectors of a domain over DNS."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity
from postroad.rules.lines import remove, where, zone_line
from postroad.rules.places import whole
from postroad.rules.rule import Need, Topic, rule
from postroad.sign import KeyRecord, RecordFaultKind, parse_record, zone_text

_OWN = frozenset({RecordFaultKind.TESTING, RecordFaultKind.SHORT})  # with a rule of their own
# A revoked key is meant so; a key of other services, such as TLS reports, is none of mail's
_MEANT = frozenset({RecordFaultKind.REVOKED, RecordFaultKind.SERVICE})


def _records(evidence: Evidence) -> Iterator[tuple[str, KeyRecord]]:
    """The records at names with a selector; of several at one name none can be relied on."""
    for name, answer in (evidence.texts.dkim if evidence.texts else {}).items():
        if len(answer.records) == 1:
            yield name, parse_record(answer.records[0])


@rule(
    "dkim-record-unusable",
    Severity.WARNING,
    Topic.POLICY,
    "A DKIM record cannot be used",
    why="Receivers ignore all signatures made with that key, and treat the mail as if it were unsigned.",
    source="RFC 6376 3.6.1; RFC 8301 3.2; RFC 8463 4",
    needs=(Need.TEXT,),
    no_fix="only the owner of the key can write its record: postroad dkim record prints it",
)
def dkim_record_unusable(evidence: Evidence) -> Iterator[Seen]:
    for name, record in _records(evidence):
        for fault in record.faults:
            if fault.kind not in _OWN | _MEANT:
                yield Seen(whole(evidence), f"{name}: {fault}", line=where(evidence, name, "TXT"))


@rule(
    "dkim-several",
    Severity.WARNING,
    Topic.POLICY,
    "There is more than one TXT record at a DKIM selector",
    why="What receivers do then is undefined: one may take the right record, and the next one the other.",
    source="RFC 6376 3.6.2.2",
    needs=(Need.TEXT,),
)
def dkim_several(evidence: Evidence) -> Iterator[Seen]:
    for name, answer in (evidence.texts.dkim if evidence.texts else {}).items():
        if len(answer.records) > 1:
            lines = [remove(zone_line(name, "TXT", zone_text(text))) for text in answer.records[1:]]
            fix = "\n".join(["; keep the record of the key that signs, such as the first:", *lines])
            yield Seen(whole(evidence), f"{name} has {len(answer.records)} TXT records, and there may be one", fix,
                       where(evidence, name, "TXT"))  # fmt: skip


@rule(
    "dkim-testing",
    Severity.WARNING,
    Topic.POLICY,
    "A DKIM record says that DKIM is only tested",
    why="With t=y receivers treat signed mail as if it were unsigned.",
    source="RFC 6376 3.6.1",
    needs=(Need.TEXT,),
)
def dkim_testing(evidence: Evidence) -> Iterator[Seen]:
    for name, record in _records(evidence):
        if any(fault.kind is RecordFaultKind.TESTING for fault in record.faults):
            flags = [flag for flag in record.tags["t"].replace(" ", "").split(":") if flag != "y"]
            tags = {**record.tags, "t": ":".join(flags)}
            text = "; ".join(f"{tag}={value}" for tag, value in tags.items() if value or tag != "t")
            fix = zone_line(name, "TXT", zone_text(text))
            yield Seen(whole(evidence), f"{name} has t=y", fix, where(evidence, name, "TXT"))


@rule(
    "dkim-key-short",
    Severity.NOTE,
    Topic.POLICY,
    "A DKIM key has less than 2048 bits",
    why="2048 bits are recommended, and some receivers ignore signatures made with less.",
    source="RFC 8301 3.2",
    needs=(Need.TEXT,),
    no_fix="the key must be replaced: postroad dkim rotate makes a new one",
)
def dkim_key_short(evidence: Evidence) -> Iterator[Seen]:
    for name, record in _records(evidence):
        if any(fault.kind is RecordFaultKind.SHORT for fault in record.faults):
            yield Seen(whole(evidence), f"the key at {name} has {record.bits} bits", line=where(evidence, name, "TXT"))
