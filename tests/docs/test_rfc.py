"""docs/rfc.md tells the truth: what it names exists, and what the code cites it has."""

import re
from pathlib import Path

from tests.support.sources import SOURCE, files, symbols, text

ROOT = Path(__file__).parents[2]
STATUSES = {"yes", "partly", "later", "no-by-choice"}
CITED = re.compile(r"RFC\s+(\d+),?\s+(section|appendix)\s+([A-Z]\b|\d+(?:\.\d+)*)")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "rfc.md").read_text().splitlines()
    if line.startswith("| RFC ")
]


def _places(cell):
    """The `file.py:symbol` items of a cell, as [file, symbol]."""
    return [item.split(":", 1) for item in re.findall(r"`([^`]+)`", cell)]


def _symbols(path):
    return symbols(path) if path.is_file() else set()


def test_rows_are_whole():
    """Each row has its five cells and one of the four statuses; only what comes later, or never, has no code."""
    wrong = [
        row
        for row in ROWS
        if len(row) != 5
        or row[2] not in STATUSES
        or (row[2] in ("yes", "partly") and not _places(row[3]))
        or (row[2] == "yes" and not _places(row[4]))
    ]
    assert ROWS
    assert [] == wrong


def test_code_named_in_the_table_exists():
    """Every `room/file.py:symbol` is defined there."""
    named = [place for row in ROWS for place in _places(row[3])]
    assert [] == [f"{file}:{symbol}" for file, symbol in named if symbol not in _symbols(SOURCE / file)]


def test_tests_named_in_the_table_exist():
    """Every `tests/file.py:test` is defined there."""
    named = [place for row in ROWS for place in _places(row[4])]
    assert [] == [f"{file}:{symbol}" for file, symbol in named if symbol not in _symbols(ROOT / file)]


def test_sections_cited_in_the_code_have_a_row():
    """Whoever meets a section in the code finds in the table what it asks and where it is tested."""
    rows = {cited for row in ROWS for cited in CITED.findall(row[0])}
    missing = {
        f"RFC {' '.join(cited)} ({name})"
        for path, name in files()
        for cited in CITED.findall(text(path))
        if cited not in rows
    }
    assert [] == sorted(missing)


def test_code_named_in_other_pages_exists():
    """Every `file.py: name, name` of the flow and the decisions is defined there."""
    pages = [ROOT / "docs" / "design" / "flow.md", *(ROOT / "docs" / "decisions").glob("*.md")]
    named = [
        (page.name, file + ("__init__.py" if file.endswith("/") else ""), symbol)
        for page in pages
        for file, symbols in re.findall(r"`([a-z/_]+(?:/|\.py)): ([^`]+)`", page.read_text())
        for symbol in symbols.split(", ")
    ]
    assert named
    assert [] == [place for place in named if place[2] not in _symbols(SOURCE / place[1])]


def test_what_contributors_are_sent_to_exists():
    """Each file that CONTRIBUTING.md names is there, and each `file.py: name, name` is defined in it."""
    named = re.findall(r"`((?:src|tests|packaging)/[^`:]+)(?:: ([^`]+))?`", (ROOT / "CONTRIBUTING.md").read_text())
    places = [(path, name) for path, names in named for name in names.split(", ") if not re.search("[A-Z]{2}", path)]
    assert len(places) > 30
    missing = [place for place in places if not (ROOT / place[0]).exists()]
    assert [] == missing + [(path, name) for path, name in places if name and name not in _symbols(ROOT / path)]
