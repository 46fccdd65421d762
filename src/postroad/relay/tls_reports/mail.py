"""A TLS report as a message (RFC 8460 section 5.3)."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Iterator
from hashlib import sha256

from postroad.dsn import date, field
from postroad.spool import StoredMail
from postroad.tls import TlsReport
from postroad.words.mail import Envelope, Mailbox, Recipient, TlsWish

ORIGIN = "TLS report to "
"""How the origin of a report begins: so its own sessions are known, which do not count."""

NEVER = frozenset({"NEVER"})


def is_report(mail: StoredMail) -> bool:
    """Whether a message is a report of ours."""
    return mail.origin.startswith(ORIGIN)


def envelope_of(report: TlsReport, to: tuple[Mailbox, ...]) -> Envelope:
    """How it travels: whatever TLS does (RFC 8460 section 3). Nobody hears of one that fails, so no loop begins."""
    recipients = tuple(Recipient(mailbox, NEVER) for mailbox in to)
    return Envelope(report.submitter.sender, recipients, tls=TlsWish.OPTIONAL)


def message_of(report: TlsReport, to: tuple[Mailbox, ...], now: float) -> bytes:
    """The message, with CRLF line ends; the same at the same time. It has to be signed yet (RFC 8460 section 3)."""
    boundary = f"=_{sha256(report.octets).hexdigest()[:48]}"  # neither part can contain it
    lines = [
        *_header(report, to, now, boundary),
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "Content-Transfer-Encoding: 7bit",
        "",
        *_people(report),
        "",
        f"--{boundary}",
        "Content-Type: application/tlsrpt+gzip",
        "Content-Transfer-Encoding: base64",
        f'Content-Disposition: attachment;\r\n filename="{report.filename}"',
        "",
        *encodebytes(report.octets).decode("ascii").splitlines(),
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode("ascii")


def _header(report: TlsReport, to: tuple[Mailbox, ...], now: float, boundary: str) -> Iterator[str]:
    submitter = report.submitter.domain
    yield field("From", f"<{report.submitter.sender}>")
    yield field("To", ", ".join(f"<{mailbox}>" for mailbox in to))
    yield field("Subject", f"Report Domain: {report.reader} Submitter: {submitter} Report-ID: <{report.id}>")
    yield field("Date", date(now))
    yield field("Message-ID", f"<{report.id}>")
    yield field("TLS-Report-Domain", report.reader)
    yield field("TLS-Report-Submitter", submitter)
    yield field("TLS-Required", "No")  # RFC 8460 section 3: it is to arrive whatever TLS does
    yield field("Auto-Submitted", "auto-generated")  # RFC 3834 section 5
    yield field("MIME-Version", "1.0")
    yield field("Content-Type", f'multipart/report; report-type="tlsrpt"; boundary="{boundary}"')


def _people(report: TlsReport) -> Iterator[str]:
    met, failed = report.sessions
    yield f"This is a TLS report of {report.submitter.domain} to {report.reader}, for {report.day} (UTC)."
    yield ""
    yield f"Sessions that met the policy: {met}. Sessions that failed: {failed}."
    yield ""
    yield "You receive it because the TLSRPT record of that domain asks for reports. The"
    yield f"details are in the attached file. Contact: {report.submitter.contact}"
