"""The record that says where TLS reports go (RFC 8460 section 3): one strict reader, for checks and for reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from postroad.words.mail import Mailbox, parse_mailbox
from postroad.words.names import Unreadable, cut, parse_domain

REPORT_RECORD_BEGINS = "v=TLSRPTv1;"
MOST_READERS = 10
"""A stranger writes the list, and each of them costs us a delivery."""

HTTPS_PORT = 443

_DELIMITER = re.compile(r"[ \t]*;[ \t]*")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_EXTENSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[\x21-\x3a\x3c\x3e-\x7e]+\Z")
_URI = re.compile(r"[\x21-\x7e]+\Z")  # what a request line and a header field can have


@dataclass(frozen=True, slots=True)
class HttpsPlace:
    """Where reports are posted to: a host, its port, and the path with its query."""

    host: str
    port: int
    path: str

    def __str__(self) -> str:
        port = "" if self.port == HTTPS_PORT else f":{self.port}"
        return f"https://{self.host}{port}{self.path}"


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """Where a domain wants its TLS reports: mailboxes and places, in the order given.

    `why_not` says why nothing goes anywhere; `skipped` has what was passed over, a sentence each.
    """

    mailboxes: tuple[Mailbox, ...] = ()
    places: tuple[HttpsPlace, ...] = ()
    why_not: str = ""
    skipped: tuple[str, ...] = ()

    @property
    def readers(self) -> frozenset[str]:
        """Who gets the reports, for a comparison with another record."""
        return frozenset((*map(str, self.mailboxes), *map(str, self.places)))


def read_report_records(texts: Iterable[str]) -> ReportRecord:
    """The TXT records of `_smtp._tls`. Those that are no TLSRPT record are discarded; one must be left."""
    records = [text for text in texts if text.startswith(REPORT_RECORD_BEGINS)]
    if len(records) != 1:
        found = (
            f"there are {len(records)} TLS reporting records"
            if records
            else f'no record begins with "{REPORT_RECORD_BEGINS}"'
        )
        return ReportRecord(why_not=found)
    uris: list[str] = []
    fields = _DELIMITER.split(records[0].rstrip(" \t"))
    for field in fields[1:-1] if fields[-1] == "" else fields[1:]:
        if field.startswith("rua="):  # there may be several
            uris += _COMMA.split(field.removeprefix("rua="))
        elif not _EXTENSION.match(field):  # others are ignored, if they are fields at all
            return ReportRecord(why_not=f"{cut(field)!r} is not a field: write NAME=VALUE between semicolons")
    if not uris:
        return ReportRecord(why_not="it has no rua=mailto:... or rua=https://...")
    return _of(uris)


def _of(uris: list[str]) -> ReportRecord:
    mailboxes: dict[Mailbox, None] = {}
    places: dict[HttpsPlace, None] = {}
    skipped = []
    for found in (found for uri in uris for found in _read(uri)):
        if isinstance(found, str):
            skipped.append(found)
        elif len(mailboxes) + len(places) >= MOST_READERS:
            skipped.append(f"{cut(str(found))} is more than {MOST_READERS} addresses")
        elif isinstance(found, Mailbox):
            mailboxes.setdefault(found)
        else:
            places.setdefault(found)
    why_not = "" if mailboxes or places else f"none of its addresses can be used: {skipped[0]}"
    return ReportRecord(tuple(mailboxes), tuple(places), why_not, tuple(skipped))


def _read(uri: str) -> Iterator[Mailbox | HttpsPlace | str]:
    """Where a URI leads, or why it is passed over."""
    if not _URI.match(uri) or "!" in uri:
        yield f"{cut(uri)!r} is not a URI: a comma is written as %2C, a semicolon as %3B, an exclamation mark as %21"
        return
    try:
        parts = urlsplit(uri)
        if parts.scheme == "mailto":
            yield from _mailboxes(uri, parts)
        elif parts.scheme == "https":
            yield _place(uri, parts)
        else:
            yield f"{cut(uri)!r} is neither mailto: nor https:"
    except ValueError:  # brackets or a port that are none
        yield f"{cut(uri)!r} is not a URI"


def _mailboxes(uri: str, parts: SplitResult) -> Iterator[Mailbox | str]:
    """A mailto URI may have several addresses, and fields of a header, which are none of our business (RFC 6068)."""
    if parts.netloc or not parts.path:
        yield f"{cut(uri)!r} has no address: write mailto:user@domain"
        return
    for text in unquote_to_bytes(parts.path).decode("ascii", "replace").split(","):
        found = parse_mailbox(text)
        if isinstance(found, Unreadable) or not isinstance(found.domain, str) or found.needs_smtputf8:
            yield f"{cut(uri)!r} has no address that mail can be sent to"
        else:
            yield found


def _place(uri: str, parts: SplitResult) -> HttpsPlace | str:
    host = parse_domain(parts.hostname or "")
    if isinstance(host, Unreadable) or "@" in parts.netloc:
        return f"{cut(uri)!r} has no host name that reports can be posted to"
    port = HTTPS_PORT if parts.port is None else parts.port
    if not port:
        return f"{cut(uri)!r} has no port that can be used"
    return HttpsPlace(host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
