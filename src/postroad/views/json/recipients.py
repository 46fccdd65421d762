"""What happens to several recipients of one message, as JSON."""

from __future__ import annotations

from typing import TypedDict

from postroad.simulation import Fare
from postroad.views.text.recipients import RecipientFares


class FareJson(TypedDict):
    """How one recipient fares."""

    reply: int
    outcome: dict[str, float]
    accepted: dict[str, float]


class FaresJson(TypedDict):
    """How the recipients of one sender fare."""

    sender: str
    alone: bool
    told: str
    recipients: list[FareJson]


class RecipientsJson(TypedDict):
    """Several recipients of one message, whom the best exchangers answer one by one."""

    servers: list[str]
    replies: list[int]
    results: list[FaresJson]


def recipients_shape(told: RecipientFares) -> RecipientsJson:
    """`postroad simulate --replies --json`: beside the rest."""
    return {
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


def _fare_shape(fare: Fare) -> FareJson:
    return {
        "reply": fare.reply,
        "outcome": {result.value: float(share) for result, share in fare.outcome.items()},
        "accepted": {str(address): float(share) for address, share in fare.accepted.items() if share},
    }
