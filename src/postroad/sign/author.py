"""Whose domain signs a message: that of its author, as its header says."""

from __future__ import annotations

from postroad.sign.fields import Fields
from postroad.words.addresslist import places_in
from postroad.words.mail import parse_mailbox
from postroad.words.names import AddressLiteral, Unreadable


def author_domain(fields: Fields) -> str | Unreadable:
    """The domain of From; where that names several people, of Sender (RFC 5322 section 3.6.2). Or why there is none."""
    found = _one(fields, "From")
    if isinstance(found, Unreadable) or len(found) == 1:
        return found if isinstance(found, Unreadable) else _domain(found[0])
    sender = _one(fields, "Sender") if b"sender" in fields else []
    if isinstance(sender, Unreadable):
        return sender
    if len(sender) != 1:
        return Unreadable("From", "it has several addresses, and no Sender says which of them signs")
    return _domain(sender[0])


def _one(fields: Fields, name: str) -> list[str] | Unreadable:
    """The addresses of a field that is there once: of two, one reader shows the first and another the last."""
    there = fields.get(name.lower().encode(), [])
    if len(there) != 1:
        return Unreadable(name, "there are several of these fields" if there else "there is no such field")
    addresses = places_in(there[0][2].replace(b"\r\n", b"").decode("utf-8", "surrogateescape"))
    if isinstance(addresses, Unreadable):
        return Unreadable(name, f"its addresses cannot be read: {addresses.why}")
    return addresses or Unreadable(name, "it has no address")


def _domain(address: str) -> str | Unreadable:
    mailbox = parse_mailbox(address)
    if isinstance(mailbox, Unreadable):
        return mailbox
    domain = mailbox.domain
    return Unreadable(address, "its domain is an address") if isinstance(domain, AddressLiteral) else domain
