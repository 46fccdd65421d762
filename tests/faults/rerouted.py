"""Mail that exchangers refuse for good, and that another route takes."""

import asyncio

from tests.faults.books import LOOK_S, until
from tests.faults.crashes import PAUSE_S
from tests.faults.sinks import Mood
from tests.faults.stage import Stage

NETWORK = 38
MOST = 20  # refusals in one life


async def reroute(scale):
    """Refused at RCPT or after the dot, then kill -9 on the way to the other route: it arrives, none comes back."""

    def settings(port):
        onward = {"match": "5.7.1", "route": "other"}
        usual = {"name": "usual", "domains": ["one.example"], "direct": True, "on_reject": onward}
        return {"route": [usual, {"name": "other", "next_hop": f"127.0.{NETWORK}.3:{port}"}]}

    async with Stage("reroute", NETWORK, scale, settings=settings) as stage:
        *refusing, other = stage.sinks
        for sink in refusing:
            sink.moods = (Mood.NO_RCPT, Mood.NO_RCPT, Mood.NO_DOT, Mood.NO_DOT, Mood.TAKE, Mood.DEFER)
        other.moods = (*[Mood.TAKE] * 3, Mood.DEFER)
        other.pause_s = PAUSE_S
        await stage.relay.start()
        async with stage.load(connections=5):
            for _ in range(scale.kills):
                await _refused(stage, refusing)
                await until(lambda: other.sessions, stage.ledger.taken.total)
                await asyncio.sleep(stage.rng.uniform(0, LOOK_S))
                await stage.kill()
                await stage.relay.start()
            took = await until(lambda: _rerouted(other), stage.ledger.taken.total)
            stage.figures.must(took, "no mail takes the other route")
        other.moods = (Mood.TAKE,)
        await stage.drain()
        stage.figures.notes |= {"refused": sum(sink.refused for sink in refusing), "rerouted": _rerouted(other)}
        return stage.close()


def _rerouted(other):
    return sum(count for (domain, _), count in other.witnessed.items() if domain == "one.example")


async def _refused(stage, refusing):
    """Wait until some more is refused."""
    wanted = sum(sink.refused for sink in refusing) + stage.rng.randrange(1, MOST)
    await until(lambda: sum(sink.refused for sink in refusing) >= wanted, stage.ledger.taken.total)
