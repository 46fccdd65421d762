"""When, how often and how many at once (floor 1): what makes a queue patient and fair.

Rule 1: pure. Time comes in as `now`, chance as a seeded `Random`; nothing here waits or asks.
Rule 2: wall time for mail (it outlives a restart), any clock that only goes forward for hosts (they do not).
Rule 3: no host is given up by its clock alone: after a penalty one probe says whether it is healthy again.

Stops: `schedule` (when mail is tried again, warned of and given up), `health` (which addresses are unhealthy, and who
may ask them), `concurrency` (how many deliveries at once, and whose turn it is).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.pace.concurrency import FairRound, Window, WindowPolicy
    from postroad.pace.health import Health, HealthNews, HealthPolicy, Hearsay
    from postroad.pace.schedule import DAY_S, MINUTE_S, RetrySchedule, is_expired, is_warning_due, next_at

__getattr__, __dir__ = door(
    __name__,
    concurrency="FairRound Window WindowPolicy",
    health="Health HealthPolicy HealthNews Hearsay",
    schedule="DAY_S MINUTE_S RetrySchedule is_expired is_warning_due next_at",
)
