"""What any sender will do with a set of MX records (floor 1), before anyone touches DNS.

Rule 1: pure, and exact where it can be: chances are fractions, by reasoning about classes of alike servers, not by
listing orders; where it cannot be, trials with a seed and their intervals.
Rule 2: a sender is data (how it chooses, what makes it go on, how long it waits), and says where that is known from.
Rule 3: the facts are those of `routing` (a Snapshot): what is true for a delivery is true for its simulation.

Stops: `nouns` (what is asked and answered), `model` (a sender as data), `senders` (those known by name, and mixes),
`reading` (one's own, from TOML), `plans` and `arrange` (facts -> levels of hosts of contacts), `orders` (orders not
drawn, with their chances), `steps` (one attempt), `shares` (exact forecasts), `paths` (single ways),
`trials` (Monte-Carlo for what only time shows).
"""

from postroad.simulation.model import Sender
from postroad.simulation.nouns import Blend, Case, DnsOrder, Example, Forecast, Questions, Step
from postroad.simulation.reading import OwnSenders, read_senders
from postroad.simulation.senders import MIXES, SENDERS
from postroad.simulation.shares import blend, forecast

__all__ = [
    "MIXES",
    "SENDERS",
    "Blend",
    "Case",
    "DnsOrder",
    "Example",
    "Forecast",
    "OwnSenders",
    "Questions",
    "Sender",
    "Step",
    "blend",
    "forecast",
    "read_senders",
]
