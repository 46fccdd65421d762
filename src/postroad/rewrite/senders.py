"""Addresses of senders, and what becomes of them. Applied twice, the rules do what they did once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroad.rewrite.patterns import AddressPattern, parse_address_pattern
from postroad.words.inputs import quoted
from postroad.words.mail import MAX_LOCAL, Mailbox, domain_of, parse_mailbox
from postroad.words.names import Unreadable, parse_domain

TARGET = "write an address, or a domain that the part before the @ goes to; {user} and {host} stand for the old ones"


@dataclass(frozen=True, slots=True)
class _Target:
    """What an address becomes: `local` None keeps its local part."""

    local: str | None
    domain: str

    @property
    def is_fixed(self) -> bool:
        return self.local is not None and "{" not in self.local

    def of(self, mailbox: Mailbox) -> Mailbox | None:
        """The new address; None if it would be none."""
        if self.local is None:
            return Mailbox(mailbox.local, self.domain)
        host = mailbox.domain.partition(".")[0] if isinstance(mailbox.domain, str) else ""
        user = mailbox.local
        if "{" in self.local and (user.startswith('"') or ("{host}" in self.local and not host)):
            return None  # what needs quotes is no part of another name
        local = self.local.replace("{user}", user).replace("{host}", host)
        return Mailbox(local, self.domain) if len(local.encode("utf-8", "replace")) <= MAX_LOCAL else None


@dataclass(frozen=True, slots=True)
class SenderRules:
    """Rules for addresses of senders; the most exact one has it.

    An address that a rule would write stays: only a rule for exactly this address changes it. So what is rewritten is
    rewritten no further.
    """

    exact: Mapping[str, Mailbox] = field(default_factory=dict)  # where each leads in the end
    patterns: tuple[tuple[AddressPattern, _Target], ...] = ()  # the most exact first
    ends: frozenset[str] = frozenset()  # addresses and domains that are written

    def __bool__(self) -> bool:
        return bool(self.exact or self.patterns)

    def rewritten(self, mailbox: Mailbox) -> Mailbox:
        """The address as it is to be; the same if no rule is for it."""
        key = mailbox.text.lower()
        if found := self.exact.get(key):
            return found
        if key in self.ends or domain_of(mailbox) in self.ends:
            return mailbox
        target = next((target for pattern, target in self.patterns if pattern.fits(mailbox)), None)
        made = target.of(mailbox) if target else None
        return self.exact.get(made.text.lower(), made) if made else mailbox


def parse_sender_rules(table: Mapping[str, str]) -> SenderRules:
    """Rules from patterns and what the addresses become.

    Raises:
        ValueError: one of them cannot be read, or addresses lead to each other in a circle; with how to fix it.

    """
    rules = {text: (_pattern(text), _target(text, target)) for text, target in table.items()}
    if len({pattern for pattern, _ in rules.values()}) < len(rules):
        raise ValueError("two keys are the same but for their case; leave one out")
    single = {pattern.address: target for pattern, target in rules.values() if pattern.address is not None}
    exact = {address: _end(address, single) for address in single}
    several = [each for each in rules.values() if each[0].address is None]
    ends = {mailbox.text.lower() for mailbox in exact.values()}
    ends |= {f"{it.local}@{it.domain}".lower() if it.is_fixed else it.domain for _, it in several}
    return SenderRules(exact, tuple(sorted(several, key=lambda each: each[0].rank)), frozenset(ends))


def _pattern(text: str) -> AddressPattern:
    pattern = parse_address_pattern(text)
    if isinstance(pattern, Unreadable):
        raise ValueError(f"{quoted(text)}: {pattern.why}")  # noqa: TRY004  # wrong text, not type
    return pattern


def _target(key: str, text: str) -> _Target:
    local, at, domain = text.rpartition("@")
    name = parse_domain(domain)
    bare = local.replace("{user}", "u").replace("{host}", "h")
    probe = parse_mailbox(f"{bare}@{name}") if at else None
    if isinstance(name, Unreadable) or isinstance(probe, Unreadable) or "{" in bare or not text.isascii():
        raise ValueError(f"{quoted(key)} = {quoted(text)}: {TARGET}")
    return _Target(local if at else None, name)


def _end(address: str, single: Mapping[str, _Target]) -> Mailbox:
    """Where an address leads at last, by rules for one address each."""
    been = [address]
    while True:
        local, _, domain = been[-1].rpartition("@")
        made = single[been[-1]].of(Mailbox(local, domain))
        if made is None:
            raise ValueError(f"{quoted(been[-1])} would become an address that is too long; write a shorter one")
        key = made.text.lower()
        if key not in single or key == been[-1]:  # one that leads to itself is an exception from other rules
            return made
        if key in been:
            raise ValueError(f"{quoted(' > '.join((*been, key)))} is a circle; leave one out")
        been.append(key)
