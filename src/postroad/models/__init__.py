"""Senders as data (floor 1): how each kind of sender treats MX records, one file each, with its sources.

Rule 1: what a sender does is in its file, and nowhere else; whoever runs another version corrects the file.
Rule 2: a mechanism of a single program is a function with a name, and the file names it.
Rule 3: a file says where its facts are from; what was measured is held against the measurements.

Stops: `model` (a sender as data), `bounds` (what its numbers may be), `schedule` (when mail is tried again),
`procedures` (the senders that are routing's own procedures), `reading` (a sender from TOML), `writing` (a measured one
as TOML), `known` (those of the files beside), `mixes`, `own` (one's own files).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.models.known import SCHEDULES, SENDERS, file_of
    from postroad.models.mixes import MIXES
    from postroad.models.model import (
        ENDS,
        PHASES,
        Asks,
        AttemptLimits,
        Basis,
        EqualsOrder,
        Exhausted,
        Families,
        FaultPhase,
        Inside,
        Later,
        Literals,
        PreferenceUse,
        RefusalNews,
        Rounds,
        Sender,
        Then,
        Unit,
        Waits,
    )
    from postroad.models.own import OwnSenders, read_sender, read_senders
    from postroad.models.schedule import Schedule
    from postroad.models.writing import sender_file

__getattr__, __dir__ = door(
    __name__,
    known="SCHEDULES SENDERS file_of",
    mixes="MIXES",
    model="ENDS PHASES Asks AttemptLimits Basis EqualsOrder Exhausted Families FaultPhase Inside Later Literals "
    "PreferenceUse RefusalNews Rounds Sender Then Unit Waits",
    own="OwnSenders read_sender read_senders",
    schedule="Schedule",
    writing="sender_file",
)
