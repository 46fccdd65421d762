"""Every setting: its name, kind, default and meaning. docs/reference/settings.md is written from here.

The defaults stand here for people to read; a test holds them to the defaults of the rooms they are for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field

from postroad.config.aliases import AliasesTable
from postroad.config.bounds import LimitsTable, TimeoutsTable
from postroad.config.contradictions import check_routes, once_each
from postroad.config.kinds import (
    DomainName,
    Duration,
    ExchangerPattern,
    File,
    Host,
    IpAddress,
    Listening,
    NetworkRange,
    Pattern,
    Place,
    ProviderKey,
    Refusals,
    RouteName,
    Server,
)
from postroad.config.rewrite import AllowedTable, RewriteTable
from postroad.config.spool import SpoolTable
from postroad.config.table import AtLeastOne, Port, SettingsTable
from postroad.config.tls_report import TlsReportTable
from postroad.config.values import LOOPBACK, SMTP_PORT
from postroad.pace import RetrySchedule
from postroad.routing import OnReject, StaticHost, StaticRoute

SMTPS_PORT = 465
LONGEST_WAIT_S = 60.0  # for the first policy of a domain

TlsMode = Literal["auto", "off", "opportunistic", "encrypt", "dane", "dane-only", "verify"]


class ListenTable(SettingsTable):
    """A port that accepts mail. There may be several; without any it is port 25 of the loopback address."""

    address: IpAddress = Field(default=LOOPBACK, description="Address to listen on; `0.0.0.0` or `::` for all.")
    port: Port = Field(
        default=SMTP_PORT, description="25 for other servers, 587 for submission, 465 for submission with implicit TLS."
    )
    tls: Literal["none", "starttls", "implicit"] = Field(
        default="none", description="No TLS, offer STARTTLS, or start with TLS. Requires a certificate in `[tls]`."
    )


class TlsTable(SettingsTable):
    """The certificate for ports that use TLS."""

    certificate: File | None = Field(default=None, description="PEM file with the certificate, followed by its chain.")
    key: File | None = Field(
        default=None, description="PEM file with the private key. Unset: the key is in the certificate file."
    )


class RelayTable(SettingsTable):
    """Who may relay. Everyone else is refused, except for mail to the postmaster: there are no local mailboxes."""

    networks: tuple[NetworkRange, ...] = Field(
        default=(ip_network("127.0.0.0/8"), ip_network("::1/128")),
        description="Networks that may relay without a password.",
    )
    users: File | None = Field(
        default=None,
        description="File of users who may relay after AUTH over TLS. `postroad config hash` prints its lines.",
    )
    auth_in_clear_on_loopback: bool = Field(
        default=False, description="Also allow AUTH without TLS for clients on this machine."
    )
    complete_headers: bool = Field(default=True, description="Add Date and Message-ID if a message lacks them.")
    senders: tuple[AllowedTable, ...] = Field(
        default=(), description="Who may send as whom; better written as `[[relay.senders]]` tables."
    )


class DkimTable(SettingsTable):
    """DKIM signatures, on the mail of clients that may relay and on reports. Mail that others relay is never signed."""

    keys: File | None = Field(
        default=None,
        description="Folder of private keys: `DOMAIN/SELECTOR.pem`, RSA or Ed25519, not readable by other users. "
        "Mail is signed with all keys of the domain in From. Unset: nothing is signed.",
    )
    subdomains: bool = Field(
        default=False, description="Sign for domains below one that has a key, unless they have their own."
    )
    canonicalization: Literal["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"] = Field(
        default="relaxed/relaxed", description="What may change in the header, and in the body, on the way."
    )
    valid: Duration = Field(default=0.0, description="How long a signature is valid; 0: it does not expire.")


class DeliverTable(SettingsTable):
    """How mail is delivered."""

    concurrency: AtLeastOne = Field(
        default=200,
        description="Maximum deliveries at once of this relay. Those that only wait for a slow host count separately.",
    )
    concurrency_per_address: AtLeastOne = Field(
        default=20,
        description="Maximum deliveries at once to one address, of all relays on the spool together; one for each of "
        "them at least. Postfix has the same limit.",
    )
    reuse: Duration = Field(default=300.0, description="How long a connection may be reused; 0: never.")
    reuse_idle: Duration = Field(
        default=2.0, description="How long an idle connection is kept open for another message."
    )
    reuse_messages: AtLeastOne = Field(default=100, description="Maximum messages on one connection.")
    recipients_per_transaction: AtLeastOne = Field(
        default=100,
        description="Maximum recipients in one transaction; a message with more is sent in several, on one connection.",
    )
    stagger: Duration = Field(
        default=0.25,
        description="How long to wait for a connection before an exchanger of equal preference is tried as well.",
    )
    level_stagger: Duration = Field(default=1.0, description="The same for an exchanger of a higher preference value.")
    connect_timeout: Duration = Field(default=30.0, description="Time limit for connecting.")
    source: tuple[IpAddress, ...] = Field(
        default=(), description="Source addresses, at most one for each IP version. Empty: the system chooses."
    )
    families: tuple[Literal[4, 6], ...] = Field(default=(6, 4), description="IP versions to use, preferred one first.")
    tls: TlsMode = Field(
        default="auto",
        description="What TLS has to do, unless a route says otherwise: see `tls` of `[[route]]`.",
    )
    mta_sts: bool = Field(
        default=True,
        description="Whether `auto` heeds MTA-STS, the policies that domains publish by HTTPS. The spool keeps them.",
    )
    mta_sts_wait: Duration = Field(
        default=5.0,
        description="How long the first mail to a domain waits for its policy; after that it goes as without one, and"
        " the fetch goes on for the next; a minute at most. A policy that is kept is applied in any case.",
    )
    port: Port = Field(default=SMTP_PORT, description="Port of the exchangers. For tests.")
    allow_loopback: bool = Field(default=False, description="Deliver to loopback addresses found in DNS. For tests.")

    def disagreements(self) -> Iterator[str]:
        """What its keys contradict each other in."""
        if self.mta_sts_wait > LONGEST_WAIT_S:
            yield "mta_sts_wait is longer than a minute, and a web server that hangs would hold up mail; write less"
        yield from once_each("source has", (f"IPv{address.version}" for address in self.source))
        yield from once_each("families has", (f"IPv{version}" for version in self.families))
        if not self.families:
            yield "families is empty; write at least one of 4 and 6"


class RetryTable(SettingsTable):
    """When deferred mail is retried, and when it is returned."""

    first: Duration = Field(default=300.0, description="Wait after the first attempt.")
    factor: float = Field(default=2.0, ge=1, description="Each wait is this many times the one before.")
    longest: Duration = Field(default=14400.0, description="Longest wait.")
    jitter: float = Field(default=0.1, ge=0, lt=1, description="Each wait varies at random by up to this fraction.")
    expiry: Duration = Field(
        default=432000.0, description="Mail this old is returned to its sender. RFC 5321 recommends 4 to 5 days."
    )
    warn_after: Duration = Field(
        default=14400.0, description="The sender of mail this old gets a delay notice; 0: never."
    )

    def disagreements(self) -> Iterator[str]:
        """What its keys contradict each other in."""
        try:
            RetrySchedule(self.first, self.factor, self.longest, self.jitter, self.expiry)  # it knows what contradicts
        except ValueError as problem:
            yield str(problem)


class DnsTable(SettingsTable):
    """Which name servers to ask."""

    resolvers: tuple[Server, ...] = Field(
        default=(), description="`ADDRESS` or `ADDRESS:PORT`. Empty: those of the system."
    )
    trust_ad: bool = Field(
        default=False,
        description="Believe name servers on other machines when they say that DNSSEC vouches for an answer (the AD"
        " bit): only if nobody can change anything on the way to them. Those on this machine are always believed."
        " Without a name server that validates and is believed there is no DANE.",
    )
    zones: tuple[File, ...] = Field(default=(), description="Zone files that answer instead of DNS. For tests.")


class RouteHost(SettingsTable):
    """A host of a route."""

    host: Host = Field(description="A host name, for which MX is not looked up, or an address.")
    port: Port = Field(default=SMTP_PORT, description="Its port.")
    preference: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=0, description="Lower is tried first, as in MX records: 10 for the usual host, 20 for its backup."
    )
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1, description="Its share of the mail, relative to the other hosts of its preference."
    )


class AuthTable(SettingsTable):
    """The user and password for the hosts of a route."""

    user: Annotated[str, Field(min_length=1)] = Field(description="User name.")
    password_file: File = Field(description="File that holds the password and nothing else.")


class OnRejectTable(SettingsTable):
    """Another route for mail that the hosts of this one refuse for good, instead of returning it to its sender."""

    match: Refusals = Field(
        description='Which refusals: reply codes (`"550"`), enhanced codes (`"5.7.1"`, `"5.7.*"`), or words of the'
        ' text, in which `*` stands for anything (`"blocked*spamhaus"`; `"*"`: every one). Of a list, one is enough.'
    )
    route: RouteName = Field(description="The `name` of the other route.")


class RouteTable(SettingsTable):
    """Mail that goes elsewhere than DNS says, or under other terms.

    The most specific route applies: one that names the domain, then one for the nearest domain above it, then one for
    its exchangers, then one for their provider, then the one for `*`. Exchangers and provider count if they fit every
    exchanger of the lowest preference value.

    Requires one of `domains`, `exchangers` and `provider` (a route with a `name` may do without: it is taken only by
    `on_reject`), and one of `hosts`, `next_hop`, `mx_of` and, for mail that goes where DNS says, `direct` or `tls`.
    """

    name: RouteName | None = Field(
        default=None, description="A name for logs and reports, and for `on_reject` of other routes."
    )
    domains: tuple[Pattern, ...] = Field(
        default=(), description='`"example.com"`, `".example.com"` for all below it, `"*"` for all mail.'
    )
    exchangers: tuple[ExchangerPattern, ...] = Field(
        default=(),
        description='All domains whose MX records name these: `"mx.example.com"`, or'
        ' `".mail.protection.outlook.com"` for all below it.',
    )
    provider: ProviderKey | None = Field(
        default=None,
        description='All domains whose exchangers a known provider runs, such as `"microsoft"`, `"google"` or'
        ' `"yahoo"`. An unknown one is an error that lists the known ones.',
    )
    hosts: tuple[RouteHost, ...] = Field(
        default=(),
        description="Hosts in order of preference; those of one preference share the mail by weight.",
    )
    next_hop: Place | None = Field(
        default=None, description='One host that relays it, such as `"smtp.example.net:587"`.'
    )
    mx_of: DomainName | None = Field(default=None, description="Deliver to the exchangers of this domain instead.")
    direct: bool = Field(
        default=False,
        description="Deliver to the exchangers of each domain, as without a route: for an exception, or `on_reject`.",
    )
    on_reject: OnRejectTable | None = Field(
        default=None,
        description="`{match = ..., route = ...}`: mail that the hosts refuse for good takes another route at once.",
    )
    tls: TlsMode | None = Field(
        default=None,
        description="What TLS has to do: `auto`, what the receiving domain publishes (DANE where the host has it, else"
        " MTA-STS, else `opportunistic`); `off`; `opportunistic`, if it is offered; `encrypt`, always; `dane`, as DANE"
        " demands, else `opportunistic`; `dane-only`; `verify`, only if the certificate is valid for the host."
        " Unset: that of `[deliver]`, or `verify` with `auth`.",
    )
    tls_names: tuple[DomainName, ...] = Field(
        default=(),
        description="With `verify`: the certificate must be valid for one of these names, not for the host's.",
    )
    until: date | None = Field(
        default=None, description="The last day of an exception, such as `2026-12-31`; after it, a warning is logged."
    )
    security: Literal["starttls", "tls"] | None = Field(
        default=None,
        description="Start TLS with STARTTLS, or at once. Unset: at once on port 465, with STARTTLS on others.",
    )
    ca_file: File | None = Field(
        default=None, description="PEM file with the authorities that `verify` trusts instead of the system's."
    )
    auth: AuthTable | None = Field(default=None, description="`{user = ..., password_file = ...}`.")
    signatures: Literal[1] | None = Field(
        default=None,
        description="With 1, only the first of our DKIM signatures is sent, that of the RSA key if there is one:"
        " for hosts that cannot take two. Unset: all of them.",
    )

    @property
    def static_hosts(self) -> tuple[StaticHost, ...]:
        """The hosts, or the next hop as the only one; none for `mx_of` and `direct`."""
        if self.next_hop:
            return (StaticHost(*self.next_hop),)
        return tuple(StaticHost(each.host, each.port, each.weight, each.preference) for each in self.hosts)

    @property
    def static_route(self) -> StaticRoute:
        """Whose mail takes it, and where that goes."""
        rejected = OnReject(self.on_reject.match, self.on_reject.route) if self.on_reject else None
        return StaticRoute(
            self.name or "",
            self.domains,
            self.exchangers,
            self.provider or "",
            self.static_hosts,
            self.mx_of or "",
            rejected,
        )

    @property
    def demand(self) -> TlsMode | None:
        """What TLS has to do, if this route says so."""
        return self.tls or ("verify" if self.auth else None)

    @property
    def is_implicit(self) -> bool:
        """Whether connections begin with TLS (RFC 8314 section 3.3); who says `off` means off, whatever the port."""
        at_once = [each.port == SMTPS_PORT for each in self.static_hosts]
        return self.demand != "off" and (self.security == "tls" or (self.security is None and any(at_once)))

    def disagreements(self) -> Iterator[str]:
        """What its keys contradict each other in."""
        ways = [bool(self.hosts), self.next_hop is not None, self.mx_of is not None, self.direct]
        if sum(ways) > 1 or not (any(ways) or self.tls):
            yield (
                "write exactly one of hosts, next_hop, mx_of and direct = true; or tls alone, for mail that follows DNS"
            )
        if not (self.domains or self.exchangers or self.provider or self.name):
            yield (
                "it is for no mail; write domains, exchangers or provider, or a name by which on_reject of another "
                "route finds it"
            )
        if self.auth and not self.static_hosts:
            yield "auth needs hosts or next_hop: a password is never sent to hosts that DNS names"
        if self.auth and self.demand in ("auto", "off", "opportunistic", "dane"):
            yield 'auth sends a password, which TLS must protect; write tls = "verify"'
        if self.security and not self.static_hosts:
            yield "security needs hosts or next_hop: exchangers use STARTTLS on port 25"
        if self.security == "tls" and self.demand == "off":
            yield 'security = "tls" and tls = "off" contradict each other; leave one out'
        if self.security is None and len({each.port == SMTPS_PORT for each in self.static_hosts}) > 1:
            yield ('port 465 starts TLS at once, others use STARTTLS; write security = "tls" or "starttls" for all')
        for key in ("ca_file", "tls_names"):
            if getattr(self, key) and self.demand != "verify":
                yield (f'{key} is only used with tls = "verify"; write that, or leave {key} out')
        yield from once_each("hosts has", (f"{each.host} port {each.port}" for each in self.hosts))


class MetricsTable(SettingsTable):
    """Metrics for Prometheus and a health check, over HTTP."""

    listen: Listening = Field(default=None, description='Address and port, such as `"127.0.0.1:9925"`. Empty: off.')


class LogTable(SettingsTable):
    """The log, written to stderr: a line for each message and each attempt."""

    format: Literal["console", "json"] = Field(
        default="console", description="Lines for people, or one JSON object a line."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged."
    )
    level_prefix: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Begin `console` lines with their level, such as `<4>` (sd-daemon(3)). `auto`: for journald only.",
    )


class AcceptTable(SettingsTable):
    """A finding of `postroad check` that is accepted: it is shown, but not counted."""

    rule: str = Field(min_length=1, description="Id of the rule, such as `mx-single`; `postroad rules` lists them.")
    domain: DomainName | None = Field(default=None, description="Only for this domain. Unset: for any.")
    exchange: DomainName | None = Field(default=None, description="Only for this exchanger. Unset: for any.")
    reason: str = Field(min_length=1, description="Why it is accepted; shown in the report.")
    until: date = Field(description='Expiry date, such as `"2027-06-30"`; after it the finding counts again.')


class CheckTable(SettingsTable):
    """How `postroad check` treats its findings."""

    fail_on: Literal["error", "warning", "note", "info", "never"] = Field(
        default="error", description="Lowest severity that makes the exit status 1."
    )
    ignore: tuple[str, ...] = Field(default=(), description="Ids of rules to skip.")
    controls: tuple[IpAddress, ...] = Field(
        default=(),
        description="Addresses known to answer on port 25: with `--smtp` they show whether outbound port 25 is open.",
    )
    accept: tuple[AcceptTable, ...] = Field(
        default=(), description="Accepted findings; better written as `[[check.accept]]` tables."
    )


class Config(SettingsTable):
    """Settings before the first table."""

    hostname: DomainName | None = Field(
        default=None, description="The name of this relay. Unset: the full name of this machine."
    )
    own: tuple[Host, ...] = Field(
        default=(),
        description="Other names of this machine, and addresses that are on none of its interfaces, such as that of a "
        "router that forwards port 25. If DNS lists one of ours, mail goes only to exchangers "
        "of lower preference values.",
    )
    drain: Duration = Field(default=30.0, description="How long deliveries may take to finish after SIGTERM.")
    spool: SpoolTable = Field(default_factory=SpoolTable.model_construct)
    listen: tuple[ListenTable, ...] = Field(default=(ListenTable.model_construct(),))
    tls: TlsTable = TlsTable.model_construct()
    relay: RelayTable = RelayTable.model_construct()
    rewrite: RewriteTable = RewriteTable.model_construct()
    dkim: DkimTable = DkimTable.model_construct()
    aliases: AliasesTable = AliasesTable.model_construct()
    limits: LimitsTable = LimitsTable.model_construct()
    timeouts: TimeoutsTable = TimeoutsTable.model_construct()
    deliver: DeliverTable = DeliverTable.model_construct()
    retry: RetryTable = RetryTable.model_construct()
    dns: DnsTable = DnsTable.model_construct()
    route: tuple[RouteTable, ...] = ()
    tls_report: TlsReportTable = TlsReportTable.model_construct()
    metrics: MetricsTable = MetricsTable.model_construct()
    log: LogTable = LogTable.model_construct()
    check: CheckTable = CheckTable.model_construct()

    @property
    def dane_only_keys(self) -> tuple[str, ...]:
        """The keys by which mail is never sent without DANE."""
        modes = {"deliver": self.deliver.tls} | {f"route[{at}]": each.demand for at, each in enumerate(self.route, 1)}
        return tuple(f"{table}.tls" for table, mode in modes.items() if mode == "dane-only")

    def disagreements(self) -> Iterator[str]:
        """What its keys contradict each other in."""
        yield from self.disagreements_beside(frozenset())

    def disagreements_beside(self, wrong: frozenset[str]) -> Iterator[str]:
        """The same, of tables that are not wrong already: what a wrong key would have said is not known."""
        if wrong.isdisjoint(("listen", "tls")):
            yield from self._of_listening()
        if "route" not in wrong:
            yield from check_routes(self.route)

    def _of_listening(self) -> Iterator[str]:
        if any(port.tls != "none" for port in self.listen) and not self.tls.certificate:
            yield "[[listen]] uses tls, but no certificate is set; add tls.certificate"
        if self.tls.key and not self.tls.certificate:
            yield "tls.key is set, but tls.certificate is not; set both or neither"
        yield from once_each("listen has", (f"{port.address} port {port.port}" for port in self.listen))
