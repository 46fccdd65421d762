"""All scenarios by name."""

from tests.faults import clocks, crashes, crowds, disks, outages

ALL = {
    "kill": crashes.kill,
    "dns": outages.dns,
    "hosts": outages.hosts,
    "dying": outages.dying,
    "clock": clocks.clock,
    "disk": disks.disk,
    "filled": disks.filled,
    "quota": disks.quota,
    "idle": crowds.idle,
    "crowd": crowds.crowd,
    "slow": crowds.slow,
}
