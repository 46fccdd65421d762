"""The reference set-ups for real: messages over the wire, an exchanger killed on the way, shares counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median

from postroad.build import Mailer, build_message, build_policy, resolver_at, zone_of, zone_resolver
from postroad.deliver import DeliverSettings
from postroad.dialogue import Message
from postroad.lab import Fault, Lab, Mode
from postroad.planning import SETUPS
from postroad.routing import Route, odds
from postroad.words.facts import Found
from postroad.words.inputs import InputError
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.trail import Attempt

SHOWN = ("t1", "t2", "t3", "t4", "t5", "t6")
DOMAIN = "example.com"
AT_ONCE = 50  # messages under way together
CONTENT = "From: demo@lab.invalid\r\nTo: user@example.com\r\nSubject: demo\r\n\r\n" + "A line of the demo.\r\n" * 50


@dataclass
class DemoRun:
    """One set-up of the demo: what is expected, and what was seen so far."""

    name: str
    messages: int
    strict: dict[Address, Fraction] = field(default_factory=dict)  # addresses always in the zone's order
    expected: dict[Address, Fraction] = field(default_factory=dict)  # Postroad: its cache hands them on rotated
    first: Counter[Address] = field(default_factory=Counter)  # first contacts while all were well
    after: Counter[Address] = field(default_factory=Counter)  # deliveries after the kill
    records: int = 0  # MX and address records that the set-up takes
    killed: Address | None = None
    sent: int = 0
    delivered: int = 0
    received: int = 0
    healthy_ms: list[float] = field(default_factory=list)
    failover_ms: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The set-up in words."""
        return SETUPS[self.name].title

    @property
    def lost(self) -> int:
        """Messages sent that no exchanger has."""
        return self.sent - self.received if self.is_over else 0

    @property
    def is_over(self) -> bool:
        """Whether everything has been sent."""
        return self.sent == self.messages

    @property
    def added_ms(self) -> float:
        """What fail-over added to the deliveries that met the dead exchanger: the median, in milliseconds."""
        if not self.failover_ms:
            return 0.0
        return median(self.failover_ms) - median(self.healthy_ms)

    @property
    def imbalance(self) -> Fraction:
        """The load of the busiest server, as a multiple of an even share, where the zone's order is kept: 1 is even."""
        return max(self.strict.values()) * len(self.strict)

    @property
    def survived(self) -> bool:
        """Whether every message arrived."""
        return self.delivered == self.messages and self.lost == 0


async def perform(messages: int, names: tuple[str, ...] = SHOWN) -> AsyncIterator[DemoRun]:
    """Each set-up in turn; its Act is given out after every batch, changed, and a last time when it is over."""
    for name in names:
        act = DemoRun(name, messages)
        loaded = zone_resolver([zone_of(name)])
        async with Lab(loaded.zone_data, keep=False) as lab:
            mailer = _mailer(lab)
            await _expect(act, mailer)
            async for _ in _send_all(act, mailer, lab):
                yield act
            act.received = sum(lab.counts().values())
        yield act


def best(acts: list[DemoRun]) -> str:
    """The answer to the question of the demo: which set-up balances and fails over best, and why."""
    lost = [f"{act.name} ({act.lost} lost)" for act in acts if not act.survived]
    winner = min(acts, key=lambda act: (not act.survived, act.imbalance, act.records, act.name))
    survival = "every set-up delivered all mail" if not lost else f"lost mail: {', '.join(lost)}"
    return (
        f"Best: {winner.name}, {winner.title}: {winner.records} records, even in any order of DNS. "
        f"After the kill {survival}: this sender tries every address. "
        "But the balance is every sender's duty only between equal MX records (RFC 5321 section 5.1). The addresses "
        "of one name are tried in the order given, so t2 sends all mail to its first address wherever DNS or a cache "
        "keeps the order. t3 balances like t1 with twice the address records, and puts two names on one address. "
        "The backups of t4 repeat what was tried already. t5 does not balance. "
        "t6 gives each name the same share, however many addresses stand behind it."
    )


def _mailer(lab: Lab) -> Mailer:
    resolver = resolver_at(*lab.resolver_address, caches=True)
    settings = DeliverSettings(hostname="demo.lab.invalid", port=lab.port)
    return Mailer(resolver, build_policy("rfc5321", allow_loopback=True), deliver=settings)


async def _expect(act: DemoRun, mailer: Mailer) -> None:
    routed = await mailer.route(DOMAIN, 0)
    if not isinstance(routed.answer, Route):
        raise InputError(routed.answer.text)
    chances = odds(routed.answer, mailer.policy)
    exchangers = [each for level in routed.answer.levels for each in level.exchangers]
    hosts = routed.snapshot.hosts.values()
    act.records = sum(
        len(each.records) for each in (routed.snapshot.mx, *(host.a for host in hosts)) if isinstance(each, Found)
    )
    for each in exchangers:
        for address in each.addresses:
            strict, share = chances.addresses[each.name, address], chances.hosts[each.name] / len(each.addresses)
            act.strict[address] = act.strict.get(address, Fraction(0)) + strict
            act.expected[address] = act.expected.get(address, Fraction(0)) + share


async def _send_all(act: DemoRun, mailer: Mailer, lab: Lab) -> AsyncIterator[None]:
    message = build_message(CONTENT, "demo@lab.invalid", [f"user@{DOMAIN}"])
    kill_at = act.messages * 7 // 10
    for start in range(0, act.messages, AT_ONCE):
        if start >= kill_at and act.killed is None:
            act.killed = next(iter(act.expected))
            await lab.set_fault(act.killed, Fault(Mode.BLACKHOLE))
        batch = range(start, min(start + AT_ONCE, act.messages))
        for done in await asyncio.gather(*(_send(mailer, message, seed) for seed in batch)):
            _count(act, done)
        yield


async def _send(mailer: Mailer, message: Message, seed: int) -> Attempt:
    return (await mailer.send(message, seed)).deliveries[0].attempt


def _count(act: DemoRun, done: Attempt) -> None:
    act.sent += 1
    act.delivered += done.result is Result.DELIVERED
    if act.killed is None:
        act.first[done.contacts[0].target.address] += 1
        act.healthy_ms.append(done.elapsed_ms)
    else:
        act.after.update(each.target.address for each in done.contacts if each.word == Result.DELIVERED)
        if done.contacts[0].target.address == act.killed:
            act.failover_ms.append(done.elapsed_ms)
