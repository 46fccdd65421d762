"""`postroad lab up`: the lab itself, until it is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from postroad.build import zone_of, zone_resolver
from postroad.cli import screen
from postroad.files import read_text
from postroad.lab import (
    CertificateKind,
    Fault,
    Lab,
    MailFolder,
    NoExchangerError,
    Order,
    Received,
    attend_lab,
    control_socket,
    parse_fault,
    usual_socket,
)
from postroad.net import NetError
from postroad.words.inputs import InputError, readable
from postroad.words.names import Unreadable, parse_domain
from postroad.words.trace import Event, Listener

LOWEST_FREE = 1024  # net.ipv4.ip_unprivileged_port_start, unless it is set lower


@dataclass(frozen=True, slots=True)
class LabWishes:
    """The options of `lab up`."""

    zones: list[Path]
    port: int
    dns_port: int
    order: str
    faults: list[str]
    tls: bool
    certificates: list[str]
    policies: list[str]
    save: Path | None
    maildir: bool
    show: bool
    verbose: bool
    control: Path | None
    json: bool


async def keep_up(wishes: LabWishes) -> None:
    """Bring a lab up, and keep it so until SIGINT or SIGTERM, or until its terminal is closed."""
    over = asyncio.Event()
    has_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # nohup(1)
    for name in (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if has_terminal else [])):
        asyncio.get_running_loop().add_signal_handler(name, over.set)
    watched = screen.Watched(_events(wishes), over.set)
    arrivals = _Arrivals(wishes, screen.Watched(_arrived(wishes), over.set))
    lab = _lab(wishes, watched, arrivals)
    arrivals.lab = lab
    try:
        async with lab, _controlled(lab, wishes.control) as socket:
            _show_up(lab, socket, json=wishes.json)
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()
    except NetError as problem:
        _fail(problem, wishes)
    watched.end()
    arrivals.show.end()


def _lab(wishes: LabWishes, watched: screen.Watched, arrivals: _Arrivals) -> Lab:
    if wishes.order not in set(Order):
        raise InputError(f"there is no order {wishes.order!r}; choose one of {', '.join(Order)}")
    if wishes.maildir and not wishes.save:
        raise InputError("--maildir only applies to --save DIR; add --save DIR")
    loaded = zone_resolver(wishes.zones or [zone_of("t1")])
    usual, certificates = _certificates(wishes.certificates)
    try:
        return Lab(
            loaded.zone_data,
            port=wishes.port,
            dns_port=wishes.dns_port,
            order=wishes.order,
            faults=_faults(wishes.faults),
            tls=usual or wishes.tls,
            certificates=certificates,
            policies=_policies(wishes.policies),
            listener=watched,
            keep=False,
            save=arrivals,
        )
    except NoExchangerError as problem:
        raise InputError(f"the lab cannot be built: {problem}") from None


def _fail(problem: NetError, wishes: LabWishes) -> None:
    cause = problem.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    ports = [f"--{name}" for name, port in (("dns-port", wishes.dns_port), ("port", wishes.port)) if port] or ["--port"]
    if number in (errno.EACCES, errno.EPERM):
        low = f"a port below {LOWEST_FREE} needs root, or: sysctl net.ipv4.ip_unprivileged_port_start=25"
        screen.fail(f"{problem.why}; {low}; or choose another {' and '.join(ports)}")
    screen.fail(f"{problem.why}; choose another {' or '.join(ports)}", screen.TEMPORARY)


class _Arrivals:
    """What becomes of each message: it is saved, and shown once that is done."""

    lab: Lab

    def __init__(self, wishes: LabWishes, show: screen.Watched) -> None:
        self.show = show
        self._is_shown = wishes.show
        self._folder: MailFolder | None = None
        if wishes.save:
            self._folder = MailFolder(wishes.save, maildir=wishes.maildir, named=self._name)
            self._folder.open()

    def __call__(self, received: Received) -> None:
        place = self._folder.keep(received) if self._folder else None
        if self._is_shown:
            facts = {"received": received, "exchanger": self._name(received), "file": place}
            self.show(Event("lab.message", facts))

    def _name(self, received: Received) -> str:
        return self.lab.places.called(received.address)


@contextlib.asynccontextmanager
async def _controlled(lab: Lab, wished: Path | None) -> AsyncIterator[Path]:
    path = wished or usual_socket(lab)
    with control_socket(path) as sock:
        server = await attend_lab(lab, sock)
        try:
            yield path
        finally:
            server.close()


def _faults(texts: list[str]) -> Mapping[str, Fault]:
    faults: dict[str, Fault] = {}
    for text in texts:
        where, equals, what = text.rpartition("=")
        if not equals or not where:
            raise InputError(f"--fault {text!r}: write NAME=FAULT or ADDRESS=FAULT, such as mail1=refuse")
        fault = readable(parse_fault(what))
        if faults.setdefault(where, fault) != fault:
            raise InputError(f"--fault: {where} has two faults, {faults[where]} and {fault}; give one of them")
    return faults


def _certificates(texts: list[str]) -> tuple[CertificateKind | None, dict[str, CertificateKind]]:
    """The kind for all, if one is given, and those of single names and addresses."""
    usual: CertificateKind | None = None
    of: dict[str, CertificateKind] = {}
    for text in texts:
        where, equals, what = text.rpartition("=")
        if what not in set(CertificateKind) or (equals and not where):
            kinds = ", ".join(CertificateKind)
            raise InputError(f"--certificate {text!r}: write KIND or NAME=KIND, where KIND is one of {kinds}")
        kind = CertificateKind(what)
        if not where:
            usual = kind
        elif of.setdefault(where, kind) != kind:
            raise InputError(f"--certificate: {where} has two kinds, {of[where]} and {kind}; give one of them")
    return usual, of


def _policies(texts: list[str]) -> dict[str, str]:
    policies: dict[str, str] = {}
    for each in texts:
        domain, equals, file = each.partition("=")
        if not equals:
            raise InputError(f"--policy {each!r}: write DOMAIN=FILE, such as example.com=mta-sts.txt")
        text = read_text(Path(file))
        if isinstance(text, Unreadable):
            raise InputError(f"--policy {each!r}: {text.why}")
        policies[readable(parse_domain(domain))] = text
    return policies


def _show_up(lab: Lab, control: Path, *, json: bool) -> None:
    if json:
        from postroad.views.json import up_shape

        screen.print_line(up_shape(lab, control))
        return
    host, dns_port = lab.resolver_address
    screen.say(f"name server  {host}:{dns_port}")
    for address, each in lab.exchangers.items():
        shown = f"  certificate {lab.certificates[address]}" if address in lab.certificates else ""
        screen.say(f"exchanger    {address}:{lab.port}  {lab.places.called(address)}  {each.fault}{shown}")
    for written, place in lab.moved.items():
        screen.say(f"moved        {written} is served at {place}")
    for domain in lab.web.policies:
        screen.say(f"policy       https://mta-sts.{domain}:{lab.web.port}/.well-known/mta-sts.txt")
    to_lab = f"--resolver {host}:{dns_port} --port {lab.port}"
    domain = next(iter(lab.nameserver.zones.domains), "example.com")
    if lab.certificates:
        from postroad.lab import authority_file

        to_lab += f" --authorities {authority_file()}"
        to_lab += f" --https-port {lab.web.port}" if lab.web.policies else ""
        screen.say(f"try          postroad tls {domain} {to_lab}")
    screen.say(f"try          postroad send --from me@example.net --to user@{domain} {to_lab} FILE")
    if lab.exchangers:
        screen.say(f"change it    postroad lab fault {lab.places.called(list(lab.exchangers)[-1])} r450")
    screen.say(f"control      {control}")
    screen.say("stop it with Ctrl-C")


def _events(wishes: LabWishes) -> Listener:
    """What shows the steps; with --show only what was not saved, and faults that change."""

    def show(event: Event) -> None:
        if wishes.show and event.name not in {"lab.smtp.unsaved", "lab.fault.set"}:
            return
        if wishes.json:
            screen.print_line({"event": event.name, **event.fields})
        else:
            screen.say(f"{event.name}  " + "  ".join(f"{name}={value}" for name, value in event.fields.items()))

    return show


def _arrived(wishes: LabWishes) -> Listener:
    def show(event: Event) -> None:
        received, exchanger, file = (event.fields[name] for name in ("received", "exchanger", "file"))
        if wishes.json:
            from postroad.views.json import arrival_shape

            shape = arrival_shape(received, exchanger, file, header=wishes.verbose)
            screen.print_line({"event": event.name, **shape})
            return
        from postroad.views.text import arrivals

        screen.say(arrivals.summary(received, exchanger) + (f"  ({file})" if file else ""))
        for name, value in arrivals.fields(received.content) if wishes.verbose else ():
            screen.say(f"    {name}: {value}")

    return show
