"""How a changed settings file affects a running relay: which keys apply at SIGHUP, which after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from postroad.config import Config

AT_RELOAD = frozenset({
    "hostname", "own", "drain", "route", "aliases",
    "listen",  # ports are opened and closed; what else changes of a port that stays waits for a restart
    "tls.certificate", "tls.key",
    "relay.networks", "relay.users", "relay.auth_in_clear_on_loopback", "relay.complete_headers", "relay.senders",
    "rewrite.senders", "rewrite.headers", "rewrite.always_bcc", "rewrite.fixed",
    "dkim.keys", "dkim.subdomains", "dkim.canonicalization", "dkim.valid",
    "limits.message_size", "limits.recipients", "limits.hops", "limits.connections", "limits.connections_per_client",
    "limits.messages_per_connection", "limits.messages_per_minute", "limits.errors", "limits.idle_commands",
    "limits.auth_failures", "limits.auth_failures_per_minute", "limits.memory", "limits.hold",
    "timeouts.command", "timeouts.block", "timeouts.tls", "timeouts.session", "timeouts.least_rate",
    "deliver.concurrency", "deliver.concurrency_per_address",
    "deliver.reuse", "deliver.reuse_idle", "deliver.reuse_messages", "deliver.recipients_per_transaction",
    "deliver.stagger", "deliver.level_stagger", "deliver.connect_timeout",
    "deliver.source", "deliver.families", "deliver.tls", "deliver.mta_sts", "deliver.mta_sts_wait",
    "deliver.port", "deliver.allow_loopback",
    "retry.first", "retry.factor", "retry.longest", "retry.jitter", "retry.expiry", "retry.warn_after",
    "dns.resolvers", "dns.trust_ad", "dns.zones",
    "tls_report.enabled", "tls_report.sender", "tls_report.contact", "tls_report.organization",
    "log.format", "log.level", "log.level_prefix",
})  # fmt: skip
AT_RESTART = frozenset(
    {
        "spool.path",
        "spool.url",
        "spool.node",
        "spool.asynchronous",
        "spool.history",
        "spool.reserve",
        "metrics.listen",
    }
)
NOT_OF_A_RELAY = frozenset({"check.fail_on", "check.ignore", "check.controls", "check.accept"})


def values(section: BaseModel, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of the settings, as `table.key`, with its value; a list of tables is one, as is a table of any keys."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel) and value.model_config.get("extra") != "allow":
            yield from values(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def changed(before: Config, after: Config) -> list[str]:
    """The keys of a relay that have other values."""
    old = dict(values(before))
    return [key for key, value in values(after) if value != old[key] and key not in NOT_OF_A_RELAY]


def waiting(started: Config, now: Config) -> list[str]:
    """The keys whose values come into force at a restart only."""
    return [key for key in changed(started, now) if key in AT_RESTART]
