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

ALONE = "tests/interop/"  # its tests share servers on fixed ports: all in one process


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The tests of a file run in one process, so that what they share is made once; those that wait begin first."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return ALONE if nodeid.startswith(ALONE) else nodeid.partition("::")[0]

    return ByFile(config, log)
