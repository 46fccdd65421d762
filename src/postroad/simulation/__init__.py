"""What any sender will do with a set of MX records (floor 1), before anyone touches DNS.

Rule 1: pure, and exact where it can be: chances are fractions, by reasoning about classes of alike servers, not by
listing orders; where it cannot be, trials with a seed and their intervals.
Rule 2: a sender is data (the room `models`); here is only what such data mean.
Rule 3: the facts are those of `routing` (a Snapshot): what is true for a delivery is true for its simulation.

Stops: `case` (what is asked and answered), `servers` (all that a domain has, whoever uses it), `contacts` (who is
found), `enforcing` (what senders demand of TLS there), `plans` and `arrange` (facts -> levels of hosts of contacts),
`likeness` (what need not be told apart), `limits` (those that may be met), `orders` (orders not drawn, with their
chances), `steps` (one attempt), `shares` (exact forecasts), `products` (sums of them), `paths` (single ways), `ranges`
(what is sure of a mix), `recipients` (several, answered one by one), `own` (our own sender, which is no model),
`trials` (Monte-Carlo for what only time shows).
"""

from typing import TYPE_CHECKING

from postroad.models import MIXES, SENDERS, Sender
from postroad.simulation.case import Case, DeliveryWaits, DnsOrder, Example, Forecast, Questions, Step
from postroad.simulation.plans import FoundExchangers, MadeExchangers, exchanges, named_address
from postroad.simulation.products import sum_of_products
from postroad.simulation.shares import blend, forecast
from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.simulation.enforcing import demands_of, left_out, unmet
    from postroad.simulation.paths import every_way
    from postroad.simulation.ranges import RANGES, Range, range_of
    from postroad.simulation.recipients import REPLIES, Fare, Mixed, fares
    from postroad.simulation.servers import addresses_named, as_given, places

__getattr__, __dir__ = door(
    __name__,
    enforcing="demands_of left_out unmet",
    paths="every_way",
    ranges="RANGES Range range_of",
    recipients="Fare Mixed REPLIES fares",
    servers="addresses_named as_given places",
)
