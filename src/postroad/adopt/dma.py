"""dma.conf and auth.conf of the DragonFly Mail Agent as settings of a relay (dma(8))."""

from __future__ import annotations

from postroad.adopt.draft import NO_TLS, NOTHING, Adoption, Read, Values, pairs, said
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
        written, where = lines.get("PORT", ("25", ""))
        port = port_of(written) or 25
        if port_of(written) is None:
            draft.leave(where, said("PORT", written), "it is not a port; 25 is used instead")
        route: Values = {"domains": ["*"], "next_hop": f"{host}:{port}"}
        is_secure, is_starttls = "SECURETRANSFER" in lines, "STARTTLS" in lines
        if is_secure and not is_starttls and port != 465:  # there it is so by itself
            route["security"] = "tls"
        login = _login(read, lines["AUTHPATH"][0], host) if "AUTHPATH" in lines else None
        if login:
            route["auth"] = draft.password(*login, folder)
            if not is_secure:
                draft.leave(lines["SMARTHOST"][1], host, NO_TLS)
        elif is_secure and "OPPORTUNISTIC_TLS" not in lines:
            route["tls"] = "encrypt"
        draft.add("route", route, lines["SMARTHOST"][1])
    own = lines.get("MAILNAME", ("", ""))[0]
    if own.startswith("/"):
        own = ((read(own) or "").splitlines() or [""])[0].strip()
    for key, (value, where) in lines.items():
        _other(draft, key, value, where, own)
    return draft


def _login(read: Read, place: str, host: str) -> tuple[str, str] | None:
    """The line `user|host:password` of this host."""
    for line in (read(place) or "").splitlines():
        user, bar, rest = line.strip().partition("|")
        name, colon, password = rest.partition(":")
        if bar and colon and name == host and not user.startswith("#"):
            return user, password
    return None


def _other(draft: Adoption, key: str, value: str, where: str, own: str) -> None:
    if key == "MAILNAME":
        if own:
            draft.set("", "hostname", own, where)
        else:
            draft.leave(where, said(key, value), "it cannot be read; set hostname by hand")
    elif key == "MASQUERADE":
        user, at, domain = value.rpartition("@")
        if at and not (domain or own):
            draft.leave(where, said(key, value), "write it with a domain into [rewrite.senders]")
        else:
            draft.set("rewrite.senders", "*", f"{user}@{domain or own}" if user else domain, where)
    elif key == "ALIASES":
        draft.set("aliases", "file", value, where)
    elif key not in DONE:
        draft.leave(where, said(key, value), NOTHING)
