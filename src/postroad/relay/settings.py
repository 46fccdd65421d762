"""The settings of a relay, and how they are made from a settings file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from postroad.build import (
    build_own,
    build_resolver,
    build_signing,
    check_pem,
    check_plain,
    opportunistic_tls,
    server_tls,
    servers_of,
    system_trust,
    trust_of,
)
from postroad.config import aliases_of, hostname_of, node_of
from postroad.deliver import (
    DeliverSettings,
    LoopSettings,
    QueueLimits,
    ReusePolicy,
)
from postroad.dialogue import Credentials
from postroad.files import trusted_text
from postroad.pace import RetrySchedule, WindowPolicy
from postroad.receive import (
    ListenSettings,
    PasswordHash,
    ReceiveLimits,
    ReceiveSettings,
    ReceiveTimeouts,
    Tls,
    parse_users,
)
from postroad.routing import (
    PROCEDURES,
    Aliases,
    Own,
    RoutePolicy,
    StaticRoute,
    WalkPolicy,
)
from postroad.smtp import Timeouts
from postroad.spool import NODE
from postroad.tls import AUTO, Override, StsSettings, TlsMode
from postroad.words.inputs import InputError, about
from postroad.words.mail import Mailbox
from postroad.words.names import Unreadable

if TYPE_CHECKING:
    from ssl import SSLContext

    from postroad.config import Config, RouteTable, TlsTable
    from postroad.dns import Resolver, ServerAddress
    from postroad.sign import SigningPolicy
    from postroad.tls import Submitter


@dataclass(frozen=True, slots=True)
class NextHop:
    """A route of the settings, with how to talk to the hosts there, and what TLS has to do.

    Where the route does not say that, TLS does what the receiver publishes.
    """

    route: StaticRoute
    settings: DeliverSettings
    tls: Override = AUTO


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """All a relay needs to know besides its spool and its resolver."""

    hostname: str
    listen: tuple[ListenSettings, ...]
    receive: ReceiveSettings
    deliver: DeliverSettings
    loop: LoopSettings = field(default_factory=LoopSettings)
    policy: RoutePolicy = PROCEDURES["rfc5321"]
    own: Own = field(default_factory=Own)
    next_hops: tuple[NextHop, ...] = ()
    drain_s: float = 30.0
    tls: Override = AUTO
    sts: StsSettings = field(default_factory=StsSettings)
    submitter: Submitter | None = None  # of TLS reports; None: none are sent
    node: str = NODE  # its name among the relays that share the spool

    @property
    def aliases(self) -> Aliases:
        """Who gets mail for our own names."""
        return self.receive.aliases

    @property
    def signing(self) -> SigningPolicy | None:
        """How mail of our own is signed, if it is."""
        return self.receive.signing

    @property
    def postmaster(self) -> tuple[Mailbox, ...]:
        """Who reads what concerns the relay itself; nobody, where postmaster has no alias."""
        return self.aliases.of("postmaster")


class DnsSettings(Protocol):
    """The `[dns]` table, whoever has read it."""

    @property
    def resolvers(self) -> tuple[str, ...]: ...  # noqa: D102  # see config.DnsTable

    @property
    def trust_ad(self) -> bool: ...  # noqa: D102  # see config.DnsTable

    @property
    def zones(self) -> tuple[Path, ...]: ...  # noqa: D102  # see config.DnsTable


def relay_settings(config: Config) -> RelaySettings:
    """The settings of a file, with the certificates, keys, users and passwords that it names.

    Raises:
        InputError: one of those files cannot be read or used.

    """
    hostname = hostname_of(config)
    deliver = _deliver(config, hostname)
    policy = replace(
        PROCEDURES["rfc5321"], families=config.deliver.families, allow_loopback=config.deliver.allow_loopback
    )
    return RelaySettings(
        hostname,
        tuple(ListenSettings(each.address, each.port, Tls(each.tls)) for each in config.listen),
        _receive(config, hostname),
        deliver,
        _loop(config),
        policy,
        build_own([hostname, *map(str, config.own)]),
        tuple(_next_hop(at, route, deliver, config.deliver.tls) for at, route in enumerate(config.route, 1)),
        config.drain,
        Override(TlsMode(config.deliver.tls)),
        StsSettings(config.deliver.mta_sts, config.deliver.mta_sts_wait),
        submitter_of(config) if config.tls_report.enabled else None,
        node_of(config),
    )


def submitter_of(config: Config) -> Submitter:
    """Who TLS reports are from."""
    from postroad.tls import Submitter  # noqa: PLC0415  # what reports say is not loaded where none are sent

    it = config.tls_report
    sender = it.sender or Mailbox("tls-reports", hostname_of(config))
    return Submitter(it.organization or str(sender.domain), it.contact or sender, sender)


def faults_of(config: Config) -> Iterator[str]:
    """Everything that keeps a relay from these settings: each file that they name is tried, whatever the others are."""
    usual = _deliver(config, hostname_of(config))
    parts: list[Callable[[], object]] = [
        lambda: _users(config.relay.users),
        lambda: _server_tls(config.tls),
        lambda: aliases_of(config),
        lambda: build_signing(config.dkim),
        *(partial(_next_hop, at, route, usual, config.deliver.tls) for at, route in enumerate(config.route, 1)),
        *(partial(_zone, zone) for zone in config.dns.zones),
        # Without zone files a resolver is as good as the names of its servers, and takes 20 ms to load
        lambda: resolver_of(config) if config.dns.zones else _servers(config.dns),
        lambda: relay_settings(config),
    ]
    told: set[str] = set()
    for part in parts:
        try:
            part()
        except InputError as problem:
            for sentence in problem.lines:
                if sentence not in told:
                    told.add(sentence)
                    yield sentence


def _deliver(config: Config, hostname: str) -> DeliverSettings:
    out = config.deliver
    return DeliverSettings(
        hostname=hostname,
        port=out.port,
        source=out.source,
        timeouts=Timeouts(connect_s=out.connect_timeout),
        walk=WalkPolicy(stagger_s=out.stagger, level_stagger_s=out.level_stagger),
        tls=opportunistic_tls(),
        trust=system_trust(),
        recipients=out.recipients_per_transaction,
    )


def _loop(config: Config) -> LoopSettings:
    out, retry = config.deliver, config.retry
    most = out.concurrency_per_address
    window = WindowPolicy(initial=min(5, most), most=most, dead_after=float("inf"))
    queue = QueueLimits(concurrency=out.concurrency, window=window)
    schedule = RetrySchedule(
        retry.first, retry.factor, retry.longest, retry.jitter, retry.expiry, retry.warn_after or None
    )
    reuse = ReusePolicy(out.reuse_idle, out.reuse, out.reuse_messages)
    return LoopSettings(queue, reuse=reuse, schedule=schedule)


def _receive(config: Config, hostname: str) -> ReceiveSettings:
    from postroad.config import rewriting_of  # noqa: PLC0415  # the process that delivers does without pydantic

    limits, timeouts, relay = config.limits, config.timeouts, config.relay
    return ReceiveSettings(
        hostname,
        relay.networks,
        _users(relay.users),
        _server_tls(config.tls),
        relay.auth_in_clear_on_loopback,
        completes=relay.complete_headers,
        limits=ReceiveLimits(
            limits.message_size,
            limits.recipients,
            limits.hops,
            limits.connections,
            limits.connections_per_client,
            limits.messages_per_connection,
            limits.messages_per_minute,
            limits.errors,
            limits.idle_commands,
            limits.auth_failures,
            limits.auth_failures_per_minute,
            limits.memory,
            int(limits.hold),
        ),
        timeouts=ReceiveTimeouts(
            timeouts.command, timeouts.block, timeouts.tls, timeouts.session, least_rate=timeouts.least_rate
        ),
        aliases=aliases_of(config),
        signing=build_signing(config.dkim),
        rewriting=rewriting_of(config.rewrite, config.relay.senders, hostname),
    )


def _next_hop(number: int, route: RouteTable, usual: DeliverSettings, mode: str) -> NextHop:
    with about(f"route[{number}].auth.password_file"):
        login = Credentials(route.auth.user, _secret(route.auth.password_file)) if route.auth else None
    with about(f"route[{number}].ca_file"):
        trust = trust_of(route.ca_file)
    settings = replace(usual, login=login, trust=trust, signs_once=route.signatures is not None)
    if route.is_implicit:  # where TLS comes first there is no "in the clear"
        walk = replace(usual.walk, clear_after_tls_failure=False)
        settings = replace(settings, implicit_tls=True, walk=walk)
    return NextHop(route.static_route, settings, override_in(route, mode))


def override_in(route: RouteTable, usual: str) -> Override:
    """What a route asks of TLS; where it says nothing, what is usual."""
    return Override(TlsMode(route.demand or usual), tuple(map(str, route.tls_names)))


def resolver_of(config: Config) -> Resolver:
    """Where the relay asks: zone files, else the name servers of the settings, else those of the system.

    Raises:
        InputError: a zone file cannot be read.

    """
    return resolver_by(config.dns)


def resolver_by(dns: DnsSettings) -> Resolver:
    """The same by that table alone."""
    if not dns.zones:
        _servers(dns)
    with about("dns.zones"):
        for zone in dns.zones:
            check_plain(zone, "choose a zone file")
        return build_resolver(dns.zones, dns.resolvers, trust_ad=dns.trust_ad)


def _servers(dns: DnsSettings) -> tuple[ServerAddress, ...]:
    with about("dns.resolvers"):
        return servers_of(dns.resolvers)


async def why_no_dane(config: Config, resolver: Resolver) -> str | None:
    """Why no exchanger is ever verified by DANE, in a sentence; "" if some are, None if that is not known now."""
    if config.dns.zones:  # for tests, where nobody vouches for anything
        return None
    from postroad import dns, gather  # noqa: PLC0415  # the settings are read by commands that ask nobody

    asked = dns.WireSettings(_servers(config.dns), trust_ad=config.dns.trust_ad)
    return await gather.why_dane_is_off(resolver, asked)


def _zone(zone: Path) -> None:
    """A zone file by itself: what is wrong with another hides nothing."""
    with about("dns.zones"):
        check_plain(zone, "choose a zone file")
        build_resolver([zone])


def _users(path: Path | None) -> Mapping[str, PasswordHash]:
    if path is None:
        return {}
    with about("relay.users"):
        users = parse_users(_text(path))
        if isinstance(users, Unreadable):
            raise InputError(f"{path} {users.text}: {users.why}")
        return users


def _server_tls(tls: TlsTable) -> SSLContext | None:
    """The certificate we show; none where there is none."""
    if tls.certificate is None:
        return None
    wrong: list[str] = []
    where = "tls.key" if tls.key else "tls.certificate"
    for key, file, what in (
        ("tls.certificate", tls.certificate, "certificate"),
        (where, tls.key or tls.certificate, "private key"),
    ):
        try:
            check_pem(file, what)
        except InputError as problem:
            wrong += [f"{key}: {line}" for line in problem.lines]
    if wrong:
        raise InputError(*(wrong if tls.key else wrong[:1]))
    with about(where):
        return server_tls(tls.certificate, tls.key)


def _secret(path: Path) -> str:
    password = _text(path).strip("\r\n")
    if not password.isprintable() or not password:
        is_empty = "is empty" if not password else "has several lines, or control characters"
        raise InputError(f"{path} {is_empty}; put the password in it, and nothing else")
    return password


def _text(path: Path) -> str:
    text = trusted_text(path)
    if isinstance(text, Unreadable):
        raise InputError(f"{path} {text.why_and('choose a text file that this user may read')}")
    return text
