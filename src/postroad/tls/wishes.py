"""What the sender of one message makes of what a connection has to be (RFC 8689): more, or less."""

from __future__ import annotations

from dataclasses import replace

from postroad.words.mail import TlsWish
from postroad.words.tls import Authority, Demand, Miss, TlsFailure, TlsLevel

REQUIRED = "the sender requires TLS (REQUIRETLS)"
OPTIONAL = 'the sender wrote "TLS-Required: No"'


def wished(demand: Demand, wish: TlsWish, exchange: str) -> Demand:
    """What a connection to an exchanger has to be for a message with this wish."""
    return _strengthened(demand, exchange) if wish is TlsWish.REQUIRED else _relaxed(demand)


def _strengthened(demand: Demand, exchange: str) -> Demand:
    """Proven, whoever asks for that, and to a host that is surely the domain's (RFC 8689 section 4.2.1).

    What the domain or our settings demand already is enough: mail waits where it is missed, as all mail does.
    """
    if demand.missed:
        return demand
    if not demand.is_vouched:
        why = f"{REQUIRED}, and neither DNSSEC nor MTA-STS vouches for {exchange}"
        return _impossible(Miss(TlsFailure.VALIDATION, why, "5.7.30"))
    if not demand.uses_tls:
        return _impossible(Miss(TlsFailure.VALIDATION, f"{REQUIRED}, and {demand.why}", "5.7.10"))
    if demand.level is TlsLevel.PROVEN:
        return demand
    return replace(demand, level=TlsLevel.PROVEN, by=Authority.MESSAGE, why=REQUIRED, names=(exchange,), watched=None)


def _impossible(miss: Miss) -> Demand:
    return Demand(TlsLevel.PROVEN, Authority.MESSAGE, REQUIRED, missed=miss)


def _relaxed(demand: Demand) -> Demand:
    """TLS where it can be had, and no failure of what the domain asks for counts (RFC 8689 section 4.2.2).

    Our own settings hold: they are no policy of the recipient's domain.
    """
    if demand.by not in (Authority.DANE, Authority.MTA_STS) or (demand.allows_clear and demand.missed is None):
        return demand
    return Demand(by=Authority.MESSAGE, why=OPTIONAL, server_name=demand.server_name, is_vouched=demand.is_vouched)
