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
from tests.support.examples import in_whole_runs
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


PURGED = [
    ("empty", [], "is gone"),
    ("asked, and without mail", ["spool.db", ".no-mail"], "is gone"),
    ("never asked", ["spool.db"], "is kept"),
    ("changed since it was asked", [".no-mail", "spool.db"], "is kept"),
]


@pytest.mark.parametrize(("about", "files", "end"), PURGED, ids=[about for about, *_ in PURGED])
def test_a_purge_deletes_no_spool_that_may_hold_mail(tmp_path, about, files, end):
    """What has come since the queue was asked for keeps the whole folder, and that is said."""
    spool = tmp_path / "spool"
    spool.mkdir()
    for at, name in enumerate(files):
        (spool / name).touch()
        os.utime(spool / name, (at, at))
    said = _maintain("postrm", tmp_path, "purge", "")
    expected = f"postroad: {spool} may hold queued mail, so it is kept; to delete that mail: rm -r {spool}\n"
    assert ("is kept" if spool.exists() else "is gone", expected if end == "is kept" else "") == (end, said)


LEFT = "mail is still queued in {0}; it is sent if the package is installed again"


@pytest.mark.parametrize(
    ("queue", "check", "is_marked", "words"),
    [(1, 0, True, ""), (1, 1, False, ""), (0, 0, False, LEFT), (3, 0, False, "")],
    ids=["nothing queued", "a move is not finished", "mail is queued", "nobody can tell"],
)
def test_a_spool_without_mail_is_marked_as_the_package_goes(tmp_path, queue, check, is_marked, words):
    """Only the program can tell, so it is asked while it is there: an empty queue and a sound spool."""
    spool = tmp_path / "spool"
    spool.mkdir()
    said = _maintain("prerm", tmp_path, "remove", f"case $1 in queue) exit {queue};; spool) exit {check};; esac")
    expected = f"postroad: {words.format(spool)}\n" if words else ""
    assert (expected, is_marked) == (said, (spool / ".no-mail").exists())


def _maintain(script, room, word, program):
    """What a script of the package says, with another spool, another `postroad`, and nothing of systemd or dpkg."""
    programs = room / "bin"
    programs.mkdir()
    for name in ("find", "rm", "rmdir", "touch"):
        (programs / name).symlink_to(shutil.which(name))
    (programs / "postroad").write_text(f"#!/bin/sh\n{program}\n")
    (programs / "postroad").chmod(0o755)
    text = (DEB / script).read_text().replace("/run/systemd/system", str(room / "no-systemd"))
    text = text.replace("/var/lib/postroad", str(room / "spool")).replace("/usr/lib/postroad", str(programs))
    words = ["/bin/sh", "-s", word]
    done = subprocess.run(words, input=text, env={"PATH": str(programs)}, capture_output=True, text=True, check=True)
    return done.stderr


@pytest.mark.root
@in_whole_runs
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
