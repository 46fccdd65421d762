"""The steps from an older schema to this version's: what each does, and whether older relays can go on beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from postroad.spool.base import SpoolError, Trouble

_SERVES = re.compile(r"-- serves: (\d+)\n")
_VERSION = re.compile(r"The spool[^:.]*, version \d+[:.] ")


@dataclass(frozen=True, slots=True)
class SchemaStep:
    """A script. `serves` is the oldest version of the schema whose Postroad can work with what it makes."""

    number: int
    about: str
    serves: int


@dataclass(frozen=True, slots=True)
class PendingMigration:
    """What is between a spool and this version: the steps, and the nodes that run meanwhile."""

    version: int
    newest: int
    steps: tuple[SchemaStep, ...]
    running: tuple[str, ...]

    @property
    def obstacles(self) -> tuple[SchemaStep, ...]:
        """The steps that nodes of the older version would not survive."""
        return tuple(step for step in self.steps if step.serves > self.version) if self.running else ()

    def check(self, where: str) -> None:
        """See that whoever runs goes on beside it.

        Raises:
            SpoolError: locked, by nodes that would not.

        """
        if wrong := self.obstacles:
            steps = ", ".join(str(step.number) for step in wrong)
            why = (
                f"the spool {where} cannot be migrated while an older Postroad runs on it ({', '.join(self.running)}), "
                f"which would not work with version {steps}: stop it first"
            )
            raise SpoolError(Trouble.LOCKED, why)


def steps_of(scripts: Sequence[str], version: int) -> tuple[SchemaStep, ...]:
    """Those behind a version."""
    return tuple(
        SchemaStep(number, _about(script), serves(script))
        for number, script in enumerate(scripts, start=1)
        if number > version
    )


def serves(script: str) -> int:
    """The oldest version of the schema whose Postroad can work with what this script makes."""
    found = _SERVES.match(script)
    if found is None:
        raise ValueError("a script begins with the version that it serves")
    return int(found[1])


def _about(script: str) -> str:
    """What its first comment says."""
    lines: list[str] = []
    for line in script.splitlines()[1:]:
        if not line.startswith("-- "):
            break
        lines.append(line[3:])
    return _VERSION.sub("", " ".join(lines), count=1)
