"""TLS reports (RFC 8460): what is counted while mail is delivered, and what is sent after the end of each UTC day.

Rule 1: never in the way of mail. Nothing here is awaited by a delivery, and what goes wrong here costs reports only.
Rule 2: what strangers choose (domains, names, addresses, readers) has bounds in memory, in the store and in deliveries.
Rule 3: no report is about reports: sessions that carry them do not count.

Stops: `keeping` (the rows of a day in the spool), `watching` (counts sessions), `sending` (the reports that are due),
`mail` (a report as a message).
"""

from postroad.relay.tls_reports.keeping import ReportStore
from postroad.relay.tls_reports.sending import ReportWorld, TlsReporter, build_reporter
from postroad.relay.tls_reports.watching import SessionWatch

__all__ = ["ReportStore", "ReportWorld", "SessionWatch", "TlsReporter", "build_reporter"]
