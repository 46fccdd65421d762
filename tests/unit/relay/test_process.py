"""A relay from its port to the exchangers: nothing accepted is lost, routes and passwords go where they should."""

import asyncio
import io
import smtplib
import time
from base64 import b64encode
from contextlib import asynccontextmanager
from hashlib import scrypt
from ipaddress import ip_address
from math import sqrt
from pathlib import Path

import pytest
from tests.support.relaying import MESSAGE, ZONE, house, resolver_of, settings_of

from postroad import lab
from postroad.lab.certificate import server_context
from postroad.net import bind
from postroad.receive import ListenSettings, PasswordHash, Receiver, ReceiveSettings, Tls
from postroad.relay import Relay
from postroad.relay.event_bus import EventBus
from postroad.relay.journal import Journal, Style
from postroad.relay.metrics import Metrics
from postroad.spool import Selection, SpoolError, StoredMail, Trouble
from postroad.spool.ids import local_origin
from postroad.spool.memory import MemorySpool
from postroad.spool.sqlite import SqliteSpool
from postroad.words.mail import Envelope, Recipient, parse_mailbox
from postroad.words.outcome import Result

PASSWORD = "correct horse"


class Keeper:
    """What a smarthost takes."""

    def __init__(self):
        self.kept = []

    def begin(self):
        """An id."""
        return f"K{len(self.kept)}"

    def keep(self, arrival, rest, kept):
        """Take it."""
        self.kept.append((arrival, rest))
        asyncio.get_running_loop().call_soon(kept, None)


@asynccontextmanager
async def smarthost(tls=Tls.STARTTLS):
    """A host that passes mail on for who knows the password, over TLS only; its port, and what it took."""
    keeper = Keeper()
    key = scrypt(PASSWORD.encode(), salt=b"salt", n=2, r=1, p=1, dklen=32)
    users = {"me": PasswordHash(b"salt", key, cost=1, block=1)}  # it costs next to nothing
    receiver = Receiver(ReceiveSettings("smart.example", (), users, server_context(), auth_delay_s=0), keeper)
    where = await receiver.open(ListenSettings(ip_address("127.0.0.1"), 0, tls))
    try:
        yield where.port, keeper.kept
    finally:
        await receiver.stop()


def route(port, tls, folder, password=PASSWORD):
    """A route for all mail to a smarthost."""
    (folder / "secret").write_text(password)
    auth = f"auth = {{user = 'me', password_file = '{folder / 'secret'}'}}"
    return f"[[route]]\ndomains = ['*']\nnext_hop = '127.0.0.1:{port}'\ntls = '{tls}'\n{auth}"


def test_message_goes_from_the_port_to_an_exchanger():
    """With our Received field in front, and the rest as it came."""

    async def story():
        async with house() as it:
            await it.submit("ann@example.com")
            await it.verdict()
            (received,) = it.lab.received
            return received.content, (await it.relay.spool.stats(0)).messages

    content, left = asyncio.run(story())
    assert (True, True, 0) == (content.startswith(b"Received: from client.example"), content.endswith(MESSAGE), left)


ROOT = "root@relay.example.org"


def test_mail_for_root_goes_where_the_alias_says():
    """What cron writes is read by somebody: the original recipient goes along, and the sender stays."""

    async def story():
        async with house("aliases.root = 'ann@example.com'") as it:
            await it.submit(ROOT, "ann@example.com", sender=ROOT)
            await it.verdict()
            return [each.envelope for each in it.lab.received]

    (envelope,) = asyncio.run(story())
    assert (ROOT, ["ann@example.com"]) == (
        str(envelope.reverse_path),
        [str(to.mailbox) for to in envelope.recipients],
    )


def test_report_for_root_goes_where_the_alias_says():
    """Cron's own mail that fails is not lost with its report: this machine has no mailbox for it."""

    async def story():
        async with house("aliases.root = 'ann@example.com'", faults={"127.0.0.13": "r550"}) as it:
            await it.submit("bob@example.net", sender=ROOT)
            await it.verdict(2)
            return it.lab.received

    (report,) = asyncio.run(story())
    assert (None, "ann@example.com") == (report.envelope.reverse_path, str(report.envelope.recipients[0].mailbox))
    assert b"To: <root@relay.example.org>" in report.content


def test_report_that_fails_goes_to_the_postmaster_alias():
    """Who sent it cannot be told, so the one who runs the relay is."""

    async def story():
        async with house("aliases.postmaster = 'boss@example.com'", faults={"127.0.0.13": "r550"}) as it:
            await it.submit("bob@example.net", sender="me@example.net")
            await it.verdict(3)
            return it.lab.received, len(it.told.named("deliver.report.failed"))

    (report,), warnings = asyncio.run(story())
    assert (None, "boss@example.com", 1) == (
        report.envelope.reverse_path,
        str(report.envelope.recipients[0].mailbox),
        warnings,
    )
    assert b"Subject: Undelivered report: me@example.net" in report.content


def test_mail_for_a_name_without_alias_is_refused():
    """At once, while the sender still listens."""

    async def story():
        async with house() as it:
            await it.submit(ROOT)

    with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"550.*5\.1\.1.*\[aliases\]"):
        asyncio.run(story())


def test_what_was_accepted_outlives_the_process(tmp_path):
    """Mail taken while no exchanger was up is delivered by the next process on the same spool."""

    async def story(faults):
        spool = await SqliteSpool.open(tmp_path, node="relay")
        async with house(faults=faults, spool=spool) as it:
            if faults:
                await it.submit("ann@example.com", "bob@example.net", times=3)

                async def all_wait():
                    return (await it.relay.spool.stats(0)).waiting == 6

                await it.told.until_true(all_wait)
                await it.relay.spool.retry(Selection(), 0)
            else:
                await it.verdict(6)
            return it.taken()

    down = dict.fromkeys(("127.0.0.11", "127.0.0.12", "127.0.0.13"), "refuse")
    before, after = asyncio.run(story(down)), asyncio.run(story({}))
    assert (0, 6, 3) == (sum(before.values()), sum(after.values()), after["13"])


def test_gateway_balances_over_its_hosts_by_weight():
    """A route to named hosts: each has its part of the mail, within four standard errors."""
    text = """
    [[route]]
    domains = ["example.com"]
    hosts = [{host = "127.0.0.11", port = {port}, weight = 5}, {host = "127.0.0.13", port = {port}}]
    """

    async def story():
        async with house(text) as it:
            await it.submit("ann@example.com", times=90)
            await it.verdict(90)
            return it.taken()

    taken = asyncio.run(story())
    assert {"11", "13"} == set(taken)
    assert abs(taken["11"] - 75) <= 4 * sqrt(90 * 5 / 36)


def test_route_by_the_exchangers_of_another_domain():
    """`mx_of`: example.com goes where example.net's mail goes."""

    async def story():
        async with house("[[route]]\ndomains = ['example.com']\nmx_of = 'example.net'") as it:
            await it.submit("ann@example.com")
            await it.verdict()
            return it.taken()

    assert {"13": 1} == asyncio.run(story())


def test_smarthost_has_the_mail_after_password_and_tls(tmp_path):
    """All mail goes there, over TLS; the log has neither the password nor what is sent for it."""

    async def story():
        async with smarthost() as (port, kept), house(route(port, "encrypt", tmp_path)) as it:
            await it.submit("ann@example.com")
            await it.submit("bob@example.net")
            await it.verdict(2)
            return kept, it.told.events

    kept, events = asyncio.run(story())
    assert [("ESMTPSA" in arrival.origin, "as me" in arrival.origin) for arrival, _ in kept] == [(True, True)] * 2
    for form in ("console", "json"):
        out = io.BytesIO()
        Journal(out.write, Style(form, "debug")).take([(0.0, event) for event in events])
        log = out.getvalue().decode()
        assert "deliver.attempt.complete" in log
        assert PASSWORD not in log + repr(events)
        assert b64encode(f"\0me\0{PASSWORD}".encode()).decode() not in log + repr(events)


@pytest.mark.parametrize(("security", "tls"), [("tls", Tls.IMPLICIT), ("starttls", Tls.STARTTLS)])
def test_private_authority_proves_the_smarthost(tmp_path, security, tls):
    """A `ca_file` vouches for it, whether TLS begins at once or by STARTTLS; only then it hears the password."""

    async def story():
        async with smarthost(tls) as (port, kept):
            text = route(port, "verify", tmp_path).replace("127.0.0.1", "mail.lab.invalid")
            text += f"\nsecurity = '{security}'\nca_file = '{Path(lab.__file__).parent / 'tls' / 'certificate.pem'}'"
            async with house(text, zone=f"{ZONE}$ORIGIN lab.invalid.\nmail A 127.0.0.1\n") as it:
                await it.submit("ann@example.com")
                return kept, (await it.verdict()).result

    kept, result = asyncio.run(story())
    assert (Result.DELIVERED, ["ESMTPSA"]) == (
        result,
        [arrival.origin.partition("by ")[2].partition(" ")[0] for arrival, _ in kept],
    )


def test_wrong_password_keeps_the_mail(tmp_path):
    """Settings can be mended: the mail waits, and nobody is told that it failed."""

    async def story():
        async with smarthost() as (port, kept), house(route(port, "encrypt", tmp_path, "wrong")) as it:
            await it.submit("ann@example.com")
            return kept, await it.verdict()

    kept, verdict = asyncio.run(story())
    assert ([], Result.DEFERRED) == (kept, verdict.result)
    assert "535" in verdict.left[0].outcome.text


def test_host_without_the_proof_that_is_demanded_gets_nothing(tmp_path):
    """`verify`, and a certificate nobody vouches for: no password and no mail."""

    async def story():
        async with smarthost() as (port, kept), house(route(port, "verify", tmp_path)) as it:
            await it.submit("ann@example.com")
            return kept, await it.verdict()

    kept, verdict = asyncio.run(story())
    assert ([], Result.DEFERRED) == (kept, verdict.result)
    assert "certificate" in verdict.left[0].outcome.text


def test_nothing_is_sent_in_the_clear_where_tls_is_required():
    """The host offers none: the mail is deferred, and not a recipient was named."""

    async def story():
        text = "[[route]]\ndomains = ['*']\nnext_hop = '127.0.0.13:{port}'\ntls = 'encrypt'"
        async with house(text) as it:
            await it.submit("ann@example.com")
            verdict = await it.verdict()
            return verdict, sum(it.lab.counts("rcpt").values()), sum(it.lab.counts("greeted").values())

    verdict, named, greeted = asyncio.run(story())
    assert (Result.DEFERRED, 0, 1) == (verdict.result, named, greeted)
    assert "does not start TLS" in verdict.left[0].outcome.text


def test_reload_changes_routes_and_limits_and_keeps_ports():
    """Sessions and deliveries that begin then have the new settings."""

    async def story():
        async with house() as it:
            await it.submit("ann@example.net")
            await it.verdict()
            text = f"limits.recipients = 1\n[[route]]\ndomains = ['*']\nnext_hop = '127.0.0.11:{it.lab.port}'"
            await it.relay.reload(settings_of(text, it.lab), resolver_of(it.lab))
            await it.submit("ann@example.net")
            await it.verdict(2)
            return it.taken(), it.relay.receiver.settings.limits.recipients

    assert ({"13": 1, "11": 1}, 1) == asyncio.run(story())


def test_socket_opened_by_another_is_taken():
    """As systemd hands it over: the relay listens there."""

    async def story():
        async with house() as it:
            sock = bind(ip_address("127.0.0.1"), 0)
            port = sock.getsockname()[1]
            relay = Relay(it.relay.settings, MemorySpool(), resolver_of(it.lab), it.told)
            await relay.open([sock])
            await relay.close()
            return port == it.told.named("relay.port.open")[1]["where"].port

    assert asyncio.run(story())


def test_lease_that_cannot_be_renewed_is_told():
    """A spool in trouble is told of even while there is no mail."""

    class Failing(MemorySpool):
        async def renew(self, _now):
            raise SpoolError(Trouble.READ_ONLY, "read-only")

    async def story():
        async with house(spool=Failing()) as it:
            return await it.told.until("relay.spool.failed")

    assert {"why": "read-only"} == asyncio.run(story())


def test_part_that_dies_of_a_bug_ends_the_relay():
    """It must not go on taking mail that it no longer delivers."""

    class Buggy(MemorySpool):
        async def claim(self, *_arguments, **_how):
            raise ValueError("a bug")

    async def story():
        async with house(spool=Buggy()) as it:
            await it.relay.wait(asyncio.Event())

    with pytest.raises(ValueError, match="a bug"):
        asyncio.run(story())


def test_relay_waits_until_it_is_to_stop():
    """Nothing but the stop ends it."""

    async def story():
        async with house() as it:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_soon(stop.set)
            await it.relay.wait(stop)
            return True

    assert asyncio.run(story())


def test_deliveries_under_way_end_before_the_relay_does():
    """A host that takes its time has it, up to the drain time; what had not begun is given back."""

    async def story():
        spool = MemorySpool()
        async with house("drain = '20s'", faults={"127.0.0.13": "slow:0.3"}, spool=spool) as it:
            await it.submit("ann@example.net")
            await it.told.until("lab.smtp.connected")
        return it.taken()

    assert {"13": 1} == asyncio.run(story())


def test_slow_deliveries_are_given_up_at_the_end():
    """After the drain time they are dropped, and made again after the next start."""

    async def story():
        spool = MemorySpool()
        async with house("drain = '20ms'", faults={"127.0.0.13": "slow:3600"}, spool=spool) as it:
            await it.submit("ann@example.net")
            await it.told.until("lab.smtp.connected")
        return it.told.named("relay.drained")

    assert [{"given_up": 1}] == asyncio.run(story())


def test_deliveries_have_the_drain_that_receiving_leaves():
    """With no client there, all of it."""

    async def story():
        async with house("drain = '1000s'") as it:
            left_s = []
            usual = it.relay.delivery.drain
            it.relay.delivery.drain = lambda limit_s: left_s.append(limit_s) or usual(0)
        return left_s

    (left_s,) = asyncio.run(story())
    assert 900 < left_s <= 1000


@pytest.mark.parametrize("fault", ["accept", "r450"])
def test_mail_by_sendmail_is_told_once(tmp_path, fault):
    """Another process put it into the spool: it is told when found, once for all its destinations and attempts."""

    async def story():
        spool = await SqliteSpool.open(tmp_path, node="relay")
        async with house(faults={"127.0.0.11": fault, "127.0.0.12": fault}, spool=spool) as it:
            bus = EventBus()
            numbers = Metrics(it.relay, bus)
            it.told.others.append(bus)
            tool = await SqliteSpool.open(tmp_path, node="")
            to = tuple(Recipient(parse_mailbox(each)) for each in ("ann@example.com", "bob@example.net"))
            envelope = Envelope(parse_mailbox("root@example.org"), to)
            mail = StoredMail("01SENDMAIL", envelope, time.time(), 7, len(MESSAGE), local_origin("root", 0, "sendmail"))
            await tool.add(mail, MESSAGE)
            await tool.close()
            await it.submit("ann@example.com")
            await it.told.until("deliver.parcel.complete", 3)
            await spool.retry(Selection(), 0)
            it.relay.delivery.look()
            if fault != "accept":
                await it.told.until("deliver.parcel.complete", 5)
            text = (await asyncio.to_thread(numbers._metrics)).body.decode()
            bus.close()
            return it.told.named("relay.pickup.complete"), [line for line in text.splitlines() if "received" in line]

    told, numbers = asyncio.run(story())
    facts = {"sender": "root@example.org", "size": len(MESSAGE), "origin": "user root (uid 0) by sendmail"}
    assert [{"id": "01SENDMAIL", **facts, "protocol": "sendmail"}] == told
    assert 'postroad_messages_received_total{source="sendmail"} 1.0' in numbers
    assert 'postroad_messages_received_total{source="smtp"} 1.0' in numbers
