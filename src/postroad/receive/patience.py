"""How long a client may take: for a command, for a message, for a session."""

from __future__ import annotations

from postroad.receive.settings import ReceiveTimeouts


class Patience:
    """What is left of it while we wait for this client. Moments are of the loop's clock."""

    def __init__(self, times: ReceiveTimeouts, now: float) -> None:
        self.left_s = times.command_s
        self.ends_at = now + times.session_s
        self._times = times

    def deadline(self, now: float, *, in_message: bool) -> float:
        """When the client is late if nothing comes. A message under way at the session's end has a while to finish."""
        grace_s = self._times.block_s if in_message else 0.0
        return min(now + self.left_s, self.ends_at + grace_s)

    def has_ended(self, now: float) -> bool:
        """Whether the session has had its time."""
        return now >= self.ends_at

    def waited(self, seconds: float) -> None:
        """So much of it is gone: single octets buy no time."""
        self.left_s -= seconds

    def earn(self, octets: int) -> None:
        """Within a message octets buy time, at the least rate; so one that drips runs out of it."""
        self.left_s = min(self._times.block_s, self.left_s + octets / self._times.least_rate)

    def renew(self) -> None:
        """Something was answered: as at the beginning."""
        self.left_s = self._times.command_s
