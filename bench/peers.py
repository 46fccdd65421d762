"""The relays under test: how each is configured, emptied, started and stopped. All configuration is in this file.

"default" is Debian's configuration and what the test itself needs (the network of the client, the name); "tuned" is
what a Postfix administrator would set for throughput to one busy destination; "opendkim" is that with OpenDKIM as its
milter, and "-dkim" is Postroad that signs: all mail, RSA 2048, with the same key and the same canonicalization.
"""

import contextlib
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import roots
import signatures
from gauges import counting_syncs
from world import DNS, HOSTNAME, NETWORK, RELAY, World

START_S = 60.0
NAMES = (
    "postroad",
    "postroad-workers",
    "postfix-tuned",
    "postfix-default",
    "exim-default",
    "postroad-dkim",
    "postroad-workers-dkim",
    "postfix-opendkim",
)
POSTROAD = f"{Path(sys.executable).parent / 'postroad'} relay --config {{config}}"
RESOLV_CONF = f"nameserver {DNS}\noptions timeout:5 attempts:2\n"
HOSTS = f"127.0.0.1 localhost\n{RELAY} {HOSTNAME} relay\n"

POSTFIX = {
    "myhostname": HOSTNAME,
    "mydestination": "localhost",
    "mynetworks": f"127.0.0.0/8 {NETWORK}",
    "maillog_file": "/var/log/mail.log",  # there is no syslog in the root
}
POSTFIX_TUNED = {
    "default_process_limit": "200",
    "inet_protocols": "ipv4",
    "in_flow_delay": "0",
    "default_destination_concurrency_limit": "50",
    "smtp_destination_concurrency_limit": "50",
    "initial_destination_concurrency": "20",
    "smtp_connection_cache_destinations": "example.com",
    "smtp_connection_cache_time_limit": "10s",
    "smtp_connection_reuse_time_limit": "300s",
    "max_use": "5000",
    "qmgr_message_active_limit": "40000",
    "qmgr_message_recipient_limit": "40000",
    "smtpd_client_connection_count_limit": "0",
    "smtpd_peername_lookup": "no",
    "enable_long_queue_ids": "yes",
    "smtp_connect_timeout": "5s",
    "smtp_helo_timeout": "30s",
    "smtp_mx_session_limit": "3",
    "minimal_backoff_time": "60s",
    "queue_run_delay": "60s",
    "smtp_tls_security_level": "none",
    "smtpd_tls_security_level": "none",
}
# Debian's Postfix has "may" already. Connections with TLS are kept by tlsproxy alone, which Debian does not start.
POSTFIX_TUNED_TLS = {"smtp_tls_security_level": "may", "smtp_tls_connection_reuse": "yes"}
TLSPROXY = "tlsproxy/unix=tlsproxy unix - - y - 0 tlsproxy"
OPENDKIM_SOCKET = "opendkim/opendkim.sock"  # below the queue directory, which is the root of smtpd
POSTFIX_OPENDKIM = {"smtpd_milters": f"unix:{OPENDKIM_SOCKET}"}
OPENDKIM = f"""\
Mode s
Domain {signatures.DOMAIN}
Selector {signatures.SELECTOR}
KeyFile /etc/dkimkeys/bench.pem
Canonicalization relaxed/relaxed
OversignHeaders From
InternalHosts {NETWORK}
UserID opendkim:postfix
UMask 007
Socket local:/var/spool/postfix/{OPENDKIM_SOCKET}
Syslog no
"""
# a daemon, not a child of this shell, which becomes Postfix's master and would panic when a strange child ends
OPENDKIM_AND_POSTFIX = f"""\
opendkim -x /etc/opendkim-bench.conf || exit
until [ -S /var/spool/postfix/{OPENDKIM_SOCKET} ]; do sleep 0.01; done
exec postfix start-fg
"""
EXIM = f"""\
dc_eximconfig_configtype='internet'
dc_other_hostnames='localhost'
dc_local_interfaces='{RELAY}'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets='{NETWORK}'
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='false'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""
# the template takes private addresses for a mistake of DNS
EXIM_MACROS = f"MAIN_HARDCODE_PRIMARY_HOSTNAME = {HOSTNAME}\nROUTER_DNSLOOKUP_IGNORE_TARGET_HOSTS = 0.0.0.0\n"
# without these Exim turns a burst of sessions away: it takes 20 by default
EXIM_LIMITS = """\
smtp_accept_max = 200
smtp_accept_max_per_connection = 20000
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 200
"""


class Postfix:
    """Postfix of Debian, as it comes or tuned."""

    QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop saved trace"
    ROOT = "postfix"
    START = "exec postfix start-fg"
    signs = False

    def __init__(self, directory: Path, variant: str, *, tls: bool = False):
        self.name = f"postfix-{variant}"
        self.root = roots.ensure(directory, self.ROOT)
        self._settings = POSTFIX | (POSTFIX_TUNED if variant != "default" else {})
        self._services = []
        if tls and variant != "default":
            self._settings |= POSTFIX_TUNED_TLS
            self._services = ["-M", TLSPROXY]
        self.command = ["chroot", str(self.root), "sh", "-c", self.START]

    def prepare(self):
        """Empties the queue and writes the configuration."""
        _furnish(self.root)
        for queue in self.QUEUES.split():
            _empty(self.root / "var/spool/postfix" / queue)
        (self.root / "var/log/mail.log").unlink(missing_ok=True)
        for name in ("main.cf", "master.cf"):
            _restore(self.root / "etc/postfix" / name)
        self._set(*(f"{key}={value}" for key, value in self._settings.items()))
        if self._services:
            self._set(*self._services)
        _run(["chroot", self.root, "/usr/lib/postfix/configure-instance.sh", "-"])
        (self.root / "var/spool/postfix/etc/resolv.conf").write_text(RESOLV_CONF)

    def _set(self, *arguments):
        _run(["chroot", self.root, "postconf", "-e", *arguments])


class PostfixOpenDkim(Postfix):
    """Tuned Postfix, and OpenDKIM as its milter, of Debian both."""

    ROOT = "opendkim"
    START = OPENDKIM_AND_POSTFIX
    signs = True

    def __init__(self, directory: Path, variant: str, *, tls: bool = False):
        super().__init__(directory, variant, tls=tls)
        self._settings |= POSTFIX_OPENDKIM
        self._key = signatures.private(directory)

    def prepare(self):
        """Also gives OpenDKIM its key, its settings and a place for its socket."""
        super().prepare()
        (self.root / "etc/opendkim-bench.conf").write_text(OPENDKIM)
        key = self.root / "etc/dkimkeys/bench.pem"
        key.touch(mode=0o600)
        key.write_text(self._key)
        socket_file = Path("var/spool/postfix", OPENDKIM_SOCKET)
        (self.root / socket_file).unlink(missing_ok=True)
        (self.root / socket_file.parent).mkdir(mode=0o750, exist_ok=True)
        _run(["chroot", self.root, "chown", "opendkim:postfix", f"/{socket_file.parent}", "/etc/dkimkeys/bench.pem"])


class Exim:
    """Exim of Debian, as it comes."""

    signs = False

    def __init__(self, directory: Path):
        self.name = "exim-default"
        self.root = roots.ensure(directory, "exim")
        self.command = ["chroot", str(self.root), "exim4", "-bdf", "-q30m"]

    def prepare(self):
        """Empties the queue and writes the configuration."""
        _furnish(self.root)
        for folder in ("input", "msglog", "db"):
            _empty(self.root / "var/spool/exim4" / folder)
        settings = self.root / "etc/exim4"
        (settings / "update-exim4.conf.conf").write_text(EXIM)
        (settings / "exim4.conf.localmacros").write_text(EXIM_MACROS)
        template = settings / "exim4.conf.template"
        _restore(template)
        template.write_text(EXIM_LIMITS + template.read_text())
        _run(["chroot", self.root, "update-exim4.conf"])


class Postroad:
    """Postroad of this checkout, with its defaults, or as two processes, or signing. `command` may hold `{config}`."""

    def __init__(self, directory: Path, command: str = POSTROAD, name: str = "postroad"):
        self.name = name
        self.signs = name.endswith("-dkim")
        if name.startswith("postroad-workers"):
            command += " --workers 2"
        self._keys = signatures.keys(directory) if self.signs else None
        self._folder = directory / "postroad"
        self.spool = self._folder / "spool"
        self._config = self._folder / "postroad.toml"
        self.command = [word.format(config=self._config) for word in shlex.split(command)]

    def prepare(self):
        """Empties the spool and writes the configuration."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        signing = f'\n[dkim]\nkeys = "{self._keys}"\n' if self.signs else ""
        self._config.write_text(self._settings() + signing)

    def _settings(self):
        return f"""\
hostname = "{HOSTNAME}"

[dns]
resolvers = ["{DNS}"]

[spool]
path = "{self.spool}"

[[listen]]
address = "{RELAY}"
port = 25

[relay]
networks = ["{NETWORK}"]
"""


def make(name: str, directory: Path, postroad: str = POSTROAD, *, tls: bool = False) -> Postfix | Exim | Postroad:
    """The peer of a name out of NAMES; `tls` if the exchangers offer it."""
    if name.startswith("postroad"):
        return Postroad(directory, postroad, name)
    if name == "exim-default":
        return Exim(directory)
    kind = PostfixOpenDkim if name == "postfix-opendkim" else Postfix
    return kind(directory, name.removeprefix("postfix-"), tls=tls)


class Running:
    """A peer that runs and has said 220, from `with` to its end; `start_s` is how long that took from exec.

    The queue is kept if `fresh` is false. With `syncs` its calls that sync are counted into that file (strace).
    """

    def __init__(self, world: World, peer, *, fresh: bool = True, syncs: Path | None = None):
        self._world = world
        self._peer = peer
        self._fresh = fresh
        self._syncs = syncs
        self.start_s = 0.0

    def __enter__(self):
        if self._fresh:
            self._peer.prepare()
        command = counting_syncs(self._peer.command, self._syncs) if self._syncs else self._peer.command
        self._log = self._world.directory / f"{self._peer.name}.log"
        with self._log.open("w") as out:
            begun = time.monotonic()
            self._process = subprocess.Popen(
                self._world.at_relay(command), stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        self._await_greeting(begun + START_S)
        self.start_s = time.monotonic() - begun
        return self

    def __exit__(self, *_):
        self._world.relay.end()
        self._process.wait()

    def _await_greeting(self, deadline):
        while not _greets():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                sys.exit(f"{self._peer.name} does not start, see {self._log}\n{self._log.read_text()[-2000:]}")
            time.sleep(0.005)


def _greets():
    with contextlib.suppress(OSError), socket.create_connection((RELAY, 25), timeout=5) as connection:
        if connection.recv(3) == b"220":
            connection.sendall(b"QUIT\r\n")
            return True
    return False


def _furnish(root):
    """The files by which a root knows the benchmark's network."""
    (root / "etc/resolv.conf").write_text(RESOLV_CONF)
    (root / "etc/hosts").write_text(HOSTS)
    (root / "etc/mailname").write_text(f"{HOSTNAME}\n")


def _restore(path):
    """Makes a file what it was when it was first restored: as Debian has it."""
    original = path.with_name(f"{path.name}.debian")
    if not original.exists():
        shutil.copy(path, original)
    shutil.copy(original, path)


def _empty(folder):
    """Removes the files below a folder; the folders stay, with their owners."""
    for path in folder.rglob("*"):
        if not path.is_dir():
            path.unlink()


def _run(command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
