"""The settings of the spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from postroad.config.kinds import Database, Duration, File, NodeName, Size
from postroad.config.table import SettingsTable
from postroad.config.values import RESERVE, usual_spool


class SpoolTable(SettingsTable):
    """Where accepted mail is kept: in a folder, or in a database that several relays share.

    `spool = "postgresql://..."` above all tables is short for `url` alone.
    """

    path: File = Field(
        default_factory=usual_spool,
        description="The folder. Unset: the first of $STATE_DIRECTORY (set by systemd), else the default.",
    )
    url: Database | None = Field(
        default=None,
        description="A PostgreSQL database, instead of a folder: `postgresql://postroad@db.example/mail`. Requires "
        "`pip install 'postroad[postgres]'`. Write the password into `~/.pgpass` of the relay's user.",
    )
    node: NodeName | None = Field(
        default=None,
        description="The name of this relay among those that share the spool, each with its own. Unset: `hostname` "
        "in a database, `relay` in a folder.",
    )
    asynchronous: bool = Field(
        default=False,
        description="Accept that a standby of the database may lack the last commits: if it takes over, mail accepted "
        "last is lost, and some is sent twice.",
    )
    history: Duration = Field(
        default=86400.0, description="How long `queue trace` and `explain` remember a finished message."
    )
    reserve: Size = Field(
        default=RESERVE,
        description="With less free disk space than this, new mail is refused. Up to half of it is kept as a file, "
        "which is deleted if other programs fill the disk, so that accepted mail can still be delivered. Of a folder "
        "only.",
    )

    @property
    def place(self) -> Path | str:
        """The folder, or the URL of the database."""
        return self.url or self.path

    def moved_to(self, place: Path | str) -> Self:
        """The same in another folder, or in a database by its URL."""
        is_folder = isinstance(place, Path)
        return self.model_copy(update={"path": place if is_folder else self.path, "url": None if is_folder else place})

    @model_validator(mode="before")
    @classmethod
    def _is_short(cls, value: Any) -> Any:  # noqa: ANN401  # whatever stands in the file
        return {"url": value} if isinstance(value, str) else value

    def disagreements(self) -> Iterator[str]:
        """What its keys contradict each other in."""
        if self.url and self.path != usual_spool():
            yield "mail is kept in a folder or in a database; remove path or url"
        if self.url and self.reserve != RESERVE:
            yield "reserve is for a folder; remove it, or url"
        if not self.url and self.asynchronous:
            yield "asynchronous is for a database; add url, or remove it"
