"""Orders with their chances, without listing them: rows, bags of alike things, choices, and passes over them.

A node is what is still to come. `front` says what may come first, with what chance, and what is then left. Nodes
compare by what they hold, so that two ways to the same rest meet again: a bag of a hundred alike things has a hundred
rests, not a hundred factorial orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from postroad.words.light import light

WHOLE = Fraction(1)


@light(frozen=True, slots=True)
class InOrder:
    """One after the other."""

    items: tuple[Node, ...] = ()


@light(frozen=True, slots=True)
class Bag:
    """In any order, each as likely; alike items are one kind with a count."""

    kinds: tuple[tuple[Node, int], ...]


@light(frozen=True, slots=True)
class Pick:
    """One of these, each as likely as its number says."""

    choices: tuple[tuple[Node, int], ...]


@light(frozen=True, slots=True)
class Weave:
    """One of the first, one of the second, in turn, until both are used up."""

    now: Node
    then: Node


@light(frozen=True, slots=True)
class Pass:
    """One pass of swapping neighbours over a node, front to back.

    The one carried along is swapped with the next by the chance that `swap` says.
    """

    rest: Node
    swap: Callable[[Any, Any], Fraction]
    carried: Node | None = None


Node = Any  # Row, Bag, Pick, Weave, Pass, or a leaf: anything else, compared by identity
Front = tuple[Fraction, Any, Node]

NOTHING = InOrder()
"""The empty row: there is one, so that it is known by identity."""


def front(node: Node) -> Iterable[Front]:
    """What may come first: its chance, the leaf, and the node that is left. Nothing at all if the node is empty."""
    front_of = _FRONTS.get(type(node))
    return front_of(node) if front_of else ((WHOLE, node, NOTHING),)


def times(chance: Fraction, share: Fraction) -> Fraction:
    """The product; most shares are whole, and a product of fractions takes long."""
    if share is WHOLE:
        return chance
    return share if chance is WHOLE else chance * share


def is_empty(node: Node) -> bool:
    """Whether nothing is left."""
    return next(iter(front(node)), None) is None


def row(items: Iterable[Node]) -> Node:
    """The items in this order, without the empty ones."""
    return _row(tuple([item for item in items if item is not NOTHING]))


def bag(items: Iterable[Node]) -> Node:
    """The items in any order, alike ones counted."""
    counts: dict[Node, int] = {}
    for item in items:
        if item is not NOTHING:
            counts[item] = counts.get(item, 0) + 1
    return _bag(tuple(counts.items()))


def rotations(items: tuple[Node, ...]) -> Node:
    """The items beginning with any of them, and going round."""
    return Pick(tuple((row(items[start:] + items[:start]), 1) for start in range(len(items)))) if items else NOTHING


def first_and_last(kinds: tuple[tuple[Node, int], ...]) -> Node:
    """All of a bag, where only who is first and who is last matters: the others come in one order of many."""
    if sum(number for _item, number in kinds) < 2:
        return _bag(kinds)
    choices = []
    for first, first_number in kinds:
        others = _without(kinds, first)
        for last, last_number in others:
            middle = (item for item, number in _without(others, last) for _each in range(number))
            choices.append((row((first, *middle, last)), first_number * last_number))
    return Pick(tuple(choices))


def leaves(node: Node) -> list[Any]:
    """Every leaf once for each kind, in the order of the structure."""
    match node:
        case InOrder(items):
            return [leaf for item in items for leaf in leaves(item)]
        case Bag(kinds) | Pick(kinds):
            return [leaf for item, _number in kinds for leaf in leaves(item)]
        case Weave(now, then):
            return [*leaves(now), *leaves(then)]
        case Pass(rest):
            return leaves(rest)
        case leaf:
            return [leaf]


def count(node: Node, test: Callable[[Any], int]) -> int:
    """How many leaves are still to come of which something is true; or the sum of what is told of each."""
    match node:
        case InOrder(items):
            return sum(count(item, test) for item in items)
        case Bag(kinds):
            return sum(number * count(item, test) for item, number in kinds)
        case Pick(choices):
            return count(choices[0][0], test)
        case Weave(now, then):
            return count(now, test) + count(then, test)
        case Pass(rest, _swap, carried):
            return count(rest, test) + (int(test(carried)) if carried is not None else 0)
        case leaf:
            return int(test(leaf))


def _front_of_row(node: InOrder) -> Iterator[Front]:
    items = node.items
    for place, item in enumerate(items):
        found = False
        for chance, leaf, rest in front(item):
            found = True
            left = items[place + 1 :]  # none of them is empty
            yield chance, leaf, _row(left if rest is NOTHING else (rest, *left))
        if found:
            return


def _front_of_bag(node: Bag) -> Iterator[Front]:
    kinds = node.kinds
    total = sum([count for _item, count in kinds])
    shares = {count: _share(count, total) for _item, count in kinds}  # most have the same
    for place, (item, count) in enumerate(kinds):
        fewer = ((item, count - 1),) if count > 1 else ()
        others = _bag((*kinds[:place], *fewer, *kinds[place + 1 :]))
        for chance, leaf, rest in front(item):
            yield times(shares[count], chance), leaf, others if rest is NOTHING else row((rest, others))


def _front_of_pick(node: Pick) -> Iterator[Front]:
    total = sum([number for _choice, number in node.choices])
    for choice, number in node.choices:
        share = _share(number, total)
        yield from ((times(chance, share), leaf, rest) for chance, leaf, rest in front(choice))


def _front_of_weave(node: Weave) -> Iterator[Front]:
    now, then = (node.then, node.now) if is_empty(node.now) else (node.now, node.then)
    yield from ((chance, leaf, _weave(then, rest)) for chance, leaf, rest in front(now))


def _front_of_pass(node: Pass) -> Iterator[Front]:
    if is_empty(node.rest):
        if node.carried is not None:
            yield WHOLE, node.carried, NOTHING
        return
    for chance, leaf, rest in front(node.rest):
        if node.carried is None:
            yield from ((times(chance, more), *other) for more, *other in front(Pass(rest, node.swap, leaf)))
            continue
        swapped = node.swap(node.carried, leaf)
        if swapped:
            yield times(chance, swapped), leaf, Pass(rest, node.swap, node.carried)
        if swapped != 1:
            yield times(chance, 1 - swapped), node.carried, Pass(rest, node.swap, leaf)


_FRONTS: Mapping[type, Callable[[Any], Iterator[Front]]] = {
    InOrder: _front_of_row,
    Bag: _front_of_bag,
    Pick: _front_of_pick,
    Weave: _front_of_weave,
    Pass: _front_of_pass,
}


def _share(number: int, total: int) -> Fraction:
    return WHOLE if number == total else Fraction(number, total)


def _row(items: tuple[Node, ...]) -> Node:
    """A row of items of which none is empty."""
    if not items:
        return NOTHING
    return items[0] if len(items) == 1 else InOrder(items)


def _bag(kinds: tuple[tuple[Node, int], ...]) -> Node:
    if not kinds:
        return NOTHING
    return kinds[0][0] if len(kinds) == 1 and kinds[0][1] == 1 else Bag(kinds)


def _without(kinds: tuple[tuple[Node, int], ...], one: Node) -> tuple[tuple[Node, int], ...]:
    """The kinds with one of a kind taken away."""
    fewer = ((item, number - (item is one)) for item, number in kinds)
    return tuple((item, number) for item, number in fewer if number)


def _weave(now: Node, then: Node) -> Node:
    if then is NOTHING:
        return now
    return then if now is NOTHING else Weave(now, then)
