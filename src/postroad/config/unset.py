"""What holds where there is no settings file: the spool and the port of the machine, or those of a plain user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from postroad.config.values import LOOPBACK, SMTP_PORT, SPOOL
from postroad.words.names import Address

OWN_PORT = 2525  # that any user may have
FIRST_OPEN_PORT = 1024  # as kernels have it that say nothing else
_OPEN_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")  # 0 in most containers


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """Where the relay of a plain user is: its spool, and the port that it listens on."""

    spool: Path
    port: int
    address: Address = LOOPBACK

    @property
    def where(self) -> str:
        """The port, for people."""
        return f"{self.address} port {self.port}"


def own_place(*, begins: bool = False) -> OwnPlace | None:
    """The place of this user's own relay; None for whoever uses that of the machine.

    Root does, and who may write its spool or got one of systemd. Others have their own: it is where a relay `begins`
    and, if there is a spool of the machine besides, where mail goes as long as their own relay runs.
    """
    if os.geteuid() == 0 or os.environ.get("STATE_DIRECTORY") or os.access(SPOOL, os.W_OK):
        return None
    home = _state_home()
    if not home.is_absolute():  # a number without a home, as in a container
        return None
    spool = home / "postroad"
    if begins or not SPOOL.exists() or _has_relay(spool):
        return OwnPlace(spool, SMTP_PORT if _first_open_port() <= SMTP_PORT else OWN_PORT)
    return None


def _state_home() -> Path:
    """By the XDG Base Directory Specification, which has relative paths ignored."""
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    return named if named.is_absolute() else Path(os.path.expanduser("~/.local/state"))  # noqa: PTH111  # of no home it makes no error


def _has_relay(spool: Path) -> bool:
    if not spool.exists():
        return False
    from postroad.spool.sqlite import running_in  # noqa: PLC0415  # for who has two spools

    return bool(running_in(spool))


def _first_open_port() -> int:
    try:
        return int(_OPEN_PORTS.read_text())
    except (OSError, ValueError):
        return FIRST_OPEN_PORT
