"""An envelope for one host: whether the host can take it, and the MAIL and RCPT that its EHLO reply allows."""

from __future__ import annotations

from postroad.smtp.client import Capabilities
from postroad.smtp.grammar import Command, Mail, Rcpt
from postroad.words.mail import Envelope, Recipient, TlsWish
from postroad.words.outcome import Outcome, Phase, Result, Scope


def why_unable(offered: Capabilities, envelope: Envelope, size: int, *, smtputf8: bool) -> Outcome | None:
    """Why this host cannot take this message, by its own word at EHLO. Another one may."""
    if envelope.tls and envelope.must_be_protected and not offered.requiretls:
        # Of host scope, though it is about the message: every other one is asked (RFC 8689 section 4.2.1)
        text = "the sender requires TLS, and the host does not offer REQUIRETLS (RFC 8689)"
        return Outcome(Result.FAILED, Scope.HOST, text, "5.7.30", Phase.MAIL)
    if offered.size and size > offered.size:
        text = f"the message has {size} octets, the host accepts {offered.size} (RFC 1870)"
        return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.3.4", Phase.MAIL)
    if smtputf8 and not offered.smtputf8:
        text = "the message needs SMTPUTF8, which the host does not offer (RFC 6531)"
        return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.6.7", Phase.MAIL)
    if envelope.release_at and not offered.future_release:
        text = "the message is for later, and the host does not hold mail (FUTURERELEASE, RFC 4865)"
        return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.5.4", Phase.MAIL)
    return None


def mail_to(offered: Capabilities, envelope: Envelope, size: int, *, smtputf8: bool) -> Command:
    """MAIL with what the host knows. An 8-bit message goes to a 7-bit host as it is: see docs/decisions."""
    return Mail(
        envelope.reverse_path,
        size=size if offered.size is not None else None,
        body="8BITMIME" if offered.eight_bit_mime and envelope.eight_bit else None,
        smtputf8=smtputf8,
        ret=envelope.ret if offered.dsn else None,
        envid=envelope.envid if offered.dsn else None,
        requiretls=offered.requiretls and envelope.tls is TlsWish.REQUIRED,
        hold_until=envelope.release_at,
    )


def rcpt_to(offered: Capabilities, recipient: Recipient) -> Command:
    """RCPT with what the host knows."""
    if not offered.dsn and (recipient.notify or recipient.orcpt):
        recipient = Recipient(recipient.mailbox)
    return Rcpt(recipient)
