"""Who runs an exchanger, judging by its name: a known provider, else the domain it is in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from postroad.words.names import Unreadable, registered

_NOT_IN_A_KEY = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Provider:
    """A mail provider of `providers.toml`: `kind` is one-mx, filter or mailboxes; `source` was read on `read`."""

    name: str
    hosts: tuple[str, ...]
    kind: str
    source: str
    read: date
    company: str = ""


@cache
def providers() -> tuple[Provider, ...]:
    """The known providers."""
    import tomllib  # noqa: PLC0415  # 8 ms, for who asks for a provider

    text = files("postroad.words").joinpath("providers.toml").read_text("utf-8")
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


def provider_key(name: str) -> str:
    """A provider as settings name it: `microsoft-365` for Microsoft 365."""
    return _NOT_IN_A_KEY.sub("-", name.lower()).strip("-")


@cache
def provider_keys() -> dict[str, frozenset[str]]:
    """What settings may call providers, each with the providers' names: a company stands for all that it runs."""
    keys: dict[str, frozenset[str]] = {}
    for each in providers():
        for key in filter(None, (provider_key(each.name), each.company)):
            keys[key] = keys.get(key, frozenset()) | {each.name}
    return dict(sorted(keys.items()))


def parse_provider(text: str) -> str | Unreadable:
    """The key of a provider that somebody named: in any case, with blanks or hyphens."""
    key, known = provider_key(text), provider_keys()
    if key in known:
        return key
    from difflib import get_close_matches  # noqa: PLC0415  # only for a slip

    near = get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"the known ones are {', '.join(known)}"
    return Unreadable(text, f"not a known provider; {hint}")
