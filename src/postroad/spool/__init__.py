"""Accepted mail at rest (floor 2).

Rule 1: what is accepted is durable before anyone is told so; docs/design/spool.md has every state and every crash.
Rule 2: a spool reads no clock and draws no lots: times, ids and seeds are given.
Rule 3: whatever ails the disk ends as a SpoolError with its kind; nothing of that call was done then.

Stops: `base` (the protocols and their nouns), `ids` (ids and seeds), `opening` (by folder or URL), `memory` (for tests
and trials), `sqlite` (for mail), `postgres` (for mail of several machines), `remote` (what another process delivers
from), `wire` (how the two speak); for both databases `calls` (arguments of calls), `group` (calls for one commit),
`grouped` (the protocol's calls that write), `rows` (mail as columns), `fresh` (bodies remembered), `schema` (its
versions). What is done beside mail: `upkeep` (check, migrate, move, by place), `health` (what a check finds), `hurry`
(a retry by hand), `moving` (from one spool to another), `cargo` (what is moved).
"""

from typing import TYPE_CHECKING

from postroad.spool.base import (
    LEASE_S,
    NODE,
    PIECE,
    Body,
    Claims,
    Learned,
    Lesson,
    Listed,
    Node,
    Parcel,
    Record,
    Reroute,
    Selection,
    Settlement,
    Spool,
    SpoolError,
    State,
    Stats,
    StoredMail,
    Story,
    Trouble,
)
from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.spool.health import (
        DatabaseHealth,
        FolderHealth,
        HealthFinding,
        NodeHealth,
        SpoolHealth,
        TableHealth,
        XminHealth,
    )
    from postroad.spool.hurry import RETRY, retry_now
    from postroad.spool.ids import MessageIds, id_of, local_origin
    from postroad.spool.memory import MemoryLearned, MemorySpool
    from postroad.spool.moving import Moved
    from postroad.spool.opening import open_place, place_of, shown_place
    from postroad.spool.remote import Handover, RemoteSpool
    from postroad.spool.schema import PendingMigration, SchemaStep
    from postroad.spool.upkeep import check_place, migrate_place, move_place, pending_migration
    from postroad.spool.wire import Link, Row, Words

__getattr__, __dir__ = door(
    __name__,
    hurry="RETRY retry_now",
    health="DatabaseHealth FolderHealth HealthFinding NodeHealth SpoolHealth TableHealth XminHealth",
    ids="MessageIds id_of local_origin",
    memory="MemoryLearned MemorySpool",
    moving="Moved",
    opening="open_place place_of shown_place",
    remote="Handover RemoteSpool",
    schema="PendingMigration SchemaStep",
    upkeep="check_place migrate_place move_place pending_migration",
    wire="Link Row Words",
)
