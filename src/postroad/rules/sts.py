"""What MTA-STS promises (RFC 8461), and whether the MX set keeps it: now, and after a failure."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.rules import limits
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Place, Seen, Severity
from postroad.rules.lines import address_to_fill, where, zone_line
from postroad.rules.places import exchangers, whole
from postroad.rules.rule import Need, Topic, rule
from postroad.tls import Listing, covers
from postroad.words.facts import NoData, NoName
from postroad.words.phrasebook import duration
from postroad.words.policies import StsFaultKind, StsPolicy, StsPublished

_ID = "v=STSv1; id=20260101000000;"


def _published(evidence: Evidence) -> StsPublished | None:
    return evidence.texts.sts if evidence.texts else None


def policy_of(evidence: Evidence) -> StsPolicy | None:
    """The policy, if there is one that senders can use."""
    published = _published(evidence)
    return published.policy if published else None


def is_enforced(evidence: Evidence) -> bool:
    """Whether senders that honour MTA-STS deliver only under its conditions."""
    policy = policy_of(evidence)
    return policy is not None and policy.mode == "enforce"


def _uncovered(evidence: Evidence, policy: StsPolicy) -> list[Place]:
    """The exchangers that no pattern of the policy matches."""
    listed = Listing(policy.mx)
    return [place for place in exchangers(evidence) if str(place.exchange) not in listed]


def _graded(policy: StsPolicy) -> Severity:
    return Severity.ERROR if policy.mode == "enforce" else Severity.WARNING


@rule(
    "sts-mx-uncovered",
    Severity.ERROR,
    Topic.POLICY,
    "The MTA-STS policy does not cover an exchanger in use",
    why="Senders that honour the policy must not deliver to it. If the policy covers no exchanger at all, their mail "
    "waits until it is returned.",
    source="RFC 8461 4.1; RFC 8461 5",
    needs=(Need.TEXT,),
)
def sts_mx_uncovered(evidence: Evidence) -> Iterator[Seen]:
    policy = policy_of(evidence)
    if policy and policy.mode != "none":
        for place in _uncovered(evidence, policy):
            if place.preference == exchangers(evidence)[0].preference:
                seen = f"{place.exchange} accepts mail, but no mx of the policy ({policy.mode}) matches it"
                fix = f"; add to the policy, and change the id in its record: mx: {place.exchange}"
                yield Seen(place, seen, fix, severity=_graded(policy))


@rule(
    "sts-backup-uncovered",
    Severity.ERROR,
    Topic.POLICY,
    "The MTA-STS policy does not cover a backup",
    why="Nobody notices until the first exchanger fails: then senders that honour the policy keep the mail although "
    "the backup works.",
    source="RFC 8461 8.4; RFC 8461 5",
    needs=(Need.TEXT,),
)
def sts_backup_uncovered(evidence: Evidence) -> Iterator[Seen]:
    policy = policy_of(evidence)
    if policy and policy.mode != "none":
        for place in _uncovered(evidence, policy):
            if place.preference != exchangers(evidence)[0].preference:
                what = f"no mx of the policy ({policy.mode}) matches it"
                seen = f"after a failure mail goes to {place.exchange}, but {what}"
                fix = f"; add to the policy, and change the id in its record: mx: {place.exchange}"
                yield Seen(place, seen, fix, severity=_graded(policy))


@rule(
    "sts-mx-extra",
    Severity.INFO,
    Topic.POLICY,
    "The MTA-STS policy lists a name that is not an exchanger",
    why="That may be the plan for a move. Otherwise whoever controls that name and can forge the MX answer is trusted.",
    source="RFC 8461 3.2",
    needs=(Need.TEXT,),
)
def sts_mx_extra(evidence: Evidence) -> Iterator[Seen]:
    policy = policy_of(evidence)
    names = [str(place.exchange) for place in exchangers(evidence)]
    for pattern in policy.mx if policy and names else ():
        if not any(covers(pattern, name) for name in names):
            seen = f"mx: {pattern} of the policy matches no exchanger"
            yield Seen(whole(evidence), seen, f"; remove from the policy: mx: {pattern}")


@rule(
    "sts-no-policy",
    Severity.WARNING,
    Topic.POLICY,
    "A record announces an MTA-STS policy, but there is none",
    why="Senders that have no cached policy deliver as if there were no MTA-STS at all.",
    source="RFC 8461 3.1; RFC 8461 3.3",
    needs=(Need.TEXT,),
    no_fix="the policy has to be published on its web server",
)
def sts_no_policy(evidence: Evidence) -> Iterator[Seen]:
    published = _published(evidence)
    if published and published.why_not and not _has_no_host(published) and not published.policy_faults:
        seen = f"the record announces a policy, but there is none: {published.why_not}"
        yield Seen(whole(evidence), seen, line=_sts_line(evidence))


@rule(
    "sts-policy-invalid",
    Severity.WARNING,
    Topic.POLICY,
    "The MTA-STS policy is not valid",
    why="Senders that have no cached policy deliver as if there were no MTA-STS at all, and those that have one apply "
    "it until it expires.",
    source="RFC 8461 3.2; RFC 8461 3.3",
    needs=(Need.TEXT,),
    no_fix="the policy has to be corrected on its web server",
)
def sts_policy_invalid(evidence: Evidence) -> Iterator[Seen]:
    published = _published(evidence)
    for fault in published.policy_faults if published else ():
        if fault.is_fatal:
            yield Seen(whole(evidence), f"the policy is not valid: {fault}", line=_sts_line(evidence))


@rule(
    "sts-ambiguous",
    Severity.NOTE,
    Topic.POLICY,
    "Senders may read the MTA-STS record or policy differently",
    why="The standard says what it means, but not every sender follows it to the letter.",
    source="RFC 8461 3.1; RFC 8461 3.2",
    needs=(Need.TEXT,),
    no_fix="which of the readings is meant is for its owner to say",
)
def sts_ambiguous(evidence: Evidence) -> Iterator[Seen]:
    published = _published(evidence)
    for fault in published.record_faults if published else ():
        if not fault.is_fatal:
            yield Seen(whole(evidence), f"of the record: {fault}", line=_sts_line(evidence))
    for fault in published.policy_faults if published else ():
        if not fault.is_fatal:
            yield Seen(whole(evidence), f"of the policy: {fault}", line=_sts_line(evidence))


@rule(
    "sts-host-missing",
    Severity.WARNING,
    Topic.POLICY,
    "A record announces an MTA-STS policy, but its host has no address",
    why="Senders fetch the policy from the host mta-sts under the domain. Without it they see no policy and deliver "
    "as if there were none.",
    source="RFC 8461 3.3",
    needs=(Need.TEXT,),
)
def sts_host_missing(evidence: Evidence) -> Iterator[Seen]:
    published = _published(evidence)
    if published and _has_no_host(published):
        host = f"mta-sts.{evidence.snapshot.domain}"
        seen = f"{host} has no address, so nobody can fetch the policy that the record announces"
        yield Seen(whole(evidence), seen, address_to_fill(host, 4), _sts_line(evidence))


def _has_no_host(published: StsPublished) -> bool:
    """Whether DNS said that there is no host with the document; where it could not say, there may be one."""
    host = published.host
    return host is not None and all(isinstance(each, NoData | NoName) for each in (host.a, host.aaaa))


@rule(
    "sts-record-unreadable",
    Severity.WARNING,
    Topic.POLICY,
    "The MTA-STS record is malformed",
    why="Senders must then assume that there is no policy.",
    source="RFC 8461 3.1",
    needs=(Need.TEXT,),
)
def sts_record_unreadable(evidence: Evidence) -> Iterator[Seen]:
    published = _published(evidence)
    for fault in published.record_faults if published else ():
        if published and fault.is_fatal:
            seen = f'the record "{published.record}" cannot be used: {fault}'
            owner = f"_mta-sts.{evidence.snapshot.domain}"
            is_double = fault.kind is StsFaultKind.SEVERAL_RECORDS
            fix = f"; keep one of the records of {owner}" if is_double else zone_line(owner, "TXT", f'"{_ID}"')
            yield Seen(whole(evidence), seen, fix, _sts_line(evidence))


@rule(
    "sts-mode",
    Severity.INFO,
    Topic.POLICY,
    "The MTA-STS policy is not enforced",
    why="In mode testing senders only report failures. Mode none is the way to withdraw a policy.",
    source="RFC 8461 5; RFC 8461 8.3",
    needs=(Need.TEXT,),
)
def sts_mode(evidence: Evidence) -> Iterator[Seen]:
    policy = policy_of(evidence)
    if policy and policy.mode in ("testing", "none"):
        is_test = policy.mode == "testing"
        what = "failures are reported and the mail is delivered" if is_test else "it is being removed"
        fix = "; set in the policy, and change the id in its record: mode: enforce" if is_test else ""
        yield Seen(whole(evidence), f"the policy has mode {policy.mode}: {what}", fix)


@rule(
    "sts-max-age",
    Severity.NOTE,
    Topic.POLICY,
    "Senders forget the MTA-STS policy within a day",
    why="Anyone who can block the policy for that long can read the mail. It should be cached for weeks.",
    source="RFC 8461 3.2",
    needs=(Need.TEXT,),
)
def sts_max_age(evidence: Evidence) -> Iterator[Seen]:
    policy = policy_of(evidence)
    if policy and policy.mode != "none" and policy.max_age_s < limits.STS_AGE_S:
        seen = f"senders forget the policy after {duration(policy.max_age_s)}"
        yield Seen(whole(evidence), seen, "; set in the policy: max_age: 1209600")


def _sts_line(evidence: Evidence) -> str:
    return where(evidence, f"_mta-sts.{evidence.snapshot.domain}", "TXT")
