"""Settings as they are taken over from another mail system: each with the line it comes from, and what was left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from postroad.words.inputs import quoted
from postroad.words.visible import visible

Read = Callable[[str], str | None]
"""The text of a file of the other system by its name in the settings; None if there is none that we may read."""

Values = dict[str, Any]

NO_MAILBOXES = "Postroad has no mailboxes: list in [aliases] who reads mail for names of this machine"

SECRET = "smarthost-password"  # noqa: S105  # the name of its file
NOTHING = "Postroad has no equivalent"
NO_TEXT = "it has characters that are no UTF-8 text; write it by hand"
NO_TLS = "it got the password in the clear; here only a server with a valid certificate gets it, by TLS"
UNKNOWN = "the password is not known here: write it into {file}"


@dataclass(frozen=True, slots=True)
class Left:
    """Something that was not taken over: where it stands, what it says, and what to do about it."""

    where: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.why}"


@dataclass(slots=True)
class Adoption:
    """Settings taken over from another mail system, as far as they are known.

    `origins` has, for a table and key, the line that the value comes from.
    """

    tables: dict[str, Values] = field(default_factory=dict)
    lists: dict[str, list[tuple[Values, str]]] = field(default_factory=dict)
    origins: dict[tuple[str, str], str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)

    def set(self, table: str, key: str, value: object, origin: str) -> None:
        """A key of a table; `""` is the table above all others."""
        if not _is_text(key, value):
            self.leave(origin, key if _is_text(key) else "a name", NO_TEXT)
            return
        self.tables.setdefault(table, {})[key] = value
        self.origins[table, key] = origin

    def add(self, name: str, values: Values, origin: str) -> None:
        """One more table of a list: `route`, `listen`."""
        if not _is_text(*values.values()):
            self.leave(origin, name, NO_TEXT)
            return
        self.lists.setdefault(name, []).append((values, origin))

    def relay_for(self, listed: Iterable[str], origin: str) -> None:
        """The networks that may relay; those that are none, and those that are everybody, are named."""
        networks = []
        for each in listed:
            if not re.fullmatch(r"[0-9a-fA-F.:]+(/\d+)?", each):
                self.leave(origin, quoted(each), "write the networks that it means into relay.networks by hand")
            elif re.search(r"/0+\Z", each):
                self.leave(origin, each, "it lets everybody who can connect relay: write who may into relay.networks")
            else:
                networks.append(each)
        self.set("relay", "networks", networks, origin)

    def leave(self, where: str, what: str, why: str) -> None:
        """Name what is not taken over."""
        self.left.append(Left(where, what, why))

    def password(self, user: str, password: str | None, folder: str) -> Values:
        """The `auth` of a route; the password itself becomes a file of its own, if it is known.

        Settings never show it, and neither does what is said of what was left.
        """
        file = SECRET
        if password is not None and self.secrets.setdefault(file, password) != password:
            file = f"{SECRET}-{len(self.secrets) + 1}"
            self.secrets[file] = password
        return {"user": user, "password_file": f"{folder}/{file}"}

    def toml(self, system: str) -> str:
        """The settings as a file, each key with the line it comes from."""
        return "\n".join(
            [
                f"# Taken over from {visible(system)}. `postroad config check` says what is wrong with it.",
                *self._lines(),
                "",
            ]
        )

    def _lines(self) -> Iterator[str]:
        for name in sorted(self.tables, key=lambda each: (each != "", "." in each)):
            yield from ("",) if not name else ("", f"[{name}]")
            for key, value in self.tables[name].items():
                yield f"{_key(key)} = {_value(value)}  # {visible(self.origins[name, key])}"
        for name, entries in self.lists.items():
            for values, origin in entries:
                yield from (
                    "",
                    f"[[{name}]]  # {visible(origin)}",
                    *(f"{_key(key)} = {_value(value)}" for key, value in values.items()),
                )


def _is_text(*values: object) -> bool:
    """Whether they can stand in a file of settings."""
    written = "".join(map(_value, values))
    return not re.search(r"[\ud800-\udfff\x7f-\x9f]", written)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def seconds(text: str, unit: str = "s") -> int | None:
    """A time as other systems write it: `5`, `300s`, `5m`, `4h`, `5d`, `1w`; None if it is none."""
    found = re.fullmatch(r"(\d+)\s*([smhdw]?)", text.strip().lower())
    sizes = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return int(found[1]) * sizes[found[2] or unit] if found else None


def span(total: int) -> str:
    """Seconds as the settings have them: `5d`, `90s`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if total and total % size == 0:
            return f"{total // size}{unit}"
    return f"{total}s"


def pairs(text: str) -> Iterator[tuple[int, str, str]]:
    """The lines of a table `key value`, with their numbers; comments and empty lines left out, continuations joined."""
    for number, line in logical(text):
        key, _, value = line.replace("\t", " ").partition(" ")
        yield number, key, value.strip()


def logical(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines as Postfix has them: a line that begins with a blank goes on with the one before (postconf(5))."""
    start, joined = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and joined:
            joined += " " + line.strip()
            continue
        if joined:
            yield start, joined
        start, joined = number, line.strip()
    if joined:
        yield start, joined


def said(name: str, value: str) -> str:
    """A setting of the other system, as a report quotes it."""
    return f"{name} = {quoted(value)}"
