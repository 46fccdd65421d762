"""A sender is watched in the reference situations: a message each, and every contact, question and report it makes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from postroad.dns import ZoneProblem, ZoneResolver, parse_zones
from postroad.gather import gather
from postroad.lab import Fault, Lab, Received, SynWatch
from postroad.scenarios.situations import HOME, HOME_ADDRESS, Situation, Slot, slots_of, zone_of_slots
from postroad.words.faults import Mode
from postroad.words.inputs import InputError
from postroad.words.names import Address, parse_address, parse_domain
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot
from postroad.words.trace import Event

SMTP_PORT, DNS_PORT = 25, 53
LOOK_S = 0.05
AT_ONCE = 32  # messages under way that nobody is silent to
FIRST_S = 60.0  # how long a daemon may take to begin
PERMANENT = frozenset({65, 67, 68, 69})  # sysexits.h: data, user, host, service; else it may work later
HOSTS = "hosts"  # beside the types of questions: how many hosts' addresses were asked for
MOST_SAID = 2000  # characters of what a command said


@dataclass(frozen=True, slots=True)
class TryOptions:
    """How a sender is tried: its command, the daemon behind it, and how long is waited for what."""

    command: tuple[str, ...]
    daemon: tuple[str, ...] = ()
    limit_s: float = 150.0
    settle_s: float = 5.0
    situations: tuple[Situation, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """One message: the numbers of the addresses that were contacted, in order, when, and how it ended.

    `result` is None where nobody knows: the limit came first. `asked` are the DNS questions of its domain by type, and
    HOSTS.
    """

    situation: Situation
    steps: tuple[str, ...]
    at_s: tuple[float, ...]
    result: Result | None
    taker: str | None
    asked: Mapping[str, int]
    asked_tls: bool = False
    status: int | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class TrySeen:
    """All messages, and what DNS said in each situation: with whose numbers the addresses are."""

    tried: tuple[Tried, ...]
    snapshots: Mapping[str, Snapshot]
    numbers: Mapping[str, Mapping[Address, str]]

    def of(self, name: str) -> list[Tried]:
        """The messages of a situation."""
        return [each for each in self.tried if each.situation.name == name]


@dataclass
class _Watch:
    """What is seen of one message while it is under way."""

    slot: Slot
    contacts: list[tuple[float, str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)
    asked_tls: bool = False
    taker: str | None = None
    is_returned: bool = False
    status: int | None = None
    has_ended: bool = False
    is_over: bool = False
    begun_at: float = 0.0
    last_at: float = 0.0
    said: str = ""

    def happens(self) -> float:
        """Now; something has happened."""
        self.last_at = time.monotonic()
        return self.last_at


TryProgress = Callable[[str, int, int], None]


def nobody(_name: str, _done: int, _all: int) -> None:
    """Nobody looks on."""


async def try_sender(options: TryOptions, progress: TryProgress = nobody) -> TrySeen:
    """Try a sender in every situation, in a network namespace of one's own.

    Raises:
        InputError: its command cannot be run.

    """
    slots = slots_of(options.situations)
    zones = parse_zones({"the lab": zone_of_slots(slots)})
    assert not isinstance(zones, ZoneProblem), zones  # noqa: S101  # it is ours
    stage = _Stage(options, slots, progress)
    faults = {slot.address(number): Fault(mode) for slot in slots for number, mode in slot.situation.faults.items()}
    watch = SynWatch(stage.contacted)
    lab = Lab(
        zones, port=SMTP_PORT, dns_port=DNS_PORT, moves=False, faults=faults, listener=stage.told, keep=False,
        save=stage.arrived,
    )  # fmt: skip
    watch.start()  # before the lab, whose blackholes make connections of their own
    try:
        async with lab, stage.daemon():
            await stage.send_all()
    finally:
        watch.stop()
    return await seen_in(slots, stage.results())


async def seen_in(slots: Sequence[Slot], tried: Iterable[Tried]) -> TrySeen:
    """What was seen, with what DNS says in each situation."""
    firsts: dict[str, Slot] = {}
    for slot in slots:
        firsts.setdefault(slot.situation.name, slot)
    zones = parse_zones({"the lab": zone_of_slots(list(firsts.values()))})
    assert not isinstance(zones, ZoneProblem), zones  # noqa: S101  # it is ours
    resolver = ZoneResolver(zones)
    snapshots = {name: await _snapshot(slot.domain, resolver) for name, slot in firsts.items()}
    return TrySeen(tuple(tried), snapshots, {name: slot.addresses for name, slot in firsts.items()})


async def _snapshot(domain: str, resolver: ZoneResolver) -> Snapshot:
    parsed: Any = parse_domain(domain)
    return replace(await gather(parsed, resolver), in_lab=True)


class _Stage:
    """The messages under way."""

    def __init__(self, options: TryOptions, slots: Sequence[Slot], progress: TryProgress) -> None:
        self._options = options
        self._watches = [_Watch(slot) for slot in slots]
        self._by_address = {
            address: (watch, number) for watch in self._watches for address, number in watch.slot.addresses.items()
        }
        self._by_domain = {watch.slot.domain: watch for watch in self._watches}
        self._by_sender = {watch.slot.sender: watch for watch in self._watches}
        self._progress = progress
        self._done = 0
        self._daemon: subprocess.Popen[bytes] | None = None

    def contacted(self, address: Address, port: int) -> None:
        """A connection was attempted."""
        if port == SMTP_PORT and address in self._by_address:
            watch, number = self._by_address[address]
            if watch.begun_at and not watch.is_over:
                watch.contacts.append((watch.happens(), number))

    def told(self, event: Event) -> None:
        """The lab has told something."""
        if event.name == "lab.dns.asked":
            name = event.fields["name"]
            domain = next((part for part in (name, name.partition(".")[2]) if part in self._by_domain), None)
            if domain:
                watch = self._by_domain[domain]
                where = "domain " if name == domain and event.fields["kind"] != "MX" else ""
                watch.asked[where + event.fields["kind"]] += 1
                watch.names |= {name} - {domain}
        elif (
            event.name == "lab.smtp.starttls"
            and (address := parse_address(event.fields["address"])) in self._by_address
        ):
            self._by_address[address][0].asked_tls = True

    def arrived(self, received: Received) -> None:
        """A message was taken: one of ours, or a report that one is returned."""
        if received.address == HOME_ADDRESS:
            to = [str(each.mailbox) for each in received.envelope.recipients]
            for watch in (self._by_sender[each] for each in to if each in self._by_sender):
                if received.envelope.reverse_path is None and b"\naction: delayed" not in received.content.lower():
                    watch.is_returned = True
                    watch.happens()
        elif received.address in self._by_address:
            watch, number = self._by_address[received.address]
            watch.happens()
            if watch.slot.situation.faults.get(number) is not Mode.DROP:
                watch.taker = number

    @contextlib.asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        """What has to run for the command to work."""
        if not self._options.daemon:
            yield
            return
        self._daemon = _started(self._options.daemon)
        try:
            yield
        finally:
            self._daemon.terminate()

    async def send_all(self) -> None:
        """Every message; those that somebody is silent to all at once, the others a few at a time."""
        few = asyncio.Semaphore(AT_ONCE)

        async def one(watch: _Watch) -> None:
            if watch.slot.situation.is_long:
                await self._send(watch)
            else:
                async with few:
                    await self._send(watch)
            self._done += 1
            self._progress(watch.slot.situation.name, self._done, len(self._watches))

        tasks = [asyncio.create_task(one(watch)) for watch in self._watches]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _send(self, watch: _Watch) -> None:
        to = f"user@{watch.slot.domain}"
        facts = {"to": to, "from": watch.slot.sender, "domain": watch.slot.domain}
        words = [_filled(word, facts) for word in self._options.command]
        watch.begun_at = watch.happens()
        with tempfile.TemporaryFile() as message, tempfile.TemporaryFile() as said:
            message.write(_message(watch.slot, to))
            message.seek(0)
            try:
                process = await asyncio.create_subprocess_exec(
                    *words, stdin=message, stdout=said, stderr=said, start_new_session=True
                )
            except OSError as problem:
                raise InputError(f"{words[0]}: {problem.strerror}; write a command that is there") from None
            try:
                await self._look(watch, process)
            finally:
                watch.is_over = True
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
            said.seek(0)
            watch.said = said.read(MOST_SAID).decode("utf-8", "replace")

    async def _look(self, watch: _Watch, process: asyncio.subprocess.Process) -> None:
        """Until it is over: the command has ended, and nothing more happens."""
        while not self._is_over(watch, time.monotonic()):
            await asyncio.sleep(LOOK_S)  # what is waited for is that nothing happens
            if process.returncode is not None and not watch.has_ended:
                watch.has_ended, watch.status = True, process.returncode
                watch.happens()

    def _is_over(self, watch: _Watch, now: float) -> bool:
        if now - watch.begun_at > self._options.limit_s:
            return True
        if not watch.has_ended:
            return False
        if watch.taker or watch.is_returned:
            return True
        quiet_s = now - watch.last_at
        if not self._options.daemon:
            return quiet_s > self._options.settle_s
        if self._daemon and self._daemon.poll() is not None:
            raise InputError(f"the daemon ended with status {self._daemon.returncode}; start it by hand to see why")
        if not watch.contacts:
            return quiet_s > max(FIRST_S, self._options.settle_s)
        return not watch.slot.situation.is_long and quiet_s > self._options.settle_s

    def results(self) -> list[Tried]:
        """What became of each message."""
        return [self._result(watch) for watch in self._watches]

    def _result(self, watch: _Watch) -> Tried:
        start = watch.contacts[0][0] if watch.contacts else 0.0
        return Tried(
            watch.slot.situation,
            tuple(number for _, number in watch.contacts),
            tuple(round(at - start, 3) for at, _ in watch.contacts),
            self._outcome(watch),
            watch.taker,
            {**watch.asked, HOSTS: len(watch.names)},
            watch.asked_tls,
            watch.status,
            watch.said,
        )

    def _outcome(self, watch: _Watch) -> Result | None:
        if watch.taker:
            return Result.DELIVERED
        if watch.is_returned or watch.status in PERMANENT:
            return Result.FAILED
        if not watch.has_ended:
            return None
        ran_out = self._options.daemon and watch.slot.situation.is_long
        return None if ran_out else Result.DEFERRED


def _filled(word: str, facts: Mapping[str, str]) -> str:
    for name, value in facts.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _message(slot: Slot, to: str) -> bytes:
    fields = (f"From: {slot.sender}", f"To: {to}", f"Subject: {slot.situation.name}")
    more = (f"Message-ID: <{slot.number}.{slot.situation.name}@{HOME}>", "Date: Sun, 22 Nov 2026 12:00:00 +0000")
    return "\n".join([*fields, *more, "", "What happens to this?", ""]).encode()


def _started(words: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603  # what the user asks for
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as problem:
        raise InputError(f"--daemon: {words[0]}: {problem.strerror}; write a command that is there") from None
