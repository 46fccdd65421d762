"""The part of a report that programs read: the fields of RFC 3464, and one of ours for each contact."""

from __future__ import annotations

import json
import re

from postroad.dsn.lines import address, date, escape, field, plain, said
from postroad.dsn.report import Action, RecipientAnswer, Report, ReportedAttempt, ReportedRecipient
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


def _recipient(report: Report, each: ReportedRecipient, *, unicode: bool) -> list[str]:
    """RFC 3464 section 2.3, in its order."""
    until, at = report.will_retry_until, each.last_attempt_at
    known = {
        "Original-Recipient": _original(each.recipient.orcpt, unicode=unicode),
        "Final-Recipient": _final(each, unicode=unicode),
        "Action": each.action.value,
        "Status": each.outcome.status,
        "Remote-MTA": _remote(each.last_word),
        "Diagnostic-Code": escape(said(_diagnostic(each))),
        "Last-Attempt-Date": date(at) if at is not None else None,
        "Will-Retry-Until": date(until) if until is not None and each.action is Action.DELAYED else None,
    }
    contacts = [
        (number, tried, contact)
        for number, tried in each.told
        for contact in tried.attempt.contacts
        if contact.is_unused or tried.index in contact.recipients
    ]
    return [
        *(field(name, value) for name, value in known.items() if value),
        *(field("X-Postroad-Contact", _contact(*contact)) for contact in contacts),
    ]


def _diagnostic(each: ReportedRecipient) -> str:
    """The words of the host itself where it said any (RFC 3464 section 2.3.6), else ours, of which server they are."""
    word = each.last_word
    outcome = word.outcome if word else each.outcome
    if outcome.reply:
        return f"smtp; {outcome.reply}"
    who = f"{word.contact.target}: " if word else ""
    return f"X-Postroad; {who}{outcome.for_sender or outcome.text}"


def _original(orcpt: str | None, *, unicode: bool) -> str | None:
    """ORCPT as it was given, and only then (RFC 3461 section 6.3)."""
    kind, semicolon, text = plain(orcpt or "").partition(";")
    written = f"{kind}; {_typed(text, _PLAIN_OR_CODED, unicode=unicode)}"
    fits = kind.replace("-", "").isalnum() and kind.isascii() and semicolon and text and len(written) <= _MAX_ADDRESS
    return written if fits else None


def _final(each: ReportedRecipient, *, unicode: bool) -> str:
    mailbox = each.recipient.mailbox
    kind = "utf-8" if mailbox.needs_smtputf8 else "rfc822"
    return f"{kind}; {_typed(address(mailbox), _PLAIN, unicode=unicode)}"


_PLAIN = re.compile(r"[!-*,-<>-\[\]-~]")  # QCHAR of RFC 6533 section 3: no space, backslash, "+" nor "="
_PLAIN_OR_CODED = re.compile(rf"\\x\{{[0-9A-F]{{2,6}}\}}|{_PLAIN.pattern}")  # ORCPT may be coded already


def _typed(text: str, plain: re.Pattern[str], *, unicode: bool) -> str:
    r"""An address beyond ASCII as RFC 6533 section 3 has it: `\x{..}` for what is not plain.

    That is utf-8-addr-unitext, or utf-8-addr-xtext if it must be in seven bits.
    """
    if text.isascii():
        return text
    return re.sub(
        rf"({plain.pattern})|(.)",
        lambda found: found[1] or (found[2] if unicode and not found[2].isascii() else f"\\x{{{ord(found[2]):02X}}}"),
        text,
    )


def _remote(word: RecipientAnswer | None) -> str | None:
    """Who reported the status to us (RFC 3464 section 2.3.5): nobody did where no host replied."""
    if word is None or not word.outcome.reply:
        return None
    target = word.contact.target
    return f"dns; {target.exchange or f'[{target.address}]'}"


def _contact(number: int, tried: ReportedAttempt, contact: Contact) -> str:
    """One contact as JSON, as it was for this recipient: it has no line breaks, and nothing beyond ASCII."""
    outcome = contact.recipients.get(tried.index)
    values = {
        "attempt": number,
        "at": round(tried.at, 3),
        "started_ms": round(contact.started_ms, 1),
        "ended_ms": round(contact.ended_ms, 1),
        "exchange": said(contact.target.exchange),  # escaped octets of DNS names make it longer than 255
        "address": str(contact.target.address),
        "port": contact.target.port,
        "preference": contact.target.preference,
        "phase": contact.phase_of(outcome).value,
        "result": outcome.result.value if outcome else contact.word,
        "status": outcome.status if outcome else None,
        "text": said(outcome.text, 400) if outcome else None,
        "tls": said(contact.tls) if contact.tls else None,
    }
    return json.dumps({key: value for key, value in values.items() if value is not None})
