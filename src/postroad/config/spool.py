"""The settings of the spool."""

from __future__ import annotations

from pydantic import Field

from postroad.config.kinds import Duration, File, NodeName, Size
from postroad.config.table import SettingsTable
from postroad.config.values import RESERVE, usual_spool


class SpoolTable(SettingsTable):
    """Where accepted mail is kept."""

    path: File = Field(
        default_factory=usual_spool,
        description="The folder. Unset: the first of $STATE_DIRECTORY (set by systemd), else the default.",
    )
    history: Duration = Field(
        default=86400.0, description="How long `queue trace` and `explain` remember a finished message."
    )
    reserve: Size = Field(
        default=RESERVE,
        description="With less free disk space than this, new mail is refused. Up to half of it is kept as a file, "
        "which is deleted if other programs fill the disk, so that accepted mail can still be delivered.",
    )
    node: NodeName | None = Field(
        default=None,
        description="The name of this relay among those that share the spool, each with its own. Unset: `relay`.",
    )
