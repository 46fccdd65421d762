"""Postfix's main.cf and master.cf as they are read: names that stand for others, tables, ports (postconf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from postroad.adopt.draft import NOTHING, Read, Values, logical, pairs
from postroad.adopt.hops import port_of

LOOPBACK = "127.0.0.1"
LONGEST = 64 * 1024  # characters of a setting, once the names in it stand for something
OF_TEXT = frozenset({"", "hash", "lmdb", "btree", "texthash", "cdb", "dbm"})  # made from a file of text beside them
_FIELDS = 8  # of a service, before its arguments
_FIRST = "smtp inet n - y - - smtpd"
_NAME = re.compile(r"\$(?:\{(\w+)\}|\((\w+)\)|(\w+))")
_LOGIN = "here all who may relay may do so at every port; [relay] says who"
_OPTIONS = {  # of a service, that are taken over or change nothing here: Debian's own lines have them
    "syslog_name", "smtpd_tls_wrappermode", "smtpd_tls_security_level", "smtpd_tls_auth_only",
    "milter_macro_daemon_name", "smtpd_reject_unlisted_recipient", "local_header_rewrite_clients",
}  # fmt: skip


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
        self._known: dict[str, str | None] = {}

    def value(self, name: str) -> str:
        """What a setting says in the end; empty if it is not there."""
        return self._stands_for(name) or "" if name in self.lines else ""

    def expanded(self, text: str) -> str | None:
        """With `$name`, `${name}` and `$(name)` replaced by what they stand for; None if that is not known.

        Conditions as in `${name?value}` are not followed, and neither are circles.
        """
        parts, place = [], 0
        for found in _NAME.finditer(text):
            parts += [text[place : found.start()], self._stands_for(found[1] or found[2] or found[3])]
            place = found.end()
        parts.append(text[place:])
        if any(part is None or (at % 2 == 0 and "$" in part) for at, part in enumerate(parts)):
            return None
        whole = "".join(part or "" for part in parts)
        return whole if len(whole) <= LONGEST else None

    def _stands_for(self, name: str) -> str | None:
        if name not in self._known:
            self._known[name] = None  # as long as it is not known what it stands for: a circle never is
            line = self.lines.get(name)
            self._known[name] = self.expanded(line.value) if line else self._default(name)
        return self._known[name]

    def _default(self, name: str) -> str | None:
        """What Postfix sets itself, as far as it can be known without it."""
        if name == "mydomain":
            return (self._stands_for("myhostname") or "").partition(".")[2] or None
        return "." if name == "config_directory" else None

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
    for _where, words, options in _services(cf):
        host, _, service = words[0].rpartition(":")
        port = port_of(service)
        for address in [host.strip("[]")] if host else _everywhere(cf):
            if port is not None:
                where = LOOPBACK if address == "localhost" else address
                yield {"address": where, "port": port, "tls": _tls(cf, options)}


def odd_services(cf: MainCf) -> Iterator[tuple[str, str, str]]:
    """What master.cf says of its services and is not taken over: where, what and why."""
    for where, words, options in _services(cf):
        if port_of(words[0].rpartition(":")[2]) is None:
            yield where, words[0], "the number of its port is not known here; write a [[listen]] for it by hand"
        for name, value in options.items():
            if name not in _OPTIONS and value:
                yield where, f"-o {name}", _LOGIN if name.endswith(("_restrictions", "auth_enable")) else NOTHING
    for where, words, options in _services(cf, "unix", ("smtp", "lmtp")):
        for name in options.keys() - _OPTIONS:
            yield where, f"{words[0]} -o {name}", NOTHING


def _services(
    cf: MainCf, kind: str = "inet", programs: tuple[str, ...] = ("smtpd", "postscreen")
) -> Iterator[tuple[str, list[str], Mapping[str, str]]]:
    for number, line in logical(cf.read("master.cf") or _FIRST):
        words = line.split()
        if len(words) >= _FIELDS and words[1] == kind and words[_FIELDS - 1] in programs:
            said = " ".join(words[_FIELDS:])
            options = re.findall(r"-o\s+(?:\{\s*(\w+)\s*=\s*([^}]*?)\s*\}|(\w+)=(\S*))", said)
            yield f"master.cf:{number}", words, {it[0] or it[2]: it[1] or it[3] for it in options}


def _everywhere(cf: MainCf) -> list[str]:
    known = {"all": ["0.0.0.0", "::"], "loopback-only": [LOOPBACK]}  # what "all" means
    interfaces = cf.value("inet_interfaces")
    if not interfaces:  # one that cannot be followed is not "all"
        interfaces = "loopback-only" if "inet_interfaces" in cf.lines else "all"
    addresses = known.get(interfaces) or [each.strip("[]") for each in re.split(r"[,\s]+", interfaces)]
    return [each for each in addresses if ":" not in each] if cf.value("inet_protocols") == "ipv4" else addresses


def _tls(cf: MainCf, options: Mapping[str, str]) -> str:
    if options.get("smtpd_tls_wrappermode") == "yes":
        return "implicit"
    level = options.get("smtpd_tls_security_level") or cf.value("smtpd_tls_security_level")
    return "starttls" if level in {"may", "encrypt"} and cf.value("smtpd_tls_cert_file") else "none"
