"""What a sender can tell apart: nodes between which it makes no difference are counted as one kind."""

from __future__ import annotations

from collections.abc import Iterable

from postroad.models import ENDS, Families, Sender
from postroad.simulation.contacts import IN_SESSION, TAKES, Host, ModelContact, contacts_of
from postroad.simulation.limits import CountedLimits
from postroad.simulation.orders import NOTHING, Bag, InOrder, Node, Pick, Weave

Counts = list[tuple[Node, int]]
"""Nodes, and how many there are of each."""


class Likeness:
    """Tells nodes apart as one sender does in one case, and lets contacts that are alike stand for each other."""

    def __init__(self, sender: Sender, limits: CountedLimits, *, is_open: bool) -> None:
        self._sender, self._limits, self._is_open = sender, limits, is_open
        self._joined: set[tuple[int, int]] = set()
        self._one_of: dict[str, Node] = {}
        self.counts_refusals = True
        """Whether it matters what who is passed over has said."""

    def forget(self) -> None:
        """Who stands for whom is another matter from here on."""
        self._joined.clear()

    def nameless(self, host: Node) -> Node:
        """One host for all that are alike and do not take the message."""
        if any(contact.then in TAKES for contact in contacts_of(host)):
            return host
        return self._one_of.setdefault(f"{self.counts_refusals} {self._shape(host)}", host)

    def bag(self, items: Iterable[tuple[Node, int]]) -> Node:
        """The items in any order, those alike counted together."""
        kinds: dict[str, tuple[Node, int]] = {}
        for item, number in items:
            key = self._shape(item)
            kind, count = kinds.get(key, (item, 0))
            kinds[key] = (kind, count + number)
            if kind is not item:
                self._join(kind, item)
        # in the order of the shapes, so that what is alike has its parts in the same places
        return Bag(tuple(kinds[key] for key in sorted(kinds))) if kinds else NOTHING

    def _join(self, kind: Node, other: Node) -> None:
        """Let the contacts of one node stand for those of another, in the same places: once, whatever the plans."""
        for mine, theirs in zip(contacts_of(kind), contacts_of(other), strict=True):
            if (pair := (id(mine), id(theirs))) not in self._joined:  # a rotation shows each several times
                self._joined.add(pair)
                mine.members.extend(theirs.members)

    def _shape(self, node: Node) -> str:
        """What the sender can tell of a node: equal texts for what is alike."""
        match node:
            case InOrder(items):
                return f"Row({','.join(map(self._shape, items))})"
            case Bag(kinds) | Pick(kinds):
                return f"{type(node).__name__}({','.join(f'{count}*{self._shape(kind)}' for kind, count in kinds)})"
            case Weave(now, then):
                return f"Weave({self._shape(now)},{self._shape(then)})"
            case Host():
                return f"Host({self._shape(node.contacts)})"
            case contact:
                return self._kind(contact)

    def _kind(self, contact: ModelContact) -> str:
        """What a contact changes for the rest of the attempt. What this sender does not count is left out."""
        sender, met, then = self._sender, contact.met, contact.then
        parts = [then.value, str(contact.turn if self._is_open else ""), f"{contact.wait_s:g}"]
        parts.append("silent" if contact.silent else "")
        if self.counts_refusals and then not in ENDS:
            parts.append("no" if met in sender.refusals else "kept" if met in sender.keeps else "")
        if not sender.asks.eager:
            parts.append("nameless" if contact.target.is_nameless else "")
        if self._limits.sessions:
            parts.append("session" if met in IN_SESSION else "")
        if sender.families is Families.V6_PASS or sender.limits.family_share or sender.waits.fallback_s is not None:
            parts.append(str(contact.target.address.version))
        return ":".join((*parts, str(contact.target.address) if contact.shared else ""))
