"""One attempt, contact by contact."""

from __future__ import annotations

from postroad.words.outcome import Phase
from postroad.words.phrasebook import seconds
from postroad.words.tls import TlsLevel
from postroad.words.trail import Contact


def contact_line(contact: Contact) -> str:
    """One address contacted: `+  250 ms  mail2.example.com [192.0.2.12]  delivered in 12 ms: 250 ok`."""
    is_one = contact.word not in ("delivered", "unused") and len(contact.answers) == 1
    phase = f" at {contact.phase}" if is_one else ""
    took = seconds((contact.ended_ms - contact.started_ms) / 1000)
    if contact.phase is Phase.POLICY:
        return f"  +{contact.started_ms:5.0f} ms  {contact.target}  passed over: {contact.said}"
    how = f" ({contact.proof.how})" if contact.proof and contact.proof.level is TlsLevel.PROVEN else ""
    secured = f" over {contact.tls}{how}" if contact.tls else ""
    ended = f"{contact.word}{phase} in {took}{secured}"
    return f"  +{contact.started_ms:5.0f} ms  {contact.target}  {ended}: {contact.said}"
