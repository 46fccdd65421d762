"""Hypothesis runs the same examples everywhere: a test never depends on the hour or the machine, nor on its load.

`make test-whole` tries three times as many, and every case of the enumerations (tests/support/examples.py). `make
thorough` tries a hundred times as many, drawn anew each time. `--shuffled SEED` begins the files, and the tests
of each file, in another order.
"""

import functools
import gc
import os
import random
import sys
import tempfile
from itertools import groupby

import typer.main
import typer.testing
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.support.memory import fast_folder
from tests.support.processes import is_left_to_processes, keep_what_is_loaded, run_tests

UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}  # both are about the hour, not the code
settings.register_profile("postroad", **UNTIMED, derandomize=True, max_examples=18)
settings.register_profile("whole", **UNTIMED, derandomize=True, max_examples=50)
settings.register_profile("thorough", **UNTIMED, max_examples=2000, print_blob=True)
settings.load_profile("postroad")

gc.disable()  # until all is loaded: of that nothing is garbage, and to look through it takes a third of the time

os.environ.pop("COLUMNS", None)  # nor on how wide a terminal is

# Nor on a disk: half of what a spool costs a test is the disk's, and nearly all of its time
tempfile.tempdir = os.environ.setdefault("TMPDIR", str(fast_folder()))

# Hundreds of tests run commands: the tree of them is built once for all, not anew for each
typer.main.get_command = typer.testing._get_command = functools.cache(typer.main.get_command)


def pytest_addoption(parser):
    """See above."""
    parser.addoption("--processes", metavar="NUMBER", type=int, default=1, help="run the files in so many processes")
    parser.addoption("--shuffled", metavar="SEED", help="run the files, and the tests of each file, in another order")


def pytest_configure(config):
    """Who brings a plugin has all its modules rewritten by pytest: ours have no assertions, and take as long again.

    The constants of those modules that happen to be loaded are drawn by `make thorough` alone: with them examples would
    hang on what ran before, and each process of a first run would parse all our modules.
    """
    getattr(config.pluginmanager.rewrite_hook, "_must_rewrite", set()).discard("postroad")
    if config.getoption("--hypothesis-profile") != "thorough":
        providers._get_local_constants = functools.partial(getattr, providers, "_local_constants")


def pytest_collection(session):
    """With several processes, each collects what it runs."""
    return is_left_to_processes(session) or None


def pytest_collection_modifyitems(config, items):
    """With a seed: another order, the same for each process of a run."""
    seed = config.getoption("--shuffled")
    if seed is not None:
        rng = random.Random(seed)
        files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
        rng.shuffle(files)
        items[:] = [test for tests in files for test in rng.sample(tests, len(tests))]


def pytest_runtestloop(session):
    """In one process, pytest's own loop runs them."""
    processes = session.config.getoption("--processes")
    if processes == 1 or session.testsfailed or session.config.option.collectonly:
        keep_what_is_loaded()
        return None
    run_tests(session, processes)
    return True


def pytest_sessionfinish():
    """Connections that tests shared are closed by none of them."""
    if support := sys.modules.get("tests.support.postgres"):
        support.loop().run(support.end())
        support.loop().close()
