"""A relay on its worse days: demands that differ side by side, hosts that cheat, clocks and disks that fail."""

import asyncio
import time
from base64 import b64encode
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.examples import some
from tests.support.relaying import house

from postroad import lab
from postroad.build import documents
from postroad.gather import Fetched
from postroad.lab.certificate import AUTHORITY, CertificateKind, lab_context, lab_trust, mismatched_context
from postroad.relay import settings as relay_settings_room
from postroad.relay.tls_reports import ReportStore, watching
from postroad.spool import SpoolError, Trouble
from postroad.spool.memory import MemorySpool
from postroad.tls import PolicyType
from postroad.words.tls import TlsFailure

PEM = Path(lab.__file__).parent / "tls" / "certificate.pem"
HOST = "127.0.0.11"
ZONE = """
$TTL 60
$ORIGIN enforced.test.
@ MX 10 mx.provider.test.
_mta-sts TXT "v=STSv1; id=a1;"
mta-sts A 127.0.0.80
_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@enforced.test"
$ORIGIN testing.test.
@ MX 10 mx.provider.test.
_mta-sts TXT "v=STSv1; id=a1;"
mta-sts A 127.0.0.80
_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@testing.test"
$ORIGIN plain.test.
@ MX 10 mx.provider.test.
$ORIGIN routed.test.
@ MX 10 mx.provider.test.
$ORIGIN provider.test.
mx A 127.0.0.11
"""
ROUTED = "[[route]]\ndomains = ['routed.test']\ndirect = true\ntls = 'verify'\ntls_names = ['other.test']\n"


@pytest.fixture
def web(monkeypatch):
    """The web server of all policies, and the authority of the lab as the one that this machine trusts."""

    class Web:
        mx = "mx.provider.test"

    async def fetch(_resolver, host, _path, _settings):
        mode = "testing" if "testing" in host else "enforce"
        return Fetched(f"version: STSv1\nmode: {mode}\nmx: {Web.mx}\nmax_age: 604800\n".encode(), "text/plain")

    monkeypatch.setattr(documents, "fetch", fetch)
    monkeypatch.setattr(relay_settings_room, "system_trust", lambda: lab_trust(AUTHORITY))
    return Web


async def fate(it, domain, number):
    """What becomes of a message to a domain, the so manieth of the relay."""
    await it.submit(f"ann@{domain}")
    verdict = await it.verdict(number)
    (one,) = (*verdict.delivered, *verdict.left, *verdict.failed)
    return str(one.outcome.result), one.outcome.status


DELIVERED = ("delivered", "2.0.0")
WAITS = ("deferred", "4.7.5")


ENFORCED = {
    CertificateKind.GOOD: DELIVERED,
    CertificateKind.SELF_SIGNED: WAITS,
    CertificateKind.WRONG_NAME: WAITS,
    CertificateKind.EXPIRED: WAITS,
    CertificateKind.FOREIGN: WAITS,
    False: ("deferred", "4.7.4"),
}


@pytest.mark.parametrize(("first", "kind"), some(product(["plain.test", "enforced.test"], ENFORCED), 5))
@pytest.mark.usefixtures("web")
def test_domains_of_one_host_keep_their_own_demands(first, kind):
    """In one relay, one after the other, whichever was first: a connection that is kept serves only whom it may.

    Every fifth of them; all in a whole run.
    """
    others = ["enforced.test", "testing.test", "plain.test", "routed.test"]
    order, enforced = [first, *others, *others[::-1]], ENFORCED[kind]
    expected = {"plain.test": DELIVERED, "testing.test": DELIVERED, "enforced.test": enforced}
    expected["routed.test"] = WAITS if kind else enforced

    async def story():
        async with house(ROUTED, zone=ZONE, tls=kind) as it:
            return [await fate(it, domain, number) for number, domain in enumerate(order, 1)]

    assert [expected[domain] for domain in order] == asyncio.run(story())


@pytest.mark.parametrize(
    ("kind", "failure"),
    some(
        [
            (CertificateKind.GOOD, None),
            (CertificateKind.SELF_SIGNED, TlsFailure.NOT_TRUSTED),
            (CertificateKind.WRONG_NAME, TlsFailure.HOST_MISMATCH),
            (CertificateKind.EXPIRED, TlsFailure.EXPIRED),
            (False, TlsFailure.STARTTLS_NOT_SUPPORTED),
        ],
        2,
    ),
)
@pytest.mark.usefixtures("web")
def test_mode_testing_costs_no_mail_and_the_report_counts_what_it_would(kind, failure, monkeypatch):
    """From the port to the row of the report: each session is counted once, whatever messages it has.

    Every other failure; all in a whole run.
    """
    monkeypatch.setattr(watching, "day_of", lambda _: "2199-01-01")  # not the day on which this runs, which may end

    async def story():
        spool = MemorySpool()
        spool.close = lambda: asyncio.sleep(0)  # it outlives the relay, as a disk does
        settings = "tls_report = {enabled = true, sender = 'tls@example.org'}"
        async with house(settings, spool=spool, zone=ZONE, tls=kind) as it:
            fates = [await fate(it, "testing.test", number) for number in (1, 2)]
            contacts = it.lab.counts("connected")[ip_address(HOST)]
        store = ReportStore(spool)
        (due,) = await store.due()
        rows = {(row.policy.type, row.failure): count for row, count in await store.rows(due)}
        return fates, contacts, due.reader, rows

    fates, contacts, reader, rows = asyncio.run(story())
    assert ([DELIVERED] * 2, "testing.test") == (fates, reader)
    assert {(PolicyType.STS, failure): contacts} == rows


@pytest.mark.parametrize("by_s", [-400 * 86400.0, 400 * 86400.0])
def test_a_clock_that_is_set_opens_no_way_past_a_policy(web, monkeypatch, by_s):
    """Neither is the policy taken for old, nor what it demands for met."""
    web.mx, ahead_s = "nobody.test", [0.0]
    clock = SimpleNamespace(time=lambda: time.time() + ahead_s[0], monotonic=time.monotonic)
    monkeypatch.setattr(documents, "time", clock)  # not that of the mail, which would be given up

    async def story():
        async with house(zone=ZONE, tls=CertificateKind.GOOD) as it:
            before = await fate(it, "enforced.test", 1)
            ahead_s[0] = by_s
            after = await fate(it, "enforced.test", 2)
            return before, after, it.taken()

    assert (WAITS, WAITS, {}) == asyncio.run(story())


def test_a_full_disk_forgets_no_policy_and_holds_up_no_mail(web, monkeypatch):
    """What cannot be kept is told once, applied all the same, and kept when there is room."""
    learn = MemorySpool.learn

    async def refused(_spool, _lessons):
        raise SpoolError(Trouble.FULL, "the disk is full")

    async def story():
        web.mx = "nobody.test"
        monkeypatch.setattr(MemorySpool, "learn", refused)
        async with house(zone=ZONE, tls=CertificateKind.GOOD) as it:
            fates = [await fate(it, domain, at) for at, domain in enumerate(["enforced.test", "plain.test"], 1)]
            told = len(it.told.named("gather.store.failed"))
            monkeypatch.setattr(MemorySpool, "learn", learn)
            fates.append(await fate(it, "testing.test", 3))
            await it.relay.delivery.policies.close()
            return fates, told, {each.key for each in await it.relay.spool.recall("mta-sts")}

    fates, told, kept = asyncio.run(story())
    assert ([WAITS, DELIVERED, DELIVERED], 1, {"enforced.test", "testing.test"}) == (fates, told, kept)


PASSWORD = "correct horse"
SECRETS = (PASSWORD.encode(), b64encode(f"\0me\0{PASSWORD}".encode()), b"AUTH ", b"MAIL FROM")


class Cheat:
    """A smarthost that wants a password, and does something wrong on the way; what it heard, in the clear and not."""

    def __init__(self, way):
        self.way = way
        self.heard = bytearray()
        self.visits = 0

    @asynccontextmanager
    async def open(self):
        """At a port."""
        server = await asyncio.start_server(self._visit, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _visit(self, reader, writer):
        self.visits += 1
        try:
            if self.way.startswith("implicit"):
                await self._shake(writer)
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):  # it has hung up
            pass
        finally:
            writer.close()

    async def _shake(self, writer):
        what = self.way.partition(" ")[2]
        if what == "garbage":
            writer.write(b"\x16\x03\x03\x00\x05hello")
        elif what == "plain":
            writer.write(b"250-smart\r\n250-AUTH PLAIN LOGIN\r\n250 OK\r\n")
        elif what == "close":
            writer.close()
        else:
            context = mismatched_context() if what == "mismatch" else lab_context(CertificateKind(what), ["smart.test"])
            await writer.start_tls(context)

    async def _talk(self, reader, writer):
        writer.write(b"220 smart ESMTP\r\n")
        while line := await reader.readline():
            self.heard += line
            verb = line[:4].upper()
            if line.upper().startswith(b"STARTTLS") and self.way != "refuses":
                writer.write(b"220 go\r\n")
                await writer.drain()
                await self._shake(writer)
            elif verb == b"EHLO":
                offers = b"" if self.way == "offers none" else b"250-STARTTLS\r\n"
                writer.write(b"250-smart\r\n" + offers + b"250-AUTH PLAIN LOGIN\r\n250 PIPELINING\r\n")
            elif verb == b"AUTH":
                writer.write(b"235 welcome\r\n")
            elif verb == b"STAR":
                writer.write(b"454 not now\r\n")
            else:
                writer.write(b"250 OK\r\n")


CERTIFICATES = ["self-signed", "wrong-name", "expired", "foreign", "mismatch"]
BROKEN = ["garbage", "plain", "close"]
CHEATS = [
    *("offers none", "refuses"),
    *(f"{begin} {what}" for begin in ("starttls", "implicit") for what in (*CERTIFICATES, *BROKEN)),
]


@pytest.mark.parametrize(("place", "tls"), list(enumerate(["verify", "encrypt", "dane-only"])))
@pytest.mark.usefixtures("web")
def test_a_smarthost_that_cheats_hears_no_password(place, tls, tmp_path):
    """Whether TLS begins at once or by STARTTLS, nothing beyond EHLO and STARTTLS is said before it is what it must.

    Every fourth way to cheat, others for each setting; all in a whole run.
    """
    (tmp_path / "secret").write_text(PASSWORD)
    ways = some(CHEATS, 4, place)
    cheats = {f"n{number}.test": Cheat(way) for number, way in enumerate(ways)}

    async def story():
        async with AsyncExitStack() as ends:
            text = ""
            for domain, cheat in cheats.items():
                port = await ends.enter_async_context(cheat.open())
                text += f"""
                [[route]]
                domains = ["{domain}"]
                next_hop = "smart.test:{port}"
                tls = "{tls}"
                security = "{"tls" if cheat.way.startswith("implicit") else "starttls"}"
                auth = {{user = "me", password_file = "{tmp_path / "secret"}"}}
                """
            it = await ends.enter_async_context(house(text, zone="$TTL 60\n$ORIGIN smart.test.\n@ A 127.0.0.1\n"))
            return [await fate(it, domain, number) for number, domain in enumerate(cheats, 1)]

    fates = asyncio.run(story())
    # With "encrypt" any certificate is good enough: the settings say so, and are warned of
    may_hear = [cheat.way for cheat in cheats.values() if tls == "encrypt" and cheat.way.split()[-1] in CERTIFICATES]
    assert may_hear == [cheat.way for cheat in cheats.values() if any(each in cheat.heard for each in SECRETS)]
    kept = [cheat.way for cheat, told in zip(cheats.values(), fates, strict=True) if told[1][:3] == "4.7"]
    assert [way for way in ways if way not in may_hear] == [way for way in kept if way not in may_hear]
    assert {"deferred"} == {told[0] for told, way in zip(fates, ways, strict=True) if way not in may_hear}
    assert {tls == "dane-only"} == {cheat.visits == 0 for cheat in cheats.values()}  # no TLSA record is vouched for
