"""The spool in a PostgreSQL database that several relays share (floor 2): docs/design/spool.md has every crash.

Rule 1: a group of calls is one transaction; at a lost COMMIT the server is asked what became of it.
Rule 2: a claim has a token of one life of one node: what is done with another one is passed over.
Rule 3: nothing lives in a session, and no plan depends on statistics.
Rule 4: what ails the server or the network becomes a SpoolError in one place, `trouble`.

Stops: `address` (URLs without passwords), `connections` (a few, opened when needed), `promise` (what a server must
keep), `versions` (the schema), `beginning` (these, in order), `transaction` (what one has), `commits` and `writer` (one
for many calls), `keeping`, `lanes`, `leases`, `settling`, `history`, `days`, `queue` and `lessons` (statements),
`texts` (without NUL), `kinds` (what calls cost, and what follows), `trouble` (errors in sentences), `questions` and
`spool` (the protocol), `cargo` and `move_end` (what moves to another spool), `health` and `migration` (`spool check`
and `migrate`).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.spool.postgres.address import is_url, without_password
    from postroad.spool.postgres.health import check_database
    from postroad.spool.postgres.migration import migrate_database, pending_database
    from postroad.spool.postgres.move_end import PostgresMoveEnd
    from postroad.spool.postgres.promise import AcceptedRisks
    from postroad.spool.postgres.spool import PostgresSpool

__getattr__, __dir__ = door(
    __name__,
    address="is_url without_password",
    health="check_database",
    migration="migrate_database pending_database",
    move_end="PostgresMoveEnd",
    promise="AcceptedRisks",
    spool="PostgresSpool",
)
