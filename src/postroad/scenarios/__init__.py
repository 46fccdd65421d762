"""Delivery scenarios as folders (floor 6): read, rehearsed, performed in the lab, forecast; and the demo.

Rule 1: the three tell the same story, or something is wrong: one routing code decides for all.

Stops: `folder` (a story as anyone can read it), `takes` (each of its seeds, three times), `demo` (the reference set-ups
with hundreds of messages over the wire), `cluster` (several relays on one PostgreSQL, one of them
killed), `database` (of its own, and who cleans up), `situations` (by which senders are told apart), `trying` (a sender
is watched in them), `fitting` (what it did as the fields of its file).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.scenarios.cluster import ClusterRun, NodeRun, NodeState, outcome, perform_cluster
    from postroad.scenarios.database import DemoDatabase
    from postroad.scenarios.demo import DemoRun, best, perform
    from postroad.scenarios.fitting import ModelDifference, ModelLikeness, SenderTrial, address_text, describe_sender
    from postroad.scenarios.folder import Scenario, ScenarioError, load_scenario, story
    from postroad.scenarios.situations import SITUATIONS, Situation
    from postroad.scenarios.takes import ScenarioRun, stage
    from postroad.scenarios.trying import Tried, TryOptions, TryProgress, TrySeen, try_sender

__getattr__, __dir__ = door(
    __name__,
    cluster="ClusterRun NodeRun NodeState outcome perform_cluster",
    database="DemoDatabase",
    demo="DemoRun best perform",
    fitting="ModelDifference ModelLikeness SenderTrial address_text describe_sender",
    folder="Scenario ScenarioError load_scenario story",
    situations="SITUATIONS Situation",
    takes="ScenarioRun stage",
    trying="Tried TryOptions TryProgress TrySeen try_sender",
)
