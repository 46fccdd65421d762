"""How many domains a second are looked up: MX, then A and AAAA of every exchanger, each distinct exchanger once.

    python bench/bulk.py [--domains 20000] [--rounds 3] [--check 3000] [--dir DIRECTORY]

The same domains, from the same name server on loopback (NSD, from Debian's package, unpacked and not installed), by
Postroad's `gather`, by dnspython's own asynchronous resolver and by aiodns (c-ares), in turn, round after round. Each
asker is a process of its own, with as many domains under way at once; the peers get a memory of exchangers for
nothing (a dict of futures), where ours is CachingResolver and counts. Ratios are those of the same round.

Then how many domains of a list `postroad check` does a second, with all its rules and with --quick, start included.
"""

# ruff: noqa: PLC0415  # each asker is a process that has only its own library

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

PEERS = ("postroad", "dnspython", "aiodns")
HOSTS = 500
EACH = 2  # exchangers a domain
UNDER_WAY = 200  # domains at once
PACKAGES = ("nsd", "libfstrm0", "libprotobuf-c1", "libevent-2.1-7")

Look = Callable[[str], Awaitable[int]]
"""Looks a domain up; the number of addresses found."""


def main() -> None:
    """Measure, or be one of the askers."""
    options = _options()
    if options.ask:
        print(json.dumps(_asked(options.ask, options.port, options.domains)))
        return
    options.dir.mkdir(parents=True, exist_ok=True)
    python = {"postroad": sys.executable, "dnspython": sys.executable, "aiodns": _private(options.dir)}
    port = _free_port()
    server = _serve(options.dir, port, options.domains)
    try:
        _wait_for(port)
        rounds = [_round(python, port, options.domains) for _ in range(options.rounds)]
        _tell(rounds)
        if options.check:
            _tell_checks(port, min(options.check, options.domains), options)
    finally:
        server.terminate()
        server.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domains", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", type=int, default=3_000, help="domains of the list that is checked; 0: none")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "postroad-bench")
    parser.add_argument("--ask", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


# The name server


def _zones(domains: int) -> dict[str, str]:
    """Domains with two exchangers each out of the hosts; a host has an IPv4 and an IPv6 address, and both its name."""
    forward = ["@ NS ns", "ns A 127.0.0.1"]
    reverse4, reverse6 = ["@ NS ns.bulk.example."], ["@ NS ns.bulk.example."]
    for host in range(HOSTS):
        forward += [f"mx{host} A 198.18.{host >> 8}.{host & 255}", f"mx{host} AAAA 2001:db8::{host:x}"]
        reverse4.append(f"{host & 255}.{host >> 8} PTR mx{host}.bulk.example.")
        reverse6.append(f"{'.'.join(reversed(f'{host:024x}'))} PTR mx{host}.bulk.example.")
    for domain in range(domains):
        forward += [f"d{domain} MX {10 * (n + 1)} mx{(domain * 7 + n * 131) % HOSTS}" for n in range(EACH)]
        forward.append(f'd{domain} TXT "v=spf1 mx -all"')
    zones = {"bulk.example": forward, "18.198.in-addr.arpa": reverse4, "8.b.d.0.1.0.0.2.ip6.arpa": reverse6}
    return {origin: "\n".join([*_begin(origin), *lines, ""]) for origin, lines in zones.items()}


def _begin(origin: str) -> list[str]:
    return [f"$ORIGIN {origin}.", "$TTL 3600", "@ SOA ns.bulk.example. hostmaster.bulk.example. 1 7200 900 604800 300"]


def _serve(directory: Path, port: int, domains: int) -> subprocess.Popen[bytes]:
    root = _unpacked(directory)
    zones = _zones(domains)
    for origin, text in zones.items():
        (directory / f"{origin}.zone").write_text(text)
    config = directory / "nsd.conf"
    config.write_text(
        f"""
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{directory}"
  pidfile: "{directory}/nsd.pid"
  database: ""
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  minimal-responses: yes
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""
        + "".join(f'zone:\n  name: {origin}\n  zonefile: "{origin}.zone"\n' for origin in zones)
    )
    libraries = {"LD_LIBRARY_PATH": str(next(root.glob("usr/lib/*-linux-gnu")))}
    with (directory / "nsd.log").open("w") as log:
        return subprocess.Popen(
            [root / "usr/sbin/nsd", "-d", "-c", config], env=os.environ | libraries, stdout=log, stderr=log
        )


def _unpacked(directory: Path) -> Path:
    """NSD with the libraries it wants, unpacked rather than installed."""
    root = directory / "nsd"
    if not (root / ".ready").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=root, check=True, stderr=subprocess.DEVNULL)
        for package in root.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
        (root / ".ready").touch()
    return root


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("the name server did not start: see nsd.log")


def _private(directory: Path) -> str:
    """A Python with aiodns in it."""
    home = directory / "aiodns"
    if not (home / ".ready").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin/pip", "install", "-q", "aiodns", "uvloop"], check=True)
        (home / ".ready").touch()
    return str(home / "bin/python")


# The askers


def _postroad(port: int) -> Look:
    from ipaddress import ip_address

    from postroad.dns import CachingResolver, ServerAddress, WireResolver, WireSettings
    from postroad.gather import gather
    from postroad.words.facts import Found

    wire = WireResolver(WireSettings((ServerAddress(ip_address("127.0.0.1"), port),)))
    resolver = CachingResolver(wire, time.monotonic)

    async def look(domain: str) -> int:
        facts = await gather(domain, resolver)
        answers = (answer for host in facts.hosts.values() for answer in (host.a, host.aaaa))
        return sum(len(answer.records) for answer in answers if isinstance(answer, Found))

    return look


def _dnspython(port: int) -> Look:
    import dns.asyncresolver

    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port

    async def exchangers(domain: str) -> list[str]:
        return [record.exchange.to_text() for record in await resolver.resolve(domain, "MX")]

    async def addresses(host: str) -> int:
        a, aaaa = await asyncio.gather(resolver.resolve(host, "A"), resolver.resolve(host, "AAAA"))
        return len([record.address for answer in (a, aaaa) for record in answer])

    return _remembering(exchangers, addresses)


def _aiodns(port: int) -> Look:
    import aiodns

    resolver = aiodns.DNSResolver(nameservers=[f"127.0.0.1:{port}"])

    async def exchangers(domain: str) -> list[str]:
        return [record.host for record in await resolver.query(domain, "MX")]

    async def addresses(host: str) -> int:
        a, aaaa = await asyncio.gather(resolver.query(host, "A"), resolver.query(host, "AAAA"))
        return len([record.host for answer in (a, aaaa) for record in answer])

    return _remembering(exchangers, addresses)


def _remembering(exchangers: Callable[[str], Awaitable[list[str]]], addresses: Look) -> Look:
    """What a careful caller would write around a resolver: each host asked for once."""
    known: dict[str, asyncio.Future[int]] = {}

    async def look(domain: str) -> int:
        found = 0
        for host in await exchangers(domain):
            if host not in known:
                known[host] = asyncio.ensure_future(addresses(host))
            found += await known[host]
        return found

    return look


def _asked(peer: str, port: int, domains: int) -> dict[str, float]:
    """Look all domains up, as `peer`."""
    import uvloop

    async def story() -> dict[str, float]:
        look = {"postroad": _postroad, "dnspython": _dnspython, "aiodns": _aiodns}[peer](port)
        waiting = iter([f"d{domain}.bulk.example" for domain in range(domains)])

        async def work() -> int:
            return sum([await look(domain) for domain in waiting])

        gc.freeze()  # as a program that looks up many domains does: what was imported is not looked through again
        gc.set_threshold(20_000, 50, 100)
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        found = sum(await asyncio.gather(*(work() for _ in range(UNDER_WAY))))
        after, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - began
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"found": found, "rate": domains / took, "cpu_us": cpu / domains * 1e6}

    return uvloop.run(story()) if hasattr(uvloop, "run") else asyncio.run(story())


# The table


def _round(python: dict[str, str], port: int, domains: int) -> dict[str, dict[str, float]]:
    told = {}
    for peer in PEERS:
        command = [python[peer], __file__, "--ask", peer, "--port", str(port), "--domains", str(domains)]
        told[peer] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        if told[peer]["found"] != domains * EACH * 2:
            sys.exit(f"{peer} found {told[peer]['found']} addresses in place of {domains * EACH * 2}")
        print(f"{peer:10} {told[peer]['rate']:9,.0f} domains/s {told[peer]['cpu_us']:7,.0f} us of CPU", flush=True)
    return told


def _tell(rounds: list[dict[str, dict[str, float]]]) -> None:
    print(
        f"\n{'median':10} {'domains/s':>9} {'CPU us':>7}   Postroad: times as fast, times less CPU (min, median, max)"
    )
    for peer in PEERS:
        rate = statistics.median(told[peer]["rate"] for told in rounds)
        cpu = statistics.median(told[peer]["cpu_us"] for told in rounds)
        faster = _spread(told["postroad"]["rate"] / told[peer]["rate"] for told in rounds)
        cheaper = _spread(told[peer]["cpu_us"] / told["postroad"]["cpu_us"] for told in rounds)
        print(f"{peer:10} {rate:9,.0f} {cpu:7,.0f}   {'' if peer == 'postroad' else f'{faster}   {cheaper}'}")


def _spread(ratios: Iterable[float]) -> str:
    ordered = sorted(ratios)
    return f"{ordered[0]:.1f} {statistics.median(ordered):.1f} {ordered[-1]:.1f}"


# The check of a list


def _tell_checks(port: int, domains: int, options: argparse.Namespace) -> None:
    """What `postroad check` does with a list, by the clock on the wall: as whoever waits for it sees it."""
    listed = options.dir / "list"
    listed.write_text("".join(f"d{domain}.bulk.example\n" for domain in range(domains)))
    command = [sys.executable, "-m", "postroad", "check", "-f", listed, "--format", "ndjson", "--fail-on", "never"]
    command += ["--resolver", f"127.0.0.1:{port}", "--dns-port", str(port)]
    print(f"\n{'check':10} {'domains/s':>15}   CPU us a domain: min, median, max")
    for title, more in (("all rules", ()), ("--quick", ("--quick",))):
        told = [_check([*command, *more], domains) for _ in range(options.rounds)]
        rates, costs = (sorted(values) for values in zip(*told, strict=True))
        spread = [f"{values[0]:,.0f} {statistics.median(values):,.0f} {values[-1]:,.0f}" for values in (rates, costs)]
        print(f"{title:10} {spread[0]:>15}   {spread[1]}", flush=True)


def _check(command: list[str | Path], domains: int) -> tuple[float, float]:
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.count("\n")
    after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    if found != domains:
        sys.exit(f"{found} domains checked in place of {domains}")
    return domains / took, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / domains * 1e6


if __name__ == "__main__":
    main()
