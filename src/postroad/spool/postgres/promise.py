"""Whether a server keeps the promise: a commit that it has answered outlives a power cut, here and on the standby."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.postgres.connections import Db
from postroad.words.phrasebook import seconds

OLDEST = 14
"""The oldest PostgreSQL that gets fixes as this is written."""

CLOCK_S = 5.0
"""How far a node's clock may be from the database's: with NTP it is milliseconds, so more is a clock set wrong."""

# Who only copies, and what a subscription or its like receives, is no standby: nobody fails over to it
_ASKED = """
SELECT current_setting('server_version_num')::integer AS version, pg_is_in_recovery() AS is_standby,
    current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
    current_setting('synchronous_commit') AS waits_for, current_setting('synchronous_standby_names') AS standbys,
    current_setting('default_transaction_read_only') AS read_only,
    (
        SELECT count(*) FROM pg_stat_replication
        WHERE application_name !~ '^(pg_basebackup|pg_receivewal|pg_recvlogical|barman)' AND NOT EXISTS (
            SELECT FROM pg_replication_slots WHERE active_pid = pid AND slot_type = 'logical'
        )
    ) AS replicas, extract(epoch FROM clock_timestamp())::float8 AS clock
"""


@dataclass(frozen=True, slots=True)
class AcceptedRisks:
    """What the user accepts: that a standby may lack the last commits; in tests, that a power cut loses them."""

    asynchronous: bool = False
    unsafe: bool = False


async def check_promise(db: Db, accepted: AcceptedRisks) -> float:
    """The time of the server, if it keeps the promise.

    Raises:
        SpoolError: read-only, failing.

    """
    found = await db.fetchrow(_ASKED)
    if found["is_standby"] or found["read_only"] == "on":
        why = (
            "the server of the spool only reads (a standby, or default_transaction_read_only): name the primary, or "
            "all servers and target_session_attrs=read-write"
        )
        raise SpoolError(Trouble.READ_ONLY, why)
    for fault in _broken(found, accepted):
        raise SpoolError(Trouble.FAILING, fault)
    return float(found["clock"])


async def broken_promises(db: Db, accepted: AcceptedRisks) -> list[str]:
    """All that keeps the server from its promise, each in a sentence that ends with what to do."""
    return list(_broken(await db.fetchrow(_ASKED), accepted))


def check_clock(ours: float, theirs: float) -> None:
    """See that the two clocks agree.

    Raises:
        SpoolError: failing.

    """
    if abs(ours - theirs) > CLOCK_S:
        why = (
            f"the clock of this machine is {seconds(abs(ours - theirs))} {'ahead of' if ours > theirs else 'behind'} "
            f"the database's, more than {seconds(CLOCK_S)}: set both by NTP"
        )
        raise SpoolError(Trouble.FAILING, why)


def _broken(found: Any, accepted: AcceptedRisks) -> Iterator[str]:  # noqa: ANN401  # a row
    if found["version"] < OLDEST * 10_000:
        yield f"the server of the spool is PostgreSQL {found['version'] // 10_000}: {OLDEST} or newer is required"
    if found["encoding"] != "UTF8":
        yield f"the database of the spool has the encoding {found['encoding']}: create one with ENCODING 'UTF8'"
    if accepted.unsafe:
        return
    if found["fsync"] != "on":
        yield "the server of the spool has fsync off, so a power cut loses mail: set fsync = on"
    waits_for, has_standby = found["waits_for"], bool(found["standbys"].strip())
    if waits_for == "off":
        yield "the server of the spool has synchronous_commit off, so a power cut loses mail: set it to on"
    elif waits_for == "local" and has_standby and not accepted.asynchronous:
        yield "synchronous_commit is local, so the standby may lack mail: set it to on, or spool.asynchronous = true"
    if found["replicas"] and not has_standby and not accepted.asynchronous:
        yield (
            "the server of the spool has a standby that is not synchronous, so a failover loses mail: set "
            "synchronous_standby_names, or accept it by spool.asynchronous = true"
        )
