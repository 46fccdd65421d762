"""The settings of who gets mail for the names of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ConfigDict, Field

from postroad.config.contradictions import once_each
from postroad.config.kinds import File, Targets
from postroad.config.table import SettingsTable
from postroad.words.inputs import quoted


class AliasesTable(SettingsTable):
    """Who gets mail for `root` and other names of this machine. It has no mailboxes: without an alias mail is refused.

    Any key but `file` is a name, and its value an address, another of the names, or a list of those; `"*"` is for every
    name that is not there. Aliases hold for names without a domain and for those at `hostname`, `own`, `localhost` and
    `localhost.localdomain`; not for a domain that a route names.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Targets] = Field(init=False)

    root: Targets = Field(default=(), description='Who gets mail from cron, such as `"ops@example.com"`.')
    postmaster: Targets = Field(
        default=(),
        description='Who gets mail to the postmaster of this machine: `"root"`, or an address.',
    )
    file: File | None = Field(
        default=None,
        description="More aliases, as in aliases(5), but with addresses and names only. Keys set here come first.",
    )

    @property
    def table(self) -> Mapping[str, tuple[str, ...]]:
        """What the keys say, by the name in lower case."""
        named = {"root": self.root, "postmaster": self.postmaster, **self.__pydantic_extra__}
        return {name.lower(): targets for name, targets in named.items() if targets}

    def disagreements(self) -> Iterator[str]:
        """What its keys contradict each other in."""
        yield from once_each("it has", (name.lower() for name in self.model_fields_set))
        for name, targets in self.__pydantic_extra__.items():
            if not name or "@" in name:
                yield (
                    f"{quoted(name)} is not a name; write only the part before the @: it holds for all names of this"
                    " machine"
                )
            if not targets:
                yield f'{quoted(name)} has no address; write one, such as "user@example.com", or leave it out'
