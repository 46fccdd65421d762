"""A small Internet with DNSSEC, on loopback: zones signed here, served by Knot DNS, and validated by Unbound.

`with validating(folder, SignedZone(...), ...) as server:` gives the address of the validator, as `postroad` takes name
servers. The root is made of the zones, and is the validator's trust anchor.
"""

import contextlib
import subprocess
import time
from dataclasses import dataclass
from enum import Enum, auto

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.faults.ports import free_port
from tests.interop.packages import PEERS, environment, want_packages
from tests.support.patience import PATIENCE_S

HOST = "127.0.0.1"
LOOK_S = 0.02
SOON_S = 0.1  # whoever is not there yet says nothing at all, and what it looks up it has when it is asked again
DAY_S = 86_400
KNOTD, UNBOUND = PEERS / "usr/sbin/knotd", PEERS / "usr/sbin/unbound"

KNOT = """
server:
  rundir: "{folder}"
  listen: {host}@{port}
database:
  storage: "{folder}"
template:
  - id: default
    storage: "{folder}"
    zonefile-sync: -1
    journal-content: none
zone:
"""
VALIDATOR = """
server:
  interface: {host}@{port}
  directory: "{folder}"
  username: ""
  chroot: ""
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor-file: "{folder}/anchor"
  ede: yes
  local-zone: "test." nodefault
"""
STUB = """
stub-zone:
  name: "{name}"
  stub-addr: {host}@{port}
"""


class Signed(Enum):
    """How far a zone can be validated."""

    YES = auto()
    NO = auto()  # the root says that it is not signed
    BROKEN_TLSA = auto()  # all is well but the signatures of its TLSA records


@dataclass(frozen=True, slots=True)
class SignedZone:
    """A zone: its name, its lines with relative names, and whether it is signed. SOA and NS come by themselves."""

    name: str
    text: str
    signed: Signed = Signed.YES


@contextlib.contextmanager
def validating(folder, *zones, port=0):
    """The validator of these zones, while the block lasts: "ADDRESS:PORT". Skips where its programs are not."""
    want_packages()
    if not (KNOTD.exists() and UNBOUND.exists()):
        pytest.skip("Knot DNS and Unbound are not here: run `make peers` again")
    names, port = free_port([HOST]), port or free_port([HOST])
    places = {"folder": folder, "host": HOST}
    (folder / "knot.conf").write_text(KNOT.format(port=names, **places) + _written(folder, zones))
    stubs = (STUB.format(name=each, host=HOST, port=names) for each in (".", *(zone.name for zone in zones)))
    (folder / "unbound.conf").write_text(VALIDATOR.format(port=port, **places) + "".join(stubs))
    with (
        _running(folder, names, KNOTD, "-c", folder / "knot.conf"),
        _running(folder, port, UNBOUND, "-d", "-c", folder / "unbound.conf"),
    ):
        yield f"{HOST}:{port}"


def _written(folder, zones):
    """The zone files and the trust anchor; what Knot must know of them."""
    root = ["@ SOA ns.test. h.test. 1 7200 900 604800 60", "@ NS ns.test.", f"ns.test. A {HOST}"]
    known = []
    for zone in zones:
        lines = f"@ SOA ns.test. h.test. 1 7200 900 604800 60\n@ NS ns.test.\n{zone.text}"
        delegations = _write(folder / f"{zone.name}.zone", zone.name, lines, zone.signed)
        root += [f"{zone.name}. NS ns.test.", *delegations]
        known.append(f'  - domain: {zone.name}\n    file: "{zone.name}.zone"\n')
    (folder / "anchor").write_text("\n".join(_write(folder / "root.zone", ".", "\n".join(root), Signed.YES)) + "\n")
    return "".join([*known, '  - domain: .\n    file: "root.zone"\n'])


def _write(path, name, text, signed):
    """Write a zone, signed if it should be; its DS records."""
    made = dns.zone.from_text(f"$TTL 60\n{text}\n", origin=name, relativize=False, check_origin=False)
    ds = [] if signed is Signed.NO else [_sign(made)]
    if signed is Signed.BROKEN_TLSA:
        _break(made)
    made.to_file(str(path), relativize=False)
    return [f"{made.origin} DS {each}" for each in ds]


def _sign(zone):
    key = ec.generate_private_key(ec.SECP256R1())
    record = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    begun = int(time.time()) - DAY_S  # the validator goes by the clock of the machine
    dns.dnssec.sign_zone(zone, keys=[(key, record)], inception=begun, lifetime=10 * DAY_S)
    return dns.dnssec.make_ds(zone.origin, record, "SHA256")


def _break(zone):
    for _, rdataset in zone.iterate_rdatasets(dns.rdatatype.RRSIG, dns.rdatatype.TLSA):
        broken = [each.replace(signature=bytes(len(each.signature))) for each in rdataset]
        rdataset.clear()
        for each in broken:
            rdataset.add(each)


@contextlib.contextmanager
def _running(folder, port, program, *arguments):
    """A name server that answers, while the block lasts."""
    said = folder / f"{program.name}.log"
    with said.open("wb") as log:
        command = [str(each) for each in (program, *arguments)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{program.name} does not start: {said.read_text()}")
            time.sleep(LOOK_S)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(port):
    query = dns.message.make_query(".", "SOA")
    try:
        return dns.query.udp(query, HOST, port=port, timeout=SOON_S).rcode() == dns.rcode.NOERROR
    except (OSError, dns.exception.DNSException):
        return False
