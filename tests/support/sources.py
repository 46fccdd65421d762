"""What our own files say, each parsed once for all tests of a process that look at it."""

import ast
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "postroad"


@cache
def tree(path):
    """A file of Python."""
    return ast.parse(path.read_text())


@cache
def nodes(path):
    """All that is in it."""
    return list(ast.walk(tree(path)))
