"""The exchangers of the throughput benchmark: two of Postfix's smtp-sinks, and stunnel before them for TLS."""

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from world import MAIL1, MAIL2, World, listens

POLL_S = 0.02
TAIL = 200  # octets, more than one line of counters
SMTP_PORT = 25
BEHIND_PORT = 2525  # of the smtp-sinks when stunnel has port 25
DUMPS = "tmp/postroad-bench"  # below the root of the tools; smtp-sink writes as nobody
NEW, RESUMED = b"TLS accepted: new session negotiated", b"TLS accepted: previous session reused"
STUNNEL = """\
foreground = quiet
syslog = no
debug = info
output = /var/log/stunnel.log
pid =
cert = /etc/stunnel/bench.pem
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
"""
# "protocol = smtp" takes a client's EHLO, offers STARTTLS and nothing else, and wants no other command next
SERVICE = """
[{address}]
protocol = smtp
accept = {address}:25
connect = {address}:{port}
"""
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=mail1.example.com"
    " -addext subjectAltName=DNS:mail1.example.com,DNS:mail2.example.com"
    " -keyout /etc/stunnel/key.pem -out /etc/stunnel/cert.pem"
)


@dataclass(frozen=True, slots=True)
class Handshakes:
    """Sessions with the exchangers that began TLS anew, and those that resumed it."""

    new: int
    resumed: int


class Sink:
    """One smtp-sink that counts; the counters stand at the end of what it prints."""

    def __init__(self, world: World, address: str, port: int, options: tuple[str, ...]):
        self._out = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop
        command = world.of_tools(["smtp-sink", "-u", "nobody", "-c", *options, f"{address}:{port}", "2000"])
        self._process = subprocess.Popen(command, stdout=self._out, stderr=self._out)
        _await_listener(self._process, address, port)

    def counts(self):
        """(messages, sessions ended) so far."""
        size = os.fstat(self._out.fileno()).st_size
        tail = os.pread(self._out.fileno(), TAIL, max(0, size - TAIL)).decode("ascii", "replace")
        found = re.findall(r"sess=(\d+) quit=\d+ mesg=(\d+)(?=\D)", tail)
        return (int(found[-1][1]), int(found[-1][0])) if found else (0, 0)

    def stop(self):
        """Ends it."""
        self._process.terminate()
        self._process.wait()
        self._out.close()


class Stunnel:
    """STARTTLS before both smtp-sinks, which do not speak it. Who does not begin TLS gets no further."""

    def __init__(self, root: Path):
        self._log = root / "var/log/stunnel.log"
        self._log.unlink(missing_ok=True)
        folder = root / "etc/stunnel"
        if not (folder / "bench.pem").exists():
            subprocess.run(["chroot", root, *CERTIFICATE.split()], check=True, capture_output=True)
            (folder / "bench.pem").touch(mode=0o600)
            (folder / "bench.pem").write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
        services = (SERVICE.format(address=address, port=BEHIND_PORT) for address in (MAIL1, MAIL2))
        (folder / "bench.conf").write_text(STUNNEL + "".join(services))
        self._process = subprocess.Popen(["chroot", str(root), "stunnel4", "/etc/stunnel/bench.conf"])
        for address in (MAIL1, MAIL2):
            _await_listener(self._process, address, SMTP_PORT)

    def handshakes(self) -> Handshakes:
        """Those so far."""
        said = self._log.read_bytes()
        return Handshakes(said.count(NEW), said.count(RESUMED))

    def stop(self):
        """Ends it."""
        self._process.terminate()
        self._process.wait()


class Sinks:
    """mail1 and mail2, from `with` to its end.

    With `dumps` they keep each message in a file; they answer DATA after `slow_s` seconds, a whole number.
    """

    def __init__(self, world: World, *, dumps: bool = False, slow_s: int = 0):
        self._world = world
        self._slow_s = slow_s
        self._dumps = dumps
        self._folder = world.tools / DUMPS
        self._stunnel = None
        self.port = BEHIND_PORT if world.stunnel else SMTP_PORT  # where they take mail without TLS

    def __enter__(self):
        options = (*(self._dumping() if self._dumps else ()), *(("-w", str(self._slow_s)) if self._slow_s else ()))
        self._sinks = [Sink(self._world, address, self.port, options) for address in (MAIL1, MAIL2)]
        if self._world.stunnel:
            self._stunnel = Stunnel(self._world.stunnel)
        return self

    def __exit__(self, *_):
        for each in [*self._sinks, *([self._stunnel] if self._stunnel else [])]:
            each.stop()

    def messages(self):
        """What each has received."""
        return tuple(sink.counts()[0] for sink in self._sinks)

    def sessions(self):
        """The connections each has seen end."""
        return tuple(sink.counts()[1] for sink in self._sinks)

    def handshakes(self) -> Handshakes | None:
        """How many of them had TLS; None if it was not offered."""
        return self._stunnel.handshakes() if self._stunnel else None

    def dumped(self):
        """The messages that were kept, as they came, below some fields of smtp-sink's own."""
        return [re.sub(rb"\r?\n", b"\r\n", path.read_bytes()) for path in self._folder.iterdir()]

    def await_messages(self, wanted, quiet_s):
        """The time of the last arrival, after `wanted` messages or `quiet_s` without one."""
        count, changed_at = sum(self.messages()), time.monotonic()
        while count < wanted and time.monotonic() - changed_at < quiet_s:
            time.sleep(POLL_S)
            now = sum(self.messages())
            if now != count:
                count, changed_at = now, time.monotonic()
        return changed_at

    def _dumping(self):
        self._folder.mkdir(exist_ok=True)
        self._folder.chmod(0o777)
        for path in self._folder.iterdir():
            path.unlink()
        return ("-d", f"/{DUMPS}/message.")


def _await_listener(process, address, port):
    while not listens(address, port):
        if process.poll() is not None:
            sys.exit(f"{process.args[2]} does not start on {address}:{port}")
        time.sleep(POLL_S)
