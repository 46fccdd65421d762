"""Which addresses are meant: one of them, those of a user, of a domain, of all below it, or all there are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postroad.words.mail import MAX_LOCAL, Mailbox, domain_of
from postroad.words.names import Unreadable, parse_domain

EVERYTHING = "*"
HOW = 'write an address, "user@*", a domain, ".domain" for all below it, or "*"'

_LOCAL = re.compile(r"[^\x00-\x20@\x7f]+\Z")


@dataclass(frozen=True, slots=True)
class AddressPattern:
    """A pattern of addresses. `local` is None for any; in it `*` stands for any characters.

    `domain` is a domain, `.domain` for all below it, or `*`. Case counts nowhere: nobody has two users by case.
    """

    local: str | None
    domain: str

    @property
    def address(self) -> str | None:
        """The only address that fits, in lower case; None if there are several."""
        is_one = self.local is not None and "*" not in self.local and self.domain[0] not in ".*"
        return f"{self.local}@{self.domain}" if is_one else None

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Lower is more exact: a user before a pattern of users before all, then the longer domain."""
        local = 2 if self.local is None else 1 if "*" in self.local else 0
        domain = 2 if self.domain == EVERYTHING else 1 if self.domain.startswith(".") else 0
        return local, domain, -len(self.domain), -len(self.local or "")

    def __str__(self) -> str:
        """As it is written."""
        return self.domain if self.local is None else f"{self.local}@{self.domain}"

    def fits(self, mailbox: Mailbox) -> bool:
        """Whether this is one of them."""
        domain = domain_of(mailbox)
        is_there = domain.endswith(self.domain) if self.domain.startswith(".") else self.domain in (EVERYTHING, domain)
        return is_there and (self.local is None or _fits(self.local, mailbox.local.lower()))


def parse_address_pattern(text: str) -> AddressPattern | Unreadable:
    """Read `user@example.com`, `user@*`, `cron-*@.example.com`, `example.com`, `.example.com` or `*`."""
    local, at, domain = text.rpartition("@")
    if at and (not _LOCAL.match(local) or len(local) > MAX_LOCAL):
        return Unreadable(text, HOW)
    dot = "." if domain.startswith(".") else ""
    name = domain if domain == EVERYTHING else parse_domain(domain.removeprefix("."))
    if isinstance(name, Unreadable):
        return Unreadable(text, f"{name.why}; {HOW}")
    return AddressPattern(local.lower() if at else None, dot + name)


def _fits(pattern: str, text: str) -> bool:
    """A pattern with stars, without going back more than to the last of them."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *middle, last = others
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
