"""What a domain publishes of TLS, and who of the senders enforces it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from postroad.planning import Scorecard
from postroad.words.phrasebook import listing


def enforced(card: Scorecard) -> Iterator[str]:
    """A sentence for the MTA-STS policy, and one for TLSA records."""
    published, senders = card.records.snapshot.published, card.mix.senders.items()
    if published and published.sts and published.sts.mode == "enforce":
        yield f"The MTA-STS policy is enforced by {_whom(card, [name for name, each in senders if each.sts])}."
    if published and published.dane:
        whom = _whom(card, [name for name, each in senders if each.dane])
        yield f"The TLSA records of {listing(published.dane)} are enforced by {whom}."


def _whom(card: Scorecard, names: list[str]) -> str:
    """Some senders and their part of the mail, as far as plausible weights go."""
    if not names:
        return "none of these senders"
    part = card.mix.range(dict.fromkeys(names, Fraction(1)))
    whole = f"the mix {card.mix.name}" if card.mix.name else "mail"
    return f"{listing(names)} ({part} of {whole})" if part.high else listing(names)
