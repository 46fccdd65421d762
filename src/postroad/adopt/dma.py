"""dma.conf and auth.conf of the DragonFly Mail Agent as settings of a relay (dma(8))."""

from __future__ import annotations

from postroad.adopt.draft import NOTHING, Adoption, Read, Values, pairs, said
from postroad.adopt.hops import port_of

DONE = {
    "SMARTHOST",
    "PORT",
    "AUTHPATH",
    "SECURETRANSFER",
    "STARTTLS",
    "OPPORTUNISTIC_TLS",
    "INSECURE",
    "SPOOLDIR",
    "DEFER",
}


def from_dma(read: Read, folder: str) -> Adoption:
    """Take over /etc/dma; the password goes into a file of `folder`."""
    draft = Adoption()
    lines = {key: (value, f"dma.conf:{number}") for number, key, value in pairs(read("dma.conf") or "")}
    host = lines.get("SMARTHOST", ("", ""))[0]
    if host:
        port = port_of(lines.get("PORT", ("25", ""))[0]) or 25
        route: Values = {"domains": ["*"], "next_hop": f"{host}:{port}"}
        is_secure, is_starttls = "SECURETRANSFER" in lines, "STARTTLS" in lines
        if is_secure and not is_starttls and port != 465:  # there it is so by itself
            route["security"] = "tls"
        login = _login(read, lines.get("AUTHPATH", ("auth.conf", ""))[0], host)
        if login:
            route["auth"] = draft.password(*login, folder)
        elif is_secure and "OPPORTUNISTIC_TLS" not in lines:
            route["tls"] = "encrypt"
        draft.add("route", route, lines["SMARTHOST"][1])
    for key, (value, where) in lines.items():
        _other(draft, key, value, where)
    return draft


def _login(read: Read, place: str, host: str) -> tuple[str, str] | None:
    """The line `user|host:password` of this host."""
    for line in (read(place) or "").splitlines():
        user, bar, rest = line.strip().partition("|")
        name, colon, password = rest.partition(":")
        if bar and colon and name == host and not user.startswith("#"):
            return user, password
    return None


def _other(draft: Adoption, key: str, value: str, where: str) -> None:
    if key == "MAILNAME":
        if "/" not in value:
            draft.set("", "hostname", value, where)
    elif key == "MASQUERADE":
        user, at, domain = value.rpartition("@")
        draft.set("rewrite.senders", "*", value if user else domain if at else value, where)
    elif key == "ALIASES":
        draft.set("aliases", "file", value, where)
    elif key not in DONE:
        draft.leave(where, said(key, value), NOTHING)
