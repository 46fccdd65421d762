"""The settings that `sendmail` needs, read in a few milliseconds if possible, else in full.

A file is read here if it says nothing unusual in what is read. Whatever else it says, and what is wrong with it, is for
the full reading to find, which takes a tenth of a second more: so no error is written twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postroad.config.finding import MOST, find
from postroad.config.unset import own_place
from postroad.config.values import (
    HOLD_S,
    LOOPBACK,
    MESSAGE_SIZE,
    RESERVE,
    SMTP_PORT,
    read_address,
    read_domain,
    read_duration,
    read_host,
    read_path,
    read_pattern,
    read_size,
    read_targets,
    usual_spool,
)
from postroad.files import read_text
from postroad.words.names import Address, Unreadable
from postroad.words.toml import parse_toml

if TYPE_CHECKING:
    from postroad.config.model import Config
    from postroad.rewrite import Rewriting

Table = Mapping[str, Any]

TABLES = frozenset(
    {
        "hostname",
        "own",
        "drain",
        "spool",
        "listen",
        "tls",
        "relay",
        "rewrite",
        "dkim",
        "aliases",
        "limits",
        "timeouts",
        "deliver",
    }
    | {"retry", "dns", "route", "tls_report", "metrics", "log", "check"}
)
"""All there are; a test holds them to the model."""


@dataclass(frozen=True, slots=True)
class ListenBrief:
    """The parts of a `[[listen]]` table that are read early."""

    address: Address = LOOPBACK
    port: int = SMTP_PORT
    tls: str = "none"


@dataclass(frozen=True, slots=True)
class DkimBrief:
    """The `[dkim]` table, read early."""

    keys: Path | None = None
    subdomains: bool = False
    canonicalization: str = "relaxed/relaxed"
    valid: float = 0.0


@dataclass(frozen=True, slots=True)
class AliasesBrief:
    """The aliases, read early."""

    table: Mapping[str, tuple[str, ...]]
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class RouteBrief:
    """The destinations of a `[[route]]` table, read early."""

    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Brief:
    """The few settings that `sendmail` needs, read without the rest."""

    hostname: str | None
    own: Sequence[str | Address]
    spool: Path | str  # the URL of a database
    reserve: int
    message_size: int
    hold: float  # seconds
    listen: Sequence[ListenBrief]
    dkim: DkimBrief
    aliases: AliasesBrief
    route: Sequence[RouteBrief]
    rewriting: Rewriting | None = None


def load_brief(path: Path | None = None) -> Brief:
    """Some of the settings in a file; None is the file that `find` has, and without any all have their defaults.

    Raises:
        InputError: it cannot be read, or is wrong: the text names the file, the key, and how to fix it.

    """
    path = path or find()
    text = "" if path is None else read_text(path, MOST)
    tables = parse_toml(text) if isinstance(text, str) else text
    if not isinstance(tables, Unreadable) and (tables or path is None):
        try:
            brief = _plain(tables, path.absolute().parent if path else Path())
            own = own_place() if path is None else None
            return replace(brief, spool=own.spool, listen=(ListenBrief(port=own.port),)) if own else brief
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
    from postroad.config.loading import load  # noqa: PLC0415  # the whole, if need be

    return brief_of(load(path))


def brief_of(config: Config) -> Brief:
    """The same of settings that are read."""
    from postroad.config.identity import named  # noqa: PLC0415  # as below
    from postroad.config.rewrite import rewriting_of  # noqa: PLC0415  # of settings that are read in full

    return Brief(
        config.hostname,
        config.own,
        config.spool.place,
        config.spool.reserve,
        config.limits.message_size,
        config.limits.hold,
        tuple(ListenBrief(each.address, each.port, each.tls) for each in config.listen),
        DkimBrief(config.dkim.keys, config.dkim.subdomains, config.dkim.canonicalization, config.dkim.valid),
        AliasesBrief(config.aliases.table, config.aliases.file),
        tuple(RouteBrief(each.domains) for each in config.route),
        rewriting_of(config.rewrite, config.relay.senders, named(config.hostname)),
    )


def _plain(tables: Table, folder: Path) -> Brief:
    """Of a file that says nothing unusual; some error of another one."""
    if not tables.keys() <= TABLES:
        raise KeyError
    spool, limits, hostname = _table(tables, "spool"), _table(tables, "limits"), tables.get("hostname")
    if not spool.keys() <= {"path", "reserve", "history", "node"}:
        raise KeyError
    return Brief(
        None if hostname is None else read_domain(hostname),
        tuple(read_host(each) for each in _list(tables, "own")),
        read_path(spool["path"], folder) if "path" in spool else usual_spool(),
        read_size(spool.get("reserve", RESERVE)),
        read_size(limits.get("message_size", MESSAGE_SIZE)),
        read_duration(limits.get("hold", HOLD_S)),
        tuple(_ports(tables)) if "listen" in tables else (ListenBrief(),),
        _signing(_table(tables, "dkim"), folder),
        _names(_table(tables, "aliases"), folder),
        tuple(
            RouteBrief(tuple(read_pattern(name) for name in _list(each, "domains"))) for each in _list(tables, "route")
        ),
        _rewriting(tables, None if hostname is None else read_domain(hostname)),
    )


def _rewriting(tables: Table, hostname: str | None) -> Rewriting | None:
    rewrite, allowed = _table(tables, "rewrite"), _table(tables, "relay").get("senders", [])
    if not (rewrite or allowed):
        return None
    from postroad.config.identity import named  # noqa: PLC0415  # where something is rewritten
    from postroad.config.senders import plain_rewriting  # noqa: PLC0415  # as above

    return plain_rewriting(rewrite, allowed, named(hostname))


def _ports(tables: Table) -> Iterator[ListenBrief]:
    for each in _list(tables, "listen"):
        port, tls = each.get("port", SMTP_PORT), each.get("tls", "none")
        if type(port) is not int or not 0 < port < 2**16 or tls not in ("none", "starttls", "implicit"):
            raise ValueError
        if not each.keys() <= {"address", "port", "tls"}:
            raise KeyError
        yield ListenBrief(read_address(each["address"]) if "address" in each else LOOPBACK, port, tls)


def _signing(dkim: Table, folder: Path) -> DkimBrief:
    """Of a table with nothing but a folder of keys."""
    if not dkim.keys() <= {"keys"}:
        raise KeyError
    return DkimBrief(read_path(dkim["keys"], folder)) if dkim else DkimBrief()


def _names(aliases: Table, folder: Path) -> AliasesBrief:
    table = {name.lower(): read_targets(value) for name, value in aliases.items() if name != "file"}
    if not all(name and "@" not in name and targets for name, targets in table.items()):
        raise ValueError
    if len(table) + ("file" in aliases) < len(aliases):
        raise ValueError
    return AliasesBrief(table, read_path(aliases["file"], folder) if "file" in aliases else None)


def _table(tables: Table, name: str) -> Table:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise TypeError
    return table


def _list(table: Table, name: str) -> list[Any]:
    items = table.get(name, [])
    if not isinstance(items, list):
        raise TypeError
    return items
