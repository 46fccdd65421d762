"""msmtprc as settings of a relay (msmtp(1))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from postroad.adopt.draft import NO_TLS, NOTHING, SECRET, UNKNOWN, Adoption, Read, Values, said
from postroad.adopt.hops import port_of

DONE = frozenset({
    "host", "port", "auth", "user", "password", "passwordeval", "tls", "tls_starttls", "tls_trust_file",
    "tls_certcheck", "from", "domain", "aliases", "source_ip", "logfile", "syslog", "allow_from_override",
    "set_from_header", "set_date_header", "set_msgid_header", "undisclosed_recipients", "remove_bcc_headers",
    "dsn_notify", "dsn_return", "keepbcc", "auto_from", "maildomain", "add_missing_from_header",
    "add_missing_date_header", "tls_min_dh_prime_bits", "tls_priorities", "timeout", "from_full_name",
})  # fmt: skip


@dataclass(slots=True)
class _Account:
    name: str
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def from_msmtp(read: Read, folder: str) -> Adoption:
    """Take over the default account of a msmtprc; the password goes into a file of `folder`."""
    draft = Adoption()
    accounts, default = _accounts(read("") or "")
    for name in accounts:
        if name != default:
            draft.leave(
                "msmtprc", f"account {name}", "only the default account is taken over; write a route for this one"
            )
    account = accounts.get(default)
    if account is None or "host" not in account.values:
        draft.leave("msmtprc", "host", "there is no default account with a host")
        return draft
    _route(draft, account, folder)
    _others(draft, account, read)
    return draft


def _accounts(text: str) -> tuple[Mapping[str, _Account], str]:
    """Accounts by name; one may inherit from others, and all have what stands under `defaults`."""
    accounts: dict[str, _Account] = {}
    current, defaults, default = _Account("default"), _Account("defaults"), "default"
    for number, line in enumerate(text.splitlines(), 1):
        key, value = _said(line)
        if not key:
            continue
        if key == "defaults":
            current = defaults
        elif key == "account":
            name, _, parents = value.partition(":")
            current = accounts[name.strip()] = _Account(name.strip(), {**defaults.values}, {**defaults.lines})
            for parent in filter(None, (each.strip() for each in parents.split(","))):
                if parent in accounts:
                    current.values |= accounts[parent].values
                    current.lines |= accounts[parent].lines
                    default = parent if name.strip() == "default" and len(parents.split(",")) == 1 else default
        else:
            current.values[key], current.lines[key] = value, number
            if current.name == "default":
                accounts.setdefault("default", current)
    if default != "default":
        accounts.pop("default", None)
    return accounts, default if default in accounts or len(accounts) != 1 else next(iter(accounts))


def _said(line: str) -> tuple[str, str]:
    """A command and its argument, which may stand in double quotes: no mark in it means anything (msmtp(1))."""
    bare = line.strip()
    if not bare or bare.startswith("#"):
        return "", ""
    key, value = (*bare.split(None, 1), "")[:2]
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return key, value[1:-1] if is_quoted else value


def _route(draft: Adoption, account: _Account, folder: str) -> None:
    it = account.values
    is_tls, is_starttls = it.get("tls") == "on", it.get("tls_starttls", "on") != "off"
    written, usual = it.get("port", ""), 25 if is_starttls or not is_tls else 465
    port = port_of(written) or usual
    if written and port_of(written) is None:
        draft.leave(_at(account, "port"), said("port", written), f"it is not a port; {usual} is used instead")
    route: Values = {"domains": ["*"], "next_hop": f"{it['host']}:{port}"}
    if is_tls and not is_starttls and port != 465:  # there it is so by itself
        route["security"] = "tls"
    if it.get("tls_trust_file", "system") not in {"system", "/etc/ssl/certs/ca-certificates.crt"}:
        route["ca_file"] = it["tls_trust_file"]
    if it.get("auth", "off") != "off" and "user" in it:
        if "password" not in it:  # the command is not quoted: it may have the password in it
            draft.leave(_at(account, "passwordeval"), "passwordeval", UNKNOWN.format(file=f"{folder}/{SECRET}"))
        if not is_tls:
            draft.leave(_at(account, "auth"), it["host"], NO_TLS)
        route["auth"] = draft.password(it["user"], it.get("password"), folder)
    elif is_tls:
        route["tls"] = "encrypt" if it.get("tls_certcheck") == "off" else "verify"
    draft.add("route", route, f"account {account.name}")


def _at(account: _Account, key: str) -> str:
    return f"msmtprc:{account.lines[key]}" if key in account.lines else "msmtprc"


def _others(draft: Adoption, account: _Account, read: Read) -> None:
    it = account.values
    if "from" in it and not set("%*") & set(it["from"]) and it.get("allow_from_override") == "off":
        draft.set("rewrite.senders", "*", it["from"], _at(account, "from"))
    elif "from" in it:
        draft.leave(
            _at(account, "from"),
            said("from", it["from"]),
            "programs choose their sender; [rewrite.senders] can replace it",
        )
    if "domain" in it and "." in it["domain"]:
        draft.set("", "hostname", it["domain"], _at(account, "domain"))
    if "source_ip" in it:
        draft.set("deliver", "source", [it["source_ip"]], _at(account, "source_ip"))
    if "aliases" in it:
        _aliases(draft, read(it["aliases"]), it["aliases"], _at(account, "aliases"))
    for key in sorted(it.keys() - DONE - ({"protocol"} if it.get("protocol") == "smtp" else set())):
        draft.leave(_at(account, key), said(key, it[key]), NOTHING)


def _aliases(draft: Adoption, text: str | None, place: str, where: str) -> None:
    if text is None:
        draft.leave(where, said("aliases", place), "it cannot be read; write who reads what into [aliases]")
        return
    draft.set("aliases", "file", place, where)
    if re.search(r"^default\s*:", text, re.MULTILINE):
        draft.leave(where, said("aliases", place), 'the line "default:" in it is the name "*" in [aliases]')
