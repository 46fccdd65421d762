"""Who runs an exchanger, judging by its name: a known provider, else the domain it is in."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from postroad.words.names import registered


@dataclass(frozen=True, slots=True)
class Provider:
    """A mail provider of `providers.toml`: `kind` is one-mx, filter or mailboxes; `source` was read on `read`."""

    name: str
    hosts: tuple[str, ...]
    kind: str
    source: str
    read: date


@cache
def providers() -> tuple[Provider, ...]:
    """The known providers."""
    text = files("postroad.rules").joinpath("providers.toml").read_text("utf-8")
    return tuple(Provider(**{**row, "hosts": tuple(row["hosts"])}) for row in tomllib.loads(text)["provider"])


@cache
def _by_host() -> dict[str, Provider]:
    return {host: provider for provider in providers() for host in provider.hosts}


def provider_of(exchange: str) -> Provider | None:
    """The known provider of an exchanger: the one of the longest suffix of its name."""
    known, name = _by_host(), exchange
    while name and name not in known:
        name = name.partition(".")[2]
    return known.get(name)


def operator_of(exchange: str) -> str:
    """Who runs it, for people and to compare: the provider's name, else the registered domain as the name suggests."""
    provider = provider_of(exchange)
    return provider.name if provider else registered(exchange)
