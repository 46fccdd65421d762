"""Patterns mean the same to every Python that we support."""

import re
from importlib import import_module
from itertools import dropwhile
from pkgutil import walk_packages
from re import _constants as ops
from re import _parser as parser

import pytest

import postroad

OF_ONE = {ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY}
REPEATS = {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}
POSSESSIVE_GROUP = re.compile(r"\)[*+?}]\+")


def patterns():
    """Each pattern that a module of ours keeps under a name, or in a table by that name."""
    for found in walk_packages(postroad.__path__, "postroad."):
        if found.name.endswith("__main__"):
            continue
        try:
            module = import_module(found.name)
        except ImportError:  # an extra that is not installed
            continue
        for name, value in vars(module).items():
            for each in value.values() if type(value) is dict else (value,):
                if type(each) is re.Pattern:
                    yield f"{found.name}.{name}", each


def inside(item):
    """The sequences right within an item of a parsed pattern."""
    op, argument = item
    if op is ops.BRANCH:
        return argument[1]
    return [part for part in argument if isinstance(part, parser.SubPattern)] if isinstance(argument, tuple) else []


def is_simple(sequence):
    """Whether it fails only before it has gone into anything: characters, and then what may be there not at all."""
    if len(sequence) == 1 and sequence[0][0] is ops.BRANCH:
        return all(map(is_simple, sequence[0][1][1]))
    behind = dropwhile(lambda item: item[0] in OF_ONE, sequence)
    return all(op in REPEATS and argument[0] == 0 and is_simple(argument[2]) for op, argument in behind)


def doubtful(sequence):
    """Whether a group is repeated possessively that may fail behind a place it has gone on from."""
    for op, argument in sequence:
        if op is ops.POSSESSIVE_REPEAT and not is_simple(argument[2]):
            return True
        if any(map(doubtful, inside((op, argument)))):
            return True
    return False


def test_no_group_is_repeated_in_a_way_that_older_pythons_get_wrong():
    """Before 3.11.5 such a group keeps what it had of a turn that failed: Debian 12 took "ann.@example.com"."""
    suspects = [(name, each) for name, each in patterns() if POSSESSIVE_GROUP.search(str(each.pattern))]
    assert [] == [name for name, each in suspects if doubtful(parser.parse(each.pattern, each.flags))]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"(?:\.[a-z]++)*+", True),
        (r"(?:\.(?!-)[a-z]{1,9}+)*+", True),
        (r"x((?:\.a?b)*+)", True),
        (r"(?:\.[a-z]*+)*+", False),
        (r"[a-z]++", False),
        (r"(?>(?:\.[a-z]++)*)", False),
        (r'"(?:[^"\\]|\\.)*+"', False),
    ],
)
def test_such_groups_are_found(pattern, expected):
    """What is searched for above is found, and nothing else."""
    assert expected == doubtful(parser.parse(pattern))
