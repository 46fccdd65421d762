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
NOT_OUT = "mail for others never left this machine; a relay delivers it"
_LINE = re.compile(r"""\s*(\w+)=(?:'([^']*)'|"([^"]*)"|(\S*))\s*""")
_PORT = re.compile(r"\[(?P<one>.+)\][:.](\d+)|(?P<two>\d+\.\d+\.\d+\.\d+)\.(\d+)")


def from_exim(read: Read, folder: str) -> Adoption:
    """Take over /etc/exim4; the password goes into a file of `folder`."""
    draft = Adoption()
    if read(OWN) is not None:
        draft.leave(OWN, "a configuration of its own", "only what Debian's questions ask for is taken over")
    lines = {}
    for number, line in enumerate((read("update-exim4.conf.conf") or "").splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found:
            lines[found[1]] = (found[2] or found[3] or found[4] or "", f"update-exim4.conf.conf:{number}")
    kind, name = lines.get("dc_eximconfig_configtype", ("", ""))[0], (read("/etc/mailname") or "").strip()
    has_smarthost, is_hidden = kind in {"satellite", "smarthost"}, lines.get("dc_hide_mailname", ("", ""))[0] == "true"
    for key, (value, where) in lines.items():
        if key == "dc_eximconfig_configtype" and value in {"local", "none"}:
            draft.leave(where, said(key, value), NOT_OUT)
        elif key == "dc_local_interfaces":
            _listens(draft, value, where)
        elif key == "dc_smarthost" and value and has_smarthost:
            _smarthost(draft, read, folder, value, where)
        elif key == "dc_readhost" and value and name and has_smarthost and is_hidden:
            draft.set("rewrite.senders", name, value, where)
        elif value and key not in DONE:
            _take(draft, key, value, where)
    return draft


def _take(draft: Adoption, key: str, value: str, where: str) -> None:
    if key == "dc_relay_nets":
        draft.relay_for(["127.0.0.0/8", "::1/128", *_listed(value)], where)
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
    addresses = _listed(value) or ["0.0.0.0", "::"]  # "If this is left empty, Exim listens on all interfaces"
    if addresses not in (["127.0.0.1"], ["127.0.0.1", "::1"]):
        for address in addresses:
            found = _PORT.fullmatch(address)
            host = (found["one"] or found["two"]) if found else address.strip("[]")
            draft.add("listen", {"address": host, "port": int(found[2] or found[4]) if found else 25}, where)


def _smarthost(draft: Adoption, read: Read, folder: str, value: str, where: str) -> None:
    """All of the list, as far as one route has them: hosts with one login."""
    hops = [exim_hop(each) for each in _listed(value)] if ";" not in value else []
    known = [hop for hop in hops if hop]
    if not known or len(known) < len(hops):
        draft.leave(where, said("dc_smarthost", value), "write a route for it by hand")
        return
    logins = [_login(draft, read, hop.host) for hop in known]
    same = [hop for hop, login in zip(known, logins, strict=True) if login == logins[0]]
    for hop in known:
        if hop not in same:
            draft.leave(where, hop.host, "it has another password than the first: write a route of its own for it")
    route: Values = {"domains": ["*"]}
    if len(same) == 1:
        route["next_hop"] = same[0].endpoint
    else:
        route["hosts"] = [{"host": hop.host, "port": hop.port, "preference": 10 * at} for at, hop in enumerate(same)]
    if logins[0]:
        route["auth"] = draft.password(*logins[0], folder)
    draft.add("route", route, where)


def _login(draft: Adoption, read: Read, host: str) -> tuple[str, str] | None:
    """The first line for a host; a star stands for the beginning of its name (nwildlsearch)."""
    entries = 0
    for line in (read("passwd.client") or "").splitlines():
        name, _, rest = line.strip().partition(":")
        user, _, password = rest.partition(":")
        if not password or name.startswith("#"):
            continue
        entries += 1
        if name.lower() == host.lower() or (name.startswith("*") and host.lower().endswith(name[1:].lower())):
            return user, password
    if entries:
        draft.leave("passwd.client", host, "no line there is for this name; if one is meant, add `auth` to the route")
    return None
