"""Receiving in step with delivering: only where the processor is short, and never for long."""

import asyncio

from postroad.deliver import pressure
from postroad.deliver.pressure import MOST, Pressure


class Machine:
    """Clocks moved by hand."""

    def __init__(self):
        self.now = self.used = 0.0
        self.waiting = MOST

    def pressure(self):
        """The pressure on this machine."""
        return Pressure(self, lambda: self.now, lambda: self.used)

    def run(self, seconds, share):
        """Time goes by, so much of it spent computing."""
        self.now += seconds
        self.used += seconds * share


def held_up(*, share=1.0, waiting=MOST):
    """Whether a sender has to wait, and goes on when a delivery ends."""

    async def main():
        machine = Machine()
        machine.waiting = waiting
        it = machine.pressure()
        machine.run(1.0, share)
        turn = it.turn()
        it.go_on()
        assert turn is None or turn.done()
        return turn is not None

    return asyncio.run(main())


def test_sender_waits_while_the_processor_is_short():
    """With many messages taken and not begun, the next one is answered when a delivery has ended."""
    assert held_up()


def test_sender_does_not_wait_for_slow_hosts():
    """Where the processor is idle, mail waits for hosts, and taking in more takes nothing from them."""
    assert not held_up(share=0.5)


def test_sender_does_not_wait_without_a_queue():
    """However busy the machine: what is taken is begun at once."""
    assert not held_up(waiting=MOST - 1)


def test_sender_is_answered_after_a_while_in_any_case(monkeypatch):
    """No delivery ends, and the reply goes out all the same."""
    monkeypatch.setattr(pressure, "LONGEST_S", 0.01)

    async def main():
        machine = Machine()
        it = machine.pressure()
        machine.run(1.0, 1.0)
        await it.turn()
        it.go_on()

    asyncio.run(main())


def test_each_sample_is_judged_by_itself():
    """From its own beginning to its end, a quarter of a second at least; until the first is over nobody waits."""
    steps = [
        (0.125, 1.0, False),  # too short to tell
        (0.125, 1.0, True),
        (0.125, 0.0, True),  # too short again
        (0.125, 0.0, False),
        (10.0, 0.9, True),
        (10.0, 0.89, False),
        (0.25, 1.0, True),
    ]

    async def main():
        machine = Machine()
        machine.now = machine.used = 4096.0  # a clock begins anywhere
        it = machine.pressure()
        waits = [it.turn() is not None]
        for seconds, share, _ in steps:
            machine.run(seconds, share)
            waits.append(it.turn() is not None)
        while it.line:
            it.go_on()
        return waits

    assert [False, *(waits for _, _, waits in steps)] == asyncio.run(main())
