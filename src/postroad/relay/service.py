"""A relay as a service: signals, systemd, and the settings file read again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from postroad.build import open_spool
from postroad.config import node_of
from postroad.net import Endpoint, NetError
from postroad.relay.deliverer_settings import DelivererSettings
from postroad.relay.journal import style_of, write_stderr
from postroad.relay.listeners import RelayListeners, Write, caught, open_listeners, tune
from postroad.relay.notices import Notices
from postroad.relay.process import Relay
from postroad.relay.reload import changed, waiting
from postroad.relay.settings import relay_settings, resolver_of
from postroad.relay.split import Split
from postroad.spool import SpoolError
from postroad.words.inputs import InputError
from postroad.words.trace import Event

if TYPE_CHECKING:
    from postroad.config import Config
    from postroad.relay.metrics import Metrics
    from postroad.spool.postgres import PostgresSpool
    from postroad.spool.sqlite import SqliteSpool

FIRST_FD = 3  # systemd's first socket, sd_listen_fds(3)


async def serve(load: Callable[[], Config], write: Write = write_stderr, *, is_split: bool = False) -> None:
    """Run a relay until SIGTERM or SIGINT; SIGHUP has `load` read the settings again. `write` takes the log.

    If `is_split`, another process delivers what this one receives.

    Raises:
        InputError: the settings, the spool or a port cannot be used.
        SystemExit: a bug has ended it; the log has it.

    """
    config = load()
    async with open_listeners(style_of(config.log), write) as listeners:
        try:
            await _serve(config, load, listeners, is_split=is_split)
        except InputError:
            raise
        except Exception as bug:  # noqa: BLE001  # a traceback on stderr could wait for a reader for ever
            listeners.tell(caught("the relay stops", bug))
            raise SystemExit(1) from None


async def _serve(config: Config, load: Callable[[], Config], listeners: RelayListeners, *, is_split: bool) -> None:
    settings, tell = relay_settings(config), listeners.tell
    async with AsyncExitStack() as ends:
        spool = await _open_spool(config)
        ends.push_async_callback(spool.close)
        for remark in spool.remarks:
            tell(Event("relay.spool.repaired", {"what": remark}))
        split = Split(DelivererSettings.of(config, settings), spool, tell) if is_split else None
        resolver = resolver_of(config)
        relay = Relay(settings, spool, resolver, tell, split)
        if config.metrics.listen:
            metrics = await _open_metrics(relay, listeners, Endpoint(*config.metrics.listen))
            ends.push_async_callback(metrics.close)
            tell(Event("relay.metrics.open", {"where": Endpoint(config.metrics.listen[0], metrics.port)}))
        stop = asyncio.Event()
        notices = Notices(tell)
        reloading = Reloading(config, load, RunningRelay(relay, split, notices), listeners)
        _on_signals(stop, reloading.begin)
        ends.push_async_callback(relay.close)
        if not await _is_done_before(stop, _open_ports(relay)):
            return
        for name in settings.aliases.missing:
            tell(
                Event("relay.alias.missing", {"name": name, "why": "its mail is refused; set an address in [aliases]"})
            )
        notices.begin(config, resolver)
        ends.callback(notices.close)
        tune()
        notify("READY=1")
        reloading.allow()
        await relay.wait(stop)
        reloading.forbid()
        notify("STOPPING=1")


@dataclass(frozen=True, slots=True)
class RunningRelay:
    """A relay with what goes by its settings besides."""

    relay: Relay
    split: Split | None
    notices: Notices


def keep_standard_descriptors() -> None:
    """Put /dev/null where stdin, stdout or stderr are closed: else a file or socket of ours gets what is written there.

    To be called before anything is opened.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it is given the lowest number that is free, which is this one


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


async def _is_done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether some work could be done before it is to stop; then it is given up."""
    doing, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    is_done = doing.done()
    for task in (doing, stopping):
        task.cancel()
    await asyncio.wait({doing, stopping})
    if is_done:
        doing.result()
    return is_done


async def _open_spool(config: Config) -> SqliteSpool | PostgresSpool:
    kept = config.spool
    try:
        node, reserve = node_of(config), kept.reserve
        return await open_spool(
            kept.place, node=node, history_s=kept.history, reserve=reserve, asynchronous=kept.asynchronous
        )
    except SpoolError as trouble:
        raise InputError(trouble.why) from None


async def _open_metrics(relay: Relay, listeners: RelayListeners, where: Endpoint) -> Metrics:
    from postroad.relay.metrics import Metrics  # noqa: PLC0415  # its library is loaded where it is used

    try:
        return await Metrics(relay, listeners.tell, lambda: listeners.lost_lines).open(where.address, where.port)
    except NetError as problem:
        raise InputError(f"{problem.why}; choose another address or port in [metrics]") from None


async def _open_ports(relay: Relay) -> None:
    try:
        await relay.open(inherited_sockets())
    except NetError as problem:
        hint = (
            "stop the program that uses it, or choose another port in [[listen]]; ports below 1024 need root or "
            "CAP_NET_BIND_SERVICE"
        )
        raise InputError(f"{problem.why}: {hint}") from None


def _on_signals(stop: asyncio.Event, reload: Callable[[], None]) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python has it: a log that nobody reads is no reason to end
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)


class Reloading:
    """The reload of the settings: if they are wrong the old ones stay, and the log says why.

    Only while the relay is open, from `allow` to `forbid`: what is asked before waits, what is asked later is not done.
    """

    def __init__(
        self, config: Config, load: Callable[[], Config], running: RunningRelay, listeners: RelayListeners
    ) -> None:
        self._started = self._config = config
        self._load = load
        self._running = running
        self._listeners = listeners
        self._turn = asyncio.Lock()
        self._is_allowed = asyncio.Event()
        self._is_over = False
        self._tasks: set[asyncio.Task[None]] = set()

    def allow(self) -> None:
        """The relay is open."""
        self._is_allowed.set()

    def forbid(self) -> None:
        """The relay ends: one that is under way is the last."""
        self._is_over = True

    def begin(self) -> None:
        """Do it, after what may be under way."""
        task = asyncio.get_running_loop().create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        await self._is_allowed.wait()
        async with self._turn:
            if self._is_over:
                return
            notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                await self._reload()
            except InputError as problem:
                self._listeners.tell(Event("relay.reload.failed", {"why": str(problem)}))
            except NetError as problem:
                hint = "nothing has changed; restart the relay if the new port overlaps one that is open"
                self._listeners.tell(Event("relay.reload.failed", {"why": f"{problem.why}: {hint}"}))
            finally:
                notify("READY=1")

    async def _reload(self) -> None:
        config, it = self._load(), self._running
        settings, resolver = relay_settings(config), resolver_of(config)
        await it.relay.reload(settings, resolver)
        if it.split:
            it.split.configure(DelivererSettings.of(config, settings))
        it.notices.reload(config, resolver)
        self._listeners.journal.style = style_of(config.log)
        wait = waiting(self._started, config) + ["listen"] * (it.relay.settings.listen != settings.listen)
        facts = {"changed": changed(self._config, config), "needs_restart": wait}
        self._config = config
        self._listeners.tell(Event("relay.reload.complete", {key: value for key, value in facts.items() if value}))
