"""Mail on its way out (floor 4): thin loops that do what `routing` decides and say what `smtp` asks.

Rule 1: no decision is taken here. Who is tried next is the Walk's, what is legal to say is the Client's.
Rule 2: whatever the network does ends as an Outcome with its scope; nothing is raised for it.

Stops: `settings` (names, limits and times), `session` (one SMTP session over one stream), `attempt` (one message along
one Plan: races connections, drives the session of the winner, keeps the trail).
"""

from postroad.deliver.attempt import Job, attempt
from postroad.deliver.session import Message
from postroad.deliver.settings import DeliverSettings, Timeouts, opportunistic_tls

__all__ = ["DeliverSettings", "Job", "Message", "Timeouts", "attempt", "opportunistic_tls"]
