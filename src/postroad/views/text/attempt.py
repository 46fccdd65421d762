"""One attempt, contact by contact."""

from __future__ import annotations

from postroad.words.phrasebook import seconds
from postroad.words.trail import Contact


def contact_line(contact: Contact) -> str:
    """One address contacted: `+  250 ms  mail2.example.com [192.0.2.12]  delivered in 12 ms: 250 ok`."""
    is_one = contact.word not in ("delivered", "unused") and len(contact.answers) == 1
    phase = f" at {contact.phase}" if is_one else ""
    took = seconds((contact.ended_ms - contact.started_ms) / 1000)
    secured = f" over {contact.tls}" if contact.tls else ""
    ended = f"{contact.word}{phase} in {took}{secured}"
    return f"  +{contact.started_ms:5.0f} ms  {contact.target}  {ended}: {contact.said}"
