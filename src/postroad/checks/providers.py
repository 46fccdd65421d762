"""Who runs an exchanger, as far as its name tells: known providers, else the domain it stands in."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from postroad.words.names import is_within, registered


@dataclass(frozen=True, slots=True)
class Provider:
    """A row of `providers.toml`: `kind` is one-mx, filter or mailboxes; `source` was read on `read`."""

    name: str
    hosts: tuple[str, ...]
    kind: str
    source: str
    read: date


@cache
def providers() -> tuple[Provider, ...]:
    """The known providers."""
    text = files("postroad.checks").joinpath("providers.toml").read_text("utf-8")
    return tuple(Provider(**{**row, "hosts": tuple(row["hosts"])}) for row in tomllib.loads(text)["provider"])


def provider_of(exchange: str) -> Provider | None:
    """The known provider of an exchanger."""
    known = (each for each in providers() if any(is_within(exchange, host) for host in each.hosts))
    return next(known, None)


def operator_of(exchange: str) -> str:
    """Who runs it, for people and to compare: the provider's name, else the registered domain as the name suggests."""
    provider = provider_of(exchange)
    return provider.name if provider else registered(exchange)
