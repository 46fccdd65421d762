"""Hypothesis runs the same examples everywhere: a test never depends on the hour or the machine.

`make thorough` tries twenty times as many, drawn anew each time.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("postroad", deadline=None, derandomize=True, max_examples=100)
settings.register_profile("thorough", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("postroad")

os.environ.pop("COLUMNS", None)  # neither on how wide a terminal is: pytest-xdist sets it

ALONE = ("interop",)  # folders whose tests share servers on fixed ports: all in one process


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items):
    """The tests of a file run in one process, so that what they share is made once."""
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder in ALONE else item.nodeid.partition("::")[0]))
