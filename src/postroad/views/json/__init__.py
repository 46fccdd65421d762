"""The JSON every command prints with --json: documented in docs/reference/json.md, versioned, keys in snake_case.

A new key may appear in a version; a key that goes or changes its meaning makes a new version.

Stops: `shape` (the version), `route`, `lookup`, `attempt` (of `send`, and of every other that has one), `queue`,
`settings`, `findings`, `simulation` (simulate, compare, setups, advise), `recipients`, `senders`, `scenes` (demo and
lab).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.views.json.attempt import attempt_shape, send_shape
    from postroad.views.json.lookup import lookup_shape
    from postroad.views.json.queue import explain_shape, queue_shape, stats_shape, story_shape, trace_shape
    from postroad.views.json.route import route_shape
    from postroad.views.json.settings import config_shape
    from postroad.views.json.shape import VERSION, Shape

__getattr__ = door(
    __name__,
    attempt="attempt_shape send_shape",
    lookup="lookup_shape",
    queue="explain_shape queue_shape stats_shape story_shape trace_shape",
    route="route_shape",
    settings="config_shape",
    shape="VERSION Shape",
)
