"""The Debian packages: their files agree with each other, and they can be installed, started, removed and purged.

What libraries the package brings is left out here: those of the tests take their place, so nothing is downloaded.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from postroad.config import load
from postroad.config.values import read_endpoint
from tests.support.patience import PATIENCE_S

ROOT = Path(__file__).parents[1]
DEB = ROOT / "packaging" / "deb"
NEEDED = ("dpkg-deb", "dpkg", "systemd-sysusers", "systemd-tmpfiles", "deb-systemd-helper", "setpriv", "unshare", "ip")
PLAY = 'exec 2>&1; sh -euc "$LAYER" || exit 77; exec chroot "$ROOM/all" sh -eu /mnt/inside'
LAYER = """
mount -t tmpfs tmpfs "$ROOM"
mkdir "$ROOM/upper" "$ROOM/work" "$ROOM/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$ROOM/upper,workdir=$ROOM/work" "$ROOM/all"
cd "$ROOM/all"
[ -x usr/bin/python3 ] && [ -d var/lib/dpkg ]
rm -rf etc/postroad var/lib/postroad
mount -t tmpfs tmpfs run
mount --rbind /proc proc
mount --rbind /dev dev
mkdir -p ".$SITE" mnt
mount --bind "$SITE" ".$SITE"
mount --bind "$SHIPPED" mnt
mount -t tmpfs tmpfs var/lib/dpkg # that of this system has a hundred thousand files to read
mkdir var/lib/dpkg/info var/lib/dpkg/updates
touch var/lib/dpkg/status
for slow in py3compile py3clean; do
    printf '#!/bin/sh\n' > usr/local/bin/$slow
    chmod 755 usr/local/bin/$slow
done
ip link set lo up
"""
INSIDE = """
install="dpkg --force-unsafe-io --force-depends --install /mnt/postroad.deb"
$install
stat -c "%U %a %n" /var/lib/postroad
echo '# kept' >> /etc/postroad/postroad.toml
python3 /mnt/while-it-runs setpriv --reuid=postroad --regid=postroad --clear-groups \
    --inh-caps=+net_bind_service --ambient-caps=+net_bind_service EXECUTED
$install
grep kept /etc/postroad/postroad.toml
dpkg --purge postroad
$install
postroad queue delete --all
dpkg --purge postroad
ls -d /var/lib/postroad /etc/postroad || echo nothing left
"""
WHILE_IT_RUNS = f"""
import os, socket, subprocess, sys
ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ready.settimeout({PATIENCE_S})
ready.bind("/run/ready")
os.chmod("/run/ready", 0o666)
relay = subprocess.Popen(sys.argv[1:], env={{**os.environ, "NOTIFY_SOCKET": "/run/ready"}})
while b"READY=1" not in ready.recv(4096):
    pass
mail = ["postroad", "sendmail", "-f", "me@example.net", "you@example.org"]
subprocess.run(mail, input=b"hello", check=True)
relay.terminate()
sys.exit(relay.wait())
"""
TOLD = [
    "postroad 700 /var/lib/postroad",
    "# kept",
    "postroad: mail is still queued in /var/lib/postroad; it is sent if the package is installed again",
    "postroad: /var/lib/postroad may hold queued mail, so it is kept; to delete that mail: rm -r /var/lib/postroad",
    "1 deleted",
    "nothing left",
]


@pytest.fixture(scope="module")
def build():
    """The script that builds them."""
    spec = spec_from_file_location("deb_build", DEB / "build.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _unit(path):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(path)
    return unit


def test_settings_units_and_spool_name_the_same_places(build):
    """The user, the spool and the ports are the same wherever the package says them."""
    config, service = load(DEB / "postroad.toml"), _unit(build.PLACES["lib/systemd/system/postroad.service"])["Service"]
    user = build.PLACES["usr/lib/sysusers.d/postroad.conf"].read_text().splitlines()[-1].split()
    kept = build.PLACES["usr/lib/tmpfiles.d/postroad.conf"].read_text().splitlines()[-1].split()
    assert [service["User"]] * 3 == [user[1], kept[3], kept[4]]
    assert [str(config.spool.path)] * 3 == [kept[1], user[-1], f"/var/lib/{service['StateDirectory']}"]
    assert service["StateDirectoryMode"] == kept[2]
    held = _unit(build.PLACES["lib/systemd/system/postroad.socket"])["Socket"]["ListenStream"]
    assert [(each.address, each.port) for each in config.listen] == [read_endpoint(held)]
    assert f"--config /{next(iter(build.PLACES))}" in service["ExecStart"]


def test_what_a_settings_file_of_the_package_suggests_is_right(tmp_path):
    """Its comments are settings: with all of them taken, the file is still read."""
    taken = re.sub(r"^# (?=\w+ = |\[\[)", "", (DEB / "postroad.toml").read_text(), flags=re.MULTILINE)
    file = tmp_path / "postroad.toml"
    file.write_text(taken)
    config = load(file)
    assert ("relay.example.net", ("*",), {"root", "postmaster"}) == (
        config.hostname,
        config.route[0].domains,
        set(config.aliases.table),
    )


def test_the_links_of_the_mta_have_a_program_and_a_page(build):
    """Other programs know a mail server by these names; all of them are one program, which the wheel has."""
    programs = {Path(target).name for link, target in build.LINKS.items() if "/man/" not in link}
    assert {"postroad-sendmail"} == programs
    assert (ROOT / "share/man/man1/postroad-sendmail.1").is_file()
    assert "postroad-sendmail" in build.PROJECT["scripts"]


@pytest.mark.root
def test_the_package_is_installed_started_upgraded_removed_and_purged(build, tmp_path):
    """On this Debian, under a layer that is thrown away: settings stay, and mail is never deleted unsaid."""
    if missing := _missing():
        pytest.skip(missing)
    shipped = tmp_path / "shipped"
    _pack(build, tmp_path / "tree", shipped)
    service = _unit(build.PLACES["lib/systemd/system/postroad.service"])["Service"]
    (shipped / "inside").write_text(INSIDE.replace("EXECUTED", service["ExecStart"]))
    (shipped / "while-it-runs").write_text(WHILE_IT_RUNS)
    room = tmp_path / "room"
    room.mkdir()
    told = _lay_over(room, shipped)
    assert TOLD == [line for line in told.splitlines() if line in TOLD], told


def _missing():
    """Why it cannot be installed here."""
    if os.geteuid() != 0:
        return "needs root"
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if lacking or not Path("/usr/bin/python3").exists():
        return f"no Debian with systemd: no {', '.join(lacking) or '/usr/bin/python3'}"
    version = subprocess.run(
        ["/usr/bin/python3", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    ours = "{}.{}.".format(*sys.version_info)
    return (
        "" if version.startswith(ours) else f"the system's Python is {version}, and the libraries here are of another"
    )


def _pack(build, tree, shipped):
    """Our part of the package; the libraries are those of the tests."""
    build.stage_program(tree, brings=False)
    site = next((tree / build.HOME).rglob("site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shipped.mkdir()
    build.pack(tree, shipped, squeeze="none").rename(shipped / "postroad.deb")


def _lay_over(room, shipped):
    """What was said while all of it was played with this system as it is, in namespaces that end with it."""
    env = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "DEBIAN_FRONTEND": "noninteractive",
        "LAYER": LAYER,
        "ROOM": str(room),
        "SHIPPED": str(shipped),
        "SITE": sysconfig.get_path("purelib"),
    }
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", PLAY]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip(f"no layer can be laid over this system here: {done.stdout}{done.stderr}")
    assert 0 == done.returncode, done.stdout
    return done.stdout
