"""Senders that enforce what a domain publishes of TLS: what each demands of an exchanger, and which faults fail it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from postroad.models import Sender
from postroad.tls import Known, Listing, demanded
from postroad.words.facts import Found
from postroad.words.faults import Mode
from postroad.words.policies import DaneFacts, StsPolicy
from postroad.words.snapshot import Snapshot
from postroad.words.tls import OPPORTUNISTIC, Demand, TlsLevel

NO_DEMANDS: Mapping[str, Demand] = {}
NO_MODES: frozenset[Mode] = frozenset()

_ANYTHING = DaneFacts()
_WITHOUT_TLS = frozenset(
    {
        Mode.NO_STARTTLS,
        Mode.STARTTLS_454,
        Mode.STARTTLS_554,
        Mode.STARTTLS_CLOSE,
        Mode.STARTTLS_220_CLOSE,
        Mode.BROKEN_STARTTLS,
    }
)


def demands_of(snapshot: Snapshot, sender: Sender) -> Mapping[str, Demand]:
    """What a sender demands of each exchanger, as far as it looks at what the domain publishes: as we decide it."""
    published = snapshot.published
    if published is None or not (sender.sts or sender.dane):
        return NO_DEMANDS
    sts = published.sts if sender.sts else None
    dane = published.dane if sender.dane else {}
    records = snapshot.mx.records if isinstance(snapshot.mx, Found) else ()
    names = dict.fromkeys((*(record.exchange for record in records), *snapshot.hosts))
    listing = Listing(sts.mx) if sts else None
    every = {name: demanded(Known(name, dane=dane.get(name, _ANYTHING), sts=sts, listing=listing)) for name in names}
    return {name: demand for name, demand in every.items() if demand != OPPORTUNISTIC}


def left_out(policy: StsPolicy, exchangers: Iterable[str]) -> tuple[str, ...]:
    """The exchangers that a policy in force or on trial does not list: senders pass them over, or report them."""
    if policy.mode == "none":
        return ()
    listed = Listing(policy.mx)
    return tuple(name for name in exchangers if name not in listed)


@lru_cache(maxsize=1000)
def unmet(demand: Demand) -> frozenset[Mode]:
    """The faults of a server that does not prove what is demanded; one that is well proves all that is published."""
    if demand.level is TlsLevel.CLEAR:
        return NO_MODES
    if demand.level is TlsLevel.ENCRYPTED:
        return _WITHOUT_TLS
    failing = _WITHOUT_TLS | {Mode.TLS_MISMATCH}
    if not demand.tlsa:
        return failing | {Mode.STARTTLS_GOOD, Mode.STARTTLS_EXPIRED}
    # A key is matched whatever the dates of its certificate (RFC 7671 section 5.1)
    return failing if any(record.usage == 3 for record in demand.tlsa) else failing | {Mode.STARTTLS_EXPIRED}


def as_met(failing: frozenset[Mode], mode: Mode) -> Mode:
    """What a sender meets at a server with this fault, of which these fail what it demands."""
    if mode in failing:
        return Mode.TLS_MISMATCH
    return Mode.ACCEPT if mode is Mode.TLS_MISMATCH else mode
