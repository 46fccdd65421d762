"""What a relayed message costs, measured in a minute: no root, no namespaces, the relay's own processor time.

Usage: bench/loopback.py [--messages N] [--clients N] [--size OCTETS] [--one-each]

smtp-source -> relay -> two smtp-sinks, all on loopback; `make peers` first. The ratio is to the same client talking
straight to a sink in the same run: what the load itself can do. `bench/relay.py` compares with Postfix.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEERS = Path(__file__).parents[1] / ".peers" / "usr"
ENVIRONMENT = dict(os.environ, LD_LIBRARY_PATH=str(PEERS / "lib" / "postfix"))
RELAY, SINKS = ("127.9.0.1", 2525), (("127.9.0.11", 2526), ("127.9.0.12", 2526))
WARM = 200
PATIENCE_S = 120
SETTINGS = """
hostname = "relay.example"
[spool]
path = "{folder}/spool"
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


def relay(folder):
    """Our relay, with its log in a file."""
    (folder / "zone").write_text(ZONE)
    (folder / "relay.toml").write_text(SETTINGS.format(folder=folder, relay=RELAY))
    command = [sys.executable, "-m", "postroad", "relay", "--config", folder / "relay.toml"]
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


def await_delivered(folder, count):
    """Until so many have been delivered."""
    ends = time.monotonic() + PATIENCE_S
    while (folder / "log").read_text().count('"deliver.attempt.complete"') < count:
        if time.monotonic() > ends:
            raise SystemExit("not all messages were delivered")
        time.sleep(0.02)


def processor_s(process):
    """User and system time of a process, in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    """One run, in two lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--one-each", action="store_true", help="a connection for each message")
    options = parser.parse_args()
    if not PEERS.exists():
        raise SystemExit("smtp-source and smtp-sink are missing: run `make peers` first")
    processes = [sink(where) for where in SINKS]
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as name:
        try:
            measure(options, Path(name), processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def measure(options, folder, processes):
    """Straight to a sink, then by the relay."""
    await_port(SINKS[0])
    straight = options.messages / send(options, options.messages, SINKS[0])
    processes.append(relay(folder))
    await_port(RELAY)
    send(options, WARM, RELAY)
    await_delivered(folder, WARM)
    used, began = processor_s(processes[-1]), time.monotonic()
    send(options, options.messages, RELAY)
    await_delivered(folder, WARM + options.messages)
    rate = options.messages / (time.monotonic() - began)
    cost_us = (processor_s(processes[-1]) - used) / options.messages * 1e6
    print(f"straight to a sink: {straight:.0f} messages a second")
    print(f"by the relay: {rate:.0f} messages a second ({rate / straight:.2f} of that), {cost_us:.0f} us each")


if __name__ == "__main__":
    main()
