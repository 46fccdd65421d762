"""Mail on its way out (floor 4): thin loops that do what `routing` decides and say what `smtp` asks.

Rule 1: no decision is taken here. Who is tried next is the Walk's, what is said to it is the `dialogue`'s.
Rule 2: whatever the network does ends as an Outcome with its scope; nothing is raised for it.

Stops: `settings` (ports, sources, how far to walk), `pool` (connections that rest), `attempt` (one message along one
Plan), `ways` (routes remembered), `queue` (whose turn it is), `probe` (is an ill host well again), `settling` (what an
attempt means), `bounce` (who is told), `loop` (from the spool and back).
"""

from postroad.deliver.attempt import Job, attempt
from postroad.deliver.bounce import Bounces, Reporter
from postroad.deliver.loop import Loop, LoopSettings, World, draw_seed
from postroad.deliver.pool import ReusePolicy
from postroad.deliver.settings import DeliverSettings, opportunistic_tls, verified_tls
from postroad.deliver.settling import Fate, Verdict
from postroad.deliver.ways import Way

__all__ = [
    "Bounces",
    "DeliverSettings",
    "Fate",
    "Job",
    "Loop",
    "LoopSettings",
    "Reporter",
    "ReusePolicy",
    "Verdict",
    "Way",
    "World",
    "attempt",
    "draw_seed",
    "opportunistic_tls",
    "verified_tls",
]
