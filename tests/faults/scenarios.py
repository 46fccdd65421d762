"""All scenarios by name."""

from tests.faults import clocks, crashes, crowds, disks, fair, logs, outages, replies
from tests.faults.books import Figures

ALL = {
    "kill": crashes.kill,
    "workers": crashes.workers,
    "parent": crashes.parent,
    "worker": crashes.worker,
    "dns": outages.dns,
    "hosts": outages.hosts,
    "dying": outages.dying,
    "limit": replies.limit,
    "step": replies.step,
    "log-closed": logs.closed,
    "log-stalled": logs.stalled,
    "log-full": logs.full,
    "clock": clocks.clock,
    "disk": disks.disk,
    "filled": disks.filled,
    "quota": disks.quota,
    "idle": crowds.idle,
    "crowd": crowds.crowd,
    "slow": crowds.slow,
    "sluggish": fair.sluggish,
    "outage": fair.outage,
    "tarpits": fair.tarpits,
    "mountain": fair.mountain,
}


async def play(name, scale):
    """One of them; a relay that does not start is a finding, too."""
    try:
        return await ALL[name](scale)
    except RuntimeError as problem:
        return Figures(name, wrong=[str(problem)])
