"""Which names are taken: advice may make a new one, but must never send mail to a host that has nothing to do with it.

A zone file is looked into; DNS is asked, one question for each name, as a rule one in all.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from postroad.dns import RecordType, Resolver, ZoneResolver
from postroad.planning import Allowed, Records, new_names
from postroad.words.facts import Bogus, Found, NoName, Temporary
from postroad.words.inputs import NotNowError

_TOLD_APART_BY = (RecordType.CNAME, RecordType.A, RecordType.MX, RecordType.TXT)


async def taken_names(records: Records, resolver: Resolver, allowed: Collection[Allowed] = ()) -> frozenset[str]:
    """The names that a change of these records would make if it did not know that they are there already.

    Raises:
        NotNowError: DNS cannot tell now whether a name is there.

    """
    taken: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    while left := new_names(records, frozenset(allowed), taken) - free:
        there = frozenset([name for name in sorted(left) if await _is_there(name, resolver)])
        taken, free = taken | there, free | (left - there)
    return taken


async def _is_there(name: str, resolver: Resolver) -> bool:
    if isinstance(resolver, ZoneResolver):
        return resolver.zone_data.has(name)
    answer = await resolver.resolve(name, RecordType.CNAME)
    if isinstance(answer, Temporary | Bogus):
        raise NotNowError(f"whether {name} exists cannot be looked up now: {answer.why}")
    return not isinstance(answer, NoName) and not await _is_wild(name, resolver)


async def _is_wild(name: str, resolver: Resolver) -> bool:
    """Whether a name is there only by a wildcard, which a record of its own replaces (RFC 4592 section 3.3.1).

    A name with the very records of the wildcard cannot be told from none.
    """
    wild = f"*.{name.partition('.')[2]}"
    if isinstance(await resolver.resolve(wild, RecordType.CNAME), NoName):
        return False
    return all([await _said(name, kind, resolver) == await _said(wild, kind, resolver) for kind in _TOLD_APART_BY])


async def _said(name: str, kind: RecordType, resolver: Resolver) -> frozenset[Any]:
    answer = await resolver.resolve(name, kind)
    return frozenset(answer.records) if isinstance(answer, Found) else frozenset()
