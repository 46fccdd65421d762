"""A message as programs submit it: its sender and recipients, and the message made ready to send. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from postroad.receive import format_date
from postroad.smtp import NUL, canonical
from postroad.words.addresslist import addresses_in
from postroad.words.inputs import InputError, readable
from postroad.words.mail import Mailbox
from postroad.words.names import cut

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")  # RFC 5322 section 2.2, with the blanks of its section 4.5.8
_STRAY = re.compile(rb"\r(?![\r\n])(?!\Z)")  # CRs before an LF are of a line end, be it made twice
_MBOX_FROM = re.compile(rb"(?:>*From [^\n]*\n)+")  # how a mailbox file separates messages; some programs send it along
# What `surrogateescape` makes of octets that are no UTF-8: harmless in a name, but not in an address
_ATOMS = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")  # RFC 5322 section 3.2.3, with blanks: a name without quotes
_UNDECODED = re.compile("[\ud800-\udfff]")

_TO = ("to", "cc", "bcc")
_RESENT_TO = ("resent-to", "resent-cc", "resent-bcc")
_ADDRESSED = frozenset(
    f"{again}{name}" for again in ("", "resent-") for name in ("from", "sender", "reply-to", "to", "cc")
)
_HIDDEN = ("bcc", "resent-bcc")


@dataclass(frozen=True, slots=True)
class Origin:
    """The local user who hands a message over, where and when."""

    hostname: str
    user: str
    uid: int
    full_name: str
    id: str
    at: float


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as submitted: its header fields, each whole with its folds, and the rest from the empty line.

    `had_stray_cr`: the header had a CR that ends no line.
    """

    fields: tuple[bytes, ...]
    rest: bytes
    had_stray_cr: bool = False

    def has(self, *names: str) -> bool:
        """Whether there is a field of one of these names, which are in lower case."""
        return any(_name(field) in names for field in self.fields)

    @property
    def shown(self) -> bytes:
        """The message without the fields that say who gets a blind copy."""
        return b"".join([*(field for field in self.fields if _name(field) not in _HIDDEN), self.rest])

    def sender(self) -> str:
        """The address of Sender, else of From; of a message sent anew, of Resent-Sender or Resent-From.

        Raises:
            InputError: there is none, or it cannot be known which one is meant.

        """
        again = "resent-" if self.has("resent-from") else ""
        for name in (f"{again}sender", f"{again}from"):
            if found := self._addresses(name):
                break
        else:
            raise InputError("there is no address in From; add one, or give sender (None: bounces go nowhere)")
        if len(found) > 1:  # RFC 5322 section 3.6.2: then Sender has to say who sends it
            raise InputError(f"{name.title()} has {len(found)} addresses; add a Sender field, or give sender")
        return found[0]

    def recipients(self) -> list[str]:
        """The addresses of To, Cc and Bcc; of a message sent anew, of the Resent- fields (RFC 5322 section 3.6.6).

        Raises:
            InputError: it cannot be known who is meant.

        """
        return self._addresses(*(_RESENT_TO if self.has(*_RESENT_TO) else _TO))

    def _addresses(self, *names: str) -> list[str]:
        if self.had_stray_cr:
            raise InputError(
                "the header has a CR inside a line, so addresses cannot be read from it; end lines with LF"
            )
        return addresses_named(_text(field) for field in self.fields if _name(field) in names)


def parse_draft(octets: bytes) -> Draft:
    """Take a message apart. What does not begin like a header has none; where a header stops being one, text begins."""
    octets = octets.replace(NUL, b"")  # before names are read: what is sent must be what was read
    text = _MBOX_FROM.sub(b"", octets, count=1) if _MBOX_FROM.match(octets) else octets
    fields: list[list[bytes]] = []
    place = 0
    while place < len(text):
        end = text.find(b"\n", place) + 1 or len(text)
        # A stray CR must not become CRLF as it does in the text: the header that is sent would have a field that was
        # not read for recipients. RFC 5322 section 2.2 has no CR in a field; a blank stands for it, as with Postfix.
        line = text[place:end].rstrip(b"\r\n").replace(b"\r", b" ")
        if fields and line[:1] in (b" ", b"\t"):
            fields[-1].append(line)
        elif _NAME.match(line):
            fields.append([line])
        else:
            break
        place = end
    head, rest = text[:place], canonical(text[place:])
    whole = tuple(b"".join(line + b"\r\n" for line in field) for field in fields)
    rest = rest if rest.endswith(b"\r\n") or not rest else rest + b"\r\n"
    return Draft(whole, rest if rest.startswith(b"\r\n") else b"\r\n" + rest, bool(_STRAY.search(head)))


def finish_draft(draft: Draft, origin: Origin, sender: Mailbox | None) -> bytes:
    """The message to be sent: with what it lacks (RFC 6409 section 8), and nothing of who else gets a blind copy.

    A name without a domain is a user of this machine, in the header too: cron writes `From: root (Cron Daemon)`, which
    is nobody's address anywhere else, and is refused there. Postfix completes it for mail of its own machine.
    """
    fields = [_with_domains(field, origin.hostname) for field in draft.fields if _name(field) not in _HIDDEN]
    return b"".join([*_added(draft, origin, sender), *fields, draft.rest])


def addresses_named(texts: Iterable[str]) -> list[str]:
    """The addresses in texts such as `Name <user@host>, other@host`.

    Raises:
        InputError: a text has a beginning without an end, or an address is no UTF-8: nobody can say who is meant.

    """
    found = [address for text in texts for address in readable(addresses_in(text))]
    for address in found:
        if _UNDECODED.search(address):
            shown = ascii(cut(address)).replace("\\udc", "\\x")  # the octets, as they stand in the file
            raise InputError(f"{shown}: the address is not valid UTF-8; write it in UTF-8 or ASCII")
    return found


def qualified(addresses_: Collection[str], hostname: str) -> list[str]:
    """A name without a domain is a user of this machine."""
    return [address if "@" in address else f"{address}@{hostname}" for address in addresses_]


def _added(draft: Draft, origin: Origin, sender: Mailbox | None) -> Iterator[bytes]:
    date = format_date(int(origin.at))
    yield (
        f"Received: by {origin.hostname} (Postroad, from userid {origin.uid})\r\n\tid {origin.id}; {date}\r\n"
    ).encode()
    if not draft.has("date"):
        yield f"Date: {date}\r\n".encode()
    if not draft.has("message-id"):
        yield f"Message-ID: <{origin.id}@{origin.hostname}>\r\n".encode()
    if not draft.has("from"):
        address = str(sender) if sender else f"{origin.user}@{origin.hostname}"
        yield b"From: " + _person(origin.full_name, address).encode() + b"\r\n"


def _person(full_name: str, address: str) -> str:
    """A name and an address; a name that would break the line is left out, as is a name beside a non-ASCII address."""
    if not address.isascii():
        return f"<{address}>"
    name = full_name if full_name.isprintable() else ""
    if _ATOMS.fullmatch(name):
        return f"{name} <{address}>" if name else address
    from email.utils import formataddr  # noqa: PLC0415  # for names that need quotes, or are not ASCII

    return formataddr((name, address))


def _with_domains(field: bytes, hostname: str) -> bytes:
    """A field with a domain in each of its addresses; one that cannot be read stays as it is."""
    if _name(field) not in _ADDRESSED or all(b"@" in part for part in field.split(b",")):  # nearly all there are
        return field
    from postroad.rewrite import address_spans  # noqa: PLC0415  # for few

    name, colon, octets = field.partition(b":")
    value = octets.decode("latin-1").removesuffix("\r\n")
    for span in reversed(address_spans(value) or ()):
        if "@" not in span.text:
            value = f"{value[: span.end]}@{hostname}{value[span.end :]}"
    return name + colon + value.encode("latin-1") + b"\r\n"


def _name(field: bytes) -> str:
    return field.partition(b":")[0].rstrip().decode("ascii").lower()


def _text(field: bytes) -> str:
    return field.partition(b":")[2].decode("utf-8", "surrogateescape").replace("\r\n", " ").strip()
