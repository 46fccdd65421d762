"""What a server offers, and what it must refuse itself: decisions about one command, without a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from postroad.smtp.grammar import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Expn,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)
from postroad.smtp.inbound import too_large
from postroad.smtp.wire import Limits, format_reply
from postroad.words.mail import Envelope, Recipient, TlsWish
from postroad.words.moments import format_date_time
from postroad.words.reply import Reply

MIB = 1024 * 1024

OK = Reply(250, ("2.0.0 Ok",))
OUT_OF_ORDER = Reply(503, ("5.5.1 bad sequence of commands",))
WELCOME = Reply(235, ("2.7.0 authenticated",))
OUT_OF_STEP = Reply(554, ("5.5.0 Error: SMTP protocol synchronization",))  # Postfix's words, which log tools know
MAIL_NEEDS_SMTPUTF8 = Reply(550, ("5.6.7 the address needs SMTPUTF8",))  # RFC 6531 section 3.5 has 550 to MAIL,
RCPT_NEEDS_SMTPUTF8 = Reply(553, MAIL_NEEDS_SMTPUTF8.lines)  # and 553 to RCPT
_NOT_OFFERED = Reply(555, ("5.5.4 unsupported parameter",))
# RFC 8689 section 2 forbids it to the client, and names no reply; mox has this one
_NOT_IN_CLEAR = Reply(530, ("5.7.10 REQUIRETLS is for mail that comes over TLS: send STARTTLS first (RFC 8689)",))

USUAL: dict[type[object], Reply] = {  # the reply that agrees to a command, but for a hello and AUTH
    Mail: Reply(250, ("2.1.0 Ok",)),
    Rcpt: Reply(250, ("2.1.5 Ok",)),
    Data: Reply(354, ("End data with <CR><LF>.<CR><LF>",)),
    Vrfy: Reply(
        252, ("2.1.5 cannot verify the address, but will accept mail for it",)
    ),  # RFC 5321 section 3.5.3: neither confirm nor deny
    Expn: Reply(502, ("5.5.1 EXPN is not supported",)),
    Help: Reply(214, ("2.0.0 see RFC 5321",)),
    Rset: OK,
    Noop: OK,
    Quit: Reply(221, ("2.0.0 Bye",)),
    StartTls: Reply(220, ("2.0.0 Ready to start TLS",)),
}


@dataclass(frozen=True, slots=True, eq=False)  # by identity it is a key that costs nothing
class ServerConfig:
    """The name, extensions and limits of a server. `auth` names SASL mechanisms, of PLAIN and LOGIN."""

    hostname: str
    size: int = 50 * MIB
    max_recipients: int = 1000  # at least 100 must be taken, RFC 5321 section 4.5.3.1.8
    pipelining: bool = True
    eight_bit_mime: bool = True
    smtputf8: bool = True
    chunking: bool = True
    dsn: bool = True
    starttls: bool = False
    requiretls: bool = False  # under TLS
    auth: tuple[str, ...] = ()
    hold_s: int = 0  # the longest that mail is held for its sender; 0: not at all (RFC 4865)
    hold_until: int = 0  # the time of mail up to which it is
    refuse_unsafe: bool = True  # else bare newlines and NULs are kept as content; they never end anything
    limits: Limits = field(default_factory=Limits)


class OpenTransaction:
    """The open transaction of a server: MAIL as agreed to, and the recipients taken."""

    __slots__ = ("mail", "recipients")

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.recipients: list[Recipient] = []

    @property
    def envelope(self) -> Envelope:
        """Both as an Envelope, every RCPT as it came."""
        mail = self.mail
        eight_bit = mail.body == "8BITMIME"
        recipients = tuple(self.recipients)
        tls = TlsWish.REQUIRED if mail.requiretls else None
        return Envelope(mail.reverse_path, recipients, mail.smtputf8, eight_bit, mail.ret, mail.envid, tls)


class SessionView(Protocol):
    """What a session knows when a command comes."""

    config: ServerConfig
    is_tls: bool
    is_authenticated: bool
    opened: OpenTransaction | None


def _mail_refusal(mail: Mail, at: SessionView, ascii_only: bool) -> Reply | None:  # noqa: FBT001  # of the table
    config = at.config
    if mail.size is not None and mail.size > config.size:
        return too_large(config.size)
    unknown = (
        (mail.smtputf8 and not config.smtputf8)
        or (mail.body == "8BITMIME" and not config.eight_bit_mime)
        or ((mail.ret or mail.envid) and not config.dsn)
        or (mail.auth is not None and not config.auth)
        or ((mail.hold_for or mail.hold_until is not None) and not config.hold_s)
    )
    if unknown:
        return _NOT_OFFERED
    if (mail.hold_for or 0) > config.hold_s or (mail.hold_until or 0) > config.hold_until:
        return Reply(501, (f"5.5.4 mail is held for {config.hold_s} seconds at most (RFC 4865)",))
    if mail.requiretls and not (at.is_tls and config.requiretls):
        return _NOT_IN_CLEAR if config.requiretls else _NOT_OFFERED
    return None if ascii_only or mail.smtputf8 else MAIL_NEEDS_SMTPUTF8  # U-labels too


def _rcpt_refusal(rcpt: Rcpt, at: SessionView, ascii_only: bool) -> Reply | None:  # noqa: FBT001  # of the table
    opened, recipient = at.opened, rcpt.recipient
    if opened is None:
        return OUT_OF_ORDER
    if len(opened.recipients) >= at.config.max_recipients:
        return Reply(452, ("4.5.3 too many recipients",))
    if (recipient.notify or recipient.orcpt) and not at.config.dsn:
        return _NOT_OFFERED
    return None if ascii_only or opened.mail.smtputf8 else RCPT_NEEDS_SMTPUTF8


def _starttls_refusal(_command: StartTls, at: SessionView, _ascii_only: bool) -> Reply | None:  # noqa: FBT001  # of the table
    return Reply(503, ("5.5.1 STARTTLS is not available",)) if at.is_tls or not at.config.starttls else None


def _auth_refusal(auth: Auth, at: SessionView, _ascii_only: bool) -> Reply | None:  # noqa: FBT001  # of the table
    if at.is_authenticated:
        return Reply(503, ("5.5.1 already authenticated",))  # RFC 4954 section 4
    return None if auth.mechanism in at.config.auth else Reply(504, ("5.5.4 unsupported authentication mechanism",))


def _bdat_refusal(_bdat: Bdat, at: SessionView, _ascii_only: bool) -> Reply | None:  # noqa: FBT001  # of the table
    return None if at.config.chunking else Reply(502, ("5.5.1 BDAT is not supported",))


# Why a command that is in order is not taken now: not offered, or too much. With whether its line is all ASCII
REFUSALS: dict[type[object], Callable[[Any, SessionView, bool], Reply | None]] = {
    Mail: _mail_refusal,
    Rcpt: _rcpt_refusal,
    StartTls: _starttls_refusal,
    Auth: _auth_refusal,
    Bdat: _bdat_refusal,
}


def hello(command: Ehlo | Helo, config: ServerConfig, *, tls: bool, known: bool) -> bytes:
    """The reply that agrees to EHLO or HELO, with the name and what is offered, as octets."""
    if isinstance(command, Ehlo):
        return _hello(config, tls, known)
    return format_reply(Reply(250, (config.hostname,)))


@lru_cache(maxsize=64)
def _hello(config: ServerConfig, tls: bool, known: bool) -> bytes:  # noqa: FBT001  # a cache has no keywords
    """The answer to EHLO: the name, and what is offered now."""
    words = {
        "PIPELINING": config.pipelining,
        "8BITMIME": config.eight_bit_mime,
        "SMTPUTF8": config.smtputf8,
        "CHUNKING": config.chunking,
        "DSN": config.dsn,
        "STARTTLS": config.starttls and not tls,
        "REQUIRETLS": config.requiretls and tls,
        f"FUTURERELEASE {config.hold_s} {format_date_time(config.hold_until)}": bool(config.hold_s),
        f"AUTH {' '.join(config.auth)}": bool(config.auth) and not known,
    }
    offered = (word for word, is_offered in words.items() if is_offered)
    return format_reply(Reply(250, (config.hostname, "ENHANCEDSTATUSCODES", f"SIZE {config.size}", *offered)))
