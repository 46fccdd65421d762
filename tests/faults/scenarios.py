"""All scenarios by name."""

from dataclasses import replace

from tests.faults import (
    clocks,
    clusters,
    crashes,
    crowds,
    disks,
    fair,
    instep,
    logs,
    outages,
    protected,
    replies,
    rerouted,
    resting,
)
from tests.faults.books import Figures
from tests.faults.spools import FOLDER, POSTGRES, obstacle

ALL = {
    "kill": crashes.kill,
    "workers": crashes.workers,
    "parent": crashes.parent,
    "worker": crashes.worker,
    "dns": outages.dns,
    "hosts": outages.hosts,
    "dying": outages.dying,
    "policies": protected.policies,
    "reroute": rerouted.reroute,
    "limit": replies.limit,
    "step": replies.step,
    "log-closed": logs.closed,
    "log-stalled": logs.stalled,
    "log-full": logs.full,
    "clock": clocks.clock,
    "disk": disks.disk,
    "disk-split": disks.split,
    "handover": disks.handover,
    "filled": disks.filled,
    "quota": disks.quota,
    "idle": crowds.idle,
    "crowd": crowds.crowd,
    "slow": crowds.slow,
    "sluggish": fair.sluggish,
    "outage": fair.outage,
    "tarpits": fair.tarpits,
    "instep": instep.one,
    "instep-split": instep.split,
    "resting": resting.one,
    "resting-split": resting.split,
    "mountain": fair.mountain,
    "nodes": clusters.nodes,
    "database": clusters.database,
    "paused": clusters.paused,
    "xmin": clusters.xmin,
    "many": clusters.many,
}

CLUSTERED = ("nodes", "database", "paused", "xmin", "many")  # several relays on one database
LONG = ("xmin", "many")  # say nothing in a short form that another one does not say
EITHER = (
    "kill",
    "workers",
    "parent",
    "worker",
    "dns",
    "hosts",
    "dying",
    "reroute",
    "limit",
    "step",
    "outage",
    "tarpits",
)
REAL = ("sluggish", "outage", "tarpits", "instep", "instep-split", "resting", "resting-split")  # also in namespaces


async def play(name, scale):
    """One of them; what does not start is a finding, too."""
    if name in CLUSTERED and scale.spool == FOLDER:
        scale = replace(scale, spool=POSTGRES)
    if why := obstacle(scale.spool):
        return Figures(name, skipped=why)
    try:
        return await ALL[name](scale)
    except Exception as problem:  # noqa: BLE001  # it must not hide what the others find
        return Figures(name, wrong=[repr(problem)])
