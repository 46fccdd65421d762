"""A relay as a service: signals, systemd, and the settings file read again."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postroad.app import InputError, build_resolver
from postroad.dns import Resolver
from postroad.net import Endpoint, NetError
from postroad.relay.journal import Journal
from postroad.relay.process import Relay
from postroad.relay.settings import relay_settings
from postroad.spool import SpoolError
from postroad.spool.sqlite import SqliteSpool
from postroad.words.names import Address
from postroad.words.trace import Event, Listener

if TYPE_CHECKING:
    from postroad.config import Config
    from postroad.relay.metrics import Metrics

READY = "ready"
FIRST_FD = 3  # systemd's first socket, sd_listen_fds(3)


@dataclass(frozen=True, slots=True)
class Place:
    """Which relay process this is: the only one, or the n-th of several that share ports and spool."""

    number: int = 0  # 0: the only one

    @property
    def node(self) -> str:
        """Its name in the spool."""
        return f"relay-{self.number}" if self.number else "relay"


async def serve(load: Callable[[], Config], place: Place) -> None:
    """Run a relay until SIGTERM or SIGINT; SIGHUP has `load` read the settings again.

    Raises:
        InputError: the settings, the spool or a port cannot be used.

    """
    config = load()
    settings = relay_settings(config)
    journal = Journal(sys.stderr, config.log.format, time.time, config.log.level)
    listeners: list[Listener] = [journal]

    def tell(event: Event) -> None:
        for listener in listeners:
            listener(event)

    async with AsyncExitStack() as ends:
        spool = await _open_spool(config, place)
        ends.push_async_callback(spool.close)
        relay = Relay(settings, spool, _resolver(config), tell)
        if config.metrics.listen:
            address, port = config.metrics.listen
            metrics = await _open_metrics(relay, address, port + max(0, place.number - 1))
            ends.push_async_callback(metrics.close)
            listeners.append(metrics)
            tell(Event("relay.metrics.open", {"where": Endpoint(address, metrics.port)}))
        stop = asyncio.Event()
        _on_signals(stop, lambda: _reload(load, relay, tell))
        ends.push_async_callback(relay.close)
        await _open_ports(relay, shares_ports=place.number > 0)
        for name in settings.aliases.missing if place.number <= 1 else ():
            tell(
                Event("relay.alias.missing", {"name": name, "why": "its mail is refused: name an address in [aliases]"})
            )
        _open_more_files()
        _tune()
        _say_ready(place)
        await relay.wait(stop)
        notify("STOPPING=1")


def _tune() -> None:
    """Collect garbage less often: thousands of parcels in memory are none, and looking at them costs a tenth.

    And let the spool's thread have its turn sooner than after 5 ms: everyone who waits for a commit waits for that.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    sys.setswitchinterval(0.001)


def _open_more_files() -> None:
    """As many connections as the system lets us have: 1024, the usual soft limit, is for programs that use select."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say_ready(place: Place) -> None:
    """To systemd, or to the process that watches over all of them."""
    if place.number:
        print(READY, flush=True)  # noqa: T201  # stdout is a pipe to it
    else:
        notify("READY=1")


def notify(state: str) -> None:
    """Tell systemd how we are (sd_notify(3)), if it asked."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, suppress(OSError):  # unheard is no reason to end
        sock.connect("\0" + where[1:] if where.startswith("@") else where)
        sock.sendall(state.encode())


def inherited_sockets() -> list[socket.socket]:
    """The sockets systemd opened for us (sd_listen_fds(3)), in the order of its unit; none if it did not."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    sockets = [socket.socket(fileno=FIRST_FD + number) for number in range(count)]
    for sock in sockets:
        sock.setblocking(False)  # noqa: FBT003  # the name says it
    return sockets


async def _open_spool(config: Config, place: Place) -> SqliteSpool:
    try:
        kept = config.spool
        return await SqliteSpool.open(kept.path, node=place.node, history_s=kept.history, reserve=kept.reserve)
    except SpoolError as trouble:
        raise InputError(trouble.why) from None


def _resolver(config: Config) -> Resolver:
    return build_resolver(config.dns.zones, config.dns.resolvers)


async def _open_metrics(relay: Relay, address: Address, port: int) -> Metrics:
    from postroad.relay.metrics import Metrics  # noqa: PLC0415  # its library is loaded where it is used

    try:
        return await Metrics(relay).open(address, port)
    except NetError as problem:
        raise InputError(f"{problem.why}: name another address or port in [metrics]") from None


async def _open_ports(relay: Relay, *, shares_ports: bool) -> None:
    try:
        await relay.open(inherited_sockets(), shares_ports=shares_ports)
    except NetError as problem:
        hint = "stop what has it, or name another port in [[listen]]; ports below 1024 want root or a capability"
        raise InputError(f"{problem.why}: {hint}") from None


def _on_signals(stop: asyncio.Event, reload: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)


def _reload(load: Callable[[], Config], relay: Relay, tell: Listener) -> None:
    """Take the settings of the file as it is now; if they are wrong the old ones stay, and the log says why."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    try:
        config = load()
        relay.reload(relay_settings(config), _resolver(config))
        tell(Event("relay.reload.complete", {}))
    except InputError as problem:
        tell(Event("relay.reload.failed", {"why": str(problem)}))
    notify("READY=1")
