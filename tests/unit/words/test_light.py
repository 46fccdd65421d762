"""Dataclasses that cost little: whoever uses one cannot tell it from a standard one."""

import ast
import dataclasses
import pickle
from dataclasses import KW_ONLY, FrozenInstanceError, field, replace
from itertools import product
from pathlib import Path

import pytest

import postroad
from postroad.words.light import dataclass, light

WAYS = [{}, {"frozen": True}, {"eq": False}, {"frozen": True, "eq": False}, {"frozen": True, "order": True}]
MADE = {}


class Empty:
    """Without fields."""


class One:
    """With one field."""

    it: object


class Several:
    """With fields of each kind."""

    it: object
    other: float = 2.0
    unseen: int = field(default=3, repr=False)
    beside: int = field(default=4, compare=False)
    unhashed: list[int] = field(default_factory=list, hash=False)
    _: KW_ONLY
    last: str = "x"


class OwnWays:
    """With methods of its own."""

    it: object

    def __repr__(self):
        return "its own"

    def __eq__(self, other):
        return isinstance(other, OwnWays)

    def __hash__(self):
        return 5


class OwnEquality:  # noqa: PLW1641  # the decorator adds what it lacks
    """With one method of its own, which takes the other from it unless the class is frozen."""

    it: object

    def __eq__(self, other):
        return True


def _both(cls, **how):
    """The class as this decorator and the standard one make it."""
    body = {name: each for name, each in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    if vars(cls).get("__hash__", True) is None:
        del body["__hash__"]  # as the class statement finds it
    return [made(type(cls.__name__, (), dict(body)), **how) for made in (dataclass, dataclasses.dataclass)]


def _traits(cls):
    """All that can be seen of a class and of objects of it."""
    each = [cls(*items) for items in ([(1,), (1,), (2,), (float("nan"),)] if dataclasses.fields(cls) else [(), ()])]
    try:
        hashes = [hash(one) == hash(two) for one, two in product(each, each)]
    except TypeError as unhashable:
        hashes = str(unhashable)
    return {
        "repr": [repr(one).rpartition(" at 0x")[0] or repr(one) for one in each],
        "equal": [one == two for one, two in product(each, [*each, 1])],
        "hash": hashes,
        "fields": [(part.name, part.default) for part in dataclasses.fields(cls)],
        "copy": [replace(one) == one for one in each],
        "match": cls.__match_args__,
        "slots": getattr(cls, "__slots__", None),
        "frozen": _is_frozen(each[0]) if dataclasses.fields(cls) else "of nothing",
    }


def _is_frozen(one):
    try:
        one.it = 5
    except FrozenInstanceError:
        return True
    return False


@pytest.mark.parametrize("slots", [True, False])
@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.parametrize("cls", [Empty, One, Several, OwnWays, OwnEquality])
def test_it_is_what_the_standard_one_makes(cls, how, slots):
    """Equal, hashed, shown, copied, matched and kept from change alike, whatever the class has of its own."""
    ours, standard = _both(cls, slots=slots, **how)
    assert _traits(standard) == _traits(ours)


@dataclass(frozen=True, slots=True)
class Above:
    """One that another inherits from."""

    it: object


@dataclass(frozen=True, slots=True)
class Below(Above):
    """It has more."""

    more: int = 0


@light(frozen=True, slots=True)
class Light:
    """One that many are made of."""

    it: object
    unseen: int = field(default=3, repr=False)


def test_one_that_inherits_is_compared_by_all_of_it():
    """By the fields of both, and never with one of the other class."""
    assert [False, False, True] == [Below(1, 2) == Below(1, 3), Below(1) == Above(1), Below(1) == Below(1)]
    assert "Below(it=1, more=0)" == repr(Below(1))


@pytest.mark.parametrize("one", [Above([1]), Below(1, 2), Light("x")], ids=repr)
def test_it_goes_through_pickle(one):
    """To another process and back."""
    assert one == pickle.loads(pickle.dumps(one))


def test_one_that_contains_itself_is_shown():
    """As the standard one is, with dots."""
    inside = []
    inside.append(Light(inside))
    assert "[Light(it=[...])]" == repr(inside)


def test_no_class_costs_what_the_standard_one_does():
    """In all of the package dataclasses are made here: six methods compiled for each were a tenth of every start."""
    root = Path(postroad.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "dataclasses"
        and "dataclass" in {name.name for name in node.names}
    }
    assert {"words/light.py"} == found
