"""Mail that waits, given up or moved to another route by a person, whether a relay runs or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from postroad.build import build_signing
from postroad.config import aliases_of, hostname_of
from postroad.deliver import Bounces, given_up, moved, overruled
from postroad.spool import RETRY, Lesson, MessageIds, Parcel, Spool

if TYPE_CHECKING:
    from postroad.config import Config

SLICE = 100  # parcels moved in one commit


class GivenUp(NamedTuple):
    """How many parcels were given up, and how many reports that makes."""

    parcels: int = 0
    reports: int = 0


async def give_up(config: Config, spool: Spool, parcels: Sequence[Parcel], now: float) -> GivenUp:
    """Give up parcels that nobody has, and tell their senders, as a relay with these settings does at their expiry.

    Raises:
        InputError: a file that the settings name cannot be used.
        SpoolError: the spool cannot do it; of each parcel all is done, or nothing.

    """
    aliases = aliases_of(config)
    postmaster, signing = aliases.of("postmaster"), build_signing(config.dkim)
    bounces = Bounces(spool, hostname_of(config), config.retry.expiry, MessageIds(), postmaster, aliases, signing)
    done = GivenUp()
    for parcel in parcels:
        verdict = given_up(parcel)
        reports = await bounces.reports(parcel, verdict, now)
        if await spool.overrule([overruled(parcel, verdict, reports)], now):
            done = GivenUp(done.parcels + 1, done.reports + len(reports))
    return done


async def move(spool: Spool, parcels: Sequence[Parcel], route: str, now: float) -> int:
    """Have parcels that nobody has take a route: by its name, or `HOST:PORT`, or "" for the usual one; how many.

    Raises:
        SpoolError: the spool cannot do it; what was moved by then is moved.

    """
    await spool.learn([Lesson(RETRY, "", at=now)])  # before mail is due by it: whoever moves it, knows of the hosts
    settlements = [overruled(parcel, moved(parcel, route)) for parcel in parcels]
    slices = [settlements[start : start + SLICE] for start in range(0, len(settlements), SLICE)]
    return sum([await spool.overrule(some, now) for some in slices])
