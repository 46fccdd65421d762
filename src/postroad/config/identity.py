"""Who this machine is according to its settings: its name, and who gets mail for its own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from postroad.files import trusted_text
from postroad.net import host_name
from postroad.routing import (
    EVERYTHING,
    LOCALHOST,
    Alias,
    Aliases,
    by_domain,
    parse_aliases,
    parse_target,
    pick,
    resolve_aliases,
)
from postroad.spool import NODE
from postroad.words.inputs import InputError
from postroad.words.names import Address, Unreadable


class ConfiguredRoute(Protocol):
    """The destinations of a route in the settings."""

    @property
    def domains(self) -> tuple[str, ...]: ...  # noqa: D102  # said above


class SpoolName(Protocol):
    """The `[spool]` table as far as identity needs it."""

    @property
    def node(self) -> str | None: ...  # noqa: D102  # see config.SpoolTable

    @property
    def url(self) -> str | None: ...  # noqa: D102  # see config.SpoolTable


class AliasNames(Protocol):
    """The `[aliases]` table as far as identity needs it."""

    @property
    def table(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102  # see config.Aliases

    @property
    def file(self) -> Path | None: ...  # noqa: D102  # see config.Aliases


class Identity(Protocol):
    """The settings that say who this machine is, common to Config and Brief."""

    @property
    def hostname(self) -> str | None: ...  # noqa: D102  # see config.Config

    @property
    def own(self) -> Sequence[str | Address]: ...  # noqa: D102  # see config.Config

    @property
    def aliases(self) -> AliasNames: ...  # noqa: D102  # see config.Config

    @property
    def route(self) -> Sequence[ConfiguredRoute]: ...  # noqa: D102  # see config.Config


def hostname_of(config: Identity) -> str:
    """Who we say we are."""
    return named(config.hostname)


def named(hostname: str | None) -> str:
    """The name in the settings, else that of the machine."""
    return hostname or host_name() or "localhost.localdomain"


def aliases_of(config: Identity) -> Aliases:
    """The aliases of the settings and of the file they name, with what they lead to.

    A domain that a route is for is not ours alone: the machine may be called as the domain whose mail is elsewhere.

    Raises:
        InputError: the file cannot be read, or an alias leads nowhere.

    """
    routed = by_domain(config.route)
    routed.pop(EVERYTHING, None)
    own = {hostname_of(config), host_name(), *(each for each in config.own if isinstance(each, str))} - {""}
    file = config.aliases.file
    try:
        table = parse_aliases(_text(file), f"aliases.file: {file}") if file else {}
        for name, targets in config.aliases.table.items():
            table[name] = Alias(tuple(map(parse_target, targets)), f"aliases.{name}")
        return resolve_aliases(table, (name for name in own | LOCALHOST if pick(routed, name) is None))
    except ValueError as problem:
        raise InputError(str(problem)) from None


def _text(path: Path) -> str:
    text = trusted_text(path)
    if isinstance(text, Unreadable):
        raise InputError(f"aliases.file: {path} {text.why_and('choose a text file that this user may read')}")
    return text


class SharedSpool(Protocol):
    """The settings that name a relay among others."""

    @property
    def hostname(self) -> str | None: ...  # noqa: D102  # see config.Config

    @property
    def spool(self) -> SpoolName: ...  # noqa: D102  # see config.Config


def node_of(config: SharedSpool) -> str:
    """The name of a relay among those that share its spool: in a database there are others, in a folder hardly."""
    return config.spool.node or (NODE if config.spool.url is None else named(config.hostname))
