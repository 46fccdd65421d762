"""Postfix's main.cf and master.cf as they are read: names that stand for others, tables, ports (postconf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from postroad.adopt.draft import Read, Values, logical, pairs
from postroad.adopt.hops import port_of

LOOPBACK = "127.0.0.1"
DEEPEST = 20  # names within names, before it is taken for a circle
OF_TEXT = frozenset({"", "hash", "lmdb", "btree", "texthash", "cdb", "dbm"})  # made from a file of text beside them
_FIELDS = 8  # of a service, before its arguments
_FIRST = "smtp inet n - y - - smtpd"


@dataclass(frozen=True, slots=True)
class CfLine:
    """What a setting says, and where."""

    value: str
    where: str


class MainCf:
    """The settings of main.cf by name; `read` reads whatever else they name."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self.lines: Mapping[str, CfLine] = {
            name.strip(): CfLine(value.strip(), f"main.cf:{number}")
            for number, line in logical(read("main.cf") or "")
            for name, mark, value in [line.partition("=")]
            if mark
        }

    def value(self, name: str) -> str:
        """What a setting says in the end; empty if it is not there."""
        line = self.lines.get(name)
        return self.expanded(line.value) if line else ""

    def expanded(self, text: str, depth: int = 0) -> str:
        """With `$name`, `${name}` and `$(name)` replaced by what they stand for."""

        def value(found: re.Match[str]) -> str:
            line = self.lines.get(found[1] or found[2] or found[3])
            return self.expanded(line.value, depth + 1) if line and depth < DEEPEST else ""

        return re.sub(r"\$(?:\{(\w+)\}|\((\w+)\)|(\w+))", value, text)

    def table(self, value: str) -> tuple[list[tuple[str, str, str]], str | None]:
        """The entries of tables of text, each with its place; and why some of them are missing."""
        entries, missing = [], []
        for name in value.replace(",", " ").split():
            kind, _, place = name.rpartition(":")
            text = self.read(place) if kind in OF_TEXT else None
            if text is None:
                missing.append(name)
            else:
                entries += [(f"{place}:{number}", key, target) for number, key, target in pairs(text)]
        return entries, f"{' '.join(missing)} cannot be read as a table of text" if missing else None


def listens(cf: MainCf) -> Iterator[Values]:
    """The ports of master.cf, at the addresses of `inet_interfaces`: each a table of the settings."""
    for _number, line in logical(cf.read("master.cf") or _FIRST):
        words = line.split()
        if len(words) < _FIELDS or words[1] != "inet" or words[_FIELDS - 1] not in {"smtpd", "postscreen"}:
            continue
        host, _, service = words[0].rpartition(":")
        port, options = port_of(service), " ".join(words[_FIELDS:]).replace(" ", "")
        for address in [host.strip("[]")] if host else _everywhere(cf):
            if port is not None:
                where = LOOPBACK if address == "localhost" else address
                yield {"address": where, "port": port, "tls": _tls(cf, options)}


def _everywhere(cf: MainCf) -> list[str]:
    known = {"all": ["0.0.0.0", "::"], "loopback-only": [LOOPBACK]}  # what "all" means
    interfaces = cf.value("inet_interfaces") or "all"
    addresses = known.get(interfaces) or [each.strip("[]") for each in re.split(r"[,\s]+", interfaces)]
    return [each for each in addresses if ":" not in each] if cf.value("inet_protocols") == "ipv4" else addresses


def _tls(cf: MainCf, options: str) -> str:
    if "smtpd_tls_wrappermode=yes" in options:
        return "implicit"
    own = re.search(r"smtpd_tls_security_level=(\w+)", options)
    level = own[1] if own else cf.value("smtpd_tls_security_level")
    return "starttls" if level in {"may", "encrypt"} and cf.value("smtpd_tls_cert_file") else "none"
