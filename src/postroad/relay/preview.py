"""What a relay with some settings would do with mail for a destination, without being one: nothing secret is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from postroad.build import Chooser, Mailer, build_own, build_policies, lessons_in
from postroad.config import hostname_of
from postroad.gather import KIND, PublishedPolicies, RelayPolicies, fetched_once, kept_policies, not_fetched
from postroad.net import interface_addresses
from postroad.relay.settings import override_in
from postroad.spool import MemoryLearned, SpoolError, Trouble
from postroad.tls import Override, StsSettings, TlsMode

if TYPE_CHECKING:
    from postroad.config import Config
    from postroad.dns import Resolver
    from postroad.gather import Fetch
    from postroad.routing import RoutePolicy


def mailer_as_relay(config: Config, resolver: Resolver, policy: RoutePolicy, own: Iterable[str] = ()) -> Mailer:
    """A mailer that routes as a relay with these settings does, asking this resolver. `own` are more names of ours.

    Raises:
        InputError: an item of `own` is neither a domain name nor an IP address.

    """
    out = config.deliver
    policy = replace(
        policy, families=out.families, allow_loopback=policy.allow_loopback or config.deliver.allow_loopback
    )
    listens = frozenset((each.address, each.port) for each in config.listen)
    names = build_own([hostname_of(config), *map(str, config.own), *own])
    here = replace(names, interfaces=interface_addresses(), listens=listens, port=out.port)
    routes = [(route.static_route, override_in(route, config.deliver.tls)) for route in config.route]
    chooser = Chooser([route for route, _ in routes], resolver)
    overrides, usual = {id(route): override for route, override in routes}, Override(TlsMode(config.deliver.tls))
    return Mailer(resolver, policy, here, chooser=chooser, override_of=lambda route: overrides.get(id(route), usual))


async def policies_as_relay(config: Config, resolver: Resolver, fetch_by: Fetch | None) -> RelayPolicies:
    """The MTA-STS policies of domains as a relay with these settings knows them, with those kept in its spool.

    The spool is only read. Without `fetch_by` no document is fetched.
    """
    store, why_not = MemoryLearned(), ""
    try:
        await store.learn(await lessons_in(config.spool.place, KIND))
    except SpoolError as trouble:
        # A relay that never ran has kept nothing, and one without MTA-STS goes by nothing it has kept
        counts = config.deliver.mta_sts and trouble.kind is not Trouble.MISSING
        why_not = trouble.why if counts else ""
    once = fetched_once(fetch_by) if fetch_by else None
    settings = StsSettings(config.deliver.mta_sts, config.deliver.mta_sts_wait)
    return RelayPolicies(
        build_policies(resolver, once or not_fetched, store, settings),
        PublishedPolicies(resolver, once),
        kept_policies(await store.recall(KIND)),
        why_not,
    )
