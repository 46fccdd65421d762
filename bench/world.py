"""The network of the benchmarks: two namespaces joined by a cable, a nameserver, and an exchanger that can be broken.

    relay side   10.77.0.1                   the relay under test, alone
    far side     10.77.0.2 .11 .12 .13 .53   the client, mail1, mail2, an address where nothing listens, DNS

Nothing here listens on, or talks to, any other address. The benchmark itself enters the far side, so what it starts
and what it connects is there without more ado; only the relay is started on its own side (`at_relay`).
"""

import ctypes
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gauges import Group

RELAY, CLIENT, MAIL1, MAIL2, REFUSING, DNS = (f"10.77.0.{host}" for host in (1, 2, 11, 12, 13, 53))
NETWORK = "10.77.0.0/24"
HOSTNAME = "relay.test.example"
NEAR_NAME, FAR_NAME = "postroad-bench-relay", "postroad-bench-far"
NOBODY = "02:00:00:00:be:ef"  # a locally administered MAC that no interface has: what is sent to it vanishes
CLONE_NEWNET = 0x40000000  # <sched.h>
DNS_START_S = 10.0
SYSCTLS = {  # a client that connects once a message must not run out of ports or of room in the backlog
    "net/ipv4/ip_local_port_range": "1024 65000",
    "net/ipv4/tcp_tw_reuse": "1",
    "net/core/somaxconn": "4096",
}
UNBOUND = f"""\
server:
  interface: {DNS}
  access-control: {NETWORK} allow
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  num-threads: 1
  module-config: "iterator"
  local-zone: "." static
  local-zone: "example.com." static
  local-data: "example.com. 300 IN MX 10 mail1.example.com."
  local-data: "example.com. 300 IN MX 10 mail2.example.com."
  local-data: "example.com. 300 IN SOA ns.example.com. hostmaster.example.com. 1 3600 600 86400 300"
  local-zone: "many.example." redirect
  local-data: "many.example. 300 IN MX 10 mail1.example.com."
  local-data: "many.example. 300 IN MX 10 mail2.example.com."
  local-zone: "waiting.example." redirect
  local-data: "waiting.example. 300 IN MX 10 refusing.example.com."
  local-data: "mail1.example.com. 300 IN A {MAIL1}"
  local-data: "mail2.example.com. 300 IN A {MAIL2}"
  local-data: "refusing.example.com. 300 IN A {REFUSING}"
  local-data: "{HOSTNAME}. 300 IN A {RELAY}"
  local-data: "client.test.example. 300 IN A {CLIENT}"
  local-data-ptr: "{RELAY} {HOSTNAME}"
  local-data-ptr: "{CLIENT} client.test.example"
  local-data-ptr: "{MAIL1} mail1.example.com"
  local-data-ptr: "{MAIL2} mail2.example.com"
remote-control:
  control-enable: no
"""


class World:
    """The namespaces, the nameserver and two groups of processes, from `with` to its end; one at a time on a machine.

    `relay` and `rest` count the relay's processes and those of the load (clients, sinks, nameserver). `tools` is the
    Debian root that has unbound, smtp-source and smtp-sink; `stunnel`, if the exchangers are to offer STARTTLS, the one
    that has stunnel.
    """

    def __init__(self, directory: Path, tools: Path, stunnel: Path | None = None):
        self.directory = directory
        self.tools = tools
        self.stunnel = stunnel
        self.relay = Group("relay")
        self.rest = Group("rest")

    def __enter__(self):
        self._only_one()
        self._clear()
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.rest.leave()
        self._clear()

    def at_relay(self, command):
        """The command, to be run on the relay's side and counted as the relay's."""
        return self.relay.joining(["nsenter", f"--net=/run/netns/{NEAR_NAME}", *command])

    def of_tools(self, command):
        """The command, to be run from the root of the tools on the far side."""
        return ["chroot", str(self.tools), *command]

    def swallow_mail1(self):
        """From now on whatever is sent to mail1 vanishes, without a word back."""
        _ip("addr", "del", f"{MAIL1}/32", "dev", "far", check=False)
        _ip("-n", NEAR_NAME, "neigh", "replace", MAIL1, "lladdr", NOBODY, "dev", "near", "nud", "permanent")

    def heal_mail1(self):
        """mail1's address answers again: with a reset unless something listens there."""
        _ip("-n", NEAR_NAME, "neigh", "del", MAIL1, "dev", "near", check=False)
        _ip("addr", "replace", f"{MAIL1}/32", "dev", "far")

    def _only_one(self):
        self._lock = (Path(tempfile.gettempdir()) / "postroad-bench.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another benchmark is running")

    def _make(self):
        self.relay.make()
        self.rest.make()
        self.rest.enter()
        self._lay_cable()
        self._start_dns()

    def _clear(self):
        """Removes what this run, or one that was killed, has left."""
        self.relay.remove()
        self.rest.remove()
        for name in (NEAR_NAME, FAR_NAME):
            if Path("/run/netns", name).exists():
                _ip("netns", "del", name)

    def _lay_cable(self):
        for name in (NEAR_NAME, FAR_NAME):
            _ip("netns", "add", name)
        _ip("link", "add", "near", "netns", NEAR_NAME, "type", "veth", "peer", "name", "far", "netns", FAR_NAME)
        _enter(NEAR_NAME)
        _bring_up("near", [f"{RELAY}/24"])
        _enter(FAR_NAME)
        _bring_up("far", [f"{CLIENT}/24", *(f"{address}/32" for address in (MAIL1, MAIL2, REFUSING, DNS))])

    def _start_dns(self):
        (self.tools / "etc/unbound/bench.conf").write_text(UNBOUND)
        log = (self.directory / "unbound.log").open("w")
        command = self.of_tools(["unbound", "-c", "/etc/unbound/bench.conf"])
        self._dns = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + DNS_START_S
        while not listens(DNS, 53):
            if self._dns.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the nameserver does not start, see {log.name}")
            time.sleep(0.02)


def _enter(name):
    """Moves this process (its only thread) into a network namespace; os.setns comes with Python 3.12."""
    with Path("/run/netns", name).open("rb") as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {name}")


def _bring_up(device, addresses):
    _ip("link", "set", "lo", "up")
    for address in addresses:
        _ip("addr", "add", address, "dev", device)
    _ip("link", "set", device, "up")
    for name, value in SYSCTLS.items():
        (Path("/proc/sys") / name).write_text(value)


def listens(address: str, port: int) -> bool:
    """Whether something listens there, on the far side."""
    wanted = f"{address}:{port}"
    return wanted in subprocess.run(["ss", "-Hltn"], check=True, capture_output=True, text=True).stdout.split()


def _ip(*arguments, check=True):
    subprocess.run(["ip", *arguments], check=check, capture_output=not check)


def require_root_and_tools():
    """Ends with a sentence if this is no place for the benchmark."""
    if os.geteuid() != 0:
        sys.exit("network namespaces need root")
    missing = [name for name in ("ip", "ss", "nsenter", "chroot", "apt-get", "dpkg") if shutil.which(name) is None]
    if missing:
        sys.exit(f"missing: {', '.join(missing)} (Debian packages iproute2, util-linux)")
