"""What a domain publishes of TLS, and a change of its records must not outrun: its MTA-STS policy, its TLSA records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from postroad.planning.records import Records
from postroad.simulation import left_out
from postroad.words.facts import Found
from postroad.words.phrasebook import listing


def unlisted(records: Records, before: Records | None = None) -> tuple[str, ...]:
    """The exchangers in use that the policy of the domain does not list, or the one it had before."""
    published = (before or records).snapshot.published
    policy = published.sts if published else None
    return left_out(policy, dict.fromkeys(place.exchange for place in records.places)) if policy else ()


def with_all_listed(records: Records) -> Records:
    """The records under a policy that lists each of their exchangers."""
    published, names = records.snapshot.published, unlisted(records)
    if not (names and published and published.sts):
        return records
    policy = replace(published.sts, mx=(*published.sts.mx, *names))
    return Records.of(replace(records.snapshot, published=replace(published, sts=policy)))


def unproven(before: Records, after: Records) -> Iterator[str]:
    """New exchangers without TLSA records beside some that have them: DANE would protect part of the mail only."""
    dane = after.snapshot.published.dane if after.snapshot.published else {}
    proven = [name for name, facts in dane.items() if isinstance(facts.tlsa, Found) and facts.tlsa.authentic]
    old, new = ({place.exchange: 0 for place in each.places} for each in (before, after))
    bare = [name for name in new if name not in old and name not in dane]
    if proven and bare:
        have, none = ("has" if len(each) == 1 else "have" for each in (proven, bare))
        yield (
            f"{listing(proven)} {have} TLSA records, {listing(bare)} {none} none: publish them first, under "
            f"{listing(f'_25._tcp.{name}' for name in bare)}; otherwise DANE protects a part of the mail only."
        )
