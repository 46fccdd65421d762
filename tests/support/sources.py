"""What our own files say: their text is searched, and parsed only where it may have what a test looks for.

To parse them all, and walk through what comes of it, takes two seconds; to search them, thirty milliseconds. What a
search relies on, such as one statement in a line, is what `ruff format` writes.
"""

import ast
import re
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "postroad"
IMPORT = re.compile(r"^ *(?:from (\S+) )?import (\([^)]*\)|.*)", re.MULTILINE)
DEFINED = re.compile(r"^(    )?(?:(?:async )?(?:def|(class)) (\w+)|(\w+)(?=: | = ))", re.MULTILINE)
CLASS = re.compile(r'^class ([^\W_]\w*)[^:]*:[^\n]*\n(?: *r?"""(.*?)""")?', re.MULTILINE | re.DOTALL)


@cache
def files():
    """Each file of the product, with its name below the package."""
    return [(path, path.relative_to(SOURCE).as_posix()) for path in sorted(SOURCE.rglob("*.py"))]


@cache
def text(path):
    """What is in a file."""
    return path.read_text()


def nodes(path, wanted):
    """All the code of a file in whose text there is what is wanted; of another, nothing."""
    return ast.walk(ast.parse(text(path))) if re.search(wanted, text(path), re.MULTILINE) else ()


@cache
def imports(path):
    """Every module that a file imports, as (module, names)."""
    found = []
    for module, listed in IMPORT.findall(text(path)):
        names = re.findall(r"(?:^|,)\s*([\w.]+)", re.sub(r"#.*|[()]", "", listed))
        found += [(module, names)] if module else [(name, []) for name in names]
    return found


@cache
def symbols(path):
    """Every name that a file defines: functions, classes, methods and fields as Class.name, and values."""
    found, above = set(), None
    for is_inside, is_class, definition, value in DEFINED.findall(text(path)):
        name = definition or value
        if not is_inside:
            above = name if is_class else None
            found.add(name)
        elif above:
            found.add(f"{above}.{name}")
    return found


def classes(path):
    """Every public class that stands at the left, with its docstring."""
    return CLASS.findall(text(path))
