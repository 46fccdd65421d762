"""Postfix, Exim and our own relay as processes, each with a configuration of its own below one folder."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

from tests.faults.relays import ROOT, write_settings
from tests.interop import places
from tests.interop.packages import OTHERS, PEERS, environment, give_away, other
from tests.support.certificates import issue
from tests.support.patience import PATIENCE_S
from tests.support.signing import ed25519_pem, rsa_key, rsa_pem

from postroad.lab import CertificateKind
from postroad.lab.certificate import lab_chain
from postroad.receive.auth import hash_password

LOOK_S = 0.01
CERTIFICATE = files("postroad.lab") / "tls" / "certificate.pem"
KEY = files("postroad.lab") / "tls" / "key.pem"

POSTFIX = """
compatibility_level = 3.6
command_directory = {peers}/usr/sbin
daemon_directory = {peers}/usr/lib/postfix/sbin
shlib_directory = {peers}/usr/lib/postfix
meta_directory = {folder}/etc
data_directory = {folder}/data
queue_directory = {folder}/queue
mail_owner = {others}
setgid_group = news
default_privs = nobody
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
export_environment = MAIL_CONFIG LD_LIBRARY_PATH PATH
myhostname = mail.postfix.example
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
local_recipient_maps =
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_error_sleep_time = 0
in_flow_delay = 0
message_size_limit = 50000000
mailbox_size_limit = 0
"""
IN_THE_MIDDLE = """
relayhost = [{box}]:{ports.smtp}
transport_maps = inline:{{
  {{clear.example=smtp:[{relay}]:{ports.relay}}},
  {{starttls.example=starttls:[{relay}]:{ports.relay}}},
  {{implicit.example=implicit:[{relay}]:{ports.implicit}}}}}
smtpd_relay_restrictions = check_recipient_access inline:{{
  {{gone@postfix.example=550 5.1.1 no such user here}},
  {{later@postfix.example=450 4.2.0 come back later}}}}, permit_mynetworks, reject
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
"""
DOORS = """
{0.POSTFIX}:{1}      inet n - n - - smtpd
{0.POSTFIX_TLS}:{1}  inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
{0.POSTFIX_FIVE}:{1} inet n - n - - smtpd -o smtpd_recipient_limit=5
starttls unix - - n - - smtp -o smtp_tls_security_level=encrypt
implicit unix - - n - - smtp -o smtp_tls_security_level=encrypt -o smtp_tls_wrappermode=yes
"""
SERVICES = """
pickup   unix n - n 60 1 pickup
cleanup  unix n - n - 0 cleanup
qmgr     unix n - n 300 1 qmgr
tlsmgr   unix - - n 1000? 1 tlsmgr
rewrite  unix - - n - - trivial-rewrite
bounce   unix - - n - 0 bounce
defer    unix - - n - 0 bounce
trace    unix - - n - 0 bounce
verify   unix - - n - 1 verify
flush    unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp     unix - - n - - smtp
error    unix - - n - - error
retry    unix - - n - - error
anvil    unix - - n - 1 anvil
postlog  unix-dgram n - n - 1 postlogd
"""
QUEUES = "active bounce corrupt defer deferred flush hold incoming private saved trace maildrop public"
EXIM = """
primary_hostname = mail.exim.example
exim_path = {peers}/usr/sbin/exim4
exim_user = {others}
exim_group = {others}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/pid
daemon_smtp_ports = {ports.smtp}
local_interfaces = {address}
keep_environment = *
deliver_drop_privilege = true
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = recipient
acl_smtp_data = accept
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
smtputf8_advertise_hosts = *

begin acl
recipient:
  deny   local_parts = gone
         message = 5.1.1 no such user here
  defer  local_parts = later
         message = 4.2.0 come back later
  accept

begin routers
relay:
  driver = manualroute
  domains = starttls.example
  transport = relay
  route_list = * {relay}::{ports.relay} byname
  self = send
box:
  driver = manualroute
  transport = box
  route_list = * {box}::{ports.smtp} byname
  self = send

begin transports
relay:
  driver = smtp
  hosts_require_tls = *
  tls_verify_certificates =
  tls_try_verify_hosts =
box:
  driver = smtp
  hosts_avoid_tls = *

begin retry
* * F,1h,1s
"""


RSA = issue("mx.dane-rsa.example", kind=partial(rsa_key, 2048))
SELECTORS = {"rsa": partial(rsa_pem, 2048), "curve": ed25519_pem}


class Process:
    """A server that runs until it is stopped; what it says is in `log`."""

    def __init__(self, folder, command, **options):
        self.log = folder / "said"
        with self.log.open("wb") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **options)

    def await_greeting(self, *where):
        """Wait until it says 220 there; RuntimeError with what it said if it ends instead."""
        self.await_that(lambda: all(_greets(place) for place in where))

    def await_that(self, is_so):
        """Wait until something is so; RuntimeError with what it said if it ends instead, or that never comes to be."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self._process.args[0]} does not come so far: {self.log.read_text()}")
            time.sleep(LOOK_S)

    def stop(self):
        """End it, in order."""
        self._process.terminate()
        self._process.wait()


def _greets(place):
    with contextlib.suppress(OSError), socket.create_connection(place, timeout=PATIENCE_S) as connection:
        return connection.recv(3) == b"220"
    return False


def postfix(folder, ports):
    """Postfix with many doors: plain, five recipients a transaction, and STARTTLS demanded. Not ready yet."""
    facts = {"ports": ports, "box": places.BOX, "relay": places.RELAY, "certificate": CERTIFICATE, "key": KEY}
    doors = [DOORS.format(places, ports.smtp)]
    for name, (address, options) in places.WARDED.items():
        more = ("smtpd_tls_security_level=encrypt", f"smtpd_tls_chain_files={_chain(folder, name)}", *options)
        doors.append(f"{address}:{ports.smtp} inet n - n - - smtpd {' '.join(f'-o {each}' for each in more)}\n")
    return run_postfix(folder, IN_THE_MIDDLE.format(**facts), "".join(doors))


def _chain(folder, name):
    """A key and what it shows, in one file."""
    file = folder / f"{name}.pem"
    if name == "rsa":
        _, key = RSA.pem(folder, "of-rsa")
        chain = RSA.chain
    else:
        kind = name if name in list(CertificateKind) else CertificateKind.GOOD
        key, chain = KEY, lab_chain(CertificateKind(kind), [f"mx.{way}-{name}.example" for way in ("dane", "sts")])
    file.write_bytes(key.read_bytes() + b"".join(ssl.DER_cert_to_PEM_cert(each).encode() for each in chain))
    return file


def run_postfix(folder, settings, doors):
    """Postfix with these settings and services beside the usual ones. Not ready yet."""
    laid = lay_postfix(folder, settings, doors)
    # It ends with a signal to its own group, and waits for a second where it has none
    return Process(folder, laid.command, env=laid.surroundings, process_group=0)


@dataclass(frozen=True, slots=True)
class Laid:
    """A server that could be started: by which command, in which surroundings."""

    command: list
    surroundings: dict


def lay_postfix(folder, settings, doors):
    """The folders and settings of a Postfix, and how it is started."""
    for name in ("etc", "data", "queue", *(f"queue/{queue}" for queue in QUEUES.split()), "queue/pid"):
        (folder / name).mkdir(mode=0o755)
    for name in QUEUES.split():
        give_away(folder / "queue" / name)
    give_away(folder / "data")
    usual = POSTFIX.format(peers=PEERS, folder=folder, others=OTHERS)
    (folder / "etc/main.cf").write_text(usual + settings)
    os.utime(folder / "etc/main.cf", (0, 0))  # Postfix waits for a second after somebody wrote it
    (folder / "etc/master.cf").write_text(doors + SERVICES)
    surroundings = environment(MAIL_CONFIG=folder / "etc", POSTLOG_SERVICE="postlog", POSTLOG_HOSTNAME="postfix")
    return Laid([PEERS / "usr/lib/postfix/sbin/master", "-c", folder / "etc", "-d"], surroundings)


def exim(folder, ports):
    """Exim, which wants a user Debian-exim: a library lends it one. Not ready yet."""
    give_away(folder)
    for file in (CERTIFICATE, KEY):
        (folder / file.name).write_bytes(file.read_bytes())
        give_away(folder / file.name)
    facts = {"peers": PEERS, "folder": folder, "others": OTHERS, "ports": ports, "box": places.BOX}
    (folder / "conf").write_text(EXIM.format(relay=places.RELAY, address=places.EXIM, **facts))
    command = [PEERS / "usr/sbin/exim4", "-C", folder / "conf", "-bdf"]
    return Process(folder, command, env=_exim_environment(folder))


def _exim_environment(folder):
    """The machine's users and groups, and Debian-exim as another name of the servers' own."""
    user, group = other().pw_uid, other().pw_gid
    for name, lent in (("passwd", f"Debian-exim:x:{user}:{group}::/:/bin/false"), ("group", f"Debian-exim:x:{group}:")):
        (folder / name).write_text(Path("/etc", name).read_text() + lent + "\n")
    return environment(
        LD_PRELOAD="libnss_wrapper.so", NSS_WRAPPER_PASSWD=folder / "passwd", NSS_WRAPPER_GROUP=folder / "group"
    )


def _signing_keys(folder):
    """Two for mail of home.example, and two for what the relay writes itself."""
    for domain in ("home.example", "relay.example"):
        (folder / domain).mkdir(parents=True)
        for selector, octets in SELECTORS.items():
            path = folder / domain / f"{selector}.pem"
            path.touch(mode=0o600)
            path.write_bytes(octets())
    return folder


def relay(folder, ports):
    """`postroad relay` with STARTTLS, implicit TLS, a user, and keys to sign with. Not ready yet."""
    zone = folder / "zone"
    zone.write_text(places.ZONE)
    users = folder / "users"
    users.touch(mode=0o600)
    users.write_text(f"ann:{hash_password('secret')}\n")
    settings = {
        "hostname": "relay.example",
        "spool": {"path": str(folder / "spool")},
        "listen": {"address": places.RELAY, "port": ports.relay, "tls": "starttls"},
        "tls": {"certificate": str(CERTIFICATE), "key": str(KEY)},
        "dkim": {"keys": str(_signing_keys(folder / "dkim"))},
        "relay": {"networks": [places.FRIENDS], "users": str(users)},
        "deliver": {"port": ports.smtp, "allow_loopback": True},
        "retry": {"first": "1s", "longest": "1s", "jitter": 0, "warn_after": 0},
        "dns": {"zones": [str(zone)]},
    }
    write_settings(folder / "relay.toml", settings)
    with (folder / "relay.toml").open("a") as file:
        file.write(f'[[listen]]\naddress = "{places.RELAY}"\nport = {ports.implicit}\ntls = "implicit"\n')
    command = [sys.executable, "-m", "postroad", "relay", "--config", folder / "relay.toml"]
    process = Process(folder, command, cwd=ROOT, env=os.environ)
    process.keys = folder / "dkim"
    return process
