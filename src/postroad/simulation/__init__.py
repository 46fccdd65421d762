"""What any sender will do with a set of MX records (floor 1), before anyone touches DNS.

Rule 1: pure, and exact where it can be: chances are fractions, by reasoning about classes of alike servers, not by
listing orders; where it cannot be, trials with a seed and their intervals.
Rule 2: a sender is data (the room `senders`); here is only what such data mean.
Rule 3: the facts are those of `routing` (a Snapshot): what is true for a delivery is true for its simulation.

Stops: `nouns` (what is asked and answered), `plans` and `arrange` (facts -> levels of hosts of contacts), `orders`
(orders not drawn, with their chances), `steps` (one attempt), `shares` (exact forecasts), `paths` (single ways),
`trials` (Monte-Carlo for what only time shows).
"""

from postroad.senders import MIXES, SENDERS, Sender
from postroad.simulation.nouns import Blend, Case, DnsOrder, Example, Forecast, Questions, Step
from postroad.simulation.shares import blend, forecast

__all__ = [
    "MIXES",
    "SENDERS",
    "Blend",
    "Case",
    "DnsOrder",
    "Example",
    "Forecast",
    "Questions",
    "Sender",
    "Step",
    "blend",
    "forecast",
]
