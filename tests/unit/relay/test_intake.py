"""What is received goes into the spool, then to the loop, and only then to the client's ears."""

import asyncio
from dataclasses import replace

import pytest
import uvloop

from postroad.receive import Arrival
from postroad.relay.intake import Intake
from postroad.spool import SpoolError, Trouble
from postroad.spool.ids import MessageIds
from postroad.words.mail import Envelope, Recipient, parse_mailbox

FULL = SpoolError(Trouble.FULL, "full")
ARRIVAL = Arrival("id", Envelope(None, (Recipient(parse_mailbox("ann@example.com")),)), 0.0, 4, "someone")


class Spool:
    """Adds when it is told to; `steps` are those of all, in order."""

    def __init__(self, steps):
        self.done = asyncio.Event()
        self.trouble = None
        self._steps = steps

    async def add(self, mail, rest, *, claim, front):
        """Keep it."""
        await self.done.wait()
        if self.trouble:
            raise self.trouble
        self._steps.append("added")
        return (mail.id, front + rest, claim)

    async def discard(self, id_):
        """Forget it."""
        self._steps.append(f"discarded {id_}")
        raise FULL


class Keeping:
    """Has an intake keep a message, and waits until it is known."""

    def __init__(self, intake, rest):
        self.heard = []
        self._is_known = asyncio.Event()
        intake.keep(ARRIVAL, rest, self._hear)

    def _hear(self, trouble):
        self.heard.append(trouble)
        self._is_known.set()

    def __await__(self):
        return self._is_known.wait().__await__()


class Loop:
    """Takes what there is room for. `held` is the turn a client waits for, `bug` what goes wrong."""

    def __init__(self, steps):
        self.pressure = self
        self.has_room = True
        self.held = self.bug = None
        self._steps = steps

    def has_room_for(self, _destinations):
        """Whether it takes any."""
        return self.has_room

    def take(self, parcels):
        """Deliver these."""
        if self.bug:
            raise self.bug
        self._steps.append(f"taken {parcels}")

    def look(self):
        """There is something."""
        self._steps.append("looked")

    def turn(self):
        """What a client waits for."""
        return self.held


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def tell(request):
    """Run a story with an intake, its spool and loop, and the steps they make."""

    def run(story):
        async def main():
            steps = []
            spool, loop = Spool(steps), Loop(steps)
            await story(Intake(spool, loop, MessageIds()), spool, loop, steps)

        request.param(main())

    return run


async def rest():
    """Let the others run."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_mail_for_later_is_left_in_the_spool():
    """The loop takes none of it, and no other host is asked to hold it; what is late already is as any other."""
    kept = []

    class Keeps(Spool):
        async def add(self, mail, _rest, *, claim, **_front):
            kept.append((mail.release_at, mail.envelope.release_at, claim))
            return ()

    async def main():
        for release_at in (7.5, -1.0):
            arrival = ARRIVAL._replace(envelope=replace(ARRIVAL.envelope, release_at=release_at))
            heard = asyncio.get_running_loop().create_future()
            Intake(Keeps([]), Loop([]), MessageIds()).keep(arrival, b"rest", heard.set_result)
            assert None is await heard

    asyncio.run(main())
    assert [(8, None, False), (None, None, True)] == kept


def test_client_hears_behind_the_commit_and_the_loop(tell):
    """Nothing is known before it is durable; then the loop has it, then the client."""

    async def story(intake, spool, loop, steps):
        loop.has_room = True
        intake.keep(ARRIVAL, b"rest", lambda _trouble: steps.append("known"))
        await rest()
        assert [] == steps
        spool.done.set()
        await rest()
        assert ["added", "taken ('id', b'rest', True)", "known"] == steps

    tell(story)


def test_mail_without_room_rests_in_the_spool(tell):
    """The loop is told to look there when it can."""

    async def story(intake, spool, loop, steps):
        loop.has_room = False
        spool.done.set()
        await Keeping(intake, b"")
        assert ["added", "looked"] == steps

    tell(story)


def test_client_waits_while_too_much_is_under_way(tell):
    """The message is kept and on its way already; only the reply has to wait."""

    async def story(intake, spool, loop, steps):
        loop.held = asyncio.get_running_loop().create_future()
        spool.done.set()
        kept = Keeping(intake, b"")
        await rest()
        assert (2, []) == (len(steps), kept.heard)
        loop.held.set_result(None)
        await kept

    tell(story)


@pytest.mark.parametrize(("spools", "loops"), [(FULL, None), (None, KeyError("bug"))])
def test_trouble_reaches_whoever_waits(tell, spools, loops):
    """That the spool is full, or a bug: nobody waits for a message that will never be kept."""

    async def story(intake, spool, loop, steps):
        spool.trouble, loop.bug = spools, loops
        spool.done.set()
        kept = Keeping(intake, b"")
        await kept
        assert [spools or loops] == kept.heard

    tell(story)


def test_nobody_waits_until_a_message_is_forgotten(tell):
    """A spool in trouble then sweeps it up later."""

    async def story(intake, spool, loop, steps):
        intake.discard("id")
        await rest()
        assert ["discarded id"] == steps

    tell(story)
