"""The change of a domain's keys to their successors: what is to be done next, from what the key files say.

Every step is one file replaced whole, and the files alone say how far it has come. In each state between two steps some
key is active, whatever the time: a new key begins before the old one's end is written, and never after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from math import ceil, inf

from postroad.sign.keys import NOT_AFTER, NOT_BEFORE, REPLACES, KeyState, SigningKey, moment_text

LEAD_S = 60.0  # from the switch being written to the switch: relays are reloaded meanwhile
MARGIN_S = 2 * 86400.0  # hosts behind ours that verify late

RSA, ED25519 = "rsa", "ed25519"
KINDS = (RSA, ED25519)


@dataclass(frozen=True, slots=True)
class KeyEdit:
    """Lines to be written in front of a key."""

    key: SigningKey
    lines: dict[str, str]


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """How far a rotation has come.

    `left`: what one that was interrupted has not written. `making`: the keys that need a successor. `successors`: those
    that wait for their record. Nothing of it: the last rotation is done.
    """

    left: tuple[KeyEdit, ...] = ()
    making: tuple[SigningKey, ...] = ()
    successors: tuple[SigningKey, ...] = ()


def kind_of(key: SigningKey) -> str:
    """The type of a key, as the tag k= has it."""
    return RSA if key.bits else ED25519


def removable_at(key: SigningKey, expiry_s: float) -> float:
    """When nothing signed with a key is under way any more, so that its record may be removed."""
    return key.not_after + expiry_s + MARGIN_S


def plan_rotation(
    keys: Sequence[SigningKey], now: float, expiry_s: float, kinds: Collection[str] = KINDS, *, again: bool = False
) -> RotationPlan:
    """What is to be done for the keys of a domain. `again`: even if mail signed by the last keys is under way still."""
    mine = [key for key in keys if kind_of(key) in kinds]
    left = tuple(_left(mine, now))
    successors = tuple(key for key in mine if key.not_before == inf)
    scheduled = any(now < key.not_before < inf for key in mine)
    is_recent = any(at <= now < at + expiry_s + MARGIN_S for key in mine for at in (key.not_before, key.not_after))
    is_due = not (successors or scheduled or left) and (again or not is_recent)
    return RotationPlan(left, tuple(_newest(mine, now)) if is_due else (), successors)


def switch(keys: Sequence[SigningKey], successors: Sequence[SigningKey], now: float) -> list[KeyEdit]:
    """The files to be written so that successors take over, in this order; nothing if they have no longer to."""
    olds = {new.name: [key for key in keys if _is_replaced(key, new, now)] for new in successors}
    if not any(olds.values()):
        begins: float = int(now)  # nobody signs: the sooner the better
    else:  # a key that ends before that is succeeded when it ends
        ends = [max(key.not_after for key in some) for some in olds.values() if some]
        begins = min(ceil(now + LEAD_S), *(int(end) for end in ends if end < inf), inf)
    edits = [KeyEdit(new, _begin(begins, olds[new.name])) for new in successors]
    ending = {key.name: key for some in olds.values() for key in some if key.not_before < begins < key.not_after}
    return edits + [KeyEdit(key, {NOT_AFTER: moment_text(begins)}) for key in ending.values()]


def next_selector(taken: Iterable[str], now: float) -> str:
    """The year with a letter, later than any that was used: 2026a, 2026b, and behind 2026z 2026aa."""
    year = str(datetime.fromtimestamp(now, UTC).year)
    used = {name.lower() for name in taken}
    last = max((_number(name.removeprefix(year)) for name in used if name.startswith(year)), default=0)
    return next(f"{year}{_letters(number)}" for number in count(last + 1))


def _left(keys: Sequence[SigningKey], now: float) -> Iterator[KeyEdit]:
    """A successor has its beginning, and a key that it replaces no end: a rotation was killed between the two."""
    for new in (each for each in keys if each.not_after == inf):
        for old in (each for each in keys if kind_of(each) == kind_of(new)):
            if old.selector in new.replaces and old.not_after == inf and old.not_before < new.not_before < inf:
                yield KeyEdit(old, {NOT_AFTER: moment_text(max(new.not_before, ceil(now + LEAD_S)))})


def _newest(keys: Sequence[SigningKey], now: float) -> Iterator[SigningKey]:
    """Of each type the active key that began last: what is made after its likeness succeeds them all."""
    for kind in KINDS:
        active = [key for key in keys if kind_of(key) == kind and key.state(now) is KeyState.ACTIVE]
        if active:
            yield max(active, key=lambda key: (key.not_before, key.selector))


def _is_replaced(old: SigningKey, new: SigningKey, now: float) -> bool:
    return kind_of(old) == kind_of(new) and old.state(now) is KeyState.ACTIVE


def _begin(at: float, olds: Sequence[SigningKey]) -> dict[str, str]:
    names = " ".join(key.selector for key in olds)
    return {NOT_BEFORE: moment_text(at)} | ({REPLACES: names} if names else {})


def _number(letters: str) -> int:
    """Which in turn: a is 1, z 26, aa 27; 0 if it is none of ours."""
    if not (letters.isascii() and letters.isalpha() and len(letters) < 4):
        return 0
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number


def _letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
