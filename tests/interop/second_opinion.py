"""`postroad tls` beside Postfix: what its posttls-finger finds, and what becomes of a message that it delivers.

All ask Unbound, which validates zones that are signed here and served by Knot DNS, and all connect to port 25 of the
lab's exchangers. They are in a network namespace of their own, whose resolv.conf names that Unbound: Postfix takes its
name server from nowhere else, and looks for TLSA records of the port it connects to. That wants root, util-linux,
iproute2 and `make peers`, and is skipped with the reason without them. Postfix knows nothing of MTA-STS: where a policy
is enforced it is told what a policy server tells it, level secure and the name of the exchanger.
"""

import argparse
import asyncio
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass

from tests.interop.conftest import folder_for_others
from tests.interop.letters import hand_over
from tests.interop.packages import PEERS, environment
from tests.interop.servers import run_postfix
from tests.support.dnssec import HOST, KNOTD, UNBOUND, Signed, SignedZone, validating
from tests.support.forks import said_by

from postroad.build import Mailer, build_policy, build_resolver, policy_fetch
from postroad.dns import WireSettings, parse_server, parse_zones
from postroad.examine import LookSettings, look
from postroad.gather import PublishedPolicies
from postroad.lab import AUTHORITY, CertificateKind, Lab, authority_file, lab_trust
from postroad.lab.certificate import AUTHORITY_KEY, LEAF_KEY

FINGER = PEERS / "usr/sbin/posttls-finger"
CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000  # <sched.h>
NAMES_AT, SMTP_AT = 53, 25  # ports
POSTFIX = "127.0.0.3"
SETTINGS = """
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_CAfile = {authority}
smtp_tls_loglevel = 1
smtp_tls_policy_maps = inline:{{ {policies} }}
"""
ENTER = 'ip link set lo up && mount --bind "$0" /etc/resolv.conf && exec "$@"'
KEY, OTHER_KEY, ANCHOR = f"3 1 1 {LEAF_KEY}", f"3 1 1 {'00' * 32}", f"2 1 1 {AUTHORITY_KEY}"
UNUSABLE = f"0 0 1 {'00' * 32}"  # a usage that SMTP does not have
POLICY = "version: STSv1\nmode: enforce\nmx: mx.{}\nmax_age: 86400\n"
GOOD, EXPIRED, FOREIGN, WRONG_NAME, SELF_SIGNED = CertificateKind

# What becomes of mail, as Postfix logs it, in the words of `postroad tls`
PROVEN, ENCRYPTED, CLEAR, PASSED_OVER = "proven", "encrypted", "clear", "passed-over"
SENT = {"Verified": PROVEN, "Trusted": ENCRYPTED, "Untrusted": ENCRYPTED, "Anonymous": ENCRYPTED, None: CLEAR}


@dataclass(frozen=True, slots=True)
class Case:
    """A domain with one exchanger: its certificate, its TLSA record, and whether an MTA-STS policy is enforced."""

    name: str
    about: str
    shows: CertificateKind | None
    tlsa: str = ""
    signed: Signed = Signed.YES
    enforces: bool = False
    exchange: str = "mx"

    @property
    def domain(self):
        """Where mail is for."""
        return f"{self.name}.test"

    @property
    def at(self):
        """The domain whose exchanger it has: its own, or another one's."""
        return self.exchange.removeprefix("mx.").removesuffix(".") if self.exchange.endswith(".") else self.domain

    def records(self, address):
        """Its zone: the exchanger, and where its policy is."""
        lines = [f"@ MX 10 {self.exchange}", f"mx A {address}"]
        if self.tlsa:
            lines.append(f"_{SMTP_AT}._tcp.mx TLSA {self.tlsa}")
        if self.enforces:
            lines += ['_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {address}"]
        return "\n".join(lines) + "\n"


CASES = (
    Case("dane", "TLSA 3 1 1, self-signed", SELF_SIGNED, KEY),
    Case("dane-expired", "TLSA 3 1 1, expired", EXPIRED, KEY),
    Case("mismatch", "TLSA 3 1 1 of another key", GOOD, OTHER_KEY),
    Case("anchor", "TLSA 2 1 1", GOOD, ANCHOR),
    Case("anchor-expired", "TLSA 2 1 1, expired", EXPIRED, ANCHOR),
    Case("anchor-name", "TLSA 2 1 1, another name", WRONG_NAME, ANCHOR),
    Case("anchor-foreign", "TLSA 2 1 1, another authority", FOREIGN, ANCHOR),
    Case("bogus", "TLSA, its signature broken", GOOD, KEY, Signed.BROKEN_TLSA),
    Case("dane-clear", "TLSA, no STARTTLS", None, KEY),
    Case("unusable", "TLSA 0 0 1, self-signed", SELF_SIGNED, UNUSABLE),
    Case("unusable-good", "TLSA 0 0 1, certificate good", GOOD, UNUSABLE),
    Case("unusable-clear", "TLSA 0 0 1, no STARTTLS", None, UNUSABLE),
    Case("unsigned", "TLSA in an unsigned zone", GOOD, OTHER_KEY, Signed.NO),
    Case("alias", "TLSA 3 1 1, MX is an alias", SELF_SIGNED, KEY, exchange="www\nwww CNAME mx"),
    Case("customer", "MX in an unsigned zone, host with TLSA", None, signed=Signed.NO, exchange="mx.dane.test."),
    Case("customer-bad", "the same, TLSA of another key", None, signed=Signed.NO, exchange="mx.mismatch.test."),
    Case("bare", "nothing, self-signed", SELF_SIGNED),
    Case("clear", "nothing, no STARTTLS", None),
    Case("sts", "MTA-STS, certificate good", GOOD, enforces=True),
    Case("sts-expired", "MTA-STS, expired", EXPIRED, enforces=True),
    Case("sts-foreign", "MTA-STS, another authority", FOREIGN, enforces=True),
    Case("sts-name", "MTA-STS, another name", WRONG_NAME, enforces=True),
    Case("sts-clear", "MTA-STS, no STARTTLS", None, enforces=True),
)
PLACES = {case.domain: f"127.0.0.{number}" for number, case in enumerate(CASES, 41)}


@dataclass(frozen=True, slots=True)
class Opinions:
    """What all say of a domain: `ours` and `theirs` in the same words, with reasons; `found` is of posttls-finger."""

    domain: str
    about: str
    ours: str
    why: str
    found: str
    theirs: str
    because: str


def obstacle():
    """Why this cannot be done here; nothing if it can."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    if missing := [name for name in ("unshare", "ip", "mount") if shutil.which(name) is None]:
        return f"missing: {', '.join(missing)} (Debian packages iproute2, util-linux)"
    if not all(program.exists() for program in (FINGER, KNOTD, UNBOUND)):
        return "posttls-finger, Knot DNS and Unbound are not here: run `make peers`"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", ENTER, "/dev/null", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip()


def in_namespace(folder):
    """The opinions, from a fork of this process in a network of its own; if there are none, stderr says why."""
    names = folder / "resolv.conf"
    names.write_text(f"nameserver {HOST}\n")

    def ask(say):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | CLONE_NEWNS):  # os.unshare comes with Python 3.12
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["sh", "-c", f"mount --make-rprivate / && {ENTER}", names, "true"], check=True)
        say(json.dumps([asdict(each) for each in asyncio.run(opinions(folder))]))

    return [Opinions(**each) for each in json.loads(said_by(ask))]


async def opinions(folder):
    """All of them; to be called in the namespace."""
    zones = [SignedZone(case.domain, case.records(PLACES[case.domain]), case.signed) for case in CASES]
    written = {zone.name: f"$ORIGIN {zone.name}.\n$TTL 60\n{zone.text}" for zone in zones}
    shown = {PLACES[case.domain]: case.shows for case in CASES if case.shows}
    policies = {case.domain: POLICY.format(case.domain) for case in CASES if case.enforces}
    with validating(folder, *zones, port=NAMES_AT):
        async with Lab(parse_zones(written), port=SMTP_AT, certificates=shown, policies=policies) as lab:
            ours = [await _look(case, lab.web.port) for case in CASES]
            delivered = await asyncio.to_thread(_deliver, folder)
            found = [await _finger(case, folder / "etc") for case in CASES]
    return [
        Opinions(case.domain, case.about, *look, finger, *theirs)
        for case, look, finger, theirs in zip(CASES, ours, found, delivered, strict=True)
    ]


async def _look(case, https_port):
    """As `postroad tls DOMAIN` does."""
    resolver = build_resolver()
    fetch = policy_fetch(authority_file(), port=https_port, allow_loopback=True)
    policy = build_policy("rfc5321", allow_loopback=True)
    mailer = Mailer(resolver, policy, policies=PublishedPolicies(resolver, fetch))
    asked = WireSettings((parse_server(HOST),))
    seen = await look(case.domain, mailer, LookSettings(asked, port=SMTP_AT, trust=lab_trust(AUTHORITY)))
    [address] = seen.exchangers[0].addresses
    return str(address.result), address.why


def _deliver(folder):
    """What becomes of a message for each domain, as the log of Postfix has it."""
    secure = (f"{{ {each.domain} = secure match=mx.{each.domain} }}" for each in CASES if each.enforces)
    settings = SETTINGS.format(authority=authority_file(), policies=", ".join(secure))
    process = run_postfix(folder, settings, f"{POSTFIX}:{SMTP_AT} inet n - n - - smtpd")
    try:
        process.await_greeting((POSTFIX, SMTP_AT))
        hand_over((POSTFIX, SMTP_AT), [f"somebody@{case.domain}" for case in CASES])
        log = folder / "log"
        process.await_that(lambda: all(_settled(case, log.read_text()) for case in CASES))
        return [_outcome(case, log.read_text()) for case in CASES]
    finally:
        process.stop()


def _settled(case, log):
    return re.search(rf"smtp\[(\d+)\]: \w+: to=<somebody@{case.domain}>.* status=(\w+) \((.*)\)", log)


def _outcome(case, log):
    """In our words, and with the reply or reason."""
    settled = _settled(case, log)
    client, status, reason = settled.groups()
    if status != "sent":
        return PASSED_OVER, reason
    begun = log.rfind(f"smtp[{client}]: ", 0, settled.start())
    secured = re.match(rf"smtp\[{client}\]: (\w+) TLS connection established", log[begun:])
    return SENT[secured and secured[1]], reason


async def _finger(case, settings):
    """What posttls-finger finds: the kind of session and why it is not better."""
    names = [f"mx.{case.domain}"] if case.enforces else []
    level = "secure" if case.enforces else "dane"
    command = [FINGER, "-c", "-l", level, "-F", authority_file(), case.domain, *names]
    run = await asyncio.create_subprocess_exec(
        *map(str, command), env=environment(MAIL_CONFIG=settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await run.communicate()
    return _read(said.decode())


def _read(said):
    failure = re.search(r"verification failed for \S+: (?:num=\d+:)?(.*)", said)
    if found := re.search(r"(\w+) TLS connection established", said):
        return found[1] + (f": {failure[1]}" if failure else "")
    lost = re.search(r"Failed to establish session to .*?: (.*)", said)
    return f"no session: {lost[1]}" if lost else "no TLS"


def table(found):
    """As lines."""
    rows = [("domain", "published, shown", "postroad tls", "Postfix", "posttls-finger")]
    rows += [(each.domain, each.about, each.ours, each.theirs, each.found) for each in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows) + "\n"


def main():
    """Print what all say."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.second_opinion", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON, with the reasons")
    asked = parser.parse_args()
    if why := obstacle():
        sys.stdout.write(f"skipped: {why}\n")
    else:
        with folder_for_others() as folder:
            found = in_namespace(folder)
        sys.stdout.write(json.dumps([asdict(each) for each in found], indent=2) + "\n" if asked.json else table(found))


if __name__ == "__main__":
    main()
