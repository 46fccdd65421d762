"""Outgoing mail (floor 4): thin loops that do what `routing` decides and send what `smtp` says.

Rule 1: no decision is taken here. Who is tried next is the Walk's, what is said to it is the `dialogue`'s.
Rule 2: whatever the network does ends as an Outcome with its scope; nothing is raised for it.

Stops. Pure: `settings`, `queue` (whose turn it is), `places` (how many at once), `course` (where one delivery goes),
`disposition` (what an attempt means), `aftermath` (what follows from it), `outages` (which sets are down).
Acting: `world` (the time of mail, who listens, tasks), `lease` (is it still ours), `pool` (connections that rest),
`attempting` (one message along one Plan), `dispatcher` (over a connection that rests, else along the walk),
`route_cache` (routes remembered), `feed` (from the spool and back), `settler` (has the spool commit), `probe` (is a
host healthy again), `hosts` (what is known of them), `talk` (with other relays), `neighbours` (what they know of
hosts), `hurry` (somebody asks for a retry now), `bounce` (who is told), `exits` (how a parcel leaves), `trimming` (a
content with fewer signatures), `overruling` (what a person decides), `deliveries` (those under way), `pressure` (when
those who send us mail must wait), `loop` (all of it).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.deliver.attempting import Job, attempt
    from postroad.deliver.bounce import Bounces, Reporter
    from postroad.deliver.course import draw_seed, plan_for
    from postroad.deliver.dispatcher import attempt_again
    from postroad.deliver.disposition import Disposition, RecipientResult
    from postroad.deliver.lease import steady
    from postroad.deliver.loop import Loop
    from postroad.deliver.overruling import given_up, moved, overruled
    from postroad.deliver.pool import Pool
    from postroad.deliver.pressure import Pressure
    from postroad.deliver.route_cache import DeliveryRoute
    from postroad.deliver.settings import (
        DeliverSettings,
        LoopSettings,
        QueueLimits,
        ReusePolicy,
    )
    from postroad.deliver.talk import Talk
    from postroad.deliver.world import World

__getattr__, __dir__ = door(
    __name__,
    attempting="Job attempt",
    bounce="Bounces Reporter",
    course="draw_seed plan_for",
    lease="steady",
    loop="Loop",
    overruling="given_up moved overruled",
    pool="Pool",
    pressure="Pressure",
    settings="DeliverSettings LoopSettings QueueLimits ReusePolicy",
    dispatcher="attempt_again",
    disposition="RecipientResult Disposition",
    route_cache="DeliveryRoute",
    talk="Talk",
    world="World",
)
