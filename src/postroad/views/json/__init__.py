"""The JSON every command prints with --json: documented in docs/reference/json.md, versioned, keys in snake_case.

A new key may appear in a version; a key that goes or changes its meaning makes a new version.

Stops: `shape` (the version, and how exact numbers are), `schema` (all of them, as JSON Schema), `route`, `dropped`
(what it leaves out), `lookup`, `attempt` (of `send`, and of every other that has one), `queue`, `settings`, `findings`,
`simulation` (simulate, compare, setups, advise), `planned` (what those are made of), `tls` (demands and proofs),
`protection` (of `tls`), `spools` (health, migration, move), `tls_reports`, `recipients`, `senders`, `dkim` (keys and
their records), `scenes` (demo and lab), `errors`.
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.views.json.attempt import attempt_shape, send_shape
    from postroad.views.json.dkim import checked_keys_shape, keys_shape, rotation_shape
    from postroad.views.json.errors import error_shape
    from postroad.views.json.findings import rule_shape, rules_shape
    from postroad.views.json.lookup import HostJson, LookupJson, lookup_shape
    from postroad.views.json.protection import protection_shape
    from postroad.views.json.queue import (
        bounce_shape,
        change_shape,
        content_shape,
        explain_shape,
        queue_shape,
        stats_shape,
        story_shape,
        trace_shape,
    )
    from postroad.views.json.recipients import recipients_shape
    from postroad.views.json.route import route_shape
    from postroad.views.json.scenes import (
        arrival_shape,
        cluster_shape,
        demo_shape,
        faults_shape,
        lab_shape,
        trial_shape,
        up_shape,
        words_shape,
    )
    from postroad.views.json.senders import sender_shape, senders_shape
    from postroad.views.json.settings import config_shape, import_shape, problems_shape, user_shape
    from postroad.views.json.shape import VERSION, Shape, rounded
    from postroad.views.json.simulation import advice_shape, comparison_shape, setups_shape, simulate_shape
    from postroad.views.json.spools import health_shape, migration_shape, moved_shape
    from postroad.views.json.tls_reports import tls_reports_shape

__getattr__, __dir__ = door(
    __name__,
    attempt="attempt_shape send_shape",
    dkim="checked_keys_shape keys_shape rotation_shape",
    errors="error_shape",
    findings="rule_shape rules_shape",
    lookup="HostJson LookupJson lookup_shape",
    protection="protection_shape",
    queue="bounce_shape change_shape content_shape explain_shape queue_shape stats_shape story_shape trace_shape",
    recipients="recipients_shape",
    route="route_shape",
    scenes="arrival_shape cluster_shape demo_shape faults_shape lab_shape trial_shape up_shape words_shape",
    senders="sender_shape senders_shape",
    settings="config_shape import_shape problems_shape user_shape",
    shape="VERSION Shape rounded",
    simulation="advice_shape comparison_shape setups_shape simulate_shape",
    spools="health_shape migration_shape moved_shape",
    tls_reports="tls_reports_shape",
)
