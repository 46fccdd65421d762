"""Rules that find what will fail before it fails (floor 1).

Rule 1: one function a rule, and all that is said of it stands in the decorator above; it is given Evidence and yields
what it has Seen; it asks nothing and knows no time but `now`.
Rule 2: silent where nothing is wrong: a false alarm is a defect, and what could not be looked at is inconclusive.
Rule 3: an id is for ever. A finding says what was seen; the rule says why it matters and where that is written.

Stops: `rule`, `finding`, `evidence`, `checked` (the nouns), `limits` (every threshold), `catalogue` (all rules, and the
running of them). What rules look at: `table` (the MX set), `places`, `lines` (of zone files), `special`
(addresses and names set aside).
Rules: `existence`, `targets` (names), `addresses`, `redundancy`, `balance`, `mechanics` (DNS), `reverse`, `sessions`
(SMTP), `spf`, `sts`, `dane`, `tlsrpt`, `dkim`, `certificates`.
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.rules.catalogue import RULES, run
    from postroad.rules.checked import Accepted, Checked, CheckedExchanger
    from postroad.rules.evidence import Evidence, FileLine
    from postroad.rules.finding import Finding, Place, Severity
    from postroad.rules.rule import Citation, Need, Rule, Topic

__getattr__, __dir__ = door(
    __name__,
    catalogue="RULES run",
    checked="Accepted Checked CheckedExchanger",
    evidence="Evidence FileLine",
    finding="Finding Place Severity",
    rule="Need Rule Citation Topic",
)
