"""Which limits of a sender an attempt may reach at all: only those it has to count for."""

from __future__ import annotations

from postroad.models import Sender
from postroad.simulation.case import Case, DnsOrder
from postroad.simulation.contacts import IN_SESSION, ModelExchanger, may_go_on, thens_of
from postroad.words.faults import Mode
from postroad.words.light import light

_SILENT = frozenset({Mode.BLACKHOLE, Mode.MUTE})
_FEW = 8  # addresses in any order: of more, there are too many ways in which silent ones may overlap


@light(frozen=True, slots=True)
class CountedLimits:
    """Which limits can be reached, with what goes on."""

    addresses: bool
    hosts: bool
    sessions: bool
    families: bool
    silent: bool


UNLIMITED = CountedLimits(addresses=False, hosts=False, sessions=False, families=False, silent=False)


def counted(case: Case, sender: Sender, found: tuple[ModelExchanger, ...], *, is_open: bool = False) -> CountedLimits:
    """Which limits can be reached among these exchangers; `is_open`: whatever they do."""
    limits, total = sender.limits, sum([len(each.addresses) for each in found])
    of_addresses = limits.addresses, limits.sessions, sender.waits.most_silent
    if not any(map(_is_less, (*of_addresses, limits.hosts), (total, total, total, len(found)))):
        return UNLIMITED
    hosts = [each.modes(case) for each in found]
    met = [mode for host in hosts for mode in host]
    goes_on = {mode: may_go_on(thens_of(sender, mode)) for mode in {*met}}
    onward = [mode for mode in met if goes_on[mode]]
    versions = {address.version for each in found for address in each.addresses}

    def binds(limit: int | None, reached: int, total: int) -> bool:
        return limit is not None and limit < total and (is_open or reached >= limit)

    passed = sum(not host or any(goes_on[mode] for mode in host) for host in hosts)
    return CountedLimits(
        addresses=binds(limits.addresses, len(onward), total),
        hosts=binds(limits.hosts, passed, len(found)),
        sessions=binds(limits.sessions, sum(mode in IN_SESSION for mode in onward), total),
        families=limits.family_share and len(versions) > 1 and binds(limits.addresses, total, total),
        silent=binds(sender.waits.most_silent, sum(mode in _SILENT for mode in met), total)
        and (case.dns_order is not DnsOrder.RANDOM or total <= _FEW),
    )


def _is_less(limit: int | None, total: int) -> bool:
    return limit is not None and limit < total
