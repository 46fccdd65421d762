"""A report as a message: a multipart/report (RFC 6522 section 3) for people and programs, with what came back."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from postroad.dsn.lines import address, date, escape, field, plain
from postroad.dsn.people import tell
from postroad.dsn.programs import fields
from postroad.dsn.report import Action, Report, wanted, wants_content
from postroad.words.mail import Envelope, Recipient, TlsWish

MAX_HEADER = 50 * 1024
"""Octets of the message's header that are returned; a longer one is cut at the end of a line."""

_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[!-;=?-~]{1,250}>)", re.IGNORECASE | re.MULTILINE)

_SUBJECT = {
    Action.FAILED: "Undelivered",
    Action.DELAYED: "Delayed",
    Action.RELAYED: "Relayed",
    Action.DELIVERED: "Delivered",
}


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the message. No encoding said: as it is, in 7 or 8 bits."""

    type: str
    body: bytes
    encoding: str = ""

    def __bytes__(self) -> bytes:
        encoding = self.encoding or ("7bit" if self.body.isascii() else "8bit")
        return f"Content-Type: {self.type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + self.body


def build(report: Report) -> tuple[Envelope, bytes] | None:
    """The report as a message with CRLF line ends, and the envelope it travels under; None if nobody is to be told.

    It is 7-bit unless what it returns is not, or an address it goes to needs SMTPUTF8.
    """
    to = report.addressees
    reported = [each for each in report.reported if report.is_double or wanted(each.action, each.recipient)]
    if not to or not reported:  # RFC 5321 section 4.5.5: mail from <> is not answered
        return None
    reported.sort(key=lambda each: list(Action).index(each.action))
    report = replace(report, reported=tuple(reported))
    # Only then: all hosts of its way would have to offer SMTPUTF8
    unicode = any(each.needs_smtputf8 for each in to)
    parts = [bytes(part) for part in _parts(report, unicode=unicode)]
    eight_bit = unicode or not all(part.isascii() for part in parts)
    boundary = f"=_{sha256(b''.join(parts)).hexdigest()[:48]}"  # no part can contain the hash of itself
    content = "\r\n".join(_header(report, boundary, eight_bit=eight_bit)).encode() + b"\r\n\r\n"
    content += b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    # It has the header of the message, so it is protected as that was, or as little (RFC 8689 sections 5 and 6)
    envelope = Envelope(None, tuple(map(Recipient, to)), unicode, eight_bit, tls=report.original.tls)
    return envelope, content + b"--%b--\r\n" % boundary.encode()


def _header(report: Report, boundary: str, *, eight_bit: bool) -> Iterator[str]:
    name = re.sub(r"[^A-Za-z0-9._-]", "-", report.id)
    first = escape(address(report.reported[0].recipient.mailbox))
    others = f" and {len(report.reported) - 1} more" if len(report.reported) > 1 else ""
    author = address(report.postmaster) if report.postmaster else f"MAILER-DAEMON@{plain(report.hostname)}"
    yield field("From", f"Mail Delivery System <{author}>")
    yield field("To", ", ".join(f"<{address(each)}>" for each in report.addressees))
    what = "Undelivered report" if report.is_double else _SUBJECT[report.reported[0].action]
    yield field("Subject", f"{what}: {first}{others}")
    yield field("Date", date(report.now))
    yield field("Message-ID", f"<{name}.{int(report.now)}.report@{report.hostname}>")
    cause = _MESSAGE_ID.search(_header_block(report))
    if cause:  # RFC 3834 section 3.1
        yield field("In-Reply-To", cause.group(1).decode("ascii"))
        yield field("References", cause.group(1).decode("ascii"))
    yield field("Auto-Submitted", "auto-replied")  # RFC 3834 section 5: nothing that answers by itself answers this
    if report.original.tls is TlsWish.OPTIONAL:  # RFC 8689 section 6: for the hosts behind the next one
        yield field("TLS-Required", "No")
    yield field("MIME-Version", "1.0")
    yield field("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"')
    yield field("Content-Transfer-Encoding", "8bit" if eight_bit else "7bit")


def _parts(report: Report, *, unicode: bool) -> tuple[_Part, _Part, _Part]:
    status = "message/global-delivery-status" if unicode else "message/delivery-status"  # RFC 6533 section 4
    return (
        _text(tell(report)),
        _Part(status, fields(report, unicode=unicode).encode()),
        _returned(report, unicode=unicode),
    )


def _text(text: str) -> _Part:
    if text.isascii():
        return _Part("text/plain; charset=us-ascii", _crlf(text.encode()))
    return _Part("text/plain; charset=utf-8", _quoted(text.encode()), "quoted-printable")


def _returned(report: Report, *, unicode: bool) -> _Part:
    """The whole message only for a failure and RET=FULL; the header in all other cases (RFC 3461 section 4.3).

    A message sent with SMTPUTF8 whose header is not ASCII is no message/rfc822 (RFC 6532 section 3.7). To a sender
    without SMTPUTF8 only its header returns, in quoted-printable as RFC 6522 section 4 allows.
    """
    header, content = _header_block(report), report.content
    failed = any(each.action is Action.FAILED for each in report.reported)
    if failed and content is not None and wants_content(report.original, len(content)):
        if unicode:
            return _Part("message/global", _crlf(content))
        if header.isascii() or not report.original.smtputf8:  # raw octets beyond ASCII return as they came
            return _Part("message/rfc822", _crlf(content))
    if unicode:
        return _Part("message/global-headers", header)
    if header.isascii():
        return _Part("text/rfc822-headers", header)
    return _Part("text/rfc822-headers; charset=utf-8", _quoted(header), "quoted-printable")


def _quoted(text: bytes) -> bytes:
    return _crlf(quopri.encodestring(text.replace(b"\r\n", b"\n")))


def _header_block(report: Report) -> bytes:
    """The header without the empty line behind it, cut where it is too long."""
    header = (b"\r\n" + _crlf(report.header)).partition(b"\r\n\r\n")[0].removeprefix(b"\r\n")
    if len(header) > MAX_HEADER:
        header = header[:MAX_HEADER].rpartition(b"\r\n")[0]
    return header.removesuffix(b"\r\n") + b"\r\n"


def _crlf(content: bytes) -> bytes:
    return re.sub(rb"\r\n|\r|\n", b"\r\n", content.replace(b"\0", b""))  # RFC 2045 section 2.8: no NUL
