"""What a person decides about mail that waits: it is given up now, or takes another route. Pure."""

from __future__ import annotations

from dataclasses import replace

from postroad.deliver.aftermath import settlement
from postroad.deliver.bounce import Reports
from postroad.deliver.disposition import Disposition, RecipientResult
from postroad.spool import Parcel, Settlement
from postroad.words.outcome import Outcome, Result, Scope
from postroad.words.trail import Attempt

GIVEN_UP = Outcome(
    Result.FAILED,
    Scope.US,
    "given up by hand, before its time had run out",
    "5.0.0",  # RFC 3463 section 3.1: no other status says that somebody has decided so
    for_sender="the postmaster of this mail system gave the message up before its time had run out",
)


def given_up(parcel: Parcel) -> Disposition:
    """All its recipients have failed."""
    done, fates = _without_contact(parcel, GIVEN_UP)
    return Disposition(done, (), fates, (), None, is_late=False, waits_for_host=False)


def moved(parcel: Parcel, route: str) -> Disposition:
    """All its recipients take another route; without a name, that which the settings have for them."""
    way = f'the route "{route}"' if route else "the usual route"
    outcome = Outcome(Result.DEFERRED, Scope.US, f"moved to {way} by hand", "4.0.0", next_route=route)
    done, fates = _without_contact(parcel, outcome)
    routes = (*(name for name in parcel.routes if name != route), route) if route else ()
    verdict = Disposition(done, (), (), (), None, is_late=False, waits_for_host=False)
    return replace(verdict, sent_on=fates, routes=routes)


def overruled(parcel: Parcel, verdict: Disposition, reports: Reports = ()) -> Settlement:
    """What the spool is to commit. It was no attempt, and its record says so."""
    settled = settlement(parcel, None, verdict, reports)
    return replace(settled, counts=False, record=f'{settled.record[:-1]},"by_hand":true}}')


def _without_contact(parcel: Parcel, outcome: Outcome) -> tuple[Attempt, tuple[RecipientResult, ...]]:
    """No host was asked."""
    recipients = parcel.mail.envelope.recipients
    done = Attempt(parcel.destination, (outcome,) * len(recipients), (), None, 0.0)
    return done, tuple([RecipientResult(each, outcome, index=index) for index, each in enumerate(recipients)])
