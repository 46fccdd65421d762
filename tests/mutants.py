"""Changes the code in one small way at a time, and prints each change that no test of its room notices.

`python -m tests.mutants [--seconds S] [--seed N] [ROOM ...]`: changes are drawn by the seed from routing, smtp, spool
and pace until the time is up. They are made in a copy of `src`. Exit status 1: something was not noticed.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("routing", "smtp", "spool", "pace")
TIMES = 5  # as long as with nothing changed, and a change that makes a loop without an end is noticed, too
LEAST_S = 60.0
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip


def changed(node):
    """A node with one thing changed, or None if nothing of it is changed by this program."""
    new = copy.deepcopy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        new.ops[0] = SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign) and type(node.op) in SWAPS:
        new.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        new = new.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        new.value = not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        new.value = node.value + 1
    elif isinstance(node, ast.Return) and node.value and not isinstance(node.value, ast.Constant):
        new.value = ast.Constant(None)
    else:
        return None
    return new


def places(path):
    """All that can be changed in a file: the node, and what becomes of it.

    Annotations mean nothing when code runs, and whether a dataclass is frozen, or has slots, changes no answer.
    """
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        decorators = getattr(node, "decorator_list", [])
        for each in (getattr(node, "annotation", None), getattr(node, "returns", None), *decorators):
            skipped |= {id(inner) for inner in ast.walk(each)} if each else set()
    found = [(node, changed(node)) for node in ast.walk(tree) if id(node) not in skipped]
    return [(path, node, new) for node, new in found if new is not None]


def text_of(path, node, new):
    """The file with the change, and the change in a line."""
    lines = path.read_bytes().splitlines(keepends=True)
    old = b"".join(lines[node.lineno - 1 : node.end_lineno])
    last = len(old) - len(lines[node.end_lineno - 1]) + node.end_col_offset
    said = ast.unparse(new)
    written = said if isinstance(new, ast.stmt) else f"({said})"
    lines[node.lineno - 1 : node.end_lineno] = [old[: node.col_offset] + written.encode() + old[last:]]
    where = f"{path.relative_to(ROOT)}:{node.lineno}"
    return b"".join(lines), f"{where}: {' '.join(ast.unparse(node).split())}  ->  {' '.join(said.split())}"


def is_noticed(source, room, longest_s=None):
    """Whether the tests of a room fail with this source, or take longer."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"tests/unit/{room}"]
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=longest_s, check=False)
    except subprocess.TimeoutExpired:
        return True
    return bool(done.returncode)


def main():
    """Draw, change, test, tell."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", default=ROOMS)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    kept, noticed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        source = Path(shutil.copytree(ROOT / "src", Path(folder) / "src"))
        all_rooms = [(room, path) for room in asked.rooms for path in (ROOT / "src/postroad" / room).rglob("*.py")]
        drawn = [(room, place) for room, path in all_rooms for place in places(path)]
        random.Random(asked.seed).shuffle(drawn)
        longest = {}
        for room in asked.rooms:
            began = time.monotonic()
            if is_noticed(source, room):
                sys.exit(f"the tests of {room} fail with nothing changed")
            longest[room] = max(LEAST_S, TIMES * (time.monotonic() - began))
        ends_at = time.monotonic() + asked.seconds
        for room, (path, node, new) in drawn:
            if time.monotonic() > ends_at:
                break
            text, told = text_of(path, node, new)
            copied = source / path.relative_to(ROOT / "src")
            copied.write_bytes(text)
            if is_noticed(source, room, longest[room]):
                noticed += 1
            else:
                kept.append(told)
                print(told, flush=True)  # noqa: T201  # what it is run for
            copied.write_bytes(path.read_bytes())
    print(f"{len(drawn)} changes possible, {noticed + len(kept)} tried, {len(kept)} not noticed")  # noqa: T201  # the same
    sys.exit(bool(kept))


if __name__ == "__main__":
    main()
