"""What docs/design/scale.md computes is what bench/scale.py does."""

from tests.docs.scale_page import PAGE, drawn


def test_the_tables_are_those_of_the_script():
    """Written by `python -m tests.docs.scale_page`."""
    assert PAGE.read_text() == drawn(PAGE.read_text())
