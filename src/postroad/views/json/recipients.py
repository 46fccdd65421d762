"""How several recipients of one message fare, as JSON."""

from __future__ import annotations

from postroad.simulation.recipients import Fare
from postroad.views.json.shape import Shape
from postroad.views.text.recipients import Recipients


def recipients_shape(told: Recipients) -> Shape:
    """`postroad simulate --replies --json`: beside the rest."""
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


def _fare_shape(fare: Fare) -> Shape:
    return {
        "reply": fare.reply,
        "outcome": {result.value: float(share) for result, share in fare.outcome.items()},
        "accepted": {str(address): float(share) for address, share in fare.accepted.items() if share},
    }
