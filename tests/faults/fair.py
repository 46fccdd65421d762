"""Mail that waits for others: exchangers long away, hosts that never answer, a destination with a mountain of mail."""

import asyncio
import contextlib
import math
import time
import zlib
from ipaddress import ip_address

from tests.faults.books import until
from tests.faults.load import Talk
from tests.faults.stage import Stage

from postroad.net import bind, serve
from postroad.spool import StoredMail, open_place
from postroad.words.mail import Envelope, Recipient, parse_mailbox

NEVER = {"retry": {"first": "1h", "longest": "1h"}}  # what is not woken is not delivered
FEW = 50  # lines in the log for a whole outage
OTHERS = 2000  # deliveries of one destination that another's message may see pass: less than a second's work
CLIENTS = 10
EACH = 10  # messages for each pit: more than the places of any destination
BATCH = 500
DRIP_S = 1.0
LOOK_S = 0.001
TEXT = b"As many as these.\r\n"
LETTER = b"Subject: one of many\r\nX-Test-Sum: %d\r\n\r\n" % zlib.crc32(TEXT) + TEXT


async def sluggish(scale):
    """One of three equals answers no final dot (in namespaces: 200 ms late): the other two get all of theirs."""
    zone = "".join(f"s{number}.example. IN MX 10 {host}.sink.example.\n" for number in range(20) for host in "abc")
    async with Stage("sluggish", 33, scale, zone=zone) as stage:
        stage.letters.domains = [f"s{number}.example" for number in range(20)]
        slow, brisk = stage.sinks[2], stage.sinks[:2]
        await slow.hold()
        await slow.release()  # a real one stands behind a door of ours from now on
        await stage.relay.start()
        async with stage.load():
            await stage.accepted(100)
            equal = await _rates(stage, brisk)
            await slow.hold()
            await stage.accepted(100)
            held = await _rates(stage, brisk)
        accepted = len(stage.ledger.accepted)
        theirs = _surely(accepted, 2 / 3)
        is_served = await until(lambda: _taken(brisk) >= theirs, lambda: _taken(brisk))
        stage.figures.must(is_served, f"of {accepted} the brisk ones had {[sink.taken for sink in brisk]}")
        await slow.release()
        await stage.drain()
        stage.figures.notes |= {"taken": [sink.taken for sink in stage.sinks]}
        stage.figures.notes |= {"part_of_the_brisk": equal, "beside_the_slow": held}
        return stage.close()


def _taken(sinks):
    return sum(sink.taken for sink in sinks)


def _surely(draws, chance):
    """What so many draws give all but once in three million: the mean, less five standard deviations."""
    return draws * chance - 5 * math.sqrt(draws * chance * (1 - chance))


async def _rates(stage, sinks):
    """What some sinks take in a while, each as a part of what is accepted: a third, where they get what is theirs."""
    before, accepted = [sink.taken for sink in sinks], len(stage.ledger.accepted)
    await asyncio.sleep(stage.scale.seconds)
    accepted = len(stage.ledger.accepted) - accepted
    return [round((sink.taken - was) / max(1, accepted), 3) for sink, was in zip(sinks, before, strict=True)]


async def outage(scale):
    """All that waits for exchangers that are away goes on its way once one answers, and costs nothing until then."""
    settings = NEVER | {"log": {"level": "info"}}
    async with Stage("outage", 30, scale, settings=settings, forgiving=True) as stage:
        stage.letters.domains = ["one.example"]  # of two equals: it drains from the first probe of either on
        await stage.relay.start()
        passed = await _pass_through(stage)
        for sink in stage.sinks:
            await sink.close()
        before, told = len(stage.ledger.taken), _lines(stage)
        async with stage.load():
            await stage.accepted(50)
            await asyncio.sleep(scale.seconds)
        queued, lines = len(stage.ledger.missing), _lines(stage) - told
        stage.figures.must(lines <= FEW, f"{lines} lines in the log for mail that waits")
        stage.figures.must(len(stage.ledger.taken) == before, "mail was delivered to nobody")
        for sink in stage.sinks:
            await sink.open(stage.port)
        await until(lambda: len(stage.ledger.taken) > before)
        began = time.monotonic()
        await until(lambda: not stage.ledger.missing, lambda: len(stage.ledger.missing))
        drained = round(queued / (time.monotonic() - began))
        await stage.drain()
        stage.figures.notes |= {"queued": queued, "lines": lines, "drained_each_s": drained, "passed_each_s": passed}
        return stage.close()


async def _pass_through(stage):
    """Messages a second that are relayed while all is well; none is left at the end."""
    async with stage.load():
        await stage.accepted(50)
        began, before = time.monotonic(), len(stage.ledger.taken)
        await asyncio.sleep(stage.scale.seconds)
        rate = (len(stage.ledger.taken) - before) / (time.monotonic() - began)
    await until(lambda: not stage.ledger.missing, lambda: len(stage.ledger.missing))
    return round(rate)


def _lines(stage):
    """What the log has of deliveries, but for those that were made."""
    return sum(" deliver." in line and "result=delivered" not in line for line in stage.relay.log().splitlines())


async def tarpits(scale):
    """Domains whose hosts are silent, or drip, stop nobody else: all other mail arrives while theirs waits."""
    pits = {f"pit{number}.example": f"{scale.world.net(131)}{1 + number}" for number in range(scale.pits)}
    zone = "".join(f"{name}. IN MX 10 m.{name}.\nm.{name}. IN A {host}\n" for name, host in pits.items())
    settings = NEVER | {"drain": "1s"}  # at the end it waits so long for the pits
    async with Stage("tarpits", 31, scale, settings=settings, zone=zone) as stage, _open(pits.values(), stage.port):
        await stage.relay.start()
        await _send(stage, [f"m{number}@{name}" for name in pits for number in range(EACH)])
        waits = await deliver(stage, [f"m{number}@one.example" for number in range(stage.scale.singles)])
        stage.figures.notes |= {"pits": len(pits)} | quantiles_ms(waits)
        status = await stage.relay.stop()
        stage.figures.must(status == 0, f"the relay ended with status {status}")
        return stage.close()


async def mountain(scale):
    """One destination has a mountain of mail, others a message each: none of those waits for more than a few."""
    zone = "".join(f"s{number}.example. IN MX 10 a.sink.example.\n" for number in range(scale.singles))
    async with Stage("mountain", 32, scale, zone=zone) as stage:
        piled = time.monotonic()
        await pile_up(stage, scale.mountain)
        begun = time.monotonic()
        await stage.relay.start()
        started = time.monotonic()
        await until(lambda: stage.ledger.taken)
        singles = [f"m@s{number}.example" for number in range(scale.singles)]
        waits = await deliver(stage, singles)
        others = max(others for _seconds, others in waits)
        stage.figures.must(
            others <= min(OTHERS, scale.mountain // 2), f"a message waited for {others} of another destination"
        )
        left = scale.mountain + scale.singles - stage.ledger.taken.total()
        stage.figures.must(left > 0, "the mountain was gone before all others had come")
        stage.figures.notes |= {
            "piled_up_s": round(begun - piled, 1),
            "start_s": round(started - begun, 2),
            "left": left,
            "others": others,
        } | quantiles_ms(waits)
        return stage.close()


async def deliver(stage, mailboxes, clients=CLIENTS):
    """Send a message to each, some at a time, and wait for it; each wait, in seconds and in others delivered."""
    left, waits = list(mailboxes), []
    await asyncio.gather(*(_client(stage, left, waits) for _ in range(clients)))
    return waits


def quantiles_ms(waits):
    """How long messages took from acceptance to arrival."""
    ordered = sorted(round(seconds * 1000) for seconds, _others in waits)
    return {f"p{part}_ms": ordered[len(ordered) * part // 100] for part in (50, 99)} | {"max_ms": ordered[-1]}


async def _client(stage, left, waits):
    taken = stage.ledger.taken
    async with _session(stage) as talk:
        while left:
            mailbox = left.pop()
            await _hand_over(talk, mailbox)
            stage.ledger.accepted.add(mailbox)
            accepted, before = time.monotonic(), taken.total()
            await until(lambda: mailbox in taken, taken.total, look_s=LOOK_S)  # noqa: B023  # awaited within the turn
            waits.append((time.monotonic() - accepted, taken.total() - before))


async def _send(stage, mailboxes):
    async with _session(stage) as talk:
        for mailbox in mailboxes:
            await _hand_over(talk, mailbox)


@contextlib.asynccontextmanager
async def _session(stage):
    reader, writer = await asyncio.open_connection(*stage.relay.place)
    talk = Talk(reader, writer, stage.ledger)
    try:
        await talk.expect(220)
        await talk.say(b"EHLO client.example\r\n", 250)
        yield talk
    finally:
        writer.transport.abort()


async def _hand_over(talk, mailbox):
    await talk.say(b"MAIL FROM:<sender@home.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % mailbox.encode(), 250, 250, 354)
    await talk.say(LETTER + b".\r\n", 250)


async def pile_up(stage, count, others=()):
    """Put so many messages for one destination, and one for each of others, into a spool that nobody uses yet."""
    spool = await open_place(stage.store.where, node=stage.relay.node)
    sender, now = parse_mailbox("sender@home.example"), time.time()  # due at once
    mailboxes = [*(f"b{number}@one.example" for number in range(count)), *others]
    try:
        for first in range(0, len(mailboxes), BATCH):
            some = enumerate(mailboxes[first : first + BATCH], first)
            await asyncio.gather(*(spool.add(_mail(number, mailbox, sender, now), LETTER) for number, mailbox in some))
    finally:
        await spool.close()


def _mail(number, mailbox, sender, now):
    recipient = Recipient(parse_mailbox(mailbox))
    return StoredMail(f"PILE{number:010}", Envelope(sender, (recipient,)), now, number, len(LETTER))


@contextlib.asynccontextmanager
async def _open(hosts, port):
    """Hosts that take connections: one in two says nothing, the others begin a greeting that does not end."""
    async with contextlib.AsyncExitStack() as ends:
        for number, host in enumerate(hosts):
            door = await serve(bind(ip_address(host), port), _drip if number % 2 else _be_silent)
            ends.push_async_callback(door.stop)
        yield


async def _be_silent(stream):
    await stream.read()


async def _drip(stream):
    stream.write(b"220-")
    while True:
        await asyncio.sleep(DRIP_S)
        stream.write(b"x")
