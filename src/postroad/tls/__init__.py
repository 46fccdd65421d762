"""What TLS has to prove on the way to an exchanger, and whether it did (floor 1).

Rule 1: pure. What DNS and policies say comes in as facts, certificates as DER, the time as `now`.
Rule 2: security never bends preference: an exchanger that cannot meet its demand is a try that is refused, in its turn.
Rule 3: doubt is never "no policy": a look-up that fails where one may be is a demand that cannot be met.

Stops: `deciding` (what is known of an exchanger -> its Demand: one table), `trust` (certificates -> Proof), `tlsa`
(DANE's associations), `sts` (the record and the policy of MTA-STS), `kept` (the policies that a sender keeps), `wishes`
(what the sender of one message makes of a Demand), `rua` (where reports go), `sessions` (what counts for them),
`report` (what they say).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.tls.deciding import AUTO, TABLE, Known, Override, Row, TlsMode, demanded
    from postroad.tls.kept import StsCache, StsFailed, StsKept, StsSettings, read_kept
    from postroad.tls.report import (
        FailureFacts,
        ReportFacts,
        Submitter,
        TlsReport,
        day_begins,
        day_of,
        facts_of,
    )
    from postroad.tls.rua import REPORT_RECORD_BEGINS, HttpsPlace, ReportRecord, read_report_records
    from postroad.tls.sessions import (
        Counted,
        PolicyType,
        ReportedPolicy,
        SessionRow,
        SessionTally,
        Watch,
        read_row,
        rows_of,
        watch_of,
    )
    from postroad.tls.sts import Listing, StsDocument, StsRecord, covers, read_policy, read_records
    from postroad.tls.tlsa import END_ENTITY, SMTP_USAGES, association, matches, tlsa_faults, usable
    from postroad.tls.trust import NOBODY, Trust, judge, why_untrusted
    from postroad.tls.wishes import wished

__getattr__, __dir__ = door(
    __name__,
    deciding="AUTO TABLE Known Override Row TlsMode demanded",
    kept="StsCache StsFailed StsKept StsSettings read_kept",
    report="FailureFacts ReportFacts Submitter TlsReport day_begins day_of facts_of",
    rua="REPORT_RECORD_BEGINS HttpsPlace ReportRecord read_report_records",
    sessions="Counted PolicyType ReportedPolicy SessionRow SessionTally Watch read_row rows_of watch_of",
    sts="Listing StsDocument StsRecord covers read_policy read_records",
    tlsa="END_ENTITY SMTP_USAGES association matches tlsa_faults usable",
    trust="NOBODY Trust judge why_untrusted",
    wishes="wished",
)
