"""Hypothesis runs the same examples everywhere: a test never depends on the hour or the machine.

`make thorough` tries twenty times as many, drawn anew each time.
"""

import functools
import gc
import os

import pytest
import typer.testing
from hypothesis import settings

settings.register_profile("postroad", deadline=None, derandomize=True, max_examples=100)
settings.register_profile("thorough", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("postroad")

os.environ.pop("COLUMNS", None)  # neither on how wide a terminal is: pytest-xdist sets it

# Hundreds of tests run commands: the tree of them is built once for all, not anew for each
typer.testing._get_command = functools.cache(typer.testing._get_command)

ALONE = "tests/interop/"  # its tests share servers on fixed ports: all in one process


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The tests of a file run in one process, so that what they share is made once; those that wait begin first."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return ALONE if nodeid.startswith(ALONE) else nodeid.partition("::")[0]

    return ByFile(config, log)


def pytest_collection_finish():
    """What is loaded and collected by now stays: it is no work for the collector of garbage in each test."""
    gc.freeze()
