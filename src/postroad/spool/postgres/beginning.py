"""What is done when a spool is opened, in one transaction: judge the server, migrate, take the name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postroad.spool.postgres import lanes, leases
from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.promise import AcceptedRisks, check_clock, check_promise
from postroad.spool.postgres.transaction import Life, SpoolTransaction
from postroad.spool.postgres.versions import migrate


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first transaction of a node, or of a tool, which has no name. `makes`: the spool, if there is none."""

    life: Life
    accepted: AcceptedRisks
    clock: Callable[[], float] | None
    where: str = ""  # for people
    makes: bool = False

    async def __call__(self, db: Db) -> None:
        """Do it.

        Raises:
            SpoolError: missing, newer, read-only, failing.

        """
        theirs = await check_promise(db, self.accepted)
        if self.clock is not None:
            check_clock(self.clock(), theirs)
        await migrate(db, self.where, is_node=self.makes or bool(self.life.name))
        if self.life.name:
            tx = SpoolTransaction(db, self.life)
            await leases.take_name(tx)
            await lanes.settle_lanes(tx)
