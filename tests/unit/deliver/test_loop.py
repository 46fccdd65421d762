"""The loop: what is in the spool is delivered, deferred or reported, and nothing is in anybody's way."""

import asyncio
import email
import email.policy
from dataclasses import replace
from itertools import product
from math import sqrt

import pytest
from tests.support.answering import Host
from tests.support.delivering import (
    CONTENT,
    DEFERRED,
    DELIVERED,
    FAILED,
    NOON,
    QUICK_PROBES,
    USUAL,
    WatchedSpool,
    counts,
    office,
    recipients,
)
from tests.support.examples import some
from tests.support.patience import PATIENCE_S

from postroad.deliver import DeliverSettings, feed, settler
from postroad.lab import parse_fault
from postroad.net import listen
from postroad.pace import WindowPolicy
from postroad.smtp import ServerConfig
from postroad.spool import Selection, Settlement, SpoolError, State, StoredMail, Trouble, memory, retry_now
from postroad.spool.memory import MemorySpool
from postroad.spool.sqlite import SqliteSpool
from postroad.words.mail import Envelope, parse_mailbox
from postroad.words.names import parse_address
from postroad.words.record import read_record
from postroad.words.reply import Reply
from postroad.words.tls import Demand, TlsLevel

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
ONE_EACH = replace(USUAL, queue=replace(USUAL.queue, window=WindowPolicy(1, 1, float("inf"))))
ACCEPT, REFUSE = parse_fault("accept"), parse_fault("refuse")


def tell(story, *arguments, **how):
    """Run a story in an office."""

    async def main():
        async with office(*arguments, **how) as it:
            return await story(it)

    return asyncio.run(main())


def report_in(it, address="127.0.0.13"):
    """The one report that its sender's exchanger has, as people read it."""
    (received,) = it.lab.at(address).received
    assert received.envelope.reverse_path is None
    return email.message_from_bytes(received.content, policy=email.policy.default)


def machine_part(report):
    """The fields about the message, and those about the first recipient."""
    part, *_ = [part for part in report.walk() if part.get_content_type() == "message/delivery-status"]
    return part.get_payload()[1]


def test_message_arrives_as_it_was_given():
    """Octet by octet, under its envelope; the spool has no more of it to do."""

    async def story(it):
        await it.post("ann@example.com", "bob@example.com")
        await it.done()
        (received,) = it.lab.received
        return received.content, len(received.envelope.recipients), (await it.spool.stats(NOON)).messages

    assert (CONTENT, 2, 0) == tell(story)


def test_mail_found_in_the_spool_is_delivered():
    """What another process put there, or an earlier one left, is claimed and delivered."""

    async def story(it):
        for _ in range(30):
            await it.post("ann@example.com", claim=False)
        await it.done(30)
        return it.results

    assert [DELIVERED] * 30 == tell(story)


def test_each_destination_of_a_message_has_its_own_fate():
    """One is delivered, one waits, one fails; what waits says why."""

    async def story(it):
        await it.post("ann@example.com", "bob@example.net", "cat@example.org", sender="")
        await it.done(3)
        (left,) = await it.spool.until_waiting(1)
        return sorted(it.results), left.destination, left.attempts

    assert ([DEFERRED, DELIVERED, FAILED], "example.net", 1) == tell(
        story, {"127.0.0.13": "r450", "127.0.0.14": "r550"}
    )


def test_equals_stay_equal_while_connections_are_reused():
    """Of 100 deliveries each of two has half, within four standard errors, over far fewer connections."""

    async def story(it):
        for _ in range(100):
            await it.post("ann@example.com")
        await it.done(100)
        return counts(it), sum(it.lab.counts("connected").values())

    taken, connected = tell(story)
    assert 100 == sum(taken.values())
    assert abs(taken["11"] - 50) <= 4 * sqrt(100) / 2
    assert connected < 50


def test_slow_domain_delays_no_other():
    """A hundred messages for a tarpit stand first; those behind them for another domain all arrive."""

    async def story(it):
        for _ in range(100):
            await it.post("ann@example.org")
        for _ in range(20):
            await it.post("ann@example.com")
        await it.done(20)
        return it.results, sum(counts(it).values()), it.loop.in_flight

    results, taken, in_flight = tell(story, {"127.0.0.14": "tarpit:3600"})
    assert ([DELIVERED] * 20, 20) == (results, taken)
    assert in_flight <= 10


def test_dead_equal_is_paid_for_once(monkeypatch):
    """After the first race against a host that swallows SYNs, nobody is sent to it first any more."""
    monkeypatch.setattr("postroad.deliver.probe.SUSPECT_S", 0.05)

    async def story(it):
        while len(it.contacts()) == 0 or it.contacts()[-1] != ["127.0.0.11", "127.0.0.12"]:
            await it.post("ann@example.com")
            await it.done(len(it.contacts()) + 1)
        await it.probed()
        before = len(it.contacts())
        for _ in range(20):
            await it.post("ann@example.com")
        await it.done(before + 20)
        return [first for first, *_ in it.contacts(before)]

    hasty = DeliverSettings(hostname="relay.example")
    assert ["127.0.0.12"] * 20 == tell(story, {"127.0.0.11": "blackhole"}, deliver=hasty)


def test_mail_waits_for_its_hosts_and_goes_when_one_is_up():
    """No host answers: the mail waits; a probe finds one well, and it goes at once, long before its next time."""

    async def story(it):
        await it.post("ann@example.com")
        verdict = await it.done()
        (left,) = await it.spool.until_waiting(1)
        for _ in range(3):  # all of them wait without being tried
            await it.post("ann@example.com")
        await it.spool.until_waiting(4)
        await it.lab.set_fault("127.0.0.12", ACCEPT)
        await it.done(5)
        blocked = it.told.named("deliver.set.blocked")
        return verdict.waits_for_host, left.due_at > NOON, len(blocked), it.results[1:]

    down = {"127.0.0.11": "refuse", "127.0.0.12": "refuse"}
    settings = replace(QUICK_PROBES, health=replace(QUICK_PROBES.health, first_penalty_s=0.2, longest_penalty_s=0.2))
    assert (True, True, 1, [DELIVERED] * 4) == tell(story, down, settings=settings)


def test_long_outage_ends_at_once(monkeypatch):
    """However much waits for a set of exchangers, all of it goes when one of them answers, far before its next time."""
    monkeypatch.setattr(memory, "HASTENED", 10)  # of one call
    many = 25

    async def story(it):
        for number in range(many):
            await it.post(f"user{number}@example.com", claim=False)
        await it.spool.until_none_due(many)
        await it.lab.set_fault("127.0.0.12", ACCEPT)
        woken = await it.told.until("deliver.queue.woken")
        while it.results.count(DELIVERED) < many:
            await it.told.another()
        few = len(it.told.named("deliver.queue.aside")) <= 5 and it.results.count(DEFERRED) <= 2
        return woken["parcels"], len(it.told.named("deliver.set.blocked")), few

    down = {"127.0.0.11": "refuse", "127.0.0.12": "refuse"}
    settings = replace(QUICK_PROBES, health=replace(QUICK_PROBES.health, first_penalty_s=0.2, longest_penalty_s=0.2))
    assert (many, 1, True) == tell(story, down, settings=settings)


def test_who_retries_by_hand_need_not_wait_for_the_next_probe():
    """Hosts whose next probe would be in a quarter of an hour are asked at once."""

    async def story(it):
        await it.post("you@example.com")
        await it.done(1)
        await it.lab.set_fault("127.0.0.12", ACCEPT)
        assert 1 == await retry_now(it.spool, Selection(), NOON)
        it.loop.look()
        await it.told.until("deliver.host.recovered")
        while it.results.count(DELIVERED) < 1:
            await it.told.another()
        return [str(each["address"]) for each in it.told.named("deliver.host.recovered")]

    settings = replace(USUAL, health=replace(USUAL.health, first_penalty_s=900.0))
    assert ["127.0.0.12"] == tell(story, {"127.0.0.11": "refuse", "127.0.0.12": "refuse"}, settings=settings)


def test_host_that_recovers_while_its_mail_is_settled_wakes_it(monkeypatch):
    """The recovery is heard before the parcel waits in the spool: it is woken all the same, again if that fails."""
    monkeypatch.setattr(feed, "AGAIN_S", 0.001)

    class Slow(MemorySpool):
        gate = asyncio.Event()
        is_full = True

        async def retry_stranded(self, destination, now):
            if self.is_full:
                self.is_full = False
                raise SpoolError(Trouble.FULL, "the disk is full")
            return await super().retry_stranded(destination, now)

        async def settle(self, settlements, now):
            await self.gate.wait()
            await super().settle(settlements, now)

    async def story(it):
        await it.post("ann@example.net")
        await it.told.until("deliver.host.failed")
        await it.lab.set_fault("127.0.0.13", ACCEPT)
        await it.told.until("deliver.host.recovered")
        it.spool.gate.set()
        await it.done(2)
        return it.results

    assert [DEFERRED, DELIVERED] == tell(story, {"127.0.0.13": "refuse"}, settings=QUICK_PROBES, spool=Slow())


def test_refused_mail_is_reported_to_its_sender():
    """5yz: a report with the reply goes to the sender's own exchanger, under the null reverse-path."""

    async def story(it):
        await it.post("ann@example.com")
        await it.done(2)
        return report_in(it)

    everywhere = {"127.0.0.11": "r550", "127.0.0.12": "r550"}
    fields = machine_part(tell(story, everywhere))
    assert ("failed", "5.1.1", "rfc822;ann@example.com") == (
        fields["Action"],
        fields["Status"],
        fields["Final-Recipient"].replace(" ", ""),
    )


@pytest.mark.parametrize("how", [{"sender": ""}, {"notify": frozenset({"NEVER"})}, {"notify": frozenset({"DELAY"})}])
def test_nobody_is_told_who_must_not_or_will_not_be(how):
    """The null reverse-path is never answered; NOTIFY without FAILURE is heeded."""

    async def story(it):
        await it.post("ann@example.org", **how)
        await it.done()
        return it.results, (await it.spool.stats(NOON)).messages

    assert ([FAILED], 0) == tell(story, {"127.0.0.14": "r550"})


async def lost(it, *postmaster):
    """A report that the sender's exchanger refuses: what became of all, what is left, and what was told of it."""
    it.postmaster = postmaster
    it.loop.reload(USUAL, it.find, it.reporter(USUAL))
    await it.post("ann@example.org")
    await it.done(3 if it.postmaster else 2)
    told = [(each["recipients"], each["origin"]) for each in it.told.named("deliver.report.failed")]
    return it.results, (await it.spool.stats(NOON)).messages, told


BOTH_REFUSE = {"127.0.0.14": "r550", "127.0.0.13": "r550"}


def test_report_that_fails_is_told_and_ends_there():
    """A report refused by the sender's exchanger makes no other, and the log has it: a double bounce."""
    assert ([FAILED, FAILED], 0, [(["me@example.net"], "report on B000001")]) == tell(lost, BOTH_REFUSE)


def test_report_that_fails_reaches_the_postmaster():
    """Under the null reverse-path, with the report that could not be delivered, whom it was for and why."""

    async def story(it):
        what = await lost(it, "boss@example.com")
        received = [each for address in ("127.0.0.11", "127.0.0.12") for each in it.lab.at(address).received]
        return what, received

    (results, left, _), (received,) = tell(story, BOTH_REFUSE)
    assert ([FAILED, FAILED, DELIVERED], 0) == (results, left)
    assert (None, "boss@example.com") == (
        received.envelope.reverse_path,
        str(received.envelope.recipients[0].mailbox),
    )
    report = email.message_from_bytes(received.content, policy=email.policy.default)
    fields = machine_part(report)
    assert ("Undelivered report: me@example.net", "dns; mail.example.net") == (report["Subject"], fields["Remote-MTA"])
    assert "ann@example.org" in report.as_string()


def test_report_to_the_postmaster_that_fails_is_told_and_ends_there():
    """Nobody is told of it by mail: no loop, whatever the postmaster's exchanger says."""
    told = [(["me@example.net"], "report on B000001"), (["boss@example.org"], "double bounce of B000003")]
    assert ([FAILED] * 3, 0, told) == tell(lambda it: lost(it, "boss@example.org"), BOTH_REFUSE)


def test_postmaster_who_refused_a_report_is_not_sent_another():
    """The address that has just said no is no place to complain to."""

    async def story(it):
        it.postmaster = ("me@example.net",)
        it.loop.reload(USUAL, it.find, it.reporter(USUAL))
        await it.post("ann@example.org")
        await it.done(2)
        return it.results, (await it.spool.stats(NOON)).messages

    assert ([FAILED, FAILED], 0) == tell(story, BOTH_REFUSE)


def test_report_on_a_recipient_beyond_ascii_needs_no_smtputf8():
    """A sender in ASCII hears of it through a host that knows nothing of SMTPUTF8."""

    async def story(it):
        host = Host(config=ServerConfig("mx", smtputf8=False))
        door = await listen(parse_address("127.0.0.15"), it.lab.port, host.serve)
        try:
            content = "Subject: Grüße\r\n\r\nHello.\r\n".encode()
            await it.post("jürgen@example.org", sender="me@[127.0.0.15]", content=content, envelope={"smtputf8": True})
            await it.done(2)
            return it.results, machine_part(email.message_from_bytes(host.content, policy=email.policy.default))
        finally:
            await door.stop()

    results, fields = tell(story, {"127.0.0.14": "r550"})
    assert ([FAILED, DELIVERED], "utf-8; j\\x{FC}rgen@example.org") == (results, fields["Final-Recipient"])


def test_success_is_reported_where_the_host_does_not():
    """NOTIFY=SUCCESS: a host with DSN takes that over, of one without it we report that it was relayed."""

    async def story(it):
        host = Host(config=ServerConfig("mx", dsn=False))
        door = await listen(parse_address("127.0.0.15"), it.lab.port, host.serve)
        try:
            wish = {"notify": frozenset({"SUCCESS"})}
            await it.post("ann@example.com", **wish)
            await it.done()
            before = (await it.spool.stats(NOON)).messages
            await it.post("ann@[127.0.0.15]", **wish)
            await it.done(3)
            return before, machine_part(report_in(it))["Action"]
        finally:
            await door.stop()

    assert (0, "relayed") == tell(story)


def test_mail_that_stays_deferred_is_given_up_and_reported():
    """After the time of the schedule 4yz becomes a failure, with status 4.4.7 and the last answer."""

    async def story(it):
        id_ = await it.post("ann@example.org", at=NOON - 5 * DAY_S)
        await it.done(2)
        (record,) = (await it.spool.story(id_)).records
        return it.results, machine_part(report_in(it)), read_record(record.text)[0].result

    results, fields, recorded = tell(story, {"127.0.0.14": "r450"})
    assert FAILED is recorded
    assert ([FAILED, DELIVERED], "failed", "4.4.7") == (results, fields["Action"], fields["Status"])
    assert "450" in fields["Diagnostic-Code"]


def test_last_attempt_asks_hosts_that_are_ill():
    """Before it is given up, mail is tried even where a host failed a moment ago."""

    async def story(it):
        await it.post("ann@example.org")
        await it.done()
        await it.post("ann@example.org", at=NOON - 5 * DAY_S, sender="")
        await it.done(2)
        return it.contacts(1)

    assert [["127.0.0.14"]] == tell(story, {"127.0.0.14": "refuse"})


def test_sender_of_late_mail_is_told_once():
    """After some hours a report says that it is late; the attempts after it say nothing."""

    async def story(it):
        await it.post("ann@example.org", at=NOON - 5 * HOUR_S)
        await it.done(2)
        it.now += HOUR_S
        it.loop.look()
        await it.done(3)
        return it.results, machine_part(report_in(it))["Action"]

    assert ([DEFERRED, DELIVERED, DEFERRED], "delayed") == tell(story, {"127.0.0.14": "r450"})


def test_mail_for_later_waits_though_it_is_made_due():
    """Whoever makes it due, as an older relay can: it is put back, and its expiry is counted from its time."""

    async def story(it):
        envelope = Envelope(parse_mailbox("me@example.net"), recipients("ann@example.org"))
        mail = StoredMail("held", envelope, NOON - 9 * DAY_S, 1, len(CONTENT), "", NOON + HOUR_S)
        await it.spool.add(mail, CONTENT)
        assert 0 == await it.spool.retry(Selection(), NOON)
        (parcel,) = await it.spool.claim(NOON + HOUR_S, 1, each=1)
        await it.spool.settle([Settlement(parcel, envelope.recipients, NOON, counts=False)], NOON)
        it.loop.look()
        await it.spool.until_none_due(1)
        assert [(NOON + HOUR_S, 0)] == [(each.due_at, each.attempts) for each in await it.spool.until_waiting(1)]
        it.now += HOUR_S
        it.loop.look()
        await it.done()
        return it.results

    assert [DEFERRED] == tell(story, {"127.0.0.14": "r450"})


def test_queue_shows_who_waits_its_own_answer():
    """Not the 550 of the other recipient, who is done with; and the host that gave it."""

    async def story(it):
        host = Host({"Rcpt ann": Reply(550, ("5.1.1 nobody",)), "Rcpt bob": Reply(450, ("4.2.2 full",))})
        door = await listen(parse_address("127.0.0.15"), it.lab.port, host.serve)
        try:
            await it.post("ann@[127.0.0.15]", "bob@[127.0.0.15]", sender="")
            await it.done()
            (listed,) = await it.spool.listed(Selection())
            return listed.said, [each["why"] for each in it.told.named("deliver.report.failed")]
        finally:
            await door.stop()

    assert ("deferred: [127.0.0.15]: 450 4.2.2 full", ["failed: [127.0.0.15]: 550 5.1.1 nobody"]) == tell(story)


def test_only_those_who_wait_are_tried_again():
    """One recipient got it, one waits: the next attempt is for that one alone."""

    async def story(it):
        host = Host({"Rcpt bob": Reply(450, ("4.2.2 full",))})
        door = await listen(parse_address("127.0.0.15"), it.lab.port, host.serve)
        try:
            await it.post("ann@[127.0.0.15]", "bob@[127.0.0.15]")
            first = await it.done()
            host.answers.clear()
            it.now += HOUR_S
            it.loop.look()
            second = await it.done(2)
        finally:
            await door.stop()
        fates = [first.delivered, first.left, second.delivered, second.left]
        return [[each.recipient.mailbox.local for each in some] for some in fates], host.content.count(b"Hello.")

    assert ([["ann"], ["bob"], ["bob"], []], 2) == tell(story)


def test_one_address_has_so_many_at_once_and_no_more():
    """Two domains share an address that takes one at a time: they take turns, and all arrive."""
    zone = "$TTL 60\n$ORIGIN example.com.\n@ MX 10 a\na A 127.0.0.11\n$ORIGIN example.net.\n@ MX 10 b\nb A 127.0.0.11\n"

    async def story(it):
        for _ in range(10):
            await it.post("ann@example.com")
            await it.post("bob@example.net")
        await it.done(20)
        return it.results, it.lab.counts("connected")[parse_address("127.0.0.11")]

    results, connected = tell(story, zone=zone, settings=ONE_EACH)
    assert ([DELIVERED] * 20, 1) == (results, connected)


def test_drain_gives_back_what_waits_and_ends_what_is_under_way():
    """Begun deliveries are settled, the others wait in the spool for the next start; none is begun or lost."""

    class Gated(Host):
        opened = asyncio.Event()
        came = asyncio.Event()

        async def serve(self, stream):
            self.came.set()
            await self.opened.wait()
            await super().serve(stream)

    async def story(it):
        host = Gated()
        door = await listen(parse_address("127.0.0.15"), it.lab.port, host.serve)
        try:
            for _ in range(8):
                await it.post("ann@[127.0.0.15]")
            await host.came.wait()
            draining = asyncio.create_task(it.loop.drain(PATIENCE_S))
            waiting = await it.spool.until_waiting(7)
            host.opened.set()
            given_up = await draining
        finally:
            await door.stop()
        return len(waiting), given_up, len(it.results), (await it.spool.stats(NOON)).waiting

    assert (7, 0, 1, 7) == tell(story)


def test_drain_gives_back_what_is_parked():
    """Parcels that wait for a place at an address are given back too."""

    async def story(it):
        for _ in range(5):
            await it.post("ann@example.org")
        await it.told.until("lab.smtp.connected")
        await it.loop.drain(0)
        return len(await it.spool.until_waiting(4))

    assert 4 == tell(story, {"127.0.0.14": "tarpit:3600"}, settings=ONE_EACH)


class Choking(asyncio.Protocol):
    """Takes one message, and reads nothing of the next."""

    def __init__(self, choked):
        self._choked = choked
        self._is_body, self._messages = False, 0

    def connection_made(self, transport):
        """Greet."""
        self.transport = transport
        transport.write(b"220 mx.example\r\n")

    def data_received(self, data):
        """Answer each line, or the end of the first message."""
        if self._is_body and data.endswith(b"\r\n.\r\n"):
            self._is_body = False
            self.transport.write(b"250 taken\r\n")
        elif not self._is_body:
            self._is_body = data == b"DATA\r\n"
            self._messages += self._is_body
            self.transport.write(b"354 go ahead\r\n" if self._is_body else b"250 fine\r\n")
            if self._messages == 2:
                self.transport.pause_reading()
                self._choked.set()


def test_what_a_drain_gives_up_is_no_bug_and_no_attempt():
    """Large mail on its way over a connection that rested: it is this node's after the next start, due as it was."""

    async def story(it):
        choked = asyncio.Event()
        create = asyncio.get_running_loop().create_server
        hosts = []
        server = await create(lambda: hosts.append(Choking(choked)) or hosts[-1], "127.0.0.15", it.lab.port)
        async with server:
            await it.post("ann@[127.0.0.15]")
            await it.done()
            await it.post("ann@[127.0.0.15]", content=CONTENT * 200_000)
            await choked.wait()
            given_up = await it.loop.drain(0)
            (left,) = await it.spool.listed(Selection())
            hosts[0].transport.abort()
            await asyncio.sleep(0)
        return given_up, left.state, left.parcel.attempts, it.told.named("deliver.parcel.broken")

    assert (1, State.CLAIMED, 0, []) == tell(story)


@pytest.mark.parametrize("times_well", [0, 1])
def test_bug_in_one_delivery_stops_no_other(times_well):
    """It is told, the parcel is tried again later, and nothing of it stays in memory."""

    async def find(it, destination):
        if destination == "example.org" and it.asked.count("example.org") >= times_well:
            raise ValueError("a bug")
        return replace(await it.find(destination), life_s=0.0)

    async def story(it):
        await it.post("ann@example.org")
        await it.post("ann@example.com")
        await it.done(2)
        broken = await it.told.until("deliver.parcel.broken")
        (left,) = await it.spool.until_waiting(1)
        doors = it.loop.queue._doors.values()
        return (
            sorted(it.results),
            str(broken["error"]),
            left.due_at > NOON,
            it.loop.queue.size,
            sum(door.window.in_flight for door in doors),
        )

    assert ([DEFERRED, DELIVERED], "a bug", True, 0, 0) == tell(story, find=find)


def test_what_was_delivered_is_not_sent_again_while_the_spool_is_in_trouble(monkeypatch):
    """A settlement that cannot be committed is tried until it can; the message goes out once."""
    monkeypatch.setattr(settler, "AGAIN_S", 0.001)

    class Full(MemorySpool):
        troubles = 3

        async def settle(self, settlements, now):
            if self.troubles:
                self.troubles -= 1
                raise SpoolError(Trouble.FULL, "the disk is full")
            await super().settle(settlements, now)

    async def story(it):
        await it.post("ann@example.com")
        await it.done()
        return (
            sum(counts(it).values()),
            len(it.told.named("deliver.spool.failed")),
            (await it.spool.stats(NOON)).messages,
        )

    assert (1, 3, 0) == tell(story, spool=Full())


@pytest.mark.parametrize("size", [1, 2_000])  # read whole before, and piece by piece while it is sent
def test_mail_that_cannot_be_read_while_the_spool_is_away_is_no_bug_and_no_attempt(size):
    """Its content is asked for again a second later; what the sender has waited so far costs it nothing."""

    class Away(WatchedSpool):
        is_away = True

        def at_hand(self, _mail):
            return None

        async def piece(self, id_, ordinal):
            if self.is_away:
                raise SpoolError(Trouble.GONE, "the spool cannot be reached")
            return await super().piece(id_, ordinal)

    async def story(it):
        await it.post("ann@example.com", content=CONTENT * size)
        (left,) = await it.spool.until_waiting(1)
        it.now, it.spool.is_away = left.due_at, False
        it.loop.look()
        await it.done()
        told = [len(it.told.named(f"deliver.{name}")) for name in ("parcel.broken", "spool.failed")]
        return left.due_at, left.attempts, told, (await it.spool.stats(it.now)).messages

    assert (NOON + settler.AGAIN_S, 0, [0, 1], 0) == tell(story, spool=Away())


def test_host_that_hung_up_on_a_resting_connection_is_asked_anew():
    """That says nothing about its health: the mail goes at once over a new connection."""

    async def story(it):
        host = Host()
        streams = []

        async def serve(stream):
            streams.append(stream)
            await host.serve(stream)

        door = await listen(parse_address("127.0.0.15"), it.lab.port, serve)
        try:
            await it.post("ann@[127.0.0.15]")
            await it.done()
            streams[0].close()
            await it.post("ann@[127.0.0.15]")
            await it.done(2)
        finally:
            await door.stop()
        return it.results, len(streams), len(it.loop.hosts.health)

    assert ([DELIVERED, DELIVERED], 2, 0) == tell(story)


@pytest.mark.parametrize(
    ("refused", "chunking", "pipelining"),
    some(product(["Mail", "Rcpt bob", "Data", "."], [True, False], [True, False]), 3),
)
def test_refusal_leaves_nothing_behind_on_a_connection(refused, chunking, pipelining):
    """Whatever the host refused of one message, the next one on the same connection is delivered.

    Every third; all in a whole run.
    """

    async def story(it):
        host = Host({refused: Reply(450, ("4.2.0 no",))}, ServerConfig("mx", chunking=chunking, pipelining=pipelining))
        door = await listen(parse_address("127.0.0.15"), it.lab.port, host.serve)
        try:
            await it.post("bob@[127.0.0.15]")
            await it.done()
            host.answers.clear()
            await it.post("ann@[127.0.0.15]")
            await it.done(2)
        finally:
            await door.stop()
        return it.results[1], host.content.count(b"Hello.") > 0

    assert (DELIVERED, True) == tell(story)


@pytest.mark.parametrize("chunking", [True, False])
def test_large_message_streams_through(tmp_path, chunking):
    """More than a MiB from SQLite arrives octet by octet, by BDAT and by DATA."""
    piece = b".a line that begins with a dot, and more of it to fill the line\r\n" * 4096
    content = b"Subject: big\r\n\r\n" + piece * 4

    async def story():
        spool = await SqliteSpool.open(tmp_path, node="one")
        try:
            settings = DeliverSettings(hostname="relay.example", chunking=chunking)
            async with office(spool=spool, deliver=settings) as it:
                await it.post("ann@example.org", content=content)
                await it.done()
                (received,) = it.lab.received
                return received.content == content
        finally:
            await spool.close()

    assert len(content) > 2**20
    assert asyncio.run(story())


def test_reload_gives_other_settings_to_what_begins_then():
    """Routes are asked for anew, and limits and times are the new ones."""

    async def story(it):
        await it.post("ann@example.com")
        await it.done()
        settings = replace(USUAL, queue=replace(USUAL.queue, held=7), schedule=replace(USUAL.schedule, expiry_s=1.0))
        it.loop.reload(settings, it.find, it.reporter(settings))
        await it.post("ann@example.com", at=NOON - 2)
        await it.done(2)
        return it.asked, it.loop.queue.limits.held

    assert (["example.com", "example.com"], 7) == tell(story)


def test_host_that_answers_and_will_not_talk_is_not_asked_again_at_once():
    """It is well, and yet mail waits: nothing wakes it before its time."""

    async def story(it):
        it.demand = Demand(TlsLevel.ENCRYPTED, why="the settings say so")
        await it.post("ann@example.net")
        await it.done()
        (left,) = await it.spool.until_waiting(1)
        return left.due_at > NOON, it.lab.counts("greeted")[parse_address("127.0.0.13")]

    assert (True, 1) == tell(story)


def test_long_queue_for_one_host_comes_without_waiting_for_the_next_poll():
    """What its door has no room for stays in the spool, and is claimed as soon as there is some."""
    many = 40
    settings = replace(USUAL, poll_s=3600.0, queue=replace(USUAL.queue, waiting=8))

    async def story(it):
        for _ in range(many):
            await it.post("ann@example.org", claim=False)
        await it.done(many)
        return it.results.count(DELIVERED)

    assert many == tell(story, settings=settings)
