"""Where evidence comes from: live DNS, zone files, saved look-ups."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postroad.build import build_policy, check_servers, paced_resolver, policy_fetch, servers_of
from postroad.dns import (
    DNS_PORT,
    CacheSettings,
    ServerAddress,
    ZoneResolver,
)
from postroad.examine.evidence import Sources
from postroad.examine.survey import Survey
from postroad.examine.visit import SMTP_PORT, ProbeSettings
from postroad.files import read_text
from postroad.gather import UnreadableFactsError, read_lookup
from postroad.net import host_name
from postroad.rules import FileLine
from postroad.words.inputs import InputError
from postroad.words.names import Address, Unreadable
from postroad.words.snapshot import Snapshot

ONE_RUN = CacheSettings(longest_s=7 * 86400, trouble_s=600, as_they_came=True, max_answers=50_000, max_records=100_000)
"""A run looks at one moment: what was asked once is not asked again, trouble included.

Hosts that many domains share are used again and again, and so outlive the answers about single domains, however long
the list is. A host is the same for the last domain as for the first: its TTL has not run down, its order is the same.
"""

FETCH_S = 20.0  # RFC 8461 section 3.3 suggests one minute; a checker is waited for


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The caller's choice of sources. Another `port` than 25 is for tests: loopback is a target then."""

    zones: ZoneResolver | None = None
    snapshots: Sequence[Path] = ()
    resolvers: Sequence[str] = ()
    smtp: bool = False
    deep: bool = False
    port: int = SMTP_PORT
    dns_port: int = DNS_PORT
    controls: Sequence[Address] = ()
    per_second: float = 0.0  # questions to the name servers; 0: as fast as they answer
    quick: bool = False
    allow_loopback: bool = False


def build_sources(choice: SourceOptions) -> Sources:
    """The sources for one run.

    Raises:
        InputError: a file or a server cannot be used.

    """
    saved = {snapshot.domain: snapshot for snapshot in map(read_snapshot, choice.snapshots)}
    in_lab = choice.allow_loopback or choice.port != SMTP_PORT or choice.dns_port != DNS_PORT
    policy = build_policy("rfc5321", allow_loopback=in_lab)
    survey = _survey(choice) if choice.smtp or choice.deep else None
    if choice.zones:
        check_servers(choice.resolvers)
        zones = choice.zones
        return Sources(
            zones, time.time, lines=_lines(zones), saved=saved, survey=survey, fetch_by=None, policy=policy,
            is_thorough=not choice.quick,
        )  # fmt: skip
    servers = _servers(choice)
    return Sources(
        paced_resolver(servers, choice.per_second, ONE_RUN) if servers else None,
        time.time,
        servers[0] if servers else None,
        choice.dns_port,
        saved=saved,
        survey=survey,
        fetch_by=policy_fetch(timeout_s=FETCH_S, allow_loopback=in_lab),
        policy=policy,
        is_thorough=not choice.quick,
    )


def read_snapshot(path: Path) -> Snapshot:
    """What `postroad lookup --json` saved.

    Raises:
        InputError: the file cannot be read, or has something else.

    """
    text = read_text(path)
    if isinstance(text, Unreadable):
        raise InputError(f"{path}: {text.why}")
    try:
        return read_lookup(json.loads(text))
    except (UnreadableFactsError, ValueError, RecursionError) as problem:
        raise InputError(f"{path}: {problem}") from None


def _servers(choice: SourceOptions) -> tuple[ServerAddress, ...]:
    """Whom to ask; nobody, where there is nobody and saved look-ups say enough."""
    try:
        return servers_of(choice.resolvers)
    except InputError:
        if choice.resolvers or not choice.snapshots:
            raise
        return ()


def _lines(zones: ZoneResolver) -> tuple[FileLine, ...]:
    lines = zones.zone_data.lines
    return tuple(FileLine(each.owner, each.kind, each.value, each.file, each.number, each.ttl_s) for each in lines)


def _survey(choice: SourceOptions) -> Survey:
    settings = ProbeSettings(host_name() or "postroad.invalid", choice.port, deep=choice.deep)
    return Survey(settings, choice.controls)
