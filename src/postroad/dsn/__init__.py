"""Delivery status notifications (floor 1): what a sender is told of mail that failed, is late, or arrived.

Rule 1: pure. The same report gives the same octets: boundary, Message-ID and dates come from what is given.
Rule 2: nobody but a postmaster is told of mail with the null reverse-path, and a report has that path itself: no loop
    can begin.
Rule 3: whatever a host said and whatever an address contains, it breaks no line and adds no field.

Stops: `report` (what a report is made of, and who wants it), `build` (the message), `people` (its sentences),
`programs` (its fields), `lines` (text made safe for a line).
"""

from postroad.dsn.build import build
from postroad.dsn.lines import date, field
from postroad.dsn.report import MAX_WHOLE, Action, Report, ReportedAttempt, ReportedRecipient, wanted, wants_content

__all__ = [
    "MAX_WHOLE",
    "Action",
    "Report",
    "ReportedAttempt",
    "ReportedRecipient",
    "build",
    "date",
    "field",
    "wanted",
    "wants_content",
]
