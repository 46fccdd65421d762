"""Which limits of a sender an attempt may reach at all: only those it has to count for."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.models import Sender
from postroad.simulation.case import Case, DnsOrder
from postroad.simulation.contacts import IN_SESSION, ModelExchanger, may_go_on, thens_of
from postroad.words.faults import Mode

_SILENT = frozenset({Mode.BLACKHOLE, Mode.MUTE})
_FEW = 8  # addresses in any order: of more, there are too many ways in which silent ones may overlap


@dataclass(frozen=True, slots=True)
class CountedLimits:
    """Which limits can be reached, with what goes on."""

    addresses: bool
    hosts: bool
    sessions: bool
    families: bool
    silent: bool


def counted(case: Case, sender: Sender, found: tuple[ModelExchanger, ...], *, is_open: bool = False) -> CountedLimits:
    """Which limits can be reached among these exchangers; `is_open`: whatever they do."""
    hosts = [each.modes(case) for each in found]
    met = [mode for host in hosts for mode in host]
    goes_on = {mode: may_go_on(thens_of(sender, mode)) for mode in {*met}}
    onward = [mode for mode in met if goes_on[mode]]
    limits, versions = sender.limits, {address.version for each in found for address in each.addresses}

    def binds(limit: int | None, reached: int, total: int) -> bool:
        return limit is not None and total > limit and (is_open or reached >= limit)

    passed = sum(not host or any(goes_on[mode] for mode in host) for host in hosts)
    return CountedLimits(
        addresses=binds(limits.addresses, len(onward), len(met)),
        hosts=binds(limits.hosts, passed, len(found)),
        sessions=binds(limits.sessions, sum(mode in IN_SESSION for mode in onward), len(met)),
        families=limits.family_share and len(versions) > 1 and binds(limits.addresses, len(met), len(met)),
        silent=binds(sender.waits.most_silent, sum(mode in _SILENT for mode in met), len(met))
        and (case.dns_order is not DnsOrder.RANDOM or len(met) <= _FEW),
    )
