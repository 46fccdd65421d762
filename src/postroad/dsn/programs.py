"""The part of a report that programs read: the fields of RFC 3464, and one of ours for each contact."""

from __future__ import annotations

import json

from postroad.dsn.lines import address, date, escape, field, plain, said
from postroad.dsn.report import Action, Report, Reported, Tried
from postroad.words.trail import Contact

_MAX_ADDRESS = 900  # an original recipient that fits no line is left out; only its sender could have made it up


def fields(report: Report, *, unicode: bool) -> str:
    """The fields for the message and for each recipient, CRLF line ends.

    `unicode`: addresses may be written as they are (RFC 6533 section 4), not in ASCII.
    """
    blocks = [_message(report), *(_recipient(report, each, unicode=unicode) for each in report.reported)]
    return "\r\n\r\n".join("\r\n".join(block) for block in blocks) + "\r\n"


def _message(report: Report) -> list[str]:
    """RFC 3464 section 2.2. The id of the envelope is xtext only on its way in SMTP (RFC 3461 section 6.3)."""
    envid = report.original.envid
    return [
        *([field("Original-Envelope-Id", escape(said(envid)))] if envid else []),
        field("Reporting-MTA", f"dns; {report.hostname}"),
        field("Arrival-Date", date(report.received_at)),
    ]


def _recipient(report: Report, each: Reported, *, unicode: bool) -> list[str]:
    """RFC 3464 section 2.3, in its order."""
    outcome, until = each.outcome, report.will_retry_until
    diagnostic = f"smtp; {outcome.reply}" if outcome.reply else f"X-Postroad; {outcome.text}"
    known = {
        "Original-Recipient": _original(each.recipient.orcpt, unicode=unicode),
        "Final-Recipient": _final(each, unicode=unicode),
        "Action": each.action.value,
        "Status": outcome.status,
        "Remote-MTA": _remote(each.last_word),
        "Diagnostic-Code": escape(said(diagnostic)),
        "Last-Attempt-Date": date(each.trail[-1].at) if each.trail else None,
        "Will-Retry-Until": date(until) if until is not None and each.action is Action.DELAYED else None,
    }
    contacts = [(number, tried, contact) for number, tried in each.told for contact in tried.attempt.contacts]
    return [
        *(field(name, value) for name, value in known.items() if value),
        *(field("X-Postroad-Contact", _contact(*contact)) for contact in contacts),
    ]


def _original(orcpt: str | None, *, unicode: bool) -> str | None:
    """ORCPT as it was given, and only then (RFC 3461 section 6.3)."""
    kind, semicolon, text = plain(orcpt or "").partition(";")
    written = f"{kind}; {_typed(text, unicode=unicode)}"
    fits = kind.replace("-", "").isalnum() and kind.isascii() and semicolon and text and len(written) <= _MAX_ADDRESS
    return written if fits else None


def _final(each: Reported, *, unicode: bool) -> str:
    mailbox = each.recipient.mailbox
    kind = "utf-8" if mailbox.needs_smtputf8 else "rfc822"
    return f"{kind}; {_typed(address(mailbox), unicode=unicode)}"


def _typed(text: str, *, unicode: bool) -> str:
    r"""An address beyond ASCII as RFC 6533 section 3 has it: \x{..} for what is not plain, or may not be written."""
    if text.isascii():
        return text
    return "".join(
        char
        if ("!" <= char <= "~" and char not in "+=\\") or (unicode and not char.isascii())
        else f"\\x{{{ord(char):02X}}}"
        for char in text
    )


def _remote(contact: Contact | None) -> str | None:
    return f"dns; {contact.target.exchange or f'[{contact.target.address}]'}" if contact else None


def _contact(number: int, tried: Tried, contact: Contact) -> str:
    """One contact as JSON: it has no line breaks, and nothing beyond ASCII."""
    outcome = tried.said(contact)
    values = {
        "attempt": number,
        "at": round(tried.at, 3),
        "started_ms": round(contact.started_ms, 1),
        "ended_ms": round(contact.ended_ms, 1),
        "exchange": said(contact.target.exchange),  # escaped octets of DNS names make it longer than 255
        "address": str(contact.target.address),
        "port": contact.target.port,
        "preference": contact.target.preference,
        "phase": contact.phase.value,
        "result": outcome.result.value if outcome else contact.word,
        "status": outcome.status if outcome else None,
        "text": said(outcome.text, 400) if outcome else None,
        "tls": said(contact.tls) if contact.tls else None,
    }
    return json.dumps({key: value for key, value in values.items() if value is not None})
