"""Delivery scenarios as folders (floor 6): read, rehearsed, performed in the lab, forecast; and the demo.

Rule 1: the three tell the same story, or something is wrong: one routing code decides for all.

Stops: `folder` (a story as anyone can read it), `takes` (each of its seeds, three times), `demo` (the reference set-ups
with hundreds of messages over the wire), `cluster` (several relays on one PostgreSQL, one of them
killed), `database` (of its own, and who cleans up).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.scenarios.cluster import ClusterRun, NodeRun, NodeState, outcome, perform_cluster
    from postroad.scenarios.database import DemoDatabase
    from postroad.scenarios.demo import DemoRun, best, perform
    from postroad.scenarios.folder import Scenario, ScenarioError, load_scenario, story
    from postroad.scenarios.takes import ScenarioRun, stage

__getattr__, __dir__ = door(
    __name__,
    cluster="ClusterRun NodeRun NodeState outcome perform_cluster",
    database="DemoDatabase",
    demo="DemoRun best perform",
    folder="Scenario ScenarioError load_scenario story",
    takes="ScenarioRun stage",
)
