"""Every setting: its name, kind, default and meaning. docs/reference/settings.md is written from here.

The defaults stand here for people to read; a test holds them to the defaults of the rooms they are for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from postroad.config.kinds import (
    DomainName,
    Duration,
    File,
    Host,
    IpAddress,
    Listening,
    NetworkRange,
    Pattern,
    Place,
    Server,
    Size,
    Targets,
)
from postroad.config.values import LOOPBACK, MESSAGE_SIZE, MIB, RESERVE, SMTP_PORT, usual_spool
from postroad.pace import RetrySchedule
from postroad.routing import StaticHost

SMTPS_PORT = 465

Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A table of the file. What it does not know is an error; once read it does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


def _once_each(what: str, items: Iterable[str]) -> None:
    twice = [item for item, count in Counter(items).items() if count > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]} twice; leave one out")


class Spool(Section):
    """Where accepted mail rests."""

    path: File = Field(
        default_factory=usual_spool,
        description="The folder. Without this key: the first of $STATE_DIRECTORY (systemd sets it), else the default.",
    )
    history: Duration = Field(
        default=86400.0, description="How long `queue trace` and `explain` still know of a finished message."
    )
    reserve: Size = Field(
        default=RESERVE,
        description="With less room than this on the disk no new mail is taken. Up to half of it is a file, given up "
        "when others fill the disk, so that accepted mail can leave.",
    )


class Listen(Section):
    """A port that takes mail. Several may stand in the file; without any it is port 25 of the loopback address."""

    address: IpAddress = Field(default=LOOPBACK, description="Where to listen; `0.0.0.0` or `::` is everywhere.")
    port: Port = Field(
        default=SMTP_PORT, description="25 for other servers, 587 for people and programs, 465 for implicit TLS."
    )
    tls: Literal["none", "starttls", "implicit"] = Field(
        default="none", description="Nothing, offer STARTTLS, or begin with TLS. Wants `[tls]`."
    )


class Tls(Section):
    """The certificate of the ports that do TLS."""

    certificate: File | None = Field(default=None, description="PEM, the chain behind it in the same file.")
    key: File | None = Field(default=None, description="PEM; unset: it is in the certificate's file.")


class Relay(Section):
    """Who may send mail to anyone. All others may write to the postmaster only."""

    networks: tuple[NetworkRange, ...] = Field(
        default=(ip_network("127.0.0.0/8"), ip_network("::1/128")), description="These may, without a password."
    )
    users: File | None = Field(
        default=None, description="File of users who may after AUTH, over TLS; `postroad config hash` makes its lines."
    )
    auth_in_clear_on_loopback: bool = Field(
        default=False, description="AUTH without TLS too, for clients of this machine."
    )
    complete_headers: bool = Field(default=True, description="Add Date and Message-ID where a message lacks them.")


class Aliases(Section):
    """Who gets mail for `root` and other names of this machine. It has no mailboxes: without an alias mail is refused.

    Any key but `file` is a name, and its value an address, another of the names, or a list of those; `"*"` is for every
    name that is not there. Aliases hold for names without a domain and for those at `hostname`, `own`, `localhost` and
    `localhost.localdomain`; not for a domain that a route names.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Targets] = Field(init=False)

    root: Targets = Field(default=(), description='Who reads what cron sends: `"ops@example.com"`.')
    postmaster: Targets = Field(
        default=(),
        description='Who reads what others write to the postmaster of this machine: `"root"`, or an address.',
    )
    file: File | None = Field(
        default=None,
        description="More aliases, in the form of aliases(5), with addresses and names only; the keys here come first.",
    )

    @property
    def table(self) -> Mapping[str, tuple[str, ...]]:
        """What the keys say, by the name in lower case."""
        named = {"root": self.root, "postmaster": self.postmaster, **self.__pydantic_extra__}
        return {name.lower(): targets for name, targets in named.items() if targets}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        _once_each("it has", (name.lower() for name in self.model_fields_set))
        for name, targets in self.__pydantic_extra__.items():
            if not name or "@" in name:
                raise ValueError(
                    f'"{name}" is no name; write the part before the @ alone, for it holds for all own names'
                )
            if not targets:
                raise ValueError(f'"{name}" has no address; write one, as "user@example.com", or leave it out')
        return self


class Limits(Section):
    """How much is taken from clients. A client is an IPv4 address, or an IPv6 /64 as a whole."""

    message_size: Size = Field(default=MESSAGE_SIZE, description="Of a message.")
    recipients: AtLeastOne = Field(default=1000, description="Of a message.")
    hops: AtLeastOne = Field(default=100, description="Received fields of a message; with more it runs in circles.")
    connections: AtLeastOne = Field(default=1000, description="In all.")
    connections_per_client: AtLeastOne = Field(default=100, description="For each client.")
    messages_per_connection: Count = Field(default=0, description="0: any number.")
    messages_per_minute: Count = Field(default=0, description="For each client; 0: any number.")
    errors: AtLeastOne = Field(default=20, description="Refused commands, then the connection ends.")
    idle_commands: AtLeastOne = Field(default=100, description="NOOP, RSET and the like between two messages.")
    auth_failures: AtLeastOne = Field(default=3, description="Wrong passwords, then the connection ends.")
    auth_failures_per_minute: AtLeastOne = Field(default=20, description="For each client.")
    memory: Size = Field(default=64 * MIB, description="For messages while they arrive, of all connections together.")


class Timeouts(Section):
    """How long a client may take."""

    command: Duration = Field(default=300.0, description="For the next command; RFC 5321 asks for 5 minutes at least.")
    block: Duration = Field(default=180.0, description="The longest silence within a message.")
    tls: Duration = Field(default=60.0, description="For the TLS handshake.")
    session: Duration = Field(
        default=3600.0, description="In all; a message under way then gets the time of `block` to end."
    )
    least_rate: Count = Field(default=100, description="Octets a second that a message must arrive with.")


class Deliver(Section):
    """How mail goes out."""

    concurrency: AtLeastOne = Field(
        default=200, description="Deliveries at once, in all; those that only wait for a slow host count apart."
    )
    concurrency_per_address: AtLeastOne = Field(default=20, description="To one address, as Postfix has it.")
    reuse: Duration = Field(default=300.0, description="How long a connection may be used again; 0: never.")
    reuse_idle: Duration = Field(default=2.0, description="How long it waits for another message before it ends.")
    reuse_messages: AtLeastOne = Field(default=100, description="Messages over one connection.")
    recipients_per_transaction: AtLeastOne = Field(
        default=100, description="A message for more goes to a host in several transactions, on one connection."
    )
    stagger: Duration = Field(
        default=0.25, description="After this time without a connection an equal exchanger is tried as well."
    )
    level_stagger: Duration = Field(default=1.0, description="The same before one of a higher preference value.")
    connect_timeout: Duration = Field(default=30.0, description="For a connection.")
    source: tuple[IpAddress, ...] = Field(
        default=(), description="Connect from these, one of each family; empty: the system's choice."
    )
    families: tuple[Literal[4, 6], ...] = Field(
        default=(6, 4), description="IP versions used, the preferred one first."
    )
    starttls: Literal["opportunistic", "none"] = Field(
        default="opportunistic", description="Encrypt where it is offered, whoever answers; or never."
    )
    port: Port = Field(default=SMTP_PORT, description="Of other people's exchangers. For tests.")
    allow_loopback: bool = Field(default=False, description="Let DNS name loopback addresses as targets. For tests.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        _once_each("source has", (f"IPv{address.version}" for address in self.source))
        _once_each("families has", (f"IPv{version}" for version in self.families))
        if not self.families:
            raise ValueError("families is empty; write at least one of 4 and 6")
        return self


class Retry(Section):
    """When deferred mail is tried again, and when that ends."""

    first: Duration = Field(default=300.0, description="After the first attempt.")
    factor: float = Field(default=2.0, ge=1, description="Each interval is so many times the one before.")
    longest: Duration = Field(default=14400.0, description="No interval is longer.")
    jitter: float = Field(default=0.1, ge=0, lt=1, description="Each is more or less by up to this part of it.")
    expiry: Duration = Field(
        default=432000.0, description="Then it goes back to its sender; RFC 5321 asks for 4 to 5 days."
    )
    warn_after: Duration = Field(default=14400.0, description="Then its sender is told that it is late; 0: never.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        RetrySchedule(self.first, self.factor, self.longest, self.jitter, self.expiry)  # it knows what contradicts
        return self


class Dns(Section):
    """Who is asked for addresses and exchangers."""

    resolvers: tuple[Server, ...] = Field(default=(), description="`ADDRESS` or `ADDRESS:PORT`; empty: the system's.")
    zones: tuple[File, ...] = Field(default=(), description="Zone files that answer instead of DNS. For tests.")


class RouteHost(Section):
    """A host of a route."""

    host: Host = Field(description="A name, never looked up for MX, or an address.")
    port: Port = Field(default=SMTP_PORT, description="Its port.")
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1, description="Its part of the mail among the hosts of the route."
    )


class Auth(Section):
    """Who we are to the hosts of a route."""

    user: Annotated[str, Field(min_length=1)] = Field(description="The name.")
    password_file: File = Field(description="A file with the password alone in it.")


class StaticRoute(Section):
    """Mail that does not go where DNS says. The nearest domain decides: itself, then those above it, then `*`.

    Wants `domains`, and one of `hosts`, `next_hop` and `mx_of`.
    """

    domains: tuple[Pattern, ...] = Field(
        min_length=1, description='`"example.com"`, `".example.com"` for all below it, `"*"` for all mail.'
    )
    hosts: tuple[RouteHost, ...] = Field(default=(), description="Equal exchangers, by weight: a gateway's cluster.")
    next_hop: Place | None = Field(default=None, description='One host that passes it on: `"smtp.example.net:587"`.')
    mx_of: DomainName | None = Field(default=None, description="The exchangers of another domain.")
    tls: Literal["opportunistic", "required", "verified", "none"] | None = Field(
        default=None,
        description="Encrypt if offered; or always; or only to whom its certificate proves to be the host; or never."
        " Unset: `opportunistic`, with `auth` `verified`.",
    )
    security: Literal["starttls", "tls"] | None = Field(
        default=None, description="TLS begins by STARTTLS, or at once. Unset: at once at port 465, else by STARTTLS."
    )
    ca_file: File | None = Field(
        default=None, description="PEM: the authorities that `verified` trusts, instead of the system's."
    )
    auth: Auth | None = Field(default=None, description="`{user = ..., password_file = ...}`.")

    @property
    def static_hosts(self) -> tuple[StaticHost, ...]:
        """The hosts, or the next hop as the only one; none for `mx_of`."""
        if self.next_hop:
            return (StaticHost(*self.next_hop),)
        return tuple(StaticHost(each.host, each.port, each.weight) for each in self.hosts)

    @property
    def demand(self) -> str:
        """What TLS has to do."""
        return self.tls or ("verified" if self.auth else "opportunistic")

    @property
    def is_implicit(self) -> bool:
        """Whether connections begin with TLS (RFC 8314 section 3.3); who says `none` means none, whatever the port."""
        at_once = [each.port == SMTPS_PORT for each in self.static_hosts]
        return self.demand != "none" and (self.security == "tls" or (self.security is None and any(at_once)))

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        ways = [bool(self.hosts), self.next_hop is not None, self.mx_of is not None]
        if sum(ways) != 1:
            raise ValueError("write exactly one of hosts, next_hop and mx_of")
        if self.auth and self.mx_of:
            raise ValueError("auth is for hosts or next_hop: a password is not given to whom DNS names")
        if self.auth and self.demand in ("none", "opportunistic"):
            raise ValueError('auth sends a password, which tls must hide; write tls = "verified"')
        if self.security and self.mx_of:
            raise ValueError("security is for hosts or next_hop: exchangers are asked for STARTTLS at port 25")
        if self.security == "tls" and self.demand == "none":
            raise ValueError('security = "tls" and tls = "none" contradict each other; leave one out')
        if self.security is None and len({each.port == SMTPS_PORT for each in self.static_hosts}) > 1:
            raise ValueError(
                'TLS begins at once at port 465 and by STARTTLS at others; write security = "tls" or "starttls" for all'
            )
        if self.ca_file and self.demand != "verified":
            raise ValueError('ca_file says whom to trust, and only tls = "verified" asks; write that, or leave it out')
        _once_each("hosts has", (f"{each.host} port {each.port}" for each in self.hosts))
        return self


class Metrics(Section):
    """Numbers for Prometheus, and whether all is well, over HTTP."""

    listen: Listening = Field(default=None, description='An address and port, as `"127.0.0.1:9925"`; empty: off.')


class Log(Section):
    """What is told on stderr, one event for each attempt."""

    format: Literal["console", "json"] = Field(
        default="console", description="Lines for people, or one JSON object each."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least that is told.")
    level_prefix: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Begin `console` lines with their level, as `<4>` (sd-daemon(3)); `auto`: if journald reads them.",
    )


class Accept(Section):
    """A finding of `postroad check` that its owner lives with: shown, but not counted."""

    rule: str = Field(min_length=1, description="The rule's id, as `single-exchanger`; `postroad rules` lists them.")
    domain: DomainName | None = Field(default=None, description="Of this domain only; unset: of any.")
    exchange: DomainName | None = Field(default=None, description="About this exchanger only; unset: any.")
    reason: str = Field(min_length=1, description="Why it is accepted; the report shows it.")
    until: date = Field(description='The last day it is, as `"2027-06-30"`: then it counts again.')


class Check(Section):
    """What `postroad check` makes of its findings."""

    fail_on: Literal["error", "warning", "note", "info", "never"] = Field(
        default="error", description="The least severity that makes the exit status 1."
    )
    ignore: tuple[str, ...] = Field(default=(), description="Ids of rules whose findings are left out.")
    controls: tuple[IpAddress, ...] = Field(
        default=(),
        description="Addresses known to answer at port 25: with `--smtp` they show that it is open from here.",
    )
    accept: tuple[Accept, ...] = Field(default=(), description="Findings accepted; better as tables of their own.")


class Config(Section):
    """The settings above all tables."""

    hostname: DomainName | None = Field(default=None, description="Who we say we are; unset: this machine's full name.")
    own: tuple[Host, ...] = Field(
        default=(),
        description="Other names of this machine, and addresses that no interface of it has, as that of a router which"
        " passes port 25 on: where DNS lists one of ours, mail goes only to better ones.",
    )
    drain: Duration = Field(default=30.0, description="At SIGTERM, how long deliveries under way may take to end.")
    spool: Spool = Field(default_factory=Spool)
    listen: tuple[Listen, ...] = Field(default=(Listen(),))
    tls: Tls = Tls()
    relay: Relay = Relay()
    aliases: Aliases = Aliases()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    deliver: Deliver = Deliver()
    retry: Retry = Retry()
    dns: Dns = Dns()
    route: tuple[StaticRoute, ...] = ()
    metrics: Metrics = Metrics()
    log: Log = Log()
    check: Check = Check()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if any(port.tls != "none" for port in self.listen) and not self.tls.certificate:
            raise ValueError("a listen has tls, which needs a certificate; name its file in [tls]")
        if self.tls.key and not self.tls.certificate:
            raise ValueError("tls.key is set but no tls.certificate; name both, or none")
        _once_each("listen has", (f"{port.address} port {port.port}" for port in self.listen))
        _once_each("the routes name", (domain for route in self.route for domain in route.domains))
        return self
