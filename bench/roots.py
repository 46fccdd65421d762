"""Debian roots with the peers and the tools in them, made once by debootstrap; nothing on the host is changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {  # Postfix and Exim conflict, hence a root for each; the others are made only when they are asked for
    "postfix": "postfix,unbound",
    "exim": "exim4-daemon-light",
    "opendkim": "postfix,opendkim",
    "stunnel": "stunnel4",
}
SUITE = "bookworm"


def ensure(directory: Path, name: str) -> Path:
    """The root of that name, made if it is not there (a minute, 300 MiB)."""
    root = directory / "roots" / name
    if not (root / ".ready").exists():
        print(f"making a Debian root with {PACKAGES[name]} in {root}", flush=True)
        shutil.rmtree(root, ignore_errors=True)
        _bootstrap(directory, name, root)
        (root / ".ready").touch()
    return root


def _bootstrap(directory, name, root):
    tool = _debootstrap(directory)
    cache = directory / "packages"
    cache.mkdir(parents=True, exist_ok=True)
    root.parent.mkdir(exist_ok=True)
    log = directory / f"debootstrap-{name}.log"
    command = [str(tool / "usr/sbin/debootstrap"), "--variant=minbase", f"--include={PACKAGES[name]}"]
    command += [f"--cache-dir={cache}", SUITE, str(root), _mirror()]
    # not the namespace's business: this runs before the benchmark enters one
    environment = os.environ | {
        "DEBOOTSTRAP_DIR": str(tool / "usr/share/debootstrap"),
        "DEBIAN_FRONTEND": "noninteractive",
    }
    with log.open("w") as out:
        if subprocess.run(command, env=environment, stdout=out, stderr=out, check=False).returncode != 0:
            sys.exit(f"debootstrap failed, see {log}")


def _debootstrap(directory):
    """Debootstrap itself, unpacked rather than installed."""
    folder = directory / "debootstrap"
    if not (folder / "usr/sbin/debootstrap").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", "debootstrap"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        package = next(folder.glob("debootstrap_*.deb"))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
    return folder


def _mirror():
    """Where this host gets Debian from, as apt says."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {SUITE}"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    debian = [uri for uri in found if uri.rstrip("/").endswith("/debian")]
    if not debian:
        sys.exit(f"apt knows no mirror of Debian {SUITE}")
    return debian[0]
