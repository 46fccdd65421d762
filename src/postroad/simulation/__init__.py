"""What any sender will do with a set of MX records (floor 1), before anyone touches DNS.

Rule 1: pure, and exact where it can be: chances are fractions, by reasoning about classes of alike servers, not by
listing orders; where it cannot be, trials with a seed and their intervals.
Rule 2: a sender is data (how it chooses, what makes it go on, how long it waits), and says where that is known from.
Rule 3: the facts are those of `routing` (a Snapshot): what is true for a delivery is true for its simulation.

Stops: `nouns` (what is asked and answered).
"""

from postroad.simulation.nouns import Case, DnsOrder, Example, Forecast, Questions, Step

__all__ = ["Case", "DnsOrder", "Example", "Forecast", "Questions", "Step"]
