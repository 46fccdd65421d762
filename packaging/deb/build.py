"""Builds the Debian packages: `make deb`, on the Debian they are for, without root.

Two packages. `postroad` is the program, its units, and a user; it leaves /usr/sbin/sendmail alone. `postroad-mta` is
the links by which other programs find a mail server, and nothing else: whoever installs it asks for them, as with
msmtp-mta.

Debian 12 has older versions of the libraries, so they are brought, in a virtual environment of the system's Python at
/usr/lib/postroad; it also sees the system's packages: python3-numpy, if it is there.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable
from configparser import ConfigParser
from email.utils import formatdate
from importlib.metadata import Distribution, distributions
from pathlib import Path

HERE = Path(__file__).parent
TREE = HERE.parents[1]
PYTHON = "/usr/bin/python3"
TOOLS = ("dpkg", "dpkg-deb", "strip", PYTHON)  # strip: of binutils
PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
VERSION = f"{PROJECT['version']}-1"
HOME = Path("usr/lib/postroad")
EXAMPLES = TREE / "docs" / "examples"
LINKS = {
    "usr/sbin/sendmail": "../bin/postroad-sendmail",
    "usr/lib/sendmail": "../bin/postroad-sendmail",
    "usr/bin/mailq": "postroad-sendmail",
    "usr/bin/newaliases": "postroad-sendmail",
    "usr/share/man/man8/sendmail.8.gz": "../man1/postroad-sendmail.1.gz",
    "usr/share/man/man1/mailq.1.gz": "postroad-sendmail.1.gz",
    "usr/share/man/man1/newaliases.1.gz": "postroad-sendmail.1.gz",
}
PLACES = {
    "etc/postroad/postroad.toml": HERE / "postroad.toml",
    "lib/systemd/system/postroad.service": EXAMPLES / "postroad.service",
    "lib/systemd/system/postroad.socket": HERE / "postroad.socket",
    "usr/lib/sysusers.d/postroad.conf": EXAMPLES / "sysusers.d" / "postroad.conf",
    "usr/lib/tmpfiles.d/postroad.conf": EXAMPLES / "tmpfiles.d" / "postroad.conf",
    "usr/share/doc/postroad/examples/postroad.toml": EXAMPLES / "postroad.toml",
    "usr/share/lintian/overrides/postroad": HERE / "lintian-overrides",
}
LAUNCHER = """#!/usr/lib/postroad/bin/python3 -I
import sys

from {module} import {function}

sys.exit({function}())
"""
LICENCE = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: postroad

Files: *
Copyright: {owner}
License: Expat
{text}
"""
OTHERS = """
Files: {folder}/{name}*
Copyright: the authors of {name} {version}
License: {licence}
 The full text is in {folder}/{name}.
"""


def main() -> None:
    """Build both into the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--to", type=Path, default=TREE / "dist")
    to = parser.parse_args().to
    if lacking := [name for name in TOOLS if shutil.which(name) is None]:
        parser.error(f"build it on the Debian it is for; this system has no {', '.join(lacking)}")
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, stage in (("postroad", stage_program), ("postroad-mta", stage_links)):
            root = Path(folder, name)
            stage(root)
            print(pack(root, to))


def stage_program(root: Path, *, brings: bool = True) -> None:
    """The tree of `postroad`; without what it brings from others in a test, which has them already."""
    site = _environment(root)
    if brings:
        _bring(site)
    _unpack(site, root)
    (root / "usr/share/zsh/site-functions").rename(_new(root / "usr/share/zsh/vendor-completions"))
    _launch(root, site)
    for place, source in PLACES.items():
        shutil.copyfile(source, _new(root / place))
    own = root / "usr/share/doc/postroad"
    (own / "copyright").write_text(_copyright(site))
    _compressed(own / "changelog.gz", (TREE / "CHANGELOG.md").read_text())
    _finish(root, "postroad", conffiles=["/etc/postroad/postroad.toml"], scripts=("postinst", "prerm", "postrm"))


def stage_links(root: Path) -> None:
    """The tree of `postroad-mta`."""
    for link, target in LINKS.items():
        _new(root / link).symlink_to(target)
    _new(root / "usr/share/doc/postroad-mta/copyright").write_text(_licence())
    shutil.copyfile(HERE / "lintian-overrides-mta", _new(root / "usr/share/lintian/overrides/postroad-mta"))
    _finish(root, "postroad-mta")


def pack(root: Path, to: Path, *, squeeze: str = "xz") -> Path:
    """The archive of a tree; everything in it belongs to root, whoever builds it."""
    control = dict(line.split(": ", 1) for line in (root / "DEBIAN/control").read_text().splitlines() if line[0] != " ")
    file = to / f"{control['Package']}_{control['Version']}_{control['Architecture']}.deb"
    _run("dpkg-deb", "--root-owner-group", f"-Z{squeeze}", "--build", root, file)
    return file


def _environment(root: Path) -> Path:
    """A virtual environment of the system's Python, without a program of its own; where its packages go."""
    version = _run(PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    (_new(root / HOME / "bin/python3")).symlink_to("../../../bin/python3")
    (root / HOME / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = true\nversion = {version}\n"
    )
    return root / HOME / "lib" / f"python{version}" / "site-packages"


def _bring(site: Path) -> None:
    """The libraries of others, of the versions that are locked, compiled by their authors."""
    pip = [sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "--disable-pip-version-check"]
    into = [*pip, "--root-user-action=ignore", "--no-compile", "--target", site]
    _run(*into, "--require-hashes", "--only-binary", ":all:", "-r", TREE / "requirements-relay.lock")
    shutil.rmtree(site / "bin")
    for library in site.rglob("*.so*"):
        _run("strip", "--strip-unneeded", "--remove-section=.comment", "--remove-section=.note", library)
        library.chmod(0o644)


def _unpack(site: Path, root: Path) -> None:
    """Our own wheel: the package among the libraries, what lies below share/ where Debian has it."""
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415  # whoever only reads the tables has no need of it

    with tempfile.TemporaryDirectory() as folder:
        file = next(WheelBuilder(str(TREE)).build(directory=folder, versions=["standard"]))
        with zipfile.ZipFile(file) as packed:
            packed.extractall(site)
    data = next(site.glob("postroad-*.data"))
    shutil.move(data / "data/share", root / "usr/share")
    shutil.rmtree(data)


def _launch(root: Path, site: Path) -> None:
    """A program for each that the wheel names."""
    entries = ConfigParser()
    entries.read(next(site.glob("postroad-*.dist-info")) / "entry_points.txt")
    for name, target in entries["console_scripts"].items():
        module, function = target.split(":")
        script = _new(root / "usr/bin" / name)
        script.write_text(LAUNCHER.format(module=module, function=function))
        script.chmod(0o755)


def _finish(root: Path, package: str, conffiles: Iterable[str] = (), scripts: Iterable[str] = ()) -> None:
    """What every package has: a changelog, compressed pages, and its control files."""
    for page in [each for each in (root / "usr/share/man").rglob("*") if each.is_file() and not each.is_symlink()]:
        _compressed(page.with_name(f"{page.name}.gz"), page.read_text())
        page.unlink()
    entry = f"{package} ({VERSION}) unstable; urgency=medium\n\n  * New version.\n\n -- {_maintainer()}  {_date()}\n"
    _compressed(root / f"usr/share/doc/{package}/changelog.Debian.gz", entry)
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)
    control = _new(root / "DEBIAN/control")
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and control.parent not in path.parents
    ]
    size = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    control.with_name("md5sums").write_text("".join(sums))
    control.write_text(_control(package, size))
    if conffiles:
        control.with_name("conffiles").write_text("".join(f"{each}\n" for each in conffiles))
    for name in scripts:
        shutil.copyfile(HERE / name, control.with_name(name))
        control.with_name(name).chmod(0o755)


def _control(package: str, size: int) -> str:
    version = _run(PYTHON, "-c", "import sys; print('3.%d~ 3.%d~' % (sys.version_info[1], sys.version_info[1] + 1))")
    this, following = version.split()
    return (
        (HERE / f"{package}.control")
        .read_text()
        .format(
            version=VERSION,
            maintainer=_maintainer(),
            architecture=_run("dpkg", "--print-architecture"),
            size=size,
            python=f"python3 (>= {this}), python3 (<< {following})",
        )
    )


def _copyright(site: Path) -> str:
    folder = f"/{HOME}/{site.relative_to(site.parents[2])}"
    others = sorted(distributions(path=[str(site)]), key=lambda each: each.name.lower())
    return _licence() + "".join(
        OTHERS.format(folder=folder, name=each.name, version=each.version, licence=_terms(each))
        for each in others
        if each.name != "postroad"
    )


def _licence() -> str:
    lines = (TREE / "LICENSE").read_text().splitlines()
    owner = next(line for line in lines if line.startswith("Copyright")).removeprefix("Copyright (c) ")
    text = "\n".join(f" {line}" if line.strip() else " ." for line in lines)
    return LICENCE.format(owner=owner, text=text)


def _terms(other: Distribution) -> str:
    metadata = other.metadata
    named = metadata["License-Expression"] or metadata["License"] or ""
    classified = [line.split(" :: ")[-1] for line in metadata.get_all("Classifier", []) if line.startswith("License")]
    return named.splitlines()[0] if named else ", ".join(classified) or "unknown"


def _maintainer() -> str:
    """As Debian's own tools ask: by DEBFULLNAME and DEBEMAIL."""
    return f"{os.environ.get('DEBFULLNAME', 'Postroad')} <{os.environ.get('DEBEMAIL', 'root@localhost')}>"


def _date() -> str:
    """When the version was made, not the package: the same source gives the same package."""
    return formatdate(float(os.environ.get("SOURCE_DATE_EPOCH", (TREE / "CHANGELOG.md").stat().st_mtime)))


def _compressed(path: Path, text: str) -> None:
    _new(path).write_bytes(gzip.compress(text.encode(), mtime=0))


def _new(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _run(*words: str | Path) -> str:
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    main()
