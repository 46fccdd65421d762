"""Commands under their ABNF: parse and format (RFC 5321 section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from postroad.words.light import light
from postroad.words.mail import Mailbox, Recipient, parse_mailbox
from postroad.words.moments import format_date_time, parse_date_time
from postroad.words.names import Unreadable
from postroad.words.reply import Reply

# A path: quoted strings may hide a ">", so they are passed over whole. Spaces after the colon are no part of the
# grammar, but every peer takes them.
_PATH = r": *<((?>(?:\"(?:\\.|[^\"\\])*+\"|[^\">]++)*))>(?: +(.*))?\Z"
_PATHS = {word: re.compile(f"(?i:{word}){_PATH}") for word in ("FROM", "TO")}
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")  # RFC 3461 section 4
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLUS_HEX = re.compile(r"\+([0-9A-F]{2})")
_INTERVAL = re.compile(r"[1-9][0-9]{0,8}\Z")  # RFC 4865: nine digits, and not 0
_NOTIFY = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})


@dataclass(frozen=True, slots=True)
class Ehlo:
    """EHLO: the client's name and the wish for extensions (RFC 5321 section 4.1.1.1)."""

    name: str


@dataclass(frozen=True, slots=True)
class Helo:
    """HELO: the client's name, without extensions."""

    name: str


@light(frozen=True, slots=True)
class Mail:
    """MAIL: the reverse-path (None: the null one) and the parameters of the message (RFC 5321 section 4.1.1.2)."""

    reverse_path: Mailbox | None
    size: int | None = None  # octets, RFC 1870
    body: str | None = None  # 7BIT or 8BITMIME, RFC 6152
    smtputf8: bool = False  # RFC 6531
    ret: str | None = None  # FULL or HDRS, RFC 3461 section 4.3
    envid: str | None = None  # decoded
    auth: str | None = None  # decoded, RFC 4954 section 5
    requiretls: bool = False  # RFC 8689 section 2
    hold_for: int | None = None  # seconds, RFC 4865
    hold_until: float | None = None  # the time of mail, RFC 4865


@light(frozen=True, slots=True)
class Rcpt:
    """RCPT: one forward-path (RFC 5321 section 4.1.1.3). The bare `<postmaster>` is a mailbox with an empty domain."""

    recipient: Recipient


@dataclass(frozen=True, slots=True)
class Data:
    """DATA: the message comes next, if the server says 354."""


@dataclass(frozen=True, slots=True)
class EndOfData:
    """The final dot: no command, but what the reply to a whole message answers."""


@light(frozen=True, slots=True)
class Bdat:
    """BDAT: a chunk of so many octets follows this line (RFC 3030 section 2)."""

    size: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Rset:
    """RSET: the transaction is dropped."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP: nothing is asked but a reply."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT: the session is to end."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """VRFY: asks whether a user exists."""

    text: str


@dataclass(frozen=True, slots=True)
class Expn:
    """EXPN: asks who is on a list."""

    text: str


@dataclass(frozen=True, slots=True)
class Help:
    """HELP: asks what the server can do."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS: the session goes on under TLS (RFC 3207)."""


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH: the client says who it is (RFC 4954 section 4). `initial` is still in base64."""

    mechanism: str
    initial: str | None = None


Command = (
    Ehlo | Helo | Mail | Rcpt | Data | EndOfData | Bdat | Rset | Noop | Quit | Vrfy | Expn | Help | StartTls | Auth
)


@dataclass(frozen=True, slots=True)
class BadSyntax:
    """A line that is not a command, and the reply to it; `foreign`: what it is if another protocol's, for the log."""

    reply: Reply
    foreign: str = ""


def parse_command(line: bytes) -> Command | BadSyntax:
    """Read one command line, without its CRLF, by the whole grammar. Never raises."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return _bad(500, "5.5.2 the command is neither ASCII nor UTF-8")
    if _CONTROL.search(text):
        return _bad(500, "5.5.2 a control character in a command")
    verb, _, rest = text.partition(" ")
    parser = _PARSERS.get(verb.upper())
    return parser(rest.strip(" ")) if parser else _bad(500, "5.5.1 unknown command")


def encode_xtext(text: str) -> str:
    """Text as xtext: what is not printable ASCII, and `+` and `=`, in hexadecimal (RFC 3461 section 4)."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


def decode_xtext(text: str) -> str | None:
    """The text that xtext stands for, None if it is none."""
    if not _XTEXT.match(text):
        return None
    return _PLUS_HEX.sub(lambda found: chr(int(found.group(1), 16)), text)


def _format_mail(mail: Mail) -> str:
    path = mail.reverse_path
    text = f"MAIL FROM:<{path.text}>" if path else "MAIL FROM:<>"
    if mail.size is not None:
        text += f" SIZE={mail.size}"
    if mail.body is not None:
        text += f" BODY={mail.body}"
    if mail.ret is not None:
        text += f" RET={mail.ret}"
    if mail.envid is not None:
        text += f" ENVID={encode_xtext(mail.envid)}"
    if mail.auth is not None:
        text += f" AUTH={encode_xtext(mail.auth) or '<>'}"
    if mail.requiretls:
        text += " REQUIRETLS"
    if mail.hold_for is not None:
        text += f" HOLDFOR={mail.hold_for}"
    if mail.hold_until is not None:
        text += f" HOLDUNTIL={format_date_time(mail.hold_until)}"
    return f"{text} SMTPUTF8" if mail.smtputf8 else text


def _format_rcpt(rcpt: Rcpt) -> str:
    recipient = rcpt.recipient
    mailbox = recipient.mailbox
    text = f"RCPT TO:<{mailbox.text}>" if mailbox.domain else f"RCPT TO:<{mailbox.local}>"
    if recipient.notify:
        text += f" NOTIFY={','.join(sorted(recipient.notify))}"
    if recipient.orcpt is not None:
        kind, _, address = recipient.orcpt.partition(";")
        text += f" ORCPT={kind};{encode_xtext(address)}"
    return text


def _format_auth(auth: Auth) -> str:
    return f"AUTH {auth.mechanism}" + ("" if auth.initial is None else f" {auth.initial or '='}")


WORDS: dict[type[Command], bytes] = {
    Data: b"DATA\r\n",
    EndOfData: b".\r\n",
    Rset: b"RSET\r\n",
    Quit: b"QUIT\r\n",
    StartTls: b"STARTTLS\r\n",
}
"""Commands that are always the same line."""

FORMATS: dict[type[Command], Callable[[Any], str]] = {
    Mail: _format_mail,
    Rcpt: _format_rcpt,
    Bdat: lambda bdat: f"BDAT {bdat.size} LAST" if bdat.last else f"BDAT {bdat.size}",
    Ehlo: lambda ehlo: f"EHLO {ehlo.name}",
    Helo: lambda helo: f"HELO {helo.name}",
    Noop: lambda noop: f"NOOP {noop.text}".rstrip(),
    Vrfy: lambda vrfy: f"VRFY {vrfy.text}".rstrip(),
    Expn: lambda expn: f"EXPN {expn.text}".rstrip(),
    Help: lambda wanted: f"HELP {wanted.text}".rstrip(),
    Auth: _format_auth,
}
"""The lines of all others, without CRLF."""


def _parse_mail(rest: str) -> Command | BadSyntax:
    found = _split_path(rest, "FROM")
    if isinstance(found, BadSyntax):
        return found
    path, parameters = found
    reverse_path = None if path == "" else _mailbox(path)
    if isinstance(reverse_path, BadSyntax):
        return reverse_path
    if not parameters:
        return Mail(reverse_path)
    if "HOLDFOR" in parameters and "HOLDUNTIL" in parameters:
        return _bad(501, "5.5.4 HOLDFOR and HOLDUNTIL exclude each other (RFC 4865)")
    fields: dict[str, object] = {}
    for name, value in parameters.items():
        read = _MAIL_VALUES.get(name)
        if read is None:
            return _bad(555, f"5.5.4 unknown parameter {name[:40]}")
        field = _MAIL_FIELDS.get(name) or name.lower()
        fields[field] = read(value)
        if fields[field] is None:
            return _bad(501, f"5.5.4 invalid value for {name}")
    return Mail(reverse_path, **fields)  # type: ignore[arg-type]  # each reader gives its field's type


def _parse_rcpt(rest: str) -> Command | BadSyntax:
    found = _split_path(rest, "TO")
    if isinstance(found, BadSyntax):
        return found
    path, parameters = found
    # RFC 5321 section 4.5.1: postmaster needs no domain
    mailbox = Mailbox(path, "") if path.lower() == "postmaster" else _mailbox(path)
    if isinstance(mailbox, BadSyntax):
        return mailbox
    notify: frozenset[str] = frozenset()
    orcpt = None
    for name, value in parameters.items():
        if name == "NOTIFY":
            notify = frozenset(value.upper().split(","))
            if not notify <= _NOTIFY or ("NEVER" in notify and len(notify) > 1):
                return _bad(501, "5.5.4 invalid value for NOTIFY")
        elif name == "ORCPT":
            kind, semicolon, text = value.partition(";")
            address = decode_xtext(text)
            if not (kind and semicolon and address):
                return _bad(501, "5.5.4 invalid value for ORCPT")
            orcpt = f"{kind};{address}"
        else:
            return _bad(555, f"5.5.4 unknown parameter {name[:40]}")
    return Rcpt(Recipient(mailbox, notify, orcpt))


def _split_path(rest: str, word: str) -> tuple[str, dict[str, str]] | BadSyntax:
    found = _PATHS[word].match(rest)
    if not found:
        return _bad(501, f"5.5.4 write {'MAIL' if word == 'FROM' else 'RCPT'} {word}:<mailbox>")
    path = found.group(1)
    if path.startswith("@"):  # a source route: accepted and ignored (RFC 5321 appendix C)
        path = path.partition(":")[2] or "@"  # without a mailbox it is none, and not the null sender
    parameters: dict[str, str] = {}
    for item in (found.group(2) or "").split():
        name, equals, value = item.partition("=")
        if equals and not value:  # RFC 5321 section 4.1.2: a value has a character at least
            return _bad(501, f"5.5.4 parameter {name[:40]} has no value behind its =")
        if name.upper() in parameters:
            return _bad(501, f"5.5.4 parameter {name[:40]} given twice")
        parameters[name.upper()] = value
    return path, parameters


def _mailbox(path: str) -> Mailbox | BadSyntax:
    mailbox = parse_mailbox(f"<{path}>")
    return _bad(553, f"5.1.3 {mailbox.why}") if isinstance(mailbox, Unreadable) else mailbox


def _size(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 20 else None  # RFC 1870 section 3


def _word(*allowed: str) -> Callable[[str], str | None]:
    return lambda value: value.upper() if value.upper() in allowed else None


_MAIL_VALUES: dict[str, Callable[[str], object]] = {
    "SIZE": _size,
    "BODY": _word("7BIT", "8BITMIME"),
    "SMTPUTF8": lambda value: True if value == "" else None,
    "RET": _word("FULL", "HDRS"),
    "ENVID": lambda value: decode_xtext(value) if 0 < len(value) <= 100 else None,
    "AUTH": lambda value: "" if value == "<>" else decode_xtext(value) or None,
    "REQUIRETLS": lambda value: True if value == "" else None,
    "HOLDFOR": lambda value: int(value) if _INTERVAL.match(value) else None,
    "HOLDUNTIL": parse_date_time,
}
_MAIL_FIELDS = {"HOLDFOR": "hold_for", "HOLDUNTIL": "hold_until"}


def _parse_hello(make: type[Ehlo | Helo]) -> Callable[[str], Command | BadSyntax]:
    def parse(rest: str) -> Command | BadSyntax:
        return make(rest) if rest and " " not in rest else _bad(501, "5.5.4 a host name is required")

    return parse


def _parse_bdat(rest: str) -> Command | BadSyntax:
    size, _, last = rest.partition(" ")
    octets = _size(size)
    if octets is None or last.upper() not in ("", "LAST"):
        return _bad(501, "5.5.4 Syntax: BDAT octets [LAST]")
    return Bdat(octets, last=bool(last))


def _parse_auth(rest: str) -> Command | BadSyntax:
    mechanism, _, initial = rest.partition(" ")
    if not mechanism or " " in initial:
        return _bad(501, "5.5.4 Syntax: AUTH mechanism [initial-response]")
    return Auth(mechanism.upper(), None if not initial else "" if initial == "=" else initial)


def _bare(make: type[Data | Rset | Quit | StartTls]) -> Callable[[str], Command | BadSyntax]:
    return lambda rest: _bad(501, "5.5.4 this command takes no parameters") if rest else make()


def _wants_text(make: type[Vrfy | Expn]) -> Callable[[str], Command | BadSyntax]:
    return lambda rest: make(rest) if rest else _bad(501, "5.5.4 a parameter is missing")


def _bad(code: int, text: str) -> BadSyntax:
    return BadSyntax(Reply(code, (text,)))


_PARSERS: dict[str, Callable[[str], Command | BadSyntax]] = {
    "EHLO": _parse_hello(Ehlo),
    "HELO": _parse_hello(Helo),
    "MAIL": _parse_mail,
    "RCPT": _parse_rcpt,
    "DATA": _bare(Data),
    "BDAT": _parse_bdat,
    "RSET": _bare(Rset),
    "NOOP": Noop,
    "QUIT": _bare(Quit),
    "VRFY": _wants_text(Vrfy),
    "EXPN": _wants_text(Expn),
    "HELP": Help,
    "STARTTLS": _bare(StartTls),
    "AUTH": _parse_auth,
}
