"""`simulate --replies`: several recipients of one message, whom the best exchangers answer one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli import screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from postroad.planning.mix import View
    from postroad.planning.records import Records
    from postroad.senders import Sender
    from postroad.simulation.recipients import Fare
    from postroad.words.names import Address

Replies = Annotated[
    str | None,
    typer.Option(
        "--replies",
        metavar="CODE,CODE",
        help="What the exchangers of the best preference answer the recipients of one message: 250, 450 or 550.",
    ),
]

MOST = 100  # recipients: RFC 5321 section 4.5.3.1.8


@dataclass(frozen=True, slots=True)
class Recipients:
    """What was asked, and how each recipient fares by sender."""

    servers: frozenset[Address]
    replies: tuple[int, ...]
    by: Mapping[str, tuple[Sender, tuple[Fare, ...]]]


def recipients_of(records: Records, view: View, text: str | None) -> Recipients | None:
    """How recipients fare with each sender of the view; None if nobody asked.

    Raises:
        InputError: the replies are none that can be simulated.

    """
    if text is None:
        return None
    from postroad.simulation.nouns import Case
    from postroad.simulation.recipients import Mixed, fares

    replies, servers = _replies(text), _best(records)
    by = {}
    for name, sender in view.mix.senders.items():
        mixed = Mixed(Case(records.snapshot, name, view.dns_order, view.down), servers, replies)
        by[name] = (sender, fares(mixed, sender))
    return Recipients(servers, replies, by)


def _replies(text: str) -> tuple[int, ...]:
    from postroad.simulation.recipients import REPLIES
    from postroad.words.inputs import InputError

    words = [word.strip() for word in text.split(",")]
    if not all(word in {str(code) for code in REPLIES} for word in words):
        known = ", ".join(str(code) for code in REPLIES)
        raise InputError(f"--replies {text!r}: write one of {known} for each recipient, as in 250,450,550")
    if len(words) > MOST:
        raise InputError(f"--replies: {len(words)} recipients; a message has {MOST} at most here")
    return tuple(map(int, words))


def _best(records: Records) -> frozenset[Address]:
    """The addresses of the lowest preference."""
    least = min((each.preference for each in records.places), default=0)
    return frozenset(each.address for each in records.places if each.preference == least)


def print_recipients(out: screen.Screen, told: Recipients | None) -> None:
    """A line for each sender: what becomes of each recipient; and who does not return the refused at once."""
    if told is None:
        return
    from postroad.cli.sender_text import TOLD
    from postroad.senders.model import Told

    servers = ", ".join(sorted(map(str, told.servers)))
    out.line()
    out.line(f"Recipients of one message, answered {', '.join(map(str, told.replies))} by {servers}", style="bold")
    heads = ("sender", *(str(reply) for reply in told.replies))
    rows = [(name, *(_fare(fare, told.servers) for fare in fares)) for name, (_sender, fares) in told.by.items()]
    out.table(screen.Table(heads, rows))
    for name, (sender, _fares) in told.by.items():
        if sender.recipients.told is not Told.AT_ONCE:
            out.line(f"With {name}, {TOLD[sender.recipients.told]}.")


def _fare(fare: Fare, servers: frozenset[Address]) -> str:
    """As in "delivered by 192.0.2.2", "waits" or "returned"; with their chances where there are several."""
    from fractions import Fraction

    from postroad.planning.phrases import percent
    from postroad.words.outcome import Result

    elsewhere = {address: share for address, share in fare.accepted.items() if share and address not in servers}
    nothing = Fraction(0)
    parts = [("delivered", sum((fare.accepted[each] for each in servers & fare.accepted.keys()), nothing))]
    parts += [(f"delivered by {address}", share) for address, share in elsewhere.items()]
    parts += [("waits", fare.outcome.get(Result.DEFERRED, nothing))]
    parts += [("returned", fare.outcome.get(Result.FAILED, nothing))]
    certain = [(words, share) for words, share in parts if share]
    if len(certain) == 1:
        return certain[0][0]
    return ", ".join(f"{words} {percent(share)}" for words, share in certain) or "-"


def recipients_shape(told: Recipients | None) -> dict[str, Any]:
    """The same for `--json`."""
    if told is None:
        return {}
    return {
        "recipients": {
            "servers": sorted(map(str, told.servers)),
            "replies": list(told.replies),
            "results": [
                {
                    "sender": name,
                    "alone": sender.recipients.alone,
                    "told": sender.recipients.told.value,
                    "recipients": [_fare_shape(fare) for fare in fares],
                }
                for name, (sender, fares) in told.by.items()
            ],
        }
    }


def _fare_shape(fare: Fare) -> dict[str, Any]:
    return {
        "reply": fare.reply,
        "outcome": {result.value: float(share) for result, share in fare.outcome.items()},
        "accepted": {str(address): float(share) for address, share in fare.accepted.items() if share},
    }
