"""What people install is whole, and has nothing else in it: what goes into the wheel and the sdist.

The builder is asked what it would pack; building the archives takes seconds, the list a tenth of one.
"""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from postroad.config import load

ROOT = Path(__file__).parents[1]
IMAGE = ROOT / "packaging" / "image"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
KINDS = {".css", ".key", ".pem", ".py", ".sql", ".toml", ".typed", ".zone"}  # key: of the lab's certificates
LOCKED = re.compile(r"^([a-z0-9._-]+)==(\S+) .*\\\n {4}--hash=", re.MULTILINE)
TOPS = {
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", "bench", "docs", "packaging",
    "pyproject.toml", "requirements-relay.lock", "requirements.lock", "share", "src", "tests",
}  # fmt: skip


def _packed(builder):
    return {each.distribution_path for each in builder(str(ROOT)).recurse_included_files()}


def _files(folder):
    """Every file below a folder but what Python makes of it, as a path from there."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel():
    """The builder of the wheel."""
    return WheelBuilder(str(ROOT))


def test_the_wheel_has_the_whole_package_and_nothing_else():
    """Sender models, schemas, providers and py.typed are there; tests, caches and keepsakes of an editor are not."""
    packed = _packed(WheelBuilder)
    assert {f"postroad/{path}" for path in _files(ROOT / "src" / "postroad")} == packed
    assert KINDS == {Path(path).suffix for path in packed}
    assert {"postroad/py.typed", "postroad/words/providers.toml", "postroad/models/postfix.toml"} < packed


def test_the_wheel_has_manual_pages_completions_and_the_licence(wheel):
    """They lie below share/ of wherever it is installed, where man and the shells look; the licence beside its data."""
    assert {str(ROOT / "share"): "share"} == wheel.config.shared_data
    assert ["LICENSE"] == wheel.metadata.core.license_files
    assert "postroad" in PROJECT["scripts"]


def test_the_sdist_has_what_stands_in_the_tree():
    """Whoever unpacks it can build, test and read all of it; what a working copy gathers beside it stays there."""
    builder = SdistBuilder(str(ROOT))
    packed = {each.distribution_path for each in builder.recurse_included_files()}
    packed |= set(builder.get_default_build_data()["force_include"].values())
    assert {path.split("/")[0] for path in packed} - {".gitignore"} == TOPS
    assert [] == [path for path in packed if "__pycache__" in path or "/." in path]
    assert {f"src/postroad/{path}" for path in _files(ROOT / "src" / "postroad")} < packed


def test_a_relay_is_locked_to_what_the_tests_ran_with():
    """The .deb and the image have what the project needs and `postgres`, not a package more, in the tested versions."""
    ours, all_ = (dict(_locked(name)) for name in ("requirements-relay.lock", "requirements.lock"))
    assert ours == {name: all_[name] for name in ours}
    extras = PROJECT["optional-dependencies"]
    assert ours.keys() == _closure([*PROJECT["dependencies"], *extras["postgres"]])
    assert _closure(line for lines in extras.values() for line in lines) <= all_.keys()


def _locked(name):
    return LOCKED.findall((ROOT / name).read_text())


def _closure(lines):
    """Everything that these requirements bring on this platform, by name."""
    names, left = set(), list(map(Requirement, lines))
    while left:
        name = canonicalize_name((one := left.pop()).name)
        if name not in names and (one.marker is None or one.marker.evaluate({"extra": ""})):
            names.add(name)
            left += map(Requirement, distribution(name).requires or ())
    return names


def test_every_extra_is_there_for_developers():
    """Tests meet all that an extra brings, in the version that users get."""
    extras = PROJECT["optional-dependencies"]
    assert {line for lines in extras.values() for line in lines} == set(extras["dev"])


def test_the_image_agrees_with_its_settings():
    """Not root, and the port, the spool and the health check are those of the settings that it brings."""
    said = (IMAGE / "Containerfile").read_text()
    config = load(IMAGE / "postroad.toml")
    last = {line.split()[0]: line.split(maxsplit=1)[1] for line in said.splitlines() if line and line[0] != " "}
    assert ("2525:2525", str(config.listen[0].port)) == (last["USER"], last["EXPOSE"])
    assert str(config.spool.path) == last["VOLUME"]
    assert f"http://{config.metrics.listen[0]}:{config.metrics.listen[1]}/health" in said


def test_the_image_is_closed_to_strangers_and_gets_what_it_copies():
    """Where an engine translates addresses everyone looks like the gateway, so nobody may relay until somebody says."""
    config = load(IMAGE / "postroad.toml")
    assert all(network.is_loopback for network in config.relay.networks)
    copied = re.findall(r"^COPY (?!--from)(\S+)", (IMAGE / "Containerfile").read_text(), re.MULTILINE)
    sent = (IMAGE / "Containerfile.dockerignore").read_text().splitlines()
    assert ["*", *sorted(f"!{path}" for path in copied)] == sent
