"""What each start loads: a package or a room that it has no need of is seen here, before anybody measures a time.

Every third of the starts; all in a whole run.
"""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from tests.support.examples import some

ROOT = Path(__file__).parents[2]
START = """
import os, sys
stderr = os.dup(2)
way, *sys.argv = sys.argv[1:]
try:
    if way == "-c":
        exec(sys.argv[0])
    else:
        from postroad.cli import main
        main()
except SystemExit as end:
    if end.code:
        raise
os.write(stderr, " ".join(["", *sys.modules]).encode())
"""
# What we load ourselves, and takes more than a millisecond; what these load is their own affair
HEAVY = frozenset((
    "OpenSSL", "asyncio", "cryptography", "dns", "http", "matplotlib", "multiprocessing", "numpy", "prometheus_client",
    "publicsuffixlist", "pydantic", "rich.console", "sqlite3", "ssl", "tomllib", "typer", "uvloop", "xml",
))  # fmt: skip
PACKAGES = {
    "from postroad import route": "",
    "postroad sendmail": "sqlite3 tomllib",
    "postroad --help": "typer",
    "postroad rules": "typer",
    "postroad route ZONE": "asyncio dns ssl typer uvloop",
    "postroad config check": "pydantic ssl tomllib typer",
    "postroad simulate t1": "asyncio dns rich.console ssl tomllib typer uvloop",
}
ROOMS = {
    "from postroad import route": "api words",
    "postroad sendmail": "build cli config files net receive routing smtp spool words",
    "postroad --help": "cli views words",
    "postroad rules": "cli planning routing rules sign tls views words",
    "postroad route ZONE": "build cli dns files gather net planning routing tls views words",
    "postroad config check": "build cli config deliver dialogue dns files net pace receive relay rewrite routing smtp "
    "spool tls views words",
    "postroad simulate t1": "build cli dns files gather models net pace planning routing simulation tls views words",
}
COMMANDS = {"rules", "route", "config", "simulate"}


def _bench():
    spec = spec_from_file_location("bench_startup", ROOT / "bench" / "startup.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The modules that are there at the end of each start that is measured, by its name."""
    bench = _bench()
    folder = tmp_path_factory.mktemp("starts")
    bench.prepare(folder)
    starts = {name: words for name, words, target in bench.cases(folder) if target}
    return {name: _modules(words, bench.MESSAGE) for name, words in some(starts.items(), 3, 1)}


def _modules(words, message):
    done = subprocess.run(
        [sys.executable, "-c", START, *words], input=message, capture_output=True, check=True, cwd=ROOT
    )
    return frozenset(done.stderr.decode().split())


def _of(expected, loaded):
    return {name: expected[name] for name in loaded}


def test_a_start_loads_the_packages_that_it_needs(loaded):
    """An event loop to ask by, a validator for settings, what draws at a terminal: none of it where nobody uses it."""
    assert _of(PACKAGES, loaded) == {name: " ".join(sorted(HEAVY & modules)) for name, modules in loaded.items()}


def test_a_start_enters_the_rooms_that_it_needs(loaded):
    """Whoever asks where mail goes does not load what delivers it, nor the relay."""
    rooms = {
        name: {module.split(".")[1] for module in modules if module.startswith("postroad.")}
        for name, modules in loaded.items()
    }
    assert _of(ROOMS, loaded) == {name: " ".join(sorted(each)) for name, each in rooms.items()}


def test_a_command_loads_no_other(loaded):
    """Each command's module is loaded for that command alone, and all of them only for the list of all."""
    of_commands = {f"postroad.cli.{name}" for name in COMMANDS}
    found = {name: sorted(of_commands & modules) for name, modules in loaded.items() if name != "postroad --help"}
    assert found == {name: [f"postroad.cli.{each}" for each in COMMANDS if each == name.split()[1]] for name in found}
