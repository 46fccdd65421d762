"""The clock of the machine is set forward, and back."""

from tests.faults.books import until
from tests.faults.sinks import Mood
from tests.faults.stage import Stage

DAY_S = 86400.0


async def clock(scale):
    """No jump of a day sends mail back early, or leaves it waiting for a time that is a day away."""
    async with Stage("clock", 15, scale) as stage:
        stage.relay.set_clock(0.0)
        stage.be(Mood.DEFER)
        await stage.relay.start()
        await _deferred(stage)
        for ahead_s in (DAY_S, 0.0, -DAY_S):
            stage.relay.set_clock(ahead_s)
            await _deferred(stage)
        await _all_arrives(stage, "the clock was set back while the relay ran")
        stage.relay.set_clock(DAY_S)
        await _deferred(stage)
        await stage.kill()
        stage.relay.set_clock(0.0)
        await stage.relay.start()
        await _all_arrives(stage, "the clock was set back while the relay was down")
        await stage.drain()
        return stage.close()


async def _deferred(stage):
    """Take some mail that every exchanger puts off, until the relay has heard so."""
    stage.be(Mood.DEFER)
    before = sum(sink.deferred for sink in stage.sinks)
    async with stage.load(connections=5):
        await stage.accepted(20)
    waiting = len(stage.ledger.missing)
    await until(lambda: sum(sink.deferred for sink in stage.sinks) >= before + waiting)


async def _all_arrives(stage, when):
    stage.be(Mood.TAKE)
    await until(lambda: not stage.ledger.missing, lambda: len(stage.ledger.missing))
    stage.figures.must(not stage.ledger.missing, f"{len(stage.ledger.missing)} wait for ever: {when}")
