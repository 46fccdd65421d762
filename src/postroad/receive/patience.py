"""How long a client may take: for a command, for a message, for a session."""

from __future__ import annotations

from postroad.receive.settings import ReceiveTimeouts


class Patience:
    """The time limits of one client. Moments are of the loop's clock; while it waits for us, `late_at` is what is left.

    What is answered gives it `command_s` again from that moment; single octets buy no time.
    """

    __slots__ = ("_times", "command_s", "ends_at", "late_at")

    def __init__(self, times: ReceiveTimeouts, now: float) -> None:
        self.command_s = times.command_s
        self.late_at = now + times.command_s
        self.ends_at = now + times.session_s
        self._times = times

    def deadline(self, *, in_message: bool) -> float:
        """When it is late if nothing comes. A message under way at the session's end has a while to finish."""
        grace_s = self._times.block_s if in_message else 0.0
        return min(self.late_at, self.ends_at + grace_s)

    def earn(self, now: float, octets: int) -> None:
        """Within a message octets buy time, at the least rate; so one that drips runs out of it."""
        self.late_at = min(now + self._times.block_s, self.late_at + octets / self._times.least_rate)
