"""How long mail waits when one of two equal exchangers fails: a message a domain, all with the same two exchangers."""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import gauges
import peers
import roots
from world import MAIL1, MAIL2, RELAY, World, require_root_and_tools

MODES = ("healthy", "blackhole", "refuse", "dies")
LATE_S = 1.0  # by then a relay may have learnt which exchanger is dead
BODY = b"".join(b"%04d The quick brown fox jumps over the lazy dog, and back again.\r\n" % row for row in range(60))
EXAMPLES = """\
modes:
  healthy    both exchangers work
  blackhole  mail1 swallows SYNs: no answer, no error
  refuse     mail1 refuses connections
  dies       mail1 becomes a black hole a third of the way through, its open connections too

examples:
  bench/failover.py                                       all peers, mail1 a black hole, about 5 minutes
  bench/failover.py --peer postroad --mode blackhole --mode dies
  bench/failover.py --peer postfix-default --messages 50 --cap 60 --json failover.json
"""


@dataclass
class Log:
    """What happened to each message, by its number: monotonic times, and which exchanger got it."""

    accepted: dict[int, float] = field(default_factory=dict)
    arrived: dict[int, list[float]] = field(default_factory=dict)
    at: dict[int, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    fault_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Quantiles of the seconds from acceptance to arrival; None without messages."""

    count: int
    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None

    @classmethod
    def of(cls, times):
        """The quantiles of these times."""
        ordered = sorted(times)
        if not ordered:
            return cls(0, None, None, None, None)
        p50, p90, p99 = (ordered[min(len(ordered) - 1, int(part * len(ordered)))] for part in (0.5, 0.9, 0.99))
        return cls(len(ordered), p50, p90, p99, ordered[-1])


class Exchanger:
    """An SMTP server that takes everything and notes when."""

    def __init__(self, address: str, log: Log, arrival: asyncio.Event):
        self._address = address
        self._log = log
        self._arrival = arrival

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, self._address, 25, backlog=1000)
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        # cancelled: the run is over while a connection that died with mail1 is still open here
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.write(b"220 sink.example ESMTP\r\n")
            number = -1
            while command := await reader.readline():
                if command[:8].upper() == b"RCPT TO:":
                    number = int(command.partition(b"@d")[2].partition(b".")[0])
                if command[:4].upper() == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    self._note(number)
                writer.write(_answer(command))
                await writer.drain()
        writer.close()

    def _note(self, number):
        self._log.arrived.setdefault(number, []).append(time.monotonic())
        self._log.at[number] = self._address
        self._arrival.set()


def _answer(command):
    if command[:4].upper() == b"EHLO":
        return b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n"
    return b"221 2.0.0 bye\r\n" if command[:4].upper() == b"QUIT" else b"250 2.0.0 fine\r\n"


async def hand_over(number: int, log: Log):
    """Gives one message to the relay, for a domain of its own."""
    reader, writer = await asyncio.open_connection(RELAY, 25)
    commands = (
        b"EHLO client.test.example",
        b"MAIL FROM:<sender@client.test.example>",
        b"RCPT TO:<user@d%d.many.example>" % number,
        b"DATA",
        b"From: <sender@client.test.example>\r\nTo: <user@d%d.many.example>\r\nSubject: %d\r\n"
        b"Message-ID: <%d.bench@client.test.example>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n%s."
        % (number, number, number, BODY),
    )
    try:
        await _reply(reader)
        for command in commands:
            writer.write(command + b"\r\n")
            await _reply(reader)
        log.accepted[number] = time.monotonic()
        writer.write(b"QUIT\r\n")
    except OSError as error:
        log.refused.append(f"message {number}: {error}")
    finally:
        writer.close()


async def _reply(reader):
    while True:
        line = await reader.readline()
        if line[3:4] == b"-":
            continue
        if line[:1] not in (b"2", b"3"):
            raise OSError(line.decode("ascii", "replace").strip() or "the relay closed the connection")
        return


async def play(world: World, mode: str, arguments) -> Log:
    """Sends all messages at their times and waits until all have arrived, or for `cap` seconds."""
    log, arrival = Log(), asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        for address in (MAIL1, MAIL2) if mode in {"healthy", "dies"} else (MAIL2,):
            await stack.enter_async_context(Exchanger(address, log, arrival))
        await _send_all(world, mode, arguments, log)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(arguments.cap):
                while len(log.arrived) < len(log.accepted):
                    arrival.clear()
                    await arrival.wait()
    return log


async def _send_all(world, mode, arguments, log):
    begun = log.fault_at = time.monotonic()
    tasks = []
    for number in range(arguments.messages):
        await asyncio.sleep(begun + number / arguments.rate - time.monotonic())
        if mode == "dies" and number == arguments.messages // 3:
            world.swallow_mail1()
            log.fault_at = time.monotonic()
        tasks.append(asyncio.create_task(hand_over(number, log)))
    await asyncio.gather(*tasks)


def measure(world: World, peer, mode: str, arguments) -> dict:
    """One run; what came of it."""
    if mode == "blackhole":
        world.swallow_mail1()
    try:
        with peers.Running(world, peer):
            log = asyncio.run(play(world, mode, arguments))
    finally:
        world.heal_mail1()
    waits = {number: max(0.0, times[0] - log.accepted.get(number, times[0])) for number, times in log.arrived.items()}
    late = [wait for number, wait in waits.items() if log.accepted.get(number, 0.0) > log.fault_at + LATE_S]
    return {
        "peer": peer.name,
        "mode": mode,
        "accepted": len(log.accepted),
        "arrived": len(log.arrived),
        "duplicates": sum(len(times) - 1 for times in log.arrived.values()),
        "at mail1": sum(address == MAIL1 for address in log.at.values()),
        "refused": log.refused,
        "all": asdict(Latency.of(waits.values())),
        "after the first second": asdict(Latency.of(late)),
    }


def show(row: dict):
    """One run as a row of the table."""
    notes = f" {row['duplicates']} DUPLICATES" * bool(row["duplicates"]) + f" REFUSED {row['refused'][:1]}" * bool(
        row["refused"]
    )
    cells = [
        _seconds(row[part][key]) for part in ("all", "after the first second") for key in ("p50", "p90", "p99", "max")
    ]
    arrived = f"{row['arrived']}/{row['accepted']}"
    print(f"{row['peer']:<22}{row['mode']:<10}{arrived:>8}{row['at mail1']:>7}" + "".join(cells) + notes, flush=True)


def _seconds(value):
    return f"{'-' if value is None else format(value, '.3f'):>9}"


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    chosen = "postroad, postfix-default, exim-default"
    names = ", ".join(peers.NAMES)
    add(
        "--peer",
        action="append",
        choices=peers.NAMES,
        metavar="NAME",
        help=f"of {names}; may be given again ({chosen})",
    )
    add("--mode", action="append", choices=MODES, help="may be given again (blackhole)")
    add("--messages", type=int, default=200, help="(%(default)s)")
    add("--rate", type=float, default=20.0, help="messages a second (%(default)s)")
    add("--cap", type=float, default=420.0, help="seconds to wait for the last message (%(default)s)")
    add("--postroad", default=peers.POSTROAD, metavar="COMMAND", help="how to start it; {config} is its settings file")
    add(
        "--dir",
        type=Path,
        default=Path(tempfile.gettempdir()) / "postroad-bench",
        help="roots, queues, logs (%(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures there too")
    arguments = parser.parse_args()
    arguments.peer = arguments.peer or chosen.split(", ")
    arguments.mode = arguments.mode or ["blackhole"]
    return arguments


def main():
    """Runs what the command line asks for."""
    arguments = parse_arguments()
    require_root_and_tools()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    tools = roots.ensure(arguments.dir, "postfix")
    contenders = [peers.make(name, arguments.dir, arguments.postroad) for name in arguments.peer]
    machine = gauges.machine(arguments.dir)
    quantiles = "".join(f"{name:>9}" for name in ("p50", "p90", "p99", "max"))
    print(f"{'':47}{'all, seconds':<36}     after the first second")
    print(f"{'peer':<22}{'mode':<10}{'arrived':>8}{'mail1':>7}{quantiles}{quantiles}", flush=True)
    rows = []
    with World(arguments.dir, tools) as world:
        for mode in arguments.mode:
            for peer in contenders:
                rows.append(measure(world, peer, mode, arguments))
                show(rows[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "failover": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
