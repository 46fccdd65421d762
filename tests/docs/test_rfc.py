"""The table of requirements and the code know each other, in both directions."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "postroad"
TESTS = ROOT / "tests"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "rfc.md").read_text().splitlines()
    if line.startswith("| RFC")
]
_CITED = re.compile(r"RFC (\d+) (section \d+(?:\.\d+)*|appendix [A-Z])")


def _names(path):
    """The functions, classes and constants of a file."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _missing(root, cell):
    if cell == "-":
        return False
    file, _, name = cell.strip("`").partition(":")
    path = root / file
    return not path.exists() or (name and name not in set(_names(path)))


def test_every_code_and_test_named_exists():
    """A row points at code and a test that are there."""
    wrong = [row[0] for row in ROWS if _missing(SOURCE, row[3]) or _missing(TESTS, row[4])]
    assert wrong == []


def test_every_section_cited_in_the_code_has_a_row():
    """No rule is obeyed in the code and forgotten in the table."""
    listed = {row[0] for row in ROWS}
    cited = {
        f"RFC {number} {section}"
        for path in SOURCE.rglob("*.py")
        for number, section in _CITED.findall(path.read_text())
    }
    assert sorted(cited - listed) == []


def test_what_is_done_has_code_and_a_test():
    """Only what comes later has neither."""
    assert [] == [row[0] for row in ROWS if row[2] == "yes" and "-" in (row[3], row[4])]
