"""What became of parcels is committed: together, until it has been done, and none waits for another's fault."""

import asyncio
from random import Random

import pytest
from tests.support.patience import PATIENCE_S

from postroad.deliver import settler
from postroad.deliver.settler import Settler
from postroad.deliver.world import World
from postroad.spool import SpoolError, Trouble


class FaultySpool:
    """A spool that takes all but one settlement, and remembers its calls."""

    def __init__(self, fault=None, times=1000):
        self.fault = fault
        self.times = times
        self.calls = []

    async def settle(self, settlements, _now):
        """Take them together, or none."""
        self.calls.append(list(settlements))
        if self.fault and "odd" in settlements and self.times:
            self.times -= 1
            raise self.fault


def settled(spool, *names):
    """Settle these in one turn; what was heard of each, and the troubles told."""

    async def main():
        heard, troubles = {}, []
        done = asyncio.Event()
        it = Settler(spool, World(lambda: 0.0, Random(1), troubles.append))
        for name in names:

            def committed(bug, name=name):
                heard[name] = bug
                if len(heard) == len(names):
                    done.set()

            it.add(name, committed)
        async with asyncio.timeout(PATIENCE_S):
            await done.wait()
        return heard, troubles, it.pending

    return asyncio.run(main())


def test_settlements_of_a_turn_are_one_call():
    """However many there are."""
    spool = FaultySpool()
    assert ({"a": None, "b": None}, [], 0) == settled(spool, "a", "b")
    assert [["a", "b"]] == spool.calls


def test_bug_in_one_keeps_no_other_from_the_disk():
    """Those beside it are committed by themselves, and whoever settled the odd one hears of the bug."""
    bug = ValueError("no such thing")
    assert ({"a": None, "odd": bug, "b": None}, [], 0) == settled(FaultySpool(bug), "a", "odd", "b")


@pytest.mark.parametrize("kind", [Trouble.CORRUPT, Trouble.FULL])
def test_trouble_is_told_and_waited_out(monkeypatch, kind):
    """What was not committed is tried again until it is; a damaged page is one parcel's matter, a full disk all's."""
    monkeypatch.setattr(settler, "AGAIN_S", 0.001)
    spool = FaultySpool(SpoolError(kind, "no"), times=3)
    heard, troubles, pending = settled(spool, "a", "odd")
    assert ({"a": None, "odd": None}, 0) == (heard, pending)
    assert {Trouble.CORRUPT: 2, Trouble.FULL: 3}[kind] == len(troubles)
    assert {Trouble.CORRUPT: ["odd"], Trouble.FULL: ["a", "odd"]}[kind] == spool.calls[-1]
