"""The lease of what is claimed: nothing is sent that may be another relay's by now."""

import asyncio
from math import inf

import pytest
from tests.support.answering import Host
from tests.support.delivering import CONTENT, DELIVERED, office

from postroad.deliver.lease import Lease
from postroad.net import listen
from postroad.smtp import ServerConfig
from postroad.words.names import parse_address

LARGE = CONTENT + b"As many as these.\r\n" * 10_000


@pytest.mark.parametrize(
    ("renewals", "now", "holds"),
    [
        ([], 1e9, True),  # never renewed: a spool of one process
        ([(0, 60)], 59, True),
        ([(0, 60)], 60, False),  # now another one may release it
        ([(0, 60), (59, 119)], 61, True),
        ([(0, 60), (60, 120)], 61, False),  # between the two it may have been released
        ([(0, 60), (60, 120), (80, 140)], 81, False),  # and is not ours again by the next one
    ],
)
def test_a_claim_holds_while_renewals_are_in_time(renewals, now, holds):
    """One that was asked for too late begins another term."""
    lease = Lease(lambda: now)
    for asked_at, until in renewals:
        lease.renew(asked_at, until)
    assert holds == lease.holds(0)
    assert lease.runs == lease.holds(lease.term)


@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["whole", "in pieces"])
@pytest.mark.parametrize("chunking", [False, True], ids=["DATA", "BDAT"])
def test_nothing_is_sent_once_the_lease_has_run_out(content, chunking):
    """A relay stands still with a recipient on its way, and finds the answer when it goes on: it sends no message.

    Another one may have done so. It gives the parcel back untouched, claims nothing, and does what is left after the
    next renewal.
    """

    class Slow(Host):
        def _answer(self, name):
            if name.startswith("Rcpt") and len(self.heard) < 4:
                it.loop.lease(-60.0, 0.0)
            return super()._answer(name)

    async def story():
        door = await listen(parse_address("127.0.0.15"), it.lab.port, host.serve)
        try:
            await it.post("ann@[127.0.0.15]", content=content)
            (given_back,) = await it.spool.until_waiting(1)
            before = host.content, given_back.attempts, it.loop.has_room_for(["127.0.0.15"])
            it.loop.lease(1.0, inf)
            it.loop.look()
            await it.done()
            return before, host.content, it.results
        finally:
            await door.stop()

    async def main():
        nonlocal it
        async with office() as it:
            return await story()

    it = None
    host = Slow(config=ServerConfig("mx", chunking=chunking, pipelining=False))
    assert ((b"", 0, False), content, [DELIVERED]) == asyncio.run(main())
