"""What MTA-STS promises (RFC 8461), and whether the MX set keeps it: now, and after a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postroad.checks.lines import where, zone_line
from postroad.checks.nouns import Check, Evidence, Finding, Need, Place, Rule, Severity, Source, StsPolicy, Topic
from postroad.checks.places import exchangers, whole

MIN_AGE_S = 86_400
NOT_FETCHED = "the policy was not fetched"  # offline: that is no fault of the domain
_RECORD = re.compile(r"v=STSv1[ \t]*;(.*[; \t])?id=[A-Za-z0-9]{1,32}[ \t]*(;.*)?\Z")
_ID = "v=STSv1; id=20260101000000;"


def policy_of(evidence: Evidence) -> StsPolicy | None:
    """The policy, if there is one that senders can use."""
    policy = evidence.texts.sts if evidence.texts else None
    return policy if policy and not policy.why_not and policy.mode else None


def covers(pattern: str, name: str) -> bool:
    """Whether a name, or a wildcard for one whole left-most label, matches a name (RFC 8461 section 4.1)."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern.startswith("*."):
        label, _, parent = name.partition(".")
        return bool(label) and parent == pattern[2:]
    return pattern == name


def is_enforced(evidence: Evidence) -> bool:
    """Whether senders that honour MTA-STS deliver only under its conditions."""
    policy = policy_of(evidence)
    return policy is not None and policy.mode == "enforce"


def _uncovered(evidence: Evidence, policy: StsPolicy) -> list[Place]:
    """The exchangers that no pattern of the policy matches."""
    every = exchangers(evidence)
    return [place for place in every if not any(covers(pattern, str(place.exchange)) for pattern in policy.mx)]


def _graded(policy: StsPolicy) -> Severity:
    return Severity.ERROR if policy.mode == "enforce" else Severity.WARNING


def sts_mx_uncovered(evidence: Evidence) -> Iterator[Finding]:
    """The policy does not name an exchanger that takes mail while all is well."""
    policy = policy_of(evidence)
    if policy and policy.mode != "none":
        for place in _uncovered(evidence, policy):
            if place.preference == exchangers(evidence)[0].preference:
                seen = f"{place.exchange} takes mail, and no mx of the policy ({policy.mode}) matches it"
                mend = f"; in the policy, and a new id in its record: mx: {place.exchange}"
                yield Finding("sts-mx-uncovered", _graded(policy), place, seen, mend)


def sts_backup_uncovered(evidence: Evidence) -> Iterator[Finding]:
    """The policy does not name an exchanger that takes mail after a failure."""
    policy = policy_of(evidence)
    if policy and policy.mode != "none":
        for place in _uncovered(evidence, policy):
            if place.preference != exchangers(evidence)[0].preference:
                what = f"no mx of the policy ({policy.mode}) matches it"
                seen = f"after a failure mail goes to {place.exchange}, and {what}"
                mend = f"; in the policy, and a new id in its record: mx: {place.exchange}"
                yield Finding("sts-backup-uncovered", _graded(policy), place, seen, mend)


def sts_mx_extra(evidence: Evidence) -> Iterator[Finding]:
    """The policy names what is no exchanger."""
    policy = policy_of(evidence)
    names = [str(place.exchange) for place in exchangers(evidence)]
    for pattern in policy.mx if policy and names else ():
        if not any(covers(pattern, name) for name in names):
            seen = f"mx: {pattern} of the policy matches no exchanger"
            yield Finding("sts-mx-extra", Severity.INFO, whole(evidence), seen)


def sts_no_policy(evidence: Evidence) -> Iterator[Finding]:
    """A record says that there is a policy, and there is none."""
    policy = evidence.texts.sts if evidence.texts else None
    if policy and policy.why_not and policy.why_not != NOT_FETCHED:
        seen = f"the record says there is a policy, and there is none: {policy.why_not}"
        yield Finding("sts-no-policy", Severity.WARNING, whole(evidence), seen, "", _sts_line(evidence))


def sts_record_unreadable(evidence: Evidence) -> Iterator[Finding]:
    """The record is not as senders must have it."""
    policy = evidence.texts.sts if evidence.texts else None
    if policy and not _RECORD.match(policy.record):
        seen = f'the record "{policy.record}" is not of the form v=STSv1; id=...;'
        mend = zone_line(f"_mta-sts.{evidence.snapshot.domain}", "TXT", f'"{_ID}"')
        yield Finding("sts-record-unreadable", Severity.WARNING, whole(evidence), seen, mend, _sts_line(evidence))


def sts_mode(evidence: Evidence) -> Iterator[Finding]:
    """The policy protects nothing yet, or no longer."""
    policy = policy_of(evidence)
    if policy and policy.mode in ("testing", "none"):
        what = "failures are reported and the mail is delivered" if policy.mode == "testing" else "it is being removed"
        yield Finding("sts-mode", Severity.INFO, whole(evidence), f"the policy has mode {policy.mode}: {what}")


def sts_max_age(evidence: Evidence) -> Iterator[Finding]:
    """Senders forget the policy within a day."""
    policy = policy_of(evidence)
    if policy and policy.mode != "none" and policy.max_age_s < MIN_AGE_S:
        seen = f"senders forget the policy after {policy.max_age_s} s"
        yield Finding("sts-max-age", Severity.NOTE, whole(evidence), seen, "; in the policy: max_age: 1209600")


def _sts_line(evidence: Evidence) -> str:
    return where(evidence, f"_mta-sts.{evidence.snapshot.domain}", "TXT")


def _rule(check: Check, name: str, severity: Severity, title: str, why: str, *sources: Source) -> Rule:
    return Rule(name, severity, Topic.POLICY, title, why, sources, check, frozenset({Need.TEXT}))


RULES: tuple[Rule, ...] = (
    _rule(
        sts_mx_uncovered,
        "sts-mx-uncovered",
        Severity.ERROR,
        "The MTA-STS policy does not name an exchanger in use",
        "Senders that honour the policy must not deliver to it. If no exchanger is named, their mail waits until it is "
        "returned.",
        Source("RFC 8461", "4.1"),
        Source("RFC 8461", "5"),
    ),
    _rule(
        sts_backup_uncovered,
        "sts-backup-uncovered",
        Severity.ERROR,
        "The MTA-STS policy does not name a backup",
        "It goes unseen until the first exchanger fails: then senders that honour the policy keep the mail, with a "
        "working backup in front of them.",
        Source("RFC 8461", "8.4"),
        Source("RFC 8461", "5"),
    ),
    _rule(
        sts_mx_extra,
        "sts-mx-extra",
        Severity.INFO,
        "The MTA-STS policy names what is no exchanger",
        "That may be the plan for a move. If not, whoever gets hold of the name and of the MX answer is trusted.",
        Source("RFC 8461", "3.2"),
    ),
    _rule(
        sts_no_policy,
        "sts-no-policy",
        Severity.WARNING,
        "A record announces an MTA-STS policy, and there is none",
        "Senders without a policy kept from before deliver as if there were none at all.",
        Source("RFC 8461", "3.1"),
        Source("RFC 8461", "3.3"),
    ),
    _rule(
        sts_record_unreadable,
        "sts-record-unreadable",
        Severity.WARNING,
        "The MTA-STS record is not well formed",
        "Senders must then assume that there is no policy.",
        Source("RFC 8461", "3.1"),
    ),
    _rule(
        sts_mode,
        "sts-mode",
        Severity.INFO,
        "The MTA-STS policy is not enforced",
        "In mode testing senders only report. Mode none is how a policy is taken back.",
        Source("RFC 8461", "5"),
        Source("RFC 8461", "8.3"),
    ),
    _rule(
        sts_max_age,
        "sts-max-age",
        Severity.NOTE,
        "Senders forget the MTA-STS policy within a day",
        "Who can suppress the policy for that long can read the mail. It is meant to be kept for weeks.",
        Source("RFC 8461", "3.2"),
    ),
)
