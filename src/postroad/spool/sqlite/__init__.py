"""The spool in one SQLite file (floor 2): every promise of docs/design/spool.md, and one fsync for many messages.

Rule 1: a group of calls is one commit, one at a time: the loop does a short one up to COMMIT, and never waits; who asks
reads on connections of their own.
Rule 2: what is done for each message is a few statements over a whole group: no index is touched that it does not need.
Rule 3: no statement reads all parcels, but those of `queue stats` and of searches by people.

Stops: `folder` (whose it is, locks), `file` (the database, its schema), `place` (whether it is still there), `opening`
(all of these, in order), `room` and `relief` (the disk, short of room and full), `commits` and `writer` (one
transaction for many calls), `reader` (its threads), `keeping`, `lanes`, `settling`, `queue` and `lessons` (statements),
`kinds` (what they cost, and what follows), `rows` (many to a step), `trouble` (errors in sentences), `queries` and
`spool` (the protocol), `deposit` (one message, by a program that ends then), `reading` (what was learned, by one that
changes nothing), `cargo` and `move_end` (what moves to another spool), `health` and `migration` (`spool check` and
`migrate`).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.spool.sqlite.deposit import keep_one
    from postroad.spool.sqlite.folder import running_in
    from postroad.spool.sqlite.health import check_folder
    from postroad.spool.sqlite.migration import migrate_folder, pending_folder
    from postroad.spool.sqlite.move_end import SqliteMoveEnd
    from postroad.spool.sqlite.reading import read_lessons
    from postroad.spool.sqlite.spool import SqliteSpool

__getattr__, __dir__ = door(
    __name__,
    deposit="keep_one",
    folder="running_in",
    health="check_folder",
    migration="migrate_folder pending_folder",
    move_end="SqliteMoveEnd",
    reading="read_lessons",
    spool="SqliteSpool",
)
