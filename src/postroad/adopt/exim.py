"""Debian's exim4 as a satellite or smarthost: update-exim4.conf.conf as settings of a relay (update-exim4.conf(8))."""

from __future__ import annotations

import re

from postroad.adopt.draft import NO_MAILBOXES, NOTHING, Adoption, Read, Values, said
from postroad.adopt.hops import exim_hop

OWN = "exim4.conf"
DONE = {
    "dc_eximconfig_configtype",
    "dc_use_split_config",
    "dc_minimaldns",
    "dc_mailname_in_oh",
    "dc_localdelivery",
    "CFILEMODE",
    "dc_hide_mailname",
    "dc_readhost",
    "dc_smarthost",
}


def from_exim(read: Read, folder: str) -> Adoption:
    """Take over /etc/exim4; the password goes into a file of `folder`."""
    draft = Adoption()
    if read(OWN) is not None:
        draft.leave(OWN, "a configuration of its own", "only what Debian's questions ask for is taken over")
    lines = {}
    for number, line in enumerate((read("update-exim4.conf.conf") or "").splitlines(), 1):
        found = re.fullmatch(r"\s*(\w+)='?([^']*?)'?\s*", line)
        if found:
            lines[found[1]] = (found[2], f"update-exim4.conf.conf:{number}")
    kind, name = lines.get("dc_eximconfig_configtype", ("", ""))[0], (read("/etc/mailname") or "").strip()
    for key, (value, where) in lines.items():
        if key == "dc_smarthost" and value and kind in {"satellite", "smarthost"}:
            _smarthost(draft, read, folder, value, where)
        elif key == "dc_readhost" and value and name and kind == "satellite":
            draft.set("rewrite.senders", name, value, where)
        elif value and key not in DONE:
            _take(draft, key, value, where)
    return draft


def _take(draft: Adoption, key: str, value: str, where: str) -> None:
    if key == "dc_local_interfaces":
        _listens(draft, value, where)
    elif key == "dc_relay_nets":
        draft.set("relay", "networks", ["127.0.0.0/8", "::1/128", *_listed(value)], where)
    elif key == "dc_other_hostnames":
        names = [each for each in _listed(value) if not each.startswith("localhost")]
        if names:
            draft.leave(
                where, said(key, value), f"mail for these names went into mailboxes of this machine. {NO_MAILBOXES}"
            )
    else:
        draft.leave(where, said(key, value), NOTHING)


def _listed(value: str) -> list[str]:
    """A list of Exim, whose mark is `;` or `:`; a colon within an address stands twice."""
    if ";" in value:
        parts = value.replace("<;", "").split(";")
    else:
        parts = [each.replace("\0", ":") for each in value.replace("::", "\0").split(":")]
    return [each.strip() for each in parts if each.strip()]


def _listens(draft: Adoption, value: str, where: str) -> None:
    addresses = _listed(value)
    if addresses not in (["127.0.0.1"], ["127.0.0.1", "::1"]):
        for address in addresses:
            draft.add("listen", {"address": address, "port": 25}, where)


def _smarthost(draft: Adoption, read: Read, folder: str, value: str, where: str) -> None:
    hop = exim_hop(_first_host(value))
    if hop is None:
        draft.leave(where, said("dc_smarthost", value), "write a route for it by hand")
        return
    route: Values = {"domains": ["*"], "next_hop": hop.endpoint}
    for line in (read("passwd.client") or "").splitlines():
        name, _, rest = line.strip().partition(":")
        user, _, password = rest.partition(":")
        if name in {hop.host, "*"} and password:
            route["auth"] = draft.password(user, password, folder)
            break
    draft.add("route", route, where)


def _first_host(value: str) -> str:
    return value.split(";", maxsplit=1)[0]
