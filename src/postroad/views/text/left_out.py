"""Why records are not used, in sentences: of every answer that has figures without them."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.planning import Records
from postroad.routing import DropReason

MOST_TOLD = 6  # servers that have a sentence each


def left_out(records: Records, name: str = "") -> Iterator[str]:
    """As `postroad route` says it; what is left out for their number has its own sentence. `name`: of which set."""
    whose = f" of {name}" if name else ""
    told = {DropReason.NOT_LOOKED_UP, *([DropReason.TEMPORARY] if records.machines else ())}
    dropped = [drop for drop in records.dropped if drop.reason not in told]
    if records.refusal and not dropped:
        yield f"{records.refusal}."
    for drop in dropped[:MOST_TOLD]:
        yield f"Left out{whose}: {drop.exchange or '.'}{f' [{drop.address}]' if drop.address else ''}: {drop.text}."
    if len(dropped) > MOST_TOLD:
        yield f"{len(dropped) - MOST_TOLD:,} more{whose} are left out: see `postroad route`."
    if any(drop.reason is DropReason.LOOPBACK for drop in dropped):
        yield "--allow-loopback uses loopback addresses as any others."
