"""What TLS has to prove on the way to an exchanger, and whether it did (floor 1).

Stops: `sts` (the record and the policy of MTA-STS).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.tls.sts import StsDocument, StsRecord, covers, read_policy, read_records

__getattr__ = door(
    __name__,
    sts="StsDocument StsRecord covers read_policy read_records",
)
