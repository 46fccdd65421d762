"""Settings that are valid but probably not meant, or cannot work: one sentence each, with how to fix it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv6Address
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.config.identity import aliases_of, hostname_of
from postroad.config.model import SMTP_PORT, SMTPS_PORT, Config, ListenTable, RouteTable
from postroad.config.rewrite import rewriting_of
from postroad.dns import parse_server, system_servers
from postroad.files import plain_octets
from postroad.net import host_name, interface_addresses
from postroad.rewrite import SenderIdentity
from postroad.routing import Own
from postroad.words.inputs import InputError, readable
from postroad.words.names import Unreadable
from postroad.words.phrasebook import listing

if TYPE_CHECKING:
    from postroad.sign import SigningKey

SUBMISSION_PORT = 587
_CAP_NET_BIND_SERVICE = 1 << 10  # capabilities(7)
_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_STATUS = Path("/proc/self/status")


def warnings(config: Config, now: datetime | None = None) -> Iterator[str]:
    """What works, but is hardly meant, and what cannot work though the relay runs."""
    for network in config.relay.networks:
        if network.prefixlen == 0:
            yield f"relay.networks has {network}: anyone who can connect may relay mail to anyone"
    if not (config.hostname or host_name()):
        yield "hostname: this machine has no full name, and many servers refuse localhost.localdomain; set it"
    for number, port in enumerate(config.listen, 1):
        yield from (f"listen[{number}].{doubt}" for doubt in _of_port(port, config))
    yield from _of_users(config)
    yield from _of_certificate(config, now or datetime.now(UTC))
    yield from _of_signing(config, (now or datetime.now(UTC)).timestamp())
    yield from _of_aliases(config)
    yield from _of_senders(config)
    yield from _of_name_servers(config)
    yield from _of_tls_reports(config)
    own = _own(config)
    for number, route in enumerate(config.route, 1):
        yield from (f"route[{number}]: {doubt}" for doubt in _of_route(route, own))
    yield from past_exceptions(config, date.today())  # noqa: DTZ011  # the day where the settings were written
    yield from _of_names(config)


def past_exceptions(config: Config, today: date) -> Iterator[str]:
    """The routes that were to be exceptions up to a day which has passed. They are still in force."""
    for number, route in enumerate(config.route, 1):
        if route.until and today > route.until:
            yield f"route[{number}]: until = {route.until} has passed; leave this exception out, or set a later day"


def _of_port(port: ListenTable, config: Config) -> Iterator[str]:
    if port.tls == "implicit" and port.port in (SMTP_PORT, SUBMISSION_PORT):
        yield f'tls: at port {port.port} clients begin without TLS, so none can connect; write "starttls", or port 465'
    if port.tls != "implicit" and port.port == SMTPS_PORT:
        yield 'tls: at port 465 clients begin with TLS, so none can connect; write "implicit", or port 587'
    if config.relay.users and port.tls == "none" and not port.address.is_loopback:
        yield "tls is none: no user can authenticate there, because the password could be read"
    if not _may_bind(port.port):
        yield (
            f"port: this user may not open port {port.port}; start the relay with CAP_NET_BIND_SERVICE, as"
            " docs/examples/postroad.service does, or use a port from 1024 up"
        )


def _of_users(config: Config) -> Iterator[str]:
    relay = config.relay
    in_clear = relay.auth_in_clear_on_loopback and any(port.address.is_loopback for port in config.listen)
    if relay.users and not in_clear and all(port.tls == "none" for port in config.listen):
        yield 'relay.users: no port has TLS, so nobody can authenticate; write tls = "starttls" for one of [[listen]]'
    if relay.users:
        yield from _of_secret("relay.users", relay.users)
    if config.tls.key or config.tls.certificate:
        yield from _of_secret("tls.key", config.tls.key or config.tls.certificate)


def _of_secret(key: str, path: Path | None) -> Iterator[str]:
    """A file that is nobody else's business."""
    with suppress(OSError):
        mode = path.stat().st_mode if path else 0
        for bit, what in ((0o002, "changed"), (0o004, "read")):
            if mode & bit:
                yield f"{key}: {path} can be {what} by every user of this machine; chmod o-rwx {path}"
                return


def _of_certificate(config: Config, now: datetime) -> Iterator[str]:
    path = config.tls.certificate
    if path is None:
        return
    if all(port.tls == "none" for port in config.listen):
        yield 'tls.certificate: no port uses it; write tls = "starttls" or "implicit" in [[listen]]'
    from cryptography import x509  # noqa: PLC0415  # heavy, and only where there is a certificate

    octets = plain_octets(path)
    with suppress(ValueError):  # what cannot be read at all is a problem, not a doubt
        certificate = x509.load_pem_x509_certificates(b"" if isinstance(octets, Unreadable) else octets)[0]
        if certificate.not_valid_after_utc < now:
            yield f"tls.certificate: {path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; renew it"
        if certificate.not_valid_before_utc > now:
            yield f"tls.certificate: {path} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"


def _of_signing(config: Config, now: float) -> Iterator[str]:
    folder, valid_s = config.dkim.keys, config.dkim.valid
    if 0 < valid_s <= config.retry.expiry:
        yield "dkim.valid: mail may be retried until retry.expiry; write a longer time, or 0 for signatures without end"
    if folder is None:
        return
    from postroad.sign import SigningKey, read_key  # noqa: PLC0415  # as above

    files = [(path, plain_octets(path)) for path in sorted(folder.glob("*/*.pem"))]
    keys = [
        (path, read_key(octets, path.parent.name, path.stem)) for path, octets in files if isinstance(octets, bytes)
    ]
    yield from _of_keys([(path, key) for path, key in keys if isinstance(key, SigningKey)], now)
    if os.access(folder, os.R_OK | os.X_OK) and not any(map(_may_be_key, (*folder.glob("*"), *folder.glob("*/*")))):
        yield f"dkim.keys: {folder} has no keys, so nothing is signed; a key is DOMAIN/SELECTOR.pem in that folder"


def _of_keys(keys: list[tuple[Path, SigningKey]], now: float) -> Iterator[str]:
    from postroad.sign import GOOD_BITS, MOST_BITS, KeyState  # noqa: PLC0415  # as above

    for path, key in keys:
        if 0 < key.bits < GOOD_BITS:
            yield f"dkim.keys: {path} has {key.bits} bits, which some receivers ignore; use a key of 2048 (RFC 8301)"
        elif key.bits > MOST_BITS:
            why = "each signature holds up the relay, and receivers need not accept it"
            yield f"dkim.keys: {path} has {key.bits} bits: {why}; use a key of 2048"
    for folder in sorted({path.parent for path, _ in keys}):
        there = [key for path, key in keys if path.parent == folder]
        if all(key.not_before == inf or key.state(now) is KeyState.RETIRED for key in there):
            how = "delete the line Not-Before of one, or run: postroad dkim rotate"
            yield f"dkim.keys: no key in {folder} signs, now or later (Not-Before: never, or past Not-After); {how}"


def _may_be_key(path: Path) -> bool:
    """Whether it is a key, or something in its place, which is an error that says more."""
    return (
        not (path.is_dir() and path.suffix != ".pem") and path.suffix not in (".txt", ".zone") and path.name[0] != "."
    )


def _of_senders(config: Config) -> Iterator[str]:
    tables = {"relay.senders": config.relay.senders, "rewrite.fixed": config.rewrite.fixed}
    for name, each in ((f"{name}[{at}]", each) for name, some in tables.items() for at, each in enumerate(some, 1)):
        if each.users and not config.relay.users:
            yield f"{name}.users: nobody can log in, because relay.users is not set"
    rewriting = rewriting_of(config.rewrite, config.relay.senders, hostname_of(config))
    for number, fixed in enumerate(config.rewrite.fixed, 1):
        if rewriting and fixed.networks:
            client = SenderIdentity(fixed.networks[0][0])
            if (rewriter := rewriting.of(client)) and rewriter.refusal(fixed.sender):
                yield f"rewrite.fixed[{number}]: [[relay.senders]] refuses {fixed.sender} from {client.address}; add it"


def _of_aliases(config: Config) -> Iterator[str]:
    with suppress(InputError):  # a problem, and shown as one
        for name in aliases_of(config).missing:
            yield f'aliases.{name}: mail for {name} is refused; set who gets it, such as {name} = "ops@example.com"'


def _of_name_servers(config: Config) -> Iterator[str]:
    servers = (readable(parse_server(each)) for each in config.dns.resolvers)
    far = [str(server) for server in servers if not server.is_here]
    if config.dns.trust_ad or config.dns.zones:
        return
    yield from _of_dane_only(config)
    if far:
        it_is, answers = ("is", "it answers") if len(far) == 1 else ("are", "they answer")
        yield (
            f"dns.resolvers: {listing(far)} {it_is} not on this machine, so DANE is not used for what {answers}; run a"
            " validating resolver here, or set dns.trust_ad = true if nobody can change anything on the way"
        )


def _of_dane_only(config: Config) -> Iterator[str]:
    """Mail that is never sent without DANE, where no answer can be believed."""
    named = [readable(parse_server(each)) for each in config.dns.resolvers] or system_servers()
    if not any(server.is_here for server in named):
        for key in config.dane_only_keys:
            yield (
                f'{key}: "dane-only" sends none of this mail: no name server is on this machine, so DNSSEC vouches'
                " for nothing, and all of it is returned at retry.expiry; run a validating resolver here, set"
                ' dns.trust_ad = true if nobody can change anything on the way, or write "dane"'
            )


def _of_tls_reports(config: Config) -> Iterator[str]:
    it = config.tls_report
    if not it.enabled:
        if it.sender or it.contact or it.organization:
            yield "tls_report: enabled is false, so no reports are sent; write enabled = true, or leave the table out"
        return
    if not (it.sender or config.hostname or host_name()):
        yield 'tls_report.sender: reports have no domain; write an address, such as "tls-reports@example.com"'
    domain = str(it.sender.domain) if it.sender else hostname_of(config)
    folder = config.dkim.keys
    names = [domain, *_above(domain)] if config.dkim.subdomains else [domain]
    if folder is None or not any(any((folder / name).glob("*.pem")) for name in names):
        yield (
            f"tls_report: there is no DKIM key of {domain} in dkim.keys, and receivers must ignore reports without its"
            " signature; make one, or choose a sender at a domain that has one"
        )
    if config.deliver.tls == "off":
        yield 'tls_report: deliver.tls is "off", so there are no sessions to report on; leave enabled out'


def _above(domain: str) -> Iterator[str]:
    while domain := domain.partition(".")[2]:
        yield domain


def _of_route(route: RouteTable, own: Own) -> Iterator[str]:
    ports = {each.port or SMTP_PORT for each in route.static_hosts}
    if route.demand == "off" and SMTPS_PORT in ports:
        yield 'tls is "off", but port 465 begins with TLS: no mail gets through; leave tls out'
    if route.security == "starttls" and SMTPS_PORT in ports:
        yield 'security is "starttls", but port 465 begins with TLS; leave security out'
    if route.security == "tls" and not ports.isdisjoint((SMTP_PORT, SUBMISSION_PORT)):
        yield 'security is "tls", but ports 25 and 587 begin in the clear; leave security out'
    if route.auth and route.demand == "encrypt":
        yield 'tls = "encrypt" gives the password to whoever answers; write "verify", with ca_file if needed'
    if route.auth:
        yield from _of_secret("auth.password_file", route.auth.password_file)
    for each in route.static_hosts:
        port = each.port or SMTP_PORT
        if isinstance(each.host, IPv4Address | IPv6Address) and own.takes_mail_at(each.host, port):
            yield f"{each.host} port {port} is this relay: mail sent there would come back, so it is skipped"


def _of_names(config: Config) -> Iterator[str]:
    """Routes that nothing leads to, and patterns that are for one host where a provider has many."""
    from postroad.words.providers import provider_of  # noqa: PLC0415  # a list that most files do not need

    targets = {route.on_reject.route for route in config.route if route.on_reject}
    for number, route in enumerate(config.route, 1):
        if not (route.domains or route.exchangers or route.provider) and route.name not in targets:
            yield f'route[{number}]: no mail takes it: it has only a name, and no on_reject says route = "{route.name}"'
        for pattern in route.exchangers:
            provider = None if pattern.startswith(".") else provider_of(pattern)
            if provider and provider.kind == "one-mx" and pattern in provider.hosts and pattern.count(".") > 1:
                yield (
                    f"route[{number}].exchangers: {pattern} is one host; for those of {provider.name} below it write"
                    f' ".{pattern}" as well'
                )


def _own(config: Config) -> Own:
    listens = frozenset((port.address, port.port) for port in config.listen)
    addresses = frozenset(each for each in config.own if not isinstance(each, str))
    return Own(addresses=addresses, interfaces=interface_addresses(), listens=listens)


def _may_bind(port: int) -> bool:
    try:
        if port >= int(_UNPRIVILEGED.read_text()):
            return True
        effective = next(line for line in _STATUS.read_text().splitlines() if line.startswith("CapEff:"))
    except (OSError, ValueError, StopIteration):  # no Linux: who knows
        return port >= 1024 or os.geteuid() == 0
    return bool(int(effective.split()[1], 16) & _CAP_NET_BIND_SERVICE)
