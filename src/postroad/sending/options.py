"""The options of `send`: checked where they are written, not when the first message goes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.words.bounds import Bounds, count, require, require_given, require_kinds, require_lists
from postroad.words.bounds import check as check_bounds
from postroad.words.inputs import InputError, about, shown
from postroad.words.names import Unreadable, parse_address, parse_destination
from postroad.words.trace import Listener, nobody

if TYPE_CHECKING:
    from postroad.words.names import Address

SMTPS_PORT = 465
_PORT = count(65_535, needed=True)
_BOUNDS = {"port": _PORT, "https_port": _PORT, "timeout_s": Bounds(above=True)}
_UNPROTECTED = ("auto", "off", "opportunistic", "dane")


@dataclass(frozen=True, slots=True)
class SendOptions:
    """The options of `send` and `Client`: how they find the servers and talk to them. All have defaults.

    Time and place:
        timeout_s: seconds for the whole call, from the first DNS query to the last reply. What is not done by then is
            deferred. None: as long as RFC 5321 gives each step, which is up to ten minutes for one.
        source: addresses of this machine to connect from, one of each IP version. Empty: the system chooses.
        families: IP versions to use, the preferred one first: (6, 4), (4,) or (6,).
        hostname: the name that EHLO gives. Empty: this machine's full name.

    A server that relays all mail, in place of the exchangers of each domain:
        smarthost: `HOST` or `HOST:PORT`, as in "smtp.example.net:587".
        login: (user, password) for the smarthost; the password is sent over verified TLS only.
        implicit_tls: whether TLS begins at once. None: on port 465 it does, on others STARTTLS is used.

    Protection:
        tls: what a connection has to be: auto (as the domain publishes by DANE and MTA-STS), off, opportunistic,
            encrypt, dane, dane-only or verify. None: verify with a login, else auto.
        tls_names: with verify, the certificate must be valid for one of these names, not for the host's.
        authorities: a PEM file of those to trust. None: this machine's.
        require_tls: the message goes over proven connections only, to hosts that offer REQUIRETLS (RFC 8689), and
            DNSSEC or an MTA-STS policy has to vouch for those.
        dkim_key: a file with a private key that signs the message.
        dkim_domain: the domain it signs for. Empty: that of From.
        dkim_selector: where the public key is found. Empty: the name of the file without its ending.

    How exchangers are found:
        resolvers: name servers as `ADDRESS` or `ADDRESS:PORT`. Empty: those of this machine.
        procedure: rfc5321, rfc2821, rfc1123 or rfc974.
        seed: of the draw among equal exchangers, to repeat a choice. None: a new one for each message.
        own: names and addresses of this host, besides its full name: mail is never sent to itself.

    Tests:
        zones: zone files that answer in place of DNS.
        port: of the exchangers. Another than 25 makes loopback addresses targets.
        https_port: of MTA-STS policies.
        listener: called with each event of a delivery as it happens. What it raises stops no mail: the event loop
            logs it, as it does for any callback.
    """

    zones: Sequence[str | Path] = ()
    resolvers: Sequence[str] = ()
    procedure: str = "rfc5321"
    seed: int | None = None
    own: Sequence[str] = ()
    port: int = 25
    hostname: str = ""
    tls: str | None = None
    authorities: str | Path | None = None
    https_port: int = 443
    require_tls: bool = False
    dkim_key: str | Path | None = None
    dkim_selector: str = ""
    dkim_domain: str = ""
    listener: Listener = field(default=nobody)
    timeout_s: float | None = None
    source: Sequence[str] = ()
    families: Sequence[int] = (6, 4)
    smarthost: str = ""
    login: tuple[str, str] | None = field(default=None, repr=False)
    implicit_tls: bool | None = None
    tls_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        require_lists(self, zones=(str, Path), resolvers=(str,), own=(str,), source=(str,), tls_names=(str,))
        require_lists(self, families=(int,))
        require_kinds(self, seed=(int,), authorities=(str, Path), dkim_key=(str, Path), tls=(str,))
        require_kinds(self, implicit_tls=(bool,), login=(tuple, list))
        require_given(self, procedure=(str,), hostname=(str,), dkim_selector=(str,), dkim_domain=(str,))
        require_given(self, require_tls=(bool,), smarthost=(str,))
        check_bounds(self, _BOUNDS)
        if not callable(self.listener) or iscoroutinefunction(self.listener):
            raise InputError(f"listener: {shown(self.listener)} is not a plain function; write one that takes an event")
        _check_words(self)
        _check_servers(self)
        _check_networks(self)
        _check_smarthost(self)
        if self.dkim_key is None and (self.dkim_selector or self.dkim_domain):
            raise InputError("dkim_selector and dkim_domain are for dkim_key, which is missing; add it")
        if self.require_tls and self.tls == "off":
            raise InputError('require_tls=True and tls="off" cannot be combined: leave one out')

    @property
    def sources(self) -> tuple[Address, ...]:
        """The addresses to connect from."""
        return tuple(address for address in map(parse_address, self.source) if address)

    @property
    def demand(self) -> str:
        """What a connection has to be, if nothing is said: a password is never sent to somebody unknown."""
        return self.tls or ("verify" if self.login else "auto")

    @property
    def relay_host(self) -> tuple[str | Address, int | None]:
        """The smarthost and its port, None for the usual one.

        Raises:
            InputError: it cannot be read.

        """
        from postroad.config import read_place  # noqa: PLC0415  # only where there is one

        with about("smarthost"):
            try:
                return read_place(self.smarthost)
            except InputError:
                raise
            except ValueError as problem:
                raise InputError(str(problem)) from None

    @property
    def begins_with_tls(self) -> bool:
        """Whether connections begin with the handshake (RFC 8314 section 3.3)."""
        if self.implicit_tls is not None:
            return self.implicit_tls
        return bool(self.smarthost) and self.tls != "off" and self.relay_host[1] == SMTPS_PORT


def chosen(options: SendOptions | None) -> SendOptions:
    """The options given, else the usual ones.

    Raises:
        InputError: it is something else.

    """
    require("options", options, SendOptions)
    return options or SendOptions()


def _check_words(options: SendOptions) -> None:
    if options.hostname and isinstance(name := parse_destination(options.hostname), Unreadable):
        raise InputError(f"hostname: {name}")
    if options.tls is not None or options.procedure != "rfc5321":
        from postroad.build import build_override, build_policy  # noqa: PLC0415  # they know which there are

        build_override(options.demand)
        build_policy(options.procedure)


def _check_servers(options: SendOptions) -> None:
    if not options.resolvers:
        return
    from postroad.dns import parse_server  # noqa: PLC0415  # only where there is one

    for text in options.resolvers:
        if isinstance(server := parse_server(text), Unreadable):
            raise InputError(f"resolvers: {server}")


def _check_networks(options: SendOptions) -> None:
    unreadable = [text for text in options.source if parse_address(text) is None]
    if unreadable:
        raise InputError(f'source: {unreadable[0]!r} is not an IP address; write one of this machine, as ["192.0.2.1"]')
    if not options.families or not set(options.families) <= {4, 6}:
        raise InputError(f"families: {tuple(options.families)} are not IP versions; write (6, 4), (4,) or (6,)")
    for name, versions in (("source", [each.version for each in options.sources]), ("families", options.families)):
        if twice := _twice(versions):
            raise InputError(f"{name} has IPv{twice} twice; give one of each IP version")


def _twice(versions: Iterable[int]) -> int | None:
    return next((each for each, times in Counter(versions).items() if times > 1), None)


def _check_smarthost(options: SendOptions) -> None:
    if options.smarthost:
        options.relay_host  # noqa: B018  # it says what is wrong
    for name in ("login", "implicit_tls"):
        if getattr(options, name) is not None and not options.smarthost:
            raise InputError(f"{name} is for a smarthost, which is missing; add it: a password goes to no other host")
    if options.tls_names and options.demand != "verify":
        raise InputError('tls_names is only used with tls="verify"; write that, or leave tls_names out')
    if options.implicit_tls and options.tls == "off":
        raise InputError('implicit_tls=True and tls="off" cannot be combined: leave one out')
    if options.login is None:
        return
    if len(options.login) != 2 or not all(isinstance(each, str) and each for each in options.login):
        raise InputError('login: write a user and a password, as ("user", "password")')
    if options.tls in _UNPROTECTED:
        raise InputError(f'login sends a password, which TLS must protect; write tls="verify", not "{options.tls}"')
