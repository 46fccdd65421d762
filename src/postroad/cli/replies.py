"""`simulate --replies`: several recipients of one message, each with its own reply from the best exchangers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from postroad.planning import Conditions, Records
    from postroad.views.json import Shape
    from postroad.views.text.recipients import RecipientFares
    from postroad.words.names import Address

Replies = Annotated[
    str | None,
    typer.Option(
        "--replies",
        metavar="CODE,CODE",
        help="How the best exchangers answer each recipient of one message: 250, 450 or 550.",
    ),
]

MOST = 100  # recipients: RFC 5321 section 4.5.3.1.8


def recipients_of(records: Records, view: Conditions, text: str | None) -> RecipientFares | None:
    """How recipients fare with each sender of the view; None if nobody asked.

    Raises:
        InputError: the replies are none that can be simulated.

    """
    if text is None:
        return None
    from postroad.simulation import Case, Mixed, fares
    from postroad.views.text.recipients import RecipientFares

    replies, servers = _replies(text), _best(records)
    by = {}
    for name, sender in view.mix.senders.items():
        mixed = Mixed(Case(records.snapshot, name, view.dns_order, view.down), servers, replies)
        by[name] = (sender, fares(mixed, sender))
    return RecipientFares(servers, replies, by)


def _replies(text: str) -> tuple[int, ...]:
    from postroad.simulation import REPLIES
    from postroad.words.inputs import InputError

    words = [word.strip() for word in text.split(",")]
    if not all(word in {str(code) for code in REPLIES} for word in words):
        known = ", ".join(str(code) for code in REPLIES)
        raise InputError(f"--replies {text!r}: write one of {known} for each recipient, as in 250,450,550")
    if len(words) > MOST:
        raise InputError(f"--replies: {len(words)} recipients; the limit here is {MOST}")
    return tuple(map(int, words))


def _best(records: Records) -> frozenset[Address]:
    """The addresses of the lowest preference."""
    least = min((each.preference for each in records.places), default=0)
    return frozenset(each.address for each in records.places if each.preference == least)


def recipients_shape(told: RecipientFares | None) -> Shape:
    """What --json has of it beside the rest: nothing where it was not asked for."""
    from postroad.views.json import recipients_shape

    return {"recipients": recipients_shape(told)} if told else {}
